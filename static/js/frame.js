// Theme and hidden amounts. Both are cookies, so that the server renders the page correctly.
const root = document.documentElement;

function keep(name, value) {
  const life = value ? "; max-age=31536000" : "; max-age=0";
  document.cookie = `${name}=${value}${life}; path=/; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
}

export const changed = () => document.dispatchEvent(new Event("appearance"));

const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", changed);

document.querySelector("#theme")?.addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  const chosen = dark ? "light" : "dark";
  if ((chosen === "dark") === system.matches) delete root.dataset.theme; // the same as the system: follow the system again
  else root.dataset.theme = chosen;
  keep("theme", root.dataset.theme ?? "");
  changed();
});

const amounts = document.querySelector("#hide-amounts");
amounts?.addEventListener("click", () => {
  const hide = root.dataset.amounts !== "hidden";
  if (hide) root.dataset.amounts = "hidden";
  else delete root.dataset.amounts;
  amounts.setAttribute("aria-pressed", String(hide));
  keep("amounts", hide ? "hidden" : "");
  changed();
});
