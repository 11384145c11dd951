// What a group or a transaction would change, as the API's dry run says: the holdings before and after, and where the cost goes.
import { h } from "./dom.js";
import { num, text } from "./format.js";
import { warningGroups } from "./words.js";

/** The holdings of a group, or of a transaction alone, side by side, why the cost is divided so, and the warnings.
 *  `body` is what was asked. */
export function beforeAndAfter(group, body, portfolios) {
  const { transactions = [group] } = group;
  const names = new Map(portfolios.map((one) => [one.id, one]));
  const isMoved = group.kind === "transfer";
  const row = (label, kind, before, after, options) => h("tr", {}, h("th", { scope: "row" }, label), h("td", {}, num(kind, before, options)), h("td", {}, h("b", {}, num(kind, after, options))));
  const bodies = group.before.map((before, index) => {
    const after = group.after[index];
    const { name, currency } = names.get(before.portfolio_id) ?? {};
    const title = isMoved && name ? `${before.ticker} · ${name}` : before.ticker;
    return h("tbody", {},
      h("tr", { class: "stands" }, h("th", { scope: "rowgroup", colspan: 3 }, title)),
      row(gettext("Shares"), "quantity", before.quantity, after.quantity),
      row(currency ? `${gettext("Cost")} (${currency})` : gettext("Cost"), "money", before.cost_basis, after.cost_basis, { digits: 2 }),
      row(`${gettext("Average cost")} (${transactions[index].currency})`, "price", before.average_cost_per_share, after.average_cost_per_share));
  });
  const head = (label) => h("th", { scope: "col" }, label);
  const [out] = transactions;
  return [
    h("h3", {}, gettext("Before and after")),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Before and after") },
      h("table", { class: "before-after" }, h("thead", {}, h("tr", {}, head(""), head(gettext("Before")), head(gettext("After")))), ...bodies)),
    ...costLines(group, body),
    out.realised_gain !== null && h("p", { class: "small" }, gettext("Realised gain"), ": ", num("money", out.realised_gain, { digits: 2, signed: true })),
    ...warningGroups(group.warnings).map(({ text }) => h("p", { class: "note" }, text)),
  ].filter(Boolean);
}

/** Says which part of the cost goes where, and where that part is from. */
function costLines({ kind, targets, cash, warnings }, { targets: asked, cash: askedCash }) {
  if (!targets || kind === "transfer") return [];
  const isUnknown = warnings.some((one) => one.code === "cost_share_unknown");
  const isAlone = kind !== "spin_off" && targets.length === 1 && !(cash?.amount > 0);
  function why(given) {
    if (given !== undefined) return gettext("as entered");
    if (isAlone) return gettext("it takes over everything");
    return isUnknown ? gettext("a price of that day is unknown") : gettext("by the market value of that day");
  }
  const line = (share, name, given) => h("li", {}, interpolate(gettext("%s of the cost goes to %s"), [text("percent", share, { digits: 2 }), name]), h("span", { class: "muted" }, ` (${why(given)})`));
  const lines = targets.map((target, index) => line(target.cost_share, target.ticker, asked[index]?.cost_share));
  if (cash?.amount > 0) lines.push(line(cash.cost_share, gettext("the cash"), askedCash?.cost_share));
  return [h("ul", { class: "plain small" }, ...lines)];
}
