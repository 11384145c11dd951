// A holding's transactions in a dialog, and the form that adds or edits one.
import { changeGroup, deleteGroup, openAction } from "./actions.js";
import { api, apiPage } from "./api.js";
import { confirm, dialog, empty, field, fill, form, h, notice } from "./dom.js";
import { date, isoDate, num } from "./format.js";
import { historyButton } from "./history.js";
import { numberInput, readNumbers } from "./portfolios.js";
import { tickerInput } from "./tickers.js";
import { ALL_TYPES, GROUP_KINDS, TYPES } from "./words.js";

/** The dialog for a new transaction, or for `row`. `holding` or `portfolioId` says where it belongs. */
export function editTransaction({ row, holding, portfolioId, done }) {
  const types = TYPES();
  const type = h("select", {}, ...Object.entries(types).map(([key, label]) => h("option", { value: key }, label)));
  type.value = row?.type ?? "buy";
  const currency = h("input", { maxlength: 3, autocapitalize: "characters", autocomplete: "off", placeholder: "NOK" });
  const [ticker, options, said] = tickerInput((one) => { currency.value = one.currency ?? ""; });
  const instrument = field("ticker", gettext("Ticker, name or ISIN"), ticker, { wide: false });
  instrument.append(options, said);
  const isNew = !row && !holding;
  const today = isoDate(new Date());
  const box = dialog(
    row ? gettext("Edit the transaction") : holding ? `${gettext("New transaction")}: ${holding.ticker}` : gettext("New transaction"),
    form({
      fields: [
        ...(isNew ? [instrument, field("currency", gettext("Currency of the instrument"), currency)] : []),
        field("type", gettext("Type"), type),
        field("date", gettext("Date"), h("input", { type: "date", max: today, required: true, value: row?.date ?? today })),
        field("quantity", gettext("Quantity"), numberInput(row?.quantity, { required: true }), { hint: gettext("Shares; for a split, new shares per old share") }),
        field("price", gettext("Price"), numberInput(row?.price), { hint: gettext("Per share, in the instrument's currency") }),
        field("commission", gettext("Commission"), numberInput(row?.commission)),
        field("exchange_rate", gettext("Exchange rate"), numberInput(row?.exchange_rate), { hint: gettext("Looked up if left empty") }),
        field("note", gettext("Note"), h("input", { maxlength: 500, value: row?.note ?? "" }), { wide: true }),
      ],
      label: row ? gettext("Save") : gettext("Add"),
      extra: row ? [historyButton(`${types[row.type] ?? row.type}, ${date(row.date)}`, { object: row.id })] : [],
      read: (own) => {
        const { elements } = own;
        const body = { type: elements.type.value, date: elements.date.value, note: elements.note.value };
        if (holding) body.holding_id = holding.id;
        else if (!row) {
          Object.assign(body, { portfolio_id: portfolioId, ticker: elements.ticker.value.trim() });
          if (elements.currency.value.trim()) body.currency = elements.currency.value.trim().toUpperCase();
        }
        if (row) delete body.holding_id;
        // Unchanged values are not sent, because the API keeps digits that a text box does not show.
        const names = ["quantity", "price", "commission", "exchange_rate"];
        return readNumbers(own, row ? names.filter((name) => elements[name].value !== elements[name].defaultShown) : names, body);
      },
      send: async (body) => {
        const { warnings } = await (row ? api(`/transactions/${row.id}`, { method: "PATCH", body }) : api("/transactions", { method: "POST", body }));
        box.close();
        done();
        notice(row ? gettext("Transaction saved.") : gettext("Transaction added."));
        if (warnings.length) dialog(gettext("Check this transaction"), h("div", {}, ...warnings.map((one) => h("p", { class: "note" }, one.detail))));
      },
    }),
  );
  for (const input of box.querySelectorAll("input.number")) input.defaultShown = input.value;
}

/** Opens what a transaction is part of: its group, the action that it needs, or itself. `done` is called after a change. */
export function openRow({ row, done }) {
  const alone = () => editTransaction({ row, done });
  if (row.group_id) return changeGroup(row, { done, alone });
  if (row.type === "exchange_in") return openAction({ row, done });
  return alone();
}

function remove(row, label, done) {
  if (row.group_id) return deleteGroup(row, done);
  return confirm(label, gettext("Delete"), async () => { await api(`/transactions/${row.id}`, { method: "DELETE" }); done(); });
}

/** All transactions of a holding; `changed` is called after each change. */
export function showTransactions(holding, currency, changed) {
  const panel = h("div");
  let shown = [];
  async function load(path) {
    const { rows, next } = await apiPage(path);
    shown = [...shown, ...rows];
    if (!next) return table(shown);
    const older = h("button", { class: "button", type: "button", onclick: () => fill(panel, () => load(next)) }, gettext("Show older"));
    return [table(shown), h("div", { class: "actions" }, older)];
  }
  const refresh = () => fill(panel, () => { shown = []; return load(`/holdings/${holding.id}/transactions`); });
  const both = () => { refresh(); changed(); };
  const types = ALL_TYPES();
  const named = (row) => `${types[row.type] ?? row.type} ${date(row.date)}`;
  const opens = (row) => (row.type === "exchange_in" && !row.group_id ? gettext("Complete") : gettext("Edit"));
  function table(rows) {
    if (!rows.length) return empty(gettext("No transactions."));
    const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
    return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Transactions") }, h("table", {},
      h("thead", {}, h("tr", {}, head(gettext("Date")), head(gettext("Type"), "text"), head(gettext("Quantity")), head(`${gettext("Price")} (${holding.currency})`), head(gettext("Commission"), "less"), head(`${gettext("Amount")} (${currency})`), head(gettext("Realised gain"), "less"), head(h("span", { class: "hidden" }, gettext("Actions"))))),
      h("tbody", {}, ...rows.map((row) => h("tr", { "data-id": row.id },
        h("th", { scope: "row" }, date(row.date), row.note && h("span", { class: "under" }, row.note)),
        h("td", { class: "text" }, types[row.type] ?? row.type, row.source === "market_data" && h("span", { class: "tag" }, gettext("automatic")), row.group_kind && h("span", { class: "tag" }, GROUP_KINDS()[row.group_kind])),
        h("td", {}, num("quantity", row.quantity)),
        h("td", {}, num("price", row.price)),
        h("td", { class: "less" }, num("money", row.commission, { digits: 2 })),
        h("td", {}, num("money", row.amount, { digits: 2 })),
        h("td", { class: "less" }, row.realised_gain === null ? "" : num("money", row.realised_gain, { digits: 2, signed: true })),
        h("td", {},
          h("button", { class: "button slim", type: "button", "aria-label": `${opens(row)}: ${named(row)}`, onclick: () => openRow({ row, done: both }) }, opens(row)), " ",
          h("button", { class: "button slim danger", type: "button", "aria-label": `${gettext("Delete")}: ${named(row)}`, onclick: () => remove(row, `${types[row.type]}, ${date(row.date)}`, both) }, gettext("Delete"))))))));
  }
  dialog(`${holding.company_name || holding.ticker} (${holding.ticker})`, h("div", {}, panel, h("div", { class: "actions" },
    historyButton(holding.ticker, { object: holding.id }),
    h("button", { class: "button", type: "button", onclick: () => openAction({ portfolioId: holding.portfolio_id, holdingId: holding.id, done: both }) }, gettext("Merger, spin-off, move …")),
    h("button", { class: "button primary", type: "button", onclick: () => editTransaction({ holding, done: both }) }, gettext("Add a transaction")))), { large: true });
  refresh();
}
