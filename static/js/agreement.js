// Whether a portfolio is as its broker's files say, and what differs first.
import { api } from "./api.js";
import { h } from "./dom.js";
import { date, num } from "./format.js";
import { openMoney } from "./money.js";
import { openRow } from "./transactions.js";
import { ALL_TYPES } from "./words.js";

/** Gives a place for what is said, which comes later. `changed` is called after a correction. */
export function agreementNote(portfolio, changed) {
  const place = h("div", { id: "agreement" });
  describe(portfolio, changed).then((said) => place.replaceChildren(...said), () => {});
  return place;
}

async function describe(portfolio, changed) {
  const found = await api(`/portfolios/${portfolio.id}/agreement`);
  const broker = portfolio.brokerage_firm || gettext("the broker");
  const said = [];
  if (found.reason === "several_accounts") {
    said.push(h("p", { class: "small muted" }, gettext("Not compared with the broker: the imported files are of several accounts.")));
  }
  if (found.agrees_until) {
    const mark = found.first_difference ? "" : "✓ ";
    said.push(h("p", { class: "small" }, mark, interpolate(gettext("Agrees with %s until %s"), [broker, date(found.agrees_until)])));
  }
  if (found.first_difference) said.push(await difference(found.first_difference, changed));
  return said;
}

async function difference(first, changed) {
  const amount = (value) => first.currency ? num("money", value, { currency: first.currency, digits: 2 }) : num("quantity", value);
  const thing = first.ticker ? `${first.ticker}: ` : "";
  return h("p", { class: "small" },
    h("span", { class: "warn" }, interpolate(gettext("First difference on %s (line %s of the file)"), [date(first.date), first.row])),
    " · ", thing, gettext("the file has"), " ", amount(first.expected), ", ", gettext("the transactions give"), " ", amount(first.got),
    first.transaction_id ? [" · ", gettext("look at"), " ", await suspect(first.transaction_id, changed)] : "");
}

/** Names the transaction to look at, and opens it. */
async function suspect(id, changed) {
  const row = await api(`/transactions/${id}`);
  const words = [ALL_TYPES()[row.type] ?? row.type, row.ticker, date(row.date)].filter(Boolean).join(" ");
  const open = () => (row.holding_id ? openRow({ row, done: changed }) : openMoney(id, changed));
  return h("button", { class: "button slim", type: "button", onclick: open }, words);
}
