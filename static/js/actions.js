// The dialog for what happened to a share: a merger, a spin-off, rights, a move to another portfolio, bonus shares, capital
// paid back. It shows the holdings before and after, as the API's dry run says, and only then records.
import { beforeAndAfter } from "./actionresult.js";
import { api, apiAll, query } from "./api.js";
import { confirm, dialog, failure, field, form, h, notice } from "./dom.js";
import { date, isoDate, parseNumber, percentOf, text, typedPercent } from "./format.js";
import { currencySelect, numberInput } from "./portfolios.js";
import { tickerInput } from "./tickers.js";
import { ALL_TYPES, GROUP_KINDS } from "./words.js";

const GROUPS = "/transaction-groups";
const LINKED_WITHIN = 30 * 24 * 3600 * 1000;

/** What can have happened, in a person's words; `kind` is the API's, `label` is stored. */
const EVENTS = () => [
  { key: "merger", kind: "exchange", label: "Merger", words: gettext("It became another share (merger, takeover)") },
  { key: "symbol", kind: "exchange", label: "Symbol change", words: gettext("It got a new ticker or ISIN") },
  { key: "fund", kind: "exchange", label: "Fund class changed", words: gettext("The class of the fund was changed") },
  { key: "spin_off", kind: "spin_off", label: "Spin-off", words: gettext("It gave out shares of another company (spin-off)") },
  { key: "rights", kind: "spin_off", label: "Rights issue", words: gettext("It gave out subscription rights") },
  { key: "exercise", kind: "exercise", label: "Rights exercised", words: gettext("The rights were used to buy shares") },
  { key: "transfer", kind: "transfer", words: gettext("I moved it to another portfolio of mine") },
  { key: "link", kind: "transfer", words: gettext("I moved it, and both transactions are entered already") },
  { key: "bonus", words: gettext("It gave bonus shares (more of the same share)") },
  { key: "capital", words: gettext("It paid capital back") },
];

const ABOUT_COST = () => ({
  exchange: gettext("The cost moves to what you got. Parts left empty are worked out by the market value of that day; a single share without cash takes all of it."),
  spin_off: gettext("A part of the cost moves to what you got. Left empty, it is worked out by the market value of that day: what came against what you kept. Without a price it is 0 until you enter it. Companies often publish the part."),
  exercise: gettext("The cost of the rights and what you paid become the cost of the new shares."),
});

/** Opens the dialog.
 *  `portfolioId` or `ticker` says which holdings can be chosen; `holdingId`, `event`, `day`, `targets` and `hint` fill it in.
 *  `row` is a transaction without its other side, to be completed; `group` is one to change, and `alone` then edits only the
 *  transaction that was opened. `done` is called after a change. */
