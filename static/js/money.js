// Money alone: the form that adds or edits a deposit, interest, an exchange of currencies …, and the day from which cash follows.
import { api } from "./api.js";
import { confirm, dialog, field, form, h, notice } from "./dom.js";
import { date, isoDate } from "./format.js";
import { historyButton } from "./history.js";
import { currencySelect, numberInput, readNumbers } from "./portfolios.js";
import { ALL_TYPES } from "./words.js";

// What a person enters; the last two are groups of two transactions.
const PLAIN = ["deposit", "withdrawal", "interest", "fee", "tax", "adjustment"];
const TWO_WAYS = new Set(["interest", "fee", "tax", "adjustment", "opening"]);
const PAID = new Set(["withdrawal", "fee", "tax"]);

const labels = () => ({ ...ALL_TYPES(), conversion: gettext("Exchange of currencies"), transfer: gettext("To another portfolio") });
const dayInput = (value, attributes = {}) => h("input", { type: "date", value: value ?? "", ...attributes });
const unsigned = (value) => (value === undefined ? value : Math.abs(value));

/** Opens the form for a new transaction. */
export async function addMoney({ portfolioId, currency, done }) {
  const others = (await api("/portfolios")).filter((one) => one.id !== portfolioId);
  const types = [...PLAIN, "conversion", ...(others.length ? ["transfer"] : [])];
  const values = { type: "deposit", portfolio_id: portfolioId, currency, to_currency: currency === "EUR" ? "USD" : "EUR" };
  moneyForm({ title: gettext("New transaction of money"), types, values, others, done });
}

/** Opens the form of a transaction, or of the group that it belongs to. */
export async function openMoney(id, done) {
  const row = await api(`/transactions/${id}`);
  const what = `${ALL_TYPES()[row.type] ?? row.type}, ${date(row.date)}`;
  if (row.source === "derived") {
    dialog(what, h("div", {}, h("p", {}, gettext("This opening follows from other transactions or from imported files. It cannot be changed here.")), h("div", { class: "actions" }, historyButton(what, { object: row.id }))));
    return;
  }
  if (row.group_id) return openGroup(row, what, done);
  const types = row.type === "opening" ? ["opening"] : PLAIN;
  const values = { ...row, currency: row.settlement_currency, amount: row.settlement_amount };
  moneyForm({ title: gettext("Edit the transaction"), types, values, row, what, done });
}

async function openGroup(row, what, done) {
  const group = await api(`/transaction-groups/${row.group_id}`);
  const [leaves, arrives] = group.transactions;
  const values = {
    ...group, type: group.kind, booked_on: leaves.booked_on, portfolio_id: leaves.portfolio_id,
    currency: leaves.settlement_currency, amount: -leaves.settlement_amount,
    to_currency: arrives.settlement_currency, to_amount: arrives.settlement_amount, to_portfolio_id: arrives.portfolio_id,
  };
  const others = [await api(`/portfolios/${arrives.portfolio_id}`)];
  moneyForm({ title: gettext("Edit the transaction"), types: [group.kind], values, row, group, others, what, done });
}

