// A text box that suggests the tickers of instruments.
import { api, query } from "./api.js";
import { h } from "./dom.js";
import { sourceNote } from "./sources.js";

let lists = 0;

/** A text box that suggests tickers (an ARIA combobox). `chosen` gets the selected suggestion. */
export function tickerInput(chosen) {
  const id = `tickers-${++lists}`;
  const options = h("ul", { class: "options", id, role: "listbox", "aria-label": gettext("Suggestions"), hidden: true });
  const input = h("input", { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", required: true, maxlength: 40 });
  const said = h("div"); // that the source cannot be asked
  let found = [];
  let at = -1;
  let asked = 0;
  let wait;
  function show(suggestions) {
    found = suggestions;
    at = -1;
    input.removeAttribute("aria-activedescendant");
    options.replaceChildren(...found.map((one, index) =>
      h("li", { role: "option", id: `${id}-${index}`, "aria-selected": "false", onpointerdown: (event) => { event.preventDefault(); pick(index); } },
        h("b", {}, one.ticker), " ", one.company_name, h("span", { class: "muted small" }, ` ${[one.exchange, one.currency].filter(Boolean).join(" · ")}`))));
    options.hidden = !found.length;
    input.setAttribute("aria-expanded", String(!options.hidden));
  }
  function pick(index) {
    input.value = found[index].ticker;
    chosen(found[index]);
    asked++;
    show([]);
  }
  input.addEventListener("input", () => {
    clearTimeout(wait);
    const turn = ++asked;
    const typedText = input.value.trim();
    if (!typedText) return show([]);
    wait = setTimeout(async () => {
      const answer = await api("/stocks/search" + query({ q: typedText, limit: 8 })).catch(() => []);
      if (turn === asked) show(answer);
      if (turn === asked) said.replaceChildren(await sourceNote() ?? "");
    }, 200);
  });
  input.addEventListener("keydown", (event) => {
    if (options.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
      [...options.children].forEach((one, index) => one.setAttribute("aria-selected", String(index === at)));
      input.setAttribute("aria-activedescendant", `${id}-${at}`);
    } else if (event.key === "Enter" && at >= 0) pick(at);
    else if (event.key === "Escape") show([]);
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", () => {
    clearTimeout(wait);
    asked++; // an answer that arrives later must not open the list
    show([]);
  });
  return [input, options, said];
}
