// Who changed what: the history of a portfolio, a holding, a transaction or a pension account, in a dialog.
import { api, query } from "./api.js";
import { dialog, empty, failure, fill, h } from "./dom.js";
import { date, moment, num } from "./format.js";
import { ALL_TYPES, FREQUENCIES, GROUP_KINDS } from "./words.js";

const ACTS = () => ({
  portfolio: { created: gettext("Portfolio added"), changed: gettext("Portfolio changed"), deleted: gettext("Portfolio deleted"), balance_set: gettext("Balance entered"), balance_deleted: gettext("Balance deleted") },
  holding: { changed: gettext("Holding changed"), deleted: gettext("Holding deleted") },
  transaction: { created: gettext("Transaction added"), changed: gettext("Transaction changed"), deleted: gettext("Transaction deleted") },
  transaction_group: { created: gettext("Group added"), changed: gettext("Group changed"), deleted: gettext("Group deleted") },
  import: { imported: gettext("File imported"), import_failed: gettext("Import failed"), undone: gettext("Import undone"), deleted: gettext("Import deleted") },
  pension_account: { created: gettext("Account added"), changed: gettext("Account changed"), deleted: gettext("Account deleted"), imported: gettext("Values imported") },
  pension_value: { created: gettext("Value added"), changed: gettext("Value changed"), deleted: gettext("Value deleted") },
  contribution_plan: { created: gettext("Plan added"), changed: gettext("Plan changed"), deleted: gettext("Plan deleted") },
});

const DOORS = () => ({
  page: gettext("on the page"), api: gettext("through the API"), token: gettext("with a token"), admin: gettext("in the admin"),
  command: gettext("with a command"), source: gettext("from the price source"),
});

const FIELDS = () => ({
  name: gettext("Name"), brokerage_firm: gettext("Broker"), currency: gettext("Currency"), used_credit: gettext("Used credit"), cash: gettext("Cash"),
  position: gettext("Position"), company_name: gettext("Name"), type: gettext("Type"), date: gettext("Date"), quantity: gettext("Quantity"), price: gettext("Price"),
  commission: gettext("Commission"), exchange_rate: gettext("Exchange rate"), note: gettext("Note"), external_id: gettext("Reference"), source: gettext("Source"),
  value: gettext("Value"), amount: gettext("Amount"), frequency: gettext("Frequency"), start: gettext("From"), end: gettext("Until"),
  growth: gettext("Yearly increase"), ynab_account_id: gettext("YNAB account"), state: gettext("State"),
  rename_dismissed: gettext("Keeps the old ticker"),
});

const COUNTS = () => ({
  rows: gettext("Rows"), created: gettext("New"), duplicates: gettext("Already imported"), ignored: gettext("Skipped"), failed: gettext("With errors"),
  replaced: gettext("Replaced"), unchanged: gettext("Unchanged"), transactions: gettext("Transactions"), holdings: gettext("Holdings"),
  values: gettext("Values"), contributions: gettext("Contribution plans"),
});

const SOURCES = () => ({ manual: gettext("manual"), import: gettext("import"), market_data: gettext("automatic"), ynab: "YNAB" });
const STATES = () => ({ running: gettext("running"), done: gettext("done"), failed: gettext("failed"), undone: gettext("undone") });
const WORDS = { type: ALL_TYPES, frequency: FREQUENCIES, source: SOURCES, state: STATES };

// The user's own money, which "hide amounts" hides.
const PERSONAL = new Set(["used_credit", "cash", "quantity", "commission", "tax", "settlement_amount", "value", "amount"]);
const DAY = /^\d{4}-\d\d-\d\d$/;
const DAYS = /\d{4}-\d\d-\d\d/g;

const spaced = (name) => name.replaceAll("_", " ");
const isEmpty = (value) => value === null || value === "";

/** Puts `parts`, texts or nodes, into the places of `template` marked %s. */
function phrase(template, ...parts) {
  return template.split("%s").flatMap((text, index) => (index ? [parts[index - 1], text] : [text]));
}

