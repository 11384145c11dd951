// What a page says while a source of prices cannot be asked, and about prices that are missing.
import { api, troubled } from "./api.js";
import { h } from "./dom.js";
import { time } from "./format.js";

const NAMES = { yahoo: "Yahoo", ynab: "YNAB" };
const nameOf = (one) => NAMES[one.name] ?? one.name;

function sentence(one) {
  const values = [nameOf(one), one.since && time(one.since), one.next_try && time(one.next_try)].filter(Boolean);
  if (one.state === "limited")
    return interpolate(one.next_try ? gettext("%s limits our questions since %s, next try %s.") : gettext("%s limits our questions since %s."), values);
  return interpolate(one.next_try ? gettext("%s cannot be reached since %s, next try %s.") : gettext("%s cannot be reached since %s."), values);
}

/** Says which sources could not be asked, since when, and of when the prices are; null if all answered.
 *  `asOf` is the time of the oldest price shown, `retry` runs for the button. */
export async function sourceNote({ asOf, retry } = {}) {
  if (!troubled.size) return null;
  const { sources } = await api("/status").catch(() => ({ sources: [] }));
  const silent = sources.filter((one) => one.state !== "ok" && one.since && troubled.has(one.name));
  if (!silent.length) return null;
  return h("p", { class: "warn small source-note", role: "status" },
    silent.map(sentence).join(" "), " ",
    asOf && interpolate(gettext("Prices are from %s."), [time(asOf)]), " ",
    retry && h("button", { class: "button slim", type: "button", onclick: retry }, gettext("Try again")));
}

const WHY = () => ({
  no_price: gettext("no price"),
  no_rate: gettext("no exchange rate"),
  history_pending: gettext("price history not fetched yet, counted at what you last paid"),
  split_held_back: gettext("a split waits for your answer"),
  price_held_back: gettext("a price is held back"),
  rate_held_back: gettext("an exchange rate is held back"),
  split_unbooked: gettext("a split is not booked"),
  currency_differs: gettext("the source has another currency"),
  stale_rate: gettext("old exchange rate"),
});

/** Names what is missing with the reason: ` · ACME: no price`. */
export function missingNote(missingWhy) {
  const why = WHY();
  return Object.entries(missingWhy).map(([name, code]) => h("span", { class: "warn" }, ` · ${name}: ${why[code] ?? code}`));
}