export async function openAction({ portfolioId, ticker, holdingId, event, day, targets = [], hint, row, group, alone, done }) {
  const [portfolios, all, currency] = await Promise.all([
    api("/portfolios"), holdingsOf({ portfolioId: row?.portfolio_id ?? portfolioId, ticker, group }), currencySelect(group?.cash?.currency ?? ""),
  ]);
  const holdings = all.filter((one) => one.id !== row?.holding_id);
  const given = row ? [{ transaction_id: row.id }] : group?.targets ?? targets;
  const share = h("select", {}, ...holdings.map((one) => h("option", { value: one.id }, one.words)));
  share.value = group?.holding_id ?? holdingId ?? share.value;
  const events = EVENTS().filter((one) => !group || (one.kind === group.kind && one.key !== "link"));
  const what = h("select", {}, ...events.map((one) => h("option", { value: one.key }, one.words)));
  const labelled = group && events.find((one) => one.label === group.label)?.key;
  what.value = event ?? labelled ?? (row ? "spin_off" : events[0].key);
  share.disabled = Boolean(group);
  const today = isoDate(new Date());
  const on = h("input", { type: "date", max: today, required: true, value: group?.date ?? row?.date ?? day ?? today });
  const parts = h("div", { class: "fields wide" });
  const result = h("div", { role: "status" });
  const chosen = () => ({ ...events.find((one) => one.key === what.value), holding: holdings.find((one) => one.id === share.value) });
  const forget = () => result.replaceChildren();
  let read = () => undefined; // what the fields of the event say; undefined after marking an invalid one
  const box = dialog(group ? `${GROUP_KINDS()[group.kind]}: ${group.transactions[0].ticker}` : gettext("What happened to the share?"), h("div", {}));
  const own = form({
    fields: [
      field("holding_id", gettext("Which share?"), share),
      field("date", gettext("Date"), on),
      field("event", gettext("What happened?"), what, { wide: true }),
      hint ? h("p", { class: "note wide" }, hint) : "",
      parts,
      field("note", gettext("Note"), h("input", { maxlength: 500, value: group?.note ?? "" }), { wide: true }),
    ],
    label: gettext("Show before and after"),
    extra: group ? [
      h("button", { class: "button danger", type: "button", onclick: () => deleteGroup(group, () => { box.close(); done(); }) }, gettext("Delete")),
      alone && group.kind === "transfer" && h("button", { class: "button", type: "button", onclick: () => { box.close(); alone(); } }, gettext("Edit this transaction alone")),
    ] : [],
    read: () => {
      forget();
      const said = read();
      return said && { date: on.value, note: own.elements.note.value, ...said };
    },
    send: async (body) => {
      const path = !chosen().kind ? "/transactions" : group ? `${GROUPS}/${group.id}` : GROUPS;
      const method = group ? "PUT" : "POST";
      const seen = await api(`${path}?dry_run=true`, { method, body });
      result.replaceChildren(...beforeAndAfter(seen, body, portfolios), saveButton(() => record(path, method, body)));
      result.scrollIntoView({ block: "nearest" });
    },
  });
  async function record(path, method, body) {
    await api(path, { method, body });
    box.close();
    notice(gettext("Saved."));
    done();
  }

  // --- The fields of each event: how to read them, and the nodes ---

  function input(name, label, value, options = {}) {
    return field(name, label, numberInput(value, options), options);
  }
  /** Reads numbers by the names of their fields; empty ones are left out. */
  function numbers(names, parse = parseNumber) {
    const found = {};
    for (const name of names) {
      const element = own.elements[name];
      if (!element) continue;
      const value = parse(element.value);
      if (value === undefined) return own.refuse(name, gettext("Enter a number.")), undefined;
      if (value !== null) found[name.split(".").at(-1)] = value;
    }
    return found;
  }

  function actionParts({ kind, key, label, holding }, standing) {
    const rows = h("div", { class: "fields wide" });
    const came = standing.filter((one) => one.type !== "transfer_out" && one.holding_id !== holding?.id);
    const left = standing.filter((one) => one.type === "transfer_out" && one.holding_id === holding?.id);
    const add = (target = {}) => rows.append(targetPart(target, came, { kind, key, holding }));
    for (const target of given.length ? given : [{}]) add(target);
    const outRow = left.length ? h("select", {}, h("option", { value: "" }, gettext("Not entered yet")), ...left.map(standingOption)) : null;
    const cash = cashPart(kind);
    const keptLabel = group && key === what.dataset.first ? group.label : label;
    return [
      () => readAction({ kind, label: keptLabel, holding, rows, outRow }),
      outRow && field("out_id", gettext("The transaction that took it out"), outRow, { wide: true }),
      kind !== "spin_off" && input("quantity_out", gettext("How many shares went?"), group?.quantity_out, { hint: gettext("Left empty: all that are held") }),
      rows,
      h("button", { class: "button slim", type: "button", onclick: () => { add(); forget(); } }, gettext("Add another share that came")),
      h("p", { class: "small muted wide" }, ABOUT_COST()[kind]),
      ...cash,
    ];
  }

  function targetPart(target, came, { kind, key, holding }) {
    const known = came.find((one) => one.id === target.transaction_id);
    const coin = h("input", { maxlength: 3, autocapitalize: "characters", autocomplete: "off", value: target.currency ?? "" });
    const [name, options, said] = tickerInput((one) => { coin.value = one.currency ?? ""; forget(); });
    name.value = known?.ticker ?? target.ticker ?? "";
    const instrument = field("ticker", gettext("What did you get? Ticker, name or ISIN"), name);
    instrument.append(options, said);
    const quantity = target.quantity ?? known?.quantity ?? (key === "symbol" ? holding?.current_quantity : null);
    const part = target.cost_share ?? (key === "rights" ? 0 : null);
    const share = h("input", { class: "number", inputmode: "decimal", autocomplete: "off", value: part === null ? "" : typedPercent(part) });
    const stands = came.length ? h("select", {}, h("option", { value: "" }, gettext("Not entered yet")), ...came.map(standingOption)) : null;
    if (stands) stands.value = known?.id ?? "";
    const count = numberInput(quantity);
    const more = h("details", { class: "wide" }, h("summary", {}, gettext("Currency and exchange rate")), h("div", { class: "fields" },
      field("currency", gettext("Currency of the instrument"), coin),
      input("rate", gettext("Exchange rate"), target.rate, { hint: gettext("From the currency of the share that went; the day's if left empty") })));
    const element = h("fieldset", { class: "part wide" },
      h("div", { class: "fields" },
        stands && field("transaction_id", gettext("The transaction that brought it"), stands, { wide: true }),
        instrument,
        field("quantity", gettext("How many?"), count),
        field("cost_share", gettext("Part of the cost (%)"), share, { hint: kind === "exercise" ? null : gettext("Worked out if left empty") }),
        more),
      h("div", { class: "actions" }, h("button", { class: "button slim", type: "button", onclick: () => { if (element.parentNode.childElementCount > 1) element.remove(); forget(); } }, gettext("Remove"))));
    const take = () => {
      const found = came.find((one) => one.id === stands.value);
      name.disabled = Boolean(found);
      if (found) Object.assign(name, { value: found.ticker }), Object.assign(count, { value: text("exact", found.quantity) });
      if (found && !group) on.value = found.date;
    };
    stands?.addEventListener("change", take);
    if (known) take();
    return element;
  }

  function cashPart(kind) {
    const cash = group?.cash;
    const choices = kind === "exercise" ? [["paid", gettext("paid")]] : kind === "spin_off" ? [["", gettext("none")], ["received", gettext("received")]] : [["", gettext("none")], ["received", gettext("received")], ["paid", gettext("paid")]];
    const way = h("select", {}, ...choices.map(([value, words]) => h("option", { value }, words)));
    way.value = cash ? (cash.amount > 0 ? "received" : "paid") : choices[0][0];
    const place = portfolioOf(chosen().holding);
    if (!currency.value) currency.value = place?.currency ?? "";
    const share = h("input", { class: "number", inputmode: "decimal", autocomplete: "off", value: cash?.cost_share ? typedPercent(cash.cost_share) : "" });
    const amounts = h("div", { class: "fields wide" },
      input("cash.amount", gettext("Amount"), cash ? Math.abs(cash.amount) : null),
      field("cash.currency", gettext("Currency"), currency),
      h("details", { class: "wide" }, h("summary", {}, gettext("Its exchange rate and part of the cost")), h("div", { class: "fields" },
        input("cash.rate", gettext("Exchange rate"), cash?.rate, { hint: gettext("Into the portfolio's currency; the day's if left empty") }),
        field("cash.cost_share", gettext("The cash's part of the cost (%)"), share, { hint: gettext("Only of received cash; worked out if left empty") }))));
    const show = () => { amounts.hidden = !way.value; };
    way.addEventListener("change", show);
    show();
    return [field("cash", gettext("Was money received or paid?"), way), amounts];
  }

  function readAction({ kind, label, holding, rows, outRow }) {
    const body = { kind, label, holding_id: holding?.id, targets: [], quantity_out: null, cash: null };
    Object.assign(body, numbers(["quantity_out"]));
    if (outRow?.value) body.out_id = outRow.value;
    [...rows.children].forEach((element, place) => {
      for (const one of element.querySelectorAll("[name]")) one.name = `targets.${place}.${one.name.split(".").at(-1)}`;
      const at = (name) => `targets.${place}.${name}`;
      const stands = own.elements[at("transaction_id")]?.value;
      const target = { ...numbers([at("quantity"), at("rate")]), ...numbers([at("cost_share")], percentOf) };
      const coin = own.elements[at("currency")].value.trim().toUpperCase();
      if (stands) target.transaction_id = stands;
      else Object.assign(target, { ticker: own.elements[at("ticker")].value.trim() }, coin && { currency: coin });
      body.targets.push(target);
    });
    const way = own.elements.cash.value;
    if (way) {
      body.cash = { currency: currency.value, ...numbers(["cash.amount", "cash.rate"]), ...numbers(["cash.cost_share"], percentOf) };
      if (way === "paid" && body.cash.amount) body.cash.amount = `-${body.cash.amount}`;
    }
    if (own.querySelector("[aria-invalid]")) return undefined;
    if (!group && body.quantity_out === null) delete body.quantity_out;
    if (!group && body.cash === null) delete body.cash;
    return body;
  }

  function transferParts({ holding }) {
    const others = portfolios.filter((one) => one.id !== holding?.portfolio_id);
    const to = h("select", {}, ...others.map((one) => h("option", { value: one.id }, one.name)));
    if (group) to.value = group.transactions[1].portfolio_id;
    return [
      () => {
        const found = numbers(["quantity", "rate"]);
        return found && { kind: "transfer", holding_id: holding?.id, to_portfolio_id: to.value, ...found };
      },
      field("to_portfolio_id", gettext("To which portfolio?"), to),
      input("quantity", gettext("How many shares?"), group ? group.quantity_out : holding?.current_quantity),
      input("rate", gettext("Exchange rate"), group?.targets[0].rate, { hint: gettext("From the portfolio's currency into the other's; the day's if left empty") }),
      h("p", { class: "small muted wide" }, gettext("Cost and days of purchase go along. Nothing is realised.")),
    ];
  }

  async function linkParts({ holding }) {
    const pairs = await pairsOf(holding);
    const place = (one) => portfolios.find((portfolio) => portfolio.id === one.portfolio_id)?.name ?? "";
    const words = ([out, into]) => interpolate(gettext("%s out of %s on %s, into %s on %s"), [text("exact", out.quantity), place(out), date(out.date), place(into), date(into.date)]);
    const pair = h("select", {}, ...pairs.map((one, index) => h("option", { value: index }, words(one))));
    const readPair = () => {
      const [out, into] = pairs[pair.value] ?? [];
      return out && { kind: "transfer", out_id: out.id, in_id: into.id };
    };
    if (!pairs.length) return [readPair, h("p", { class: "note wide" }, gettext("No two transactions fit: a transfer out and a transfer in of the same number of this share, in two portfolios, at most 30 days apart."))];
    return [readPair, field("in_id", gettext("Which transactions?"), pair, { wide: true }),
      h("p", { class: "small muted wide" }, gettext("The two become one move: the shares arrive at the cost and with the days of purchase that they left with."))];
  }

  function bonusParts({ holding }) {
    const readRatio = () => {
      const { held, came } = numbers(["held", "came"]) ?? {};
      if (!(held > 0)) return own.refuse("held", gettext("Enter a number above 0.")), undefined;
      if (!(came > 0)) return own.refuse("came", gettext("Enter a number above 0.")), undefined;
      const ratio = Number(((Number(held) + Number(came)) / Number(held)).toPrecision(15));
      return { holding_id: holding?.id, type: "split", quantity: String(ratio) };
    };
    return [
      readRatio,
      input("held", gettext("How many did you hold the day before?"), holding?.current_quantity),
      input("came", gettext("How many came?"), null),
      h("p", { class: "small muted wide" }, gettext("It is recorded as a split: the same cost, on more shares.")),
    ];
  }

  function capitalParts({ holding }) {
    return [
      () => {
        const found = numbers(["price", "tax", "exchange_rate"]);
        return found && { holding_id: holding?.id, type: "return_of_capital", quantity: "1", ...found };
      },
      input("price", interpolate(gettext("Amount in all (%s)"), [holding?.currency ?? ""]), null),
      input("tax", gettext("Tax kept from it"), null),
      input("exchange_rate", gettext("Exchange rate"), null, { hint: gettext("Looked up if left empty") }),
      h("p", { class: "small muted wide" }, gettext("It lowers the cost instead of being income. What exceeds the cost is a realised gain.")),
    ];
  }

  let turn = 0;
  async function draw() {
    const mine = ++turn;
    const now = chosen();
    forget();
    read = () => undefined;
    const [reader, ...made] = now.kind === "transfer" ? await (now.key === "link" ? linkParts(now) : transferParts(now))
      : now.kind ? actionParts(now, await standingIn(now.holding?.portfolio_id))
      : now.key === "bonus" ? bonusParts(now) : capitalParts(now);
    if (mine !== turn) return;
    read = reader;
    on.closest(".field").hidden = now.key === "link"; // the two transactions have dates of their own
    parts.replaceChildren(...made.filter(Boolean));
  }
  const portfolioOf = (holding) => portfolios.find((one) => one.id === holding?.portfolio_id);
  const redraw = () => draw().catch((problem) => parts.replaceChildren(failure(problem, redraw)));
  what.dataset.first = what.value;
  what.addEventListener("change", redraw);
  share.addEventListener("change", redraw);
  own.addEventListener("input", forget);
  box.querySelector(".body").replaceChildren(own, result);
  await redraw();
}

