// All portfolios, and the dialog that adds one.
import { api } from "./api.js";
import { $, dialog, empty, field, fill, form, h } from "./dom.js";
import { num, otherDay, parseNumber, typed } from "./format.js";
import { currencyName } from "./words.js";
import { missingNote } from "./sources.js";

let currencies;
/** A select with all currencies, which are fetched once. */
export async function currencySelect(chosen) {
  currencies ??= api("/currencies").catch((problem) => { currencies = undefined; throw problem; });
  const all = await currencies;
  const box = h("select", { required: true }, ...all.map((one) => h("option", { value: one.code }, `${one.code} · ${currencyName(one.code, one.name)}`)));
  box.value = chosen;
  return box;
}

/** Reads fields typed in the reader's locale into the body; undefined if one is invalid, after marking it. */
export function readNumbers(box, names, body) {
  for (const name of names) {
    const value = parseNumber(box.elements[name].value);
    if (value === undefined) {
      box.refuse(name, gettext("Enter a number."));
      return undefined;
    }
    if (value !== null) body[name] = value;
  }
  return body;
}

export const numberInput = (value, attributes = {}) =>
  h("input", { class: "number", inputmode: "decimal", autocomplete: "off", value: typed(value), ...attributes });

export async function addPortfolio(base, done) {
  const currency = await currencySelect(base);
  const box = dialog(gettext("Add a portfolio"), form({
    fields: [
      field("name", gettext("Name"), h("input", { required: true, maxlength: 100, autocomplete: "off" }), { wide: true }),
      field("currency", gettext("Currency"), currency),
      field("brokerage_firm", gettext("Broker"), h("input", { maxlength: 100, autocomplete: "off" })),
    ],
    label: gettext("Add"),
    read: (own) => ({ name: own.elements.name.value, currency: own.elements.currency.value, brokerage_firm: own.elements.brokerage_firm.value }),
    send: async (body) => {
      const made = await api("/portfolios", { method: "POST", body });
      box.close();
      done(made);
    },
  }));
}

function list(all) {
  if (!all.length) return empty(gettext("No portfolios yet. Add one, then import your broker's file or enter transactions."));
  const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Portfolios") }, h("table", {},
    h("thead", {}, h("tr", {}, head(gettext("Portfolio")), head(gettext("Net value")), head(gettext("Day change")), head(gettext("Unrealised gain")), head(gettext("Total gain"), "less"), head(gettext("Cash"), "less"), head(gettext("Used credit"), "less"))),
    h("tbody", {}, ...all.map(({ id, name, brokerage_firm: firm, currency, cash, used_credit: credit, summary }) => {
      const money = (value, options) => num("money", value, { currency, ...options });
      const under = (value, day = "") => h("span", { class: "under" }, num("percent", value, { digits: 2, signed: true }), day);
      return h("tr", { class: "opens", onclick: () => location.assign(`/portfolios/${id}`) },
        h("th", { scope: "row" }, h("a", { class: "name", href: `/portfolios/${id}` }, name), h("span", { class: "under" }, [firm, currency].filter(Boolean).join(" · "), ...missingNote(summary.missing_why))),
        h("td", {}, h("b", {}, money(summary.net_value))),
        h("td", {}, money(summary.day_change, { signed: true }), under(summary.day_change_pct, otherDay(summary.day_change_on))),
        h("td", {}, money(summary.unrealised_gain, { signed: true }), under(summary.unrealised_gain_pct)),
        h("td", { class: "less" }, money(summary.total_gain, { signed: true })),
        h("td", { class: "less" }, money(cash)),
        h("td", { class: "less" }, money(credit)));
    }))));
}

if ($("#list")) {
  fill($("#list"), async () => list(await api("/portfolios")));
  $("#add").addEventListener("click", async () => {
    const me = await api("/users/me").catch(() => ({ base_currency: "NOK" }));
    addPortfolio(me.base_currency, ({ id }) => location.assign(`/portfolios/${id}`));
  });
}