function shown(field, value) {
  if (isEmpty(value)) return "–";
  if (typeof value === "number") {
    const number = num(field === "growth" ? "percent" : "exact", value);
    if (PERSONAL.has(field)) number.classList.add("amount");
    return number;
  }
  if (typeof value === "string") return DAY.test(value) ? date(value) : (WORDS[field]?.()[value] ?? value);
  if (typeof value === "boolean") return value ? gettext("yes") : gettext("no");
  return String(value);
}

/** What an entry is about, in the reader's words. Labels with a quantity or amount hide with the amounts. */
function about({ type, label }) {
  if (type === "transaction_group") {
    const [kind, ...rest] = label.split(" ");
    return [GROUP_KINDS()[kind] ?? kind, ...rest].join(" ");
  }
  if (type !== "transaction" && type !== "contribution_plan") return label.replace(DAYS, date);
  const words = label.split(" ").map((word) => ALL_TYPES()[word] ?? FREQUENCIES()[word] ?? word);
  return h("span", { class: "amount" }, words.join(" ").replace(DAYS, date));
}

function entry(one) {
  const who = one.actor ? one.actor.username : gettext("the system");
  const door = DOORS()[one.door] ?? one.door;
  const act = ACTS()[one.object.type]?.[one.action] ?? `${spaced(one.object.type)}: ${spaced(one.action)}`;
  const label = (field) => FIELDS()[field] ?? spaced(field);
  const changes = Object.entries(one.changes).filter(([, values]) => !values.every(isEmpty));
  // "File imported" names its door already.
  let head = one.door === "import" ? phrase(gettext("%s by %s"), act, who) : phrase(gettext("%s by %s %s"), act, who, door);
  let lines = changes.map(([field, [before, after]]) => {
    if (isEmpty(before)) return [label(field), ": ", shown(field, after)];
    if (isEmpty(after)) return [label(field), ": ", h("s", {}, shown(field, before))];
    return phrase(gettext("%s changed from %s to %s"), label(field), shown(field, before), shown(field, after));
  });
  if (one.action === "changed" && changes.length === 1) {
    const [[field, [before, after]]] = changes;
    head = phrase(gettext("%s changed from %s to %s by %s %s"), label(field), shown(field, before), shown(field, after), who, door);
    lines = [];
  }
  for (const [name, count] of Object.entries(one.counts)) if (count) lines.push([COUNTS()[name] ?? spaced(name), ": ", num("count", count)]);
  return h("li", {},
    h("p", {}, ...head),
    lines.length > 0 && h("ul", {}, ...lines.map((line) => h("li", {}, ...line))),
    h("p", { class: "small muted" }, moment(one.at), " · ", about(one.object)));
}

/** Opens the history that matches `asked`: {object} or {portfolio_id}, newest first. */
export function showHistory(title, asked) {
  const panel = h("div");
  const list = h("ol", { class: "history" });
  const more = h("div", { class: "actions" });
  dialog(`${gettext("History")}: ${title}`, panel);
  function add({ results, next }) {
    list.append(...results.map(entry));
    more.replaceChildren(next ? h("button", { class: "button", type: "button", onclick: () => showOlder(next) }, gettext("Show older")) : "");
  }
  async function showOlder(next) {
    more.firstChild.disabled = true;
    try {
      add(await api("/history" + new URL(next).search));
    } catch (problem) {
      more.replaceChildren(failure(problem, () => showOlder(next)));
    }
  }
  fill(panel, async () => {
    list.replaceChildren();
    add(await api("/history" + query(asked)));
    return list.childElementCount ? [list, more] : empty(gettext("No changes have been recorded yet."));
  });
}

export const historyButton = (title, asked, attributes = {}) =>
  h("button", { class: "button", type: "button", onclick: () => showHistory(title, asked), ...attributes }, gettext("History"));