/** Deletes a group after asking. */
export function deleteGroup(group, done) {
  const words = `${GROUP_KINDS()[group.kind ?? group.group_kind]}, ${date(group.date)}`;
  confirm(interpolate(gettext("%s: all its transactions go, except those that were entered before they were put together."), [words]), gettext("Delete"), async () => {
    await api(`${GROUPS}/${group.group_id ?? group.id}`, { method: "DELETE" });
    done();
  });
}

/** Opens the group of a transaction; `alone` edits only that one. */
export async function changeGroup(row, { done, alone }) {
  await openAction({ group: await api(`${GROUPS}/${row.group_id}`), done, alone });
}

/** Opens the group of the shares that a transaction brought, or a new one for those that came without their other side. */
export async function completeAction(transactionId, done) {
  try {
    const row = await api(`/transactions/${transactionId}`);
    if (row.group_id) await changeGroup(row, { done });
    else await openAction({ row, done });
  } catch (problem) {
    notice(problem.message);
  }
}

function saveButton(save) {
  const problem = h("div");
  const button = h("button", { class: "button primary", type: "button", onclick: async () => {
    button.disabled = true;
    try {
      await save();
    } catch (error) {
      problem.replaceChildren(failure(error));
      button.disabled = false;
    }
  } }, gettext("Save"));
  return h("div", {}, problem, h("div", { class: "actions" }, button));
}