async function moneyForm({ title, types, values, row, group, others = [], what, done }) {
  const names = labels();
  const [currency, toCurrency] = await Promise.all([currencySelect(values.currency), currencySelect(values.to_currency ?? values.currency)]);
  const today = isoDate(new Date());
  const type = h("select", {}, ...types.map((key) => h("option", { value: key }, names[key])));
  const way = h("select", {}, h("option", { value: "in" }, gettext("Received")), h("option", { value: "out" }, gettext("Paid")));
  const rows = {
    type: field("type", gettext("Type"), type),
    way: field("way", gettext("Direction"), way),
    date: field("date", gettext("Date"), dayInput(values.date ?? today, { max: today, required: true })),
    amount: field("amount", gettext("Amount"), numberInput(unsigned(values.amount), { required: true })),
    currency: field("currency", gettext("Currency"), currency),
    to_amount: field("to_amount", gettext("Amount received"), numberInput(values.to_amount)),
    to_currency: field("to_currency", gettext("Currency received"), toCurrency),
    to_portfolio_id: field("to_portfolio_id", gettext("To the portfolio"), h("select", {}, ...others.map((one) => h("option", { value: one.id }, one.name)))),
    tax: field("tax", gettext("Withheld tax"), numberInput(values.tax || null), { hint: gettext("The amount is what was left after it") }),
    booked_on: field("booked_on", gettext("Booking day"), dayInput(values.booked_on), { hint: gettext("If it is another day") }),
    note: field("note", gettext("Note"), h("input", { maxlength: 500, value: values.note ?? "" }), { wide: true }),
  };
  type.value = values.type;
  way.value = values.amount < 0 ? "out" : "in";
  currency.disabled = Boolean(row && !group);
  const show = (chosen) => {
    const isConversion = chosen === "conversion";
    rows.way.hidden = !TWO_WAYS.has(chosen);
    rows.tax.hidden = chosen !== "interest";
    rows.to_amount.hidden = rows.to_currency.hidden = !isConversion;
    rows.to_portfolio_id.hidden = chosen !== "transfer";
    rows.amount.firstChild.textContent = isConversion ? gettext("Amount paid") : gettext("Amount");
    rows.currency.firstChild.textContent = isConversion ? gettext("Currency paid") : gettext("Currency");
  };
  type.addEventListener("change", () => { way.value = PAID.has(type.value) ? "out" : "in"; show(type.value); });
  show(type.value);
  const remove = () => confirm(what, gettext("Delete"), async () => { await api(`/transactions/${row.id}`, { method: "DELETE" }); box.close(); done(); });
  const box = dialog(title, form({
    fields: Object.values(rows),
    label: row ? gettext("Save") : gettext("Add"),
    extra: row ? [historyButton(what, { object: row.id }), h("button", { class: "button danger", type: "button", onclick: remove }, gettext("Delete"))] : [],
    read: (own) => read(own, values),
    send: async (body) => {
      await save(body, row, group);
      box.close();
      done();
      notice(row ? gettext("Transaction saved.") : gettext("Transaction added."));
    },
  }));
}

/** Reads the form into a body of the API, whose amounts are signed as they move the balance. */
function read(own, values) {
  const { elements } = own;
  const kind = elements.type.value;
  const body = { date: elements.date.value, note: elements.note.value, booked_on: elements.booked_on.value || null };
  const names = ["amount", ...(kind === "conversion" ? ["to_amount"] : []), ...(kind === "interest" ? ["tax"] : [])];
  if (!readNumbers(own, names, body)) return undefined;
  for (const name of names.filter((one) => one !== "tax")) {
    if (body[name] === undefined) return own.refuse(name, gettext("Enter a number.")) && undefined;
  }
  body.portfolio_id = values.portfolio_id;
  body.currency = elements.currency.value;
  if (kind === "conversion") return { ...body, kind, to_currency: elements.to_currency.value };
  if (kind === "transfer") return { ...body, kind, to_portfolio_id: elements.to_portfolio_id.value };
  const isPaid = TWO_WAYS.has(kind) ? elements.way.value === "out" : PAID.has(kind);
  if (isPaid) body.amount = body.amount.startsWith("-") ? body.amount.slice(1) : `-${body.amount}`;
  return { tax: "0", ...body, type: kind };
}

function save(body, row, group) {
  if (group) return api(`/transaction-groups/${group.id}`, { method: "PUT", body });
  if (row) return api(`/transactions/${row.id}`, { method: "PATCH", body });
  return api(body.kind ? "/transaction-groups" : "/transactions", { method: "POST", body });
}

/** Opens the form that says from which day cash follows from the transactions, and what stood in each currency before. */
export function editCashFrom(portfolioId, cash, done) {
  const today = isoDate(new Date());
  const standing = cash.currencies.map(({ currency }) => field(`opening-${currency}`, interpolate(gettext("Balance the evening before (%s)"), [currency]), numberInput(null), { hint: gettext("Left empty, it follows from the transactions") }));
  const box = dialog(gettext("Cash follows from the transactions"), form({
    fields: [
      field("cash_from", gettext("From"), dayInput(cash.cash_from, { max: today }), { wide: true, hint: gettext("Left empty, cash and used credit are what you enter. The days before stay as they are.") }),
      ...standing,
    ],
    label: gettext("Save"),
    read: (own) => readCashFrom(own, cash),
    send: async (body) => {
      await api(`/portfolios/${portfolioId}/cash-from`, { method: "PUT", body });
      box.close();
      done();
    },
  }));
}

function readCashFrom(own, cash) {
  const opening = [];
  for (const { currency } of cash.currencies) {
    const amounts = readNumbers(own, [`opening-${currency}`], {});
    if (!amounts) return undefined;
    const amount = amounts[`opening-${currency}`];
    if (amount !== undefined) opening.push({ currency, amount });
  }
  return { cash_from: own.elements.cash_from.value || null, ...(opening.length ? { opening } : {}) };
}
