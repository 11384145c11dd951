// Prices that a person enters for an instrument that no source prices.
import { api } from "./api.js";
import { dialog, empty, field, fill, form, h, notice } from "./dom.js";
import { date, isoDate, num } from "./format.js";
import { numberInput, readNumbers } from "./portfolios.js";

/** Whether a person may price the holding's instrument: it has no other source of prices. */
export const isPricedByHand = (holding) => [null, "trade", "manual"].includes(holding.price_source);

/** The dialog with the prices by hand of a holding's instrument; `changed` is called after each change. */
export function editPrices(instrument, changed) {
  dialog(`${gettext("Prices")}: ${instrument.ticker}`, pricesByHand(instrument, changed));
}

/** A form for a price by hand, and the list of those entered. `changed` is called after each change. */
export function pricesByHand({ ticker, currency }, changed) {
  const path = `/stocks/${encodeURIComponent(ticker)}/prices`;
  const list = h("div");
  const refresh = () => fill(list, async () => {
    const all = await api(path);
    if (!all.length) return empty(gettext("No prices entered yet."));
    return h("ul", { class: "rows" }, ...all.map((one) => h("li", {},
      h("span", {}, date(one.date)),
      h("b", { class: "end" }, num("price", one.close), " ", one.currency),
      h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Delete")}: ${date(one.date)}`, onclick: () => remove(one) }, gettext("Delete")))));
  });
  async function remove(one) {
    await api(`${path}/${one.date}`, { method: "DELETE" });
    refresh();
    changed();
  }
  const today = isoDate(new Date());
  const own = h("div", {},
    form({
      fields: [
        field("date", gettext("Date"), h("input", { type: "date", max: today, required: true, value: today })),
        field("close", `${gettext("Price")} (${currency})`, numberInput(null, { required: true })),
      ],
      label: gettext("Save the price"),
      read: (box) => readNumbers(box, ["close"], { date: box.elements.date.value }),
      send: async (body) => {
        await api(path, { method: "POST", body });
        notice(gettext("Price saved."));
        refresh();
        changed();
      },
    }), list);
  refresh();
  return own;
}
