// The statement of a portfolio's account: what moved a currency, with the balance after each row.
import { api, query } from "./api.js";
import { empty, fill, h, select } from "./dom.js";
import { date, num } from "./format.js";
import { addMoney, editCashFrom, openMoney } from "./money.js";
import { openRow } from "./transactions.js";
import { ALL_TYPES } from "./words.js";

const asked = { currency: "", start: "", end: "", type: "" };

/** Fills `panel` with the statement, and `tools` with its filters. `changed` is called after an edit. */
export function showAccount(portfolioId, own, panel, tools, changed) {
  const again = () => showAccount(portfolioId, own, panel, tools, changed);
  const add = h("button", { class: "button slim", type: "button", onclick: () => addMoney({ portfolioId, currency: own, done: changed }) }, gettext("Add money"));
  return fill(panel, async () => {
    const cash = await api(`/portfolios/${portfolioId}/cash`);
    if (!cash.currencies.length) {
      tools.replaceChildren(add);
      return empty(gettext("No money recorded yet. Import your broker's file of all transactions."));
    }
    const { currency, start, end } = asked;
    const parameters = query({ currency, start, end });
    const statement = await api(`/portfolios/${portfolioId}/statement${parameters}`);
    tools.replaceChildren(...filters(cash.currencies, statement, portfolioId, parameters, again), add);
    return [balances(portfolioId, cash, changed), table(statement, changed)];
  });
}

/** The balance of each currency, and from which day cash follows from the transactions. */
function balances(portfolioId, cash, changed) {
  const fact = ({ currency, balance }) => h("div", {}, h("dt", {}, currency), h("dd", {}, num("money", balance, { digits: 2 })));
  const since = cash.cash_from ? interpolate(gettext("Cash follows from the transactions since %s."), [date(cash.cash_from)]) : gettext("Cash is what you enter: it does not follow from the transactions.");
  const change = h("button", { class: "button slim", type: "button", onclick: () => editCashFrom(portfolioId, cash, changed) }, gettext("Change"));
  return h("div", { id: "balances" }, h("dl", { class: "facts" }, ...cash.currencies.map(fact)), h("p", { class: "small muted" }, since, " ", change));
}

function filters(currencies, statement, portfolioId, parameters, again) {
  const types = ALL_TYPES();
  const choose = (name) => (value) => { asked[name] = value; again(); };
  const day = (name, label) => h("input", { type: "date", class: "compact", "aria-label": label, value: statement[name], onchange: (event) => choose(name)(event.target.value) });
  const present = [...new Set(statement.rows.map((row) => row.type))];
  if (asked.type && !present.includes(asked.type)) present.push(asked.type);
  return [
    select(gettext("Statement in"), currencies.map(({ currency }) => [currency, currency]), statement.currency, choose("currency")),
    day("start", gettext("Statement from")),
    day("end", gettext("Statement until")),
    select(gettext("Statement shows"), [["", gettext("All types")], ...present.map((type) => [type, types[type] ?? type])], asked.type, choose("type")),
    h("a", { class: "button slim", href: `/api/v1/portfolios/${portfolioId}/statement.csv${parameters}`, download: "" }, gettext("Download as CSV")),
  ];
}

function table({ currency, start, end, opening_balance: opening, closing_balance: closing, rows }, changed) {
  const types = ALL_TYPES();
  const amount = (value, options) => num("money", value, { digits: 2, ...options });
  const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
  const standing = (day, label, balance) => h("tr", { class: "stands" },
    h("th", { scope: "row" }, date(day)), h("td", { class: "text", colspan: 3 }, label), h("td", {}, h("b", {}, amount(balance))));
  const shown = rows.filter((row) => !asked.type || row.type === asked.type).toReversed();
  return h("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": gettext("Account statement") }, h("table", { id: "statement" },
    h("thead", {}, h("tr", {}, head(gettext("Booked")), head(gettext("Type"), "text"), head(gettext("Text"), "text"), head(`${gettext("Amount")} (${currency})`), head(gettext("Balance")))),
    h("tbody", {},
      standing(end, gettext("Closing balance"), closing),
      ...shown.map((row) => h("tr", { "data-id": row.transaction_id },
        h("th", { scope: "row" }, date(row.booked_on ?? row.date), row.booked_on && row.booked_on !== row.date ? h("span", { class: "under" }, `${gettext("traded")} ${date(row.date)}`) : ""),
        h("td", { class: "text" }, opener(row, types[row.type] ?? row.type, changed)),
        h("td", { class: "text" }, [row.ticker, row.text].filter(Boolean).join(" · ")),
        h("td", {}, amount(row.amount, { signed: true })),
        h("td", {}, amount(row.balance)))),
      standing(start, gettext("Opening balance"), opening))));
}

/** Opens the transaction. */
function opener(row, label, changed) {
  const open = async () => {
    if (!row.ticker) return openMoney(row.transaction_id, changed);
    openRow({ row: await api(`/transactions/${row.transaction_id}`), done: changed });
  };
  return h("button", { class: "name", type: "button", onclick: open }, label);
}