/** The holdings that can be chosen, those still held first. */
async function holdingsOf({ portfolioId, ticker, group }) {
  if (group) {
    const [out] = group.transactions;
    return [{ ...out, id: out.holding_id, words: `${out.company_name} (${out.ticker})` }];
  }
  if (ticker) {
    const { holdings, currency } = await api(`/stocks/${encodeURIComponent(ticker)}`);
    return holdings.map((one) => ({ ...one, currency, words: `${ticker} · ${one.portfolio_name}` }));
  }
  const all = await api(`/portfolios/${portfolioId}/holdings${query({ include_closed: "true" })}`);
  const words = (one) => `${one.company_name || one.ticker} (${one.ticker})`;
  return all.toSorted((a, b) => (b.current_quantity > 0) - (a.current_quantity > 0)).map((one) => ({ ...one, words: words(one) }));
}

const transactions = (asked) => apiAll(`/transactions${query(asked)}`);

/** The transactions of a portfolio that brought or took shares without their other side. */
async function standingIn(portfolioId) {
  if (!portfolioId) return [];
  const types = ["exchange_in", "transfer_in", "transfer_out"];
  const found = await Promise.all(types.map((type) => transactions({ portfolio_id: portfolioId, type })));
  return found.flat().filter((one) => !one.group_id);
}

const standingOption = (one) => h("option", { value: one.id }, `${ALL_TYPES()[one.type]}: ${text("exact", one.quantity)} ${one.ticker}, ${date(one.date)}`);

/** The pairs of a transfer out and a transfer in of the holding's instrument that can be one move. */
async function pairsOf(holding) {
  if (!holding) return [];
  const of = (type) => transactions({ ticker: holding.ticker, type });
  const [outs, ins] = await Promise.all([of("transfer_out"), of("transfer_in")]);
  const pairs = outs.flatMap((out) => ins.map((into) => [out, into]));
  return pairs.filter(([out, into]) => {
    const apart = new Date(into.date) - new Date(out.date);
    const isOwn = [out.holding_id, into.holding_id].includes(holding.id);
    return isOwn && !out.group_id && !into.group_id && out.quantity === into.quantity && out.portfolio_id !== into.portfolio_id && apart >= 0 && apart <= LINKED_WITHIN;
  });
}
