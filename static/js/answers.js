// What a source says and is not believed, as a table with buttons to accept or dismiss each row.
import { openAction } from "./actions.js";
import { api } from "./api.js";
import { h, notice } from "./dom.js";
import { date, moment, num, text } from "./format.js";

const KINDS = () => ({ split: gettext("Split"), dividend: gettext("Dividend"), price: gettext("Price"), rate: gettext("Exchange rate") });
const STATES = () => ({ accepted: gettext("Accepted"), dismissed: gettext("Dismissed") });

const value = (number) => (number === null ? "–" : num("exact", number));

/** The link to the page of an instrument; a pair of currencies has none. */
function named({ ticker, kind }) {
  if (kind === "rate") return h("b", {}, ticker);
  return h("a", { href: `/instruments/${encodeURIComponent(ticker)}` }, h("b", {}, ticker));
}

function button(label, one, accept, changed) {
  const element = h("button", { type: "button", class: "button slim", "aria-label": `${label}: ${one.ticker}, ${date(one.date)}` }, label);
  element.addEventListener("click", async () => {
    element.disabled = true;
    try {
      await api(`/held-back/${one.id}`, { method: "POST", body: { accept } });
      notice(accept ? gettext("Accepted.") : gettext("Dismissed."));
      changed();
    } catch (problem) {
      element.disabled = false;
      notice(problem.message);
    }
  });
  return element;
}

/** Opens the dialog for a spin-off on the day of a factor, which answers it. */
function spinOffButton({ ticker, date: day, value: factor }, changed) {
  const gone = text("percent", 1 - 1 / factor, { digits: 1 });
  const hint = interpolate(gettext("The source divides earlier prices by %s. If it was a spin-off, about %s of the value went to the new shares. Recording the spin-off answers this."), [text("exact", factor), gone]);
  const open = () => openAction({ ticker, event: "spin_off", day, hint, done: changed });
  return h("button", { type: "button", class: "button slim", "aria-label": `${gettext("It was a spin-off")}: ${ticker}, ${date(day)}`, onclick: open }, gettext("It was a spin-off"));
}

/** The answers that a row still allows. `changed` is called after each. */
function buttons(one, changed) {
  const accept = () => button(gettext("Accept"), one, true, changed);
  const dismiss = () => button(gettext("Dismiss"), one, false, changed);
  const isFactor = one.kind === "split" && one.reason === "price_factor" && one.value > 1;
  if (one.state === "held_back") return [accept(), " ", dismiss(), ...(isFactor ? [" ", spinOffButton(one, changed)] : [])];
  return one.state === "dismissed" ? [accept()] : [dismiss()];
}

/** A table of the API's rows. `changed` is called after each answer. */
export function answersTable(label, found, changed) {
  const heads = [gettext("Instrument"), gettext("Date"), gettext("It says"), gettext("Before"), gettext("Why, and what accepting changes"), ""];
  const row = (one) => h("tr", {},
    h("th", { scope: "row" }, named(one), h("span", { class: "under" }, KINDS()[one.kind] ?? one.kind)),
    h("td", {}, date(one.date), h("span", { class: "under" }, moment(one.since))),
    h("td", {}, value(one.value)),
    h("td", {}, value(one.before)),
    h("td", {}, one.detail || STATES()[one.state] || "–", one.effect ? h("span", { class: "under" }, one.effect) : null),
    h("td", {}, ...buttons(one, changed)));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, h("table", {},
    h("thead", {}, h("tr", {}, ...heads.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...found.map(row))));
}
