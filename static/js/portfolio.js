// One portfolio: value, return, holdings, transactions and imports.
import { openAction } from "./actions.js";
import { api, query } from "./api.js";
import { showAccount } from "./account.js";
import { agreementNote } from "./agreement.js";
import { waterfalls } from "./bridge.js";
import { chart, period, ranges, shares } from "./charts.js";
import { $, confirm, dialog, empty, field, fill, form, h, select } from "./dom.js";
import { changeNote, num, otherDay, time, typed } from "./format.js";
import { showHistory } from "./history.js";
import { accept, importFile, importList, savedMappings } from "./import.js";
import { numberInput, readNumbers } from "./portfolios.js";
import { editPrices, isPricedByHand } from "./prices.js";
import { missingNote, sourceNote } from "./sources.js";
import { editTransaction, showTransactions } from "./transactions.js";

const { id, currency, person, hasCash } = $("#portfolio").dataset;
const money = (value, options = {}) => num("money", value, { currency, ...options });
const percent = (value, options = {}) => num("percent", value, { digits: 2, signed: true, ...options });
const fact = (label, ...value) => h("div", {}, h("dt", {}, label), h("dd", {}, ...value));
let range = "1Y";
let benchmark = localStorage.getItem("benchmark") ?? "";
let by = "sector";

// Whether the returns include the money; each person's last choice in this browser.
const withCash = $("#with-cash input");
const CHOICE = `with-cash ${person}`;
withCash.checked = localStorage.getItem(CHOICE) === "true";
let countsMoney = hasCash !== undefined;
const includeCash = () => (countsMoney && withCash.checked ? "true" : "");

// --- Summary ---

let portfolio;
function showSummary() {
  return fill($("#summary"), async () => {
    portfolio = await api(`/portfolios/${id}`);
    offerCash(portfolio.cash_from !== null);
    const { summary } = portfolio;
    const note = await sourceNote({ asOf: summary.as_of, retry: refresh });
    return h("div", { class: "hero" },
      h("div", {},
        h("p", { class: "eyebrow" }, gettext("Net value")),
        h("p", { class: "big" }, money(summary.net_value)),
        h("p", { class: "change" }, money(summary.day_change, { signed: true }), " (", percent(summary.day_change_pct), ")", changeNote(summary))),
      h("div", {},
        h("dl", { class: "facts" },
          fact(gettext("Market value"), money(summary.market_value)),
          fact(gettext("Cost"), money(summary.cost_basis)),
          fact(gettext("Unrealised gain"), money(summary.unrealised_gain, { signed: true }), " ", h("span", { class: "small" }, percent(summary.unrealised_gain_pct))),
          fact(gettext("Realised gain"), money(summary.realised_gain, { signed: true })),
          fact(gettext("Income"), money(summary.income)),
          fact(gettext("Charges"), money(summary.charges)),
          fact(gettext("Total gain"), money(summary.total_gain, { signed: true })),
          fact(gettext("Cash"), money(portfolio.cash)),
          fact(gettext("Used credit"), money(portfolio.used_credit))),
        h("p", { class: "small muted" },
          summary.as_of ? interpolate(gettext("Prices as of %s"), [time(summary.as_of)]) : "",
          summary.stale ? h("span", { class: "warn" }, ` · ${gettext("some are stale")}`) : "",
          ...missingNote(summary.missing_why)),
        agreementNote(portfolio, refresh),
        note));
  });
}

// --- Over time ---

/** Shows the switch where the money is known; a file that was just imported can change that. */
function offerCash(isKnown) {
  $("#with-cash").hidden = !isKnown;
  if (countsMoney === isKnown) return;
  countsMoney = isKnown;
  if (withCash.checked) showTime();
}

/** Adds to each point what was put in by then: the value at the start and the flows since. */
function withNetInvested(points, start) {
  let invested = start;
  return points.map((point) => ({ ...point, net_invested: (invested += point.net_flow) }));
}

function drawn(...made) {
  const container = h("div");
  setTimeout(() => chart(container, ...made));
  return container;
}

function showTime() {
  const cash = includeCash();
  const asked = { ...period(range), benchmark, include_cash: cash };
  const answer = api(`/portfolios/${id}/timeline` + query(asked));
  const figures = api(`/portfolios/${id}/performance` + query({ start: asked.start, benchmark, include_cash: cash }));
  answer.catch(() => {});
  figures.catch(() => {});
  const none = () => empty(gettext("No data yet. Add transactions or import a file."));
  fill($("#value"), async () => {
    const [{ points }, one] = await Promise.all([answer, figures]);
    if (!points.length) return none();
    const series = [
      { key: "market_value", label: cash ? gettext("Value with cash") : gettext("Market value"), colour: "c1", area: true },
      { key: "cost_basis", label: gettext("Cost"), colour: "c4", dashed: true },
    ];
    if (cash) series.push({ key: "net_invested", label: gettext("Net invested"), colour: "c2" });
    return [drawn({
      points: cash ? withNetInvested(points, one.start_value) : points, currency,
      label: gettext("Market value and cost over time"), series,
    }), h("dl", { class: "facts fact-grid figures" },
      fact(gettext("At the start"), money(one.start_value)),
      fact(gettext("Net invested"), money(one.net_flow)),
      fact(gettext("Gain"), money(one.gain, { signed: true })),
      fact(gettext("Realised"), money(one.realised_gain, { signed: true })),
      fact(gettext("Income"), money(one.income)),
      fact(gettext("Charges"), money(one.charges)))];
  });
  fill($("#moved"), async () => {
    const bridge = await api(`/portfolios/${id}/bridge` + query({ start: asked.start, include_cash: cash }));
    return waterfalls(bridge);
  });
  fill($("#return"), async () => {
    const [{ points: own, benchmarks }, one] = await Promise.all([answer, figures]);
    if (!own.length) return none();
    const points = own.map((point) => ({ ...point, ...point.benchmarks }));
    const lines = [{ key: "twr_index", label: gettext("Time-weighted return"), colour: "c1" }];
    benchmarks.filter((other) => other.twr !== null).forEach(({ ticker }, index) =>
      lines.push({ key: ticker, label: ticker, colour: ["c4", "c2", "c3", "c5", "c6"][index], dashed: true }));
    const known = (label, value, reason, options) => fact(label, value === null ? h("span", { class: "muted", title: reason ?? "" }, "–") : percent(value, options));
    return [
      drawn({ points, kind: "index", label: gettext("Time-weighted return, 100 at the start"), series: lines }),
      h("dl", { class: "facts fact-grid figures" },
        known(gettext("Time-weighted"), one.twr, one.reasons.twr),
        known(gettext("Annualised"), one.twr_annualised, one.reasons.twr_annualised),
        known(gettext("Money-weighted"), one.mwr_period, one.reasons.mwr_period),
        ...one.benchmarks.map((other) => known(compared(other), other.twr, other.reason)),
        known(gettext("Volatility"), one.volatility, one.reasons.volatility, { signed: false, digits: 1 }),
        known(gettext("Max drawdown"), one.max_drawdown.value, null, { digits: 1 })),
    ];
  });
}

/** Names a benchmark: without dividends, or why it cannot be had. */
function compared({ ticker, twr, return: kind, reason }) {
  if (twr === null) return `${ticker}: ${reason === "unknown_ticker" ? gettext("unknown ticker") : gettext("no prices")}`;
  return kind === "price" ? `${ticker} (${gettext("without dividends")})` : ticker;
}

function benchmarkForm() {
  const input = h("input", { class: "compact", id: "benchmark-ticker", "aria-label": gettext("Benchmark tickers, at most five"), placeholder: gettext("Benchmarks, e.g. ^GSPC, EQNR.OL"), value: benchmark, autocomplete: "off", maxlength: 200 });
  return h("form", { class: "actions", onsubmit: (event) => {
    event.preventDefault();
    benchmark = input.value.toUpperCase().split(",").map((one) => one.trim()).filter(Boolean).slice(0, 5).join(",");
    input.value = benchmark;
    localStorage.setItem("benchmark", benchmark);
    showTime();
  } }, input, h("button", { class: "button slim" }, gettext("Compare")));
}

// --- Holdings ---

const COLUMNS = [
  { key: "company_name", label: () => gettext("Instrument"), text: true, cell: (one) => [h("button", { type: "button", class: "name" }, one.company_name || one.ticker), h("span", { class: "under" }, instrumentLink(one), ` · ${one.currency}`, one.price_stale ? h("span", { class: "warn" }, ` · ${one.price_source === "trade" ? gettext("what was last paid") : gettext("stale")}`) : "", isPricedByHand(one) ? priceButton(one) : "", renamedNote(one))] },
  { key: "current_quantity", label: () => gettext("Quantity"), cell: (one) => num("quantity", one.current_quantity) },
  { key: "price", label: () => gettext("Price"), cell: (one) => [num("price", one.price), h("span", { class: "under" }, gettext("avg. cost"), " ", num("price", one.average_cost_per_share, { digits: one.average_cost_per_share > 1 ? 2 : 6 }))] },
  { key: "day_change_pct", label: () => gettext("Day change"), cell: (one) => [percent(one.day_change_pct), h("span", { class: "under" }, num("money", one.day_change, { signed: true }), otherDay(one.day_change_on))] },
  { key: "market_value", label: () => `${gettext("Value")} (${currency})`, cell: (one) => [h("b", {}, num("money", one.market_value)), h("span", { class: "under" }, gettext("cost"), " ", num("money", one.cost_basis))] },
  { key: "unrealised_gain", label: () => gettext("Gain"), cell: (one) => [num("money", one.unrealised_gain, { signed: true }), h("span", { class: "under" }, percent(one.unrealised_gain_pct))] },
  { key: "price_effect", label: () => gettext("Price effect"), cell: (one) => num("money", one.price_effect, { signed: true }) },
  { key: "fx_effect", label: () => gettext("Currency effect"), cell: (one) => num("money", one.fx_effect, { signed: true }) },
  { key: "total_gain", label: () => gettext("Total gain"), cell: (one) => num("money", one.total_gain, { signed: true }) },
  { key: "weight", label: () => gettext("Weight"), cell: (one) => [num("percent", one.weight), bar(one.weight)] },
];

/** Leads to the instrument's own page; the rest of the row opens the transactions. */
const instrumentLink = ({ ticker }) => h("a", { href: `/instruments/${encodeURIComponent(ticker)}`, onclick: (event) => event.stopPropagation() }, ticker);

/** Leads to the proposal to follow a new ticker. */
function renamedNote(holding) {
  if (!holding.renamed_to || holding.rename_dismissed) return "";
  const words = interpolate(gettext("listed as %s now"), [holding.renamed_to]);
  return [" · ", h("a", { class: "warn", href: `/instruments/${encodeURIComponent(holding.ticker)}#h-holdings`, onclick: (event) => event.stopPropagation() }, words)];
}

/** Opens the prices by hand of what has no other source of prices. */
function priceButton(holding) {
  const open = (event) => { event.stopPropagation(); editPrices(holding, refresh); };
  return [" ", h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Enter a price")}: ${holding.ticker}`, onclick: open }, gettext("Enter a price"))];
}

function bar(weight) {
  const inside = h("span");
  inside.style.width = `${Math.max(0, Math.min(1, weight ?? 0)) * 100}%`;
  return h("span", { class: "bar less", "aria-hidden": "true" }, inside);
}

const SLICE = 20;
const sorting = { key: "market_value", down: true };

function holdingsTable(all) {
  const rows = new Map(all.map((one) => [one, h("tr", { class: "opens", "data-id": one.id, onclick: () => showTransactions(one, currency, refresh) },
    ...COLUMNS.map((column, index) => h(index ? "td" : "th", index ? {} : { scope: "row" }, column.cell(one))))]));
  const body = h("tbody");
  let placing;
  const heads = COLUMNS.map((column) => h("th", { scope: "col", class: column.text ? "text" : null }, h("button", { type: "button", onclick: () => {
    if (sorting.key === column.key) sorting.down = !sorting.down;
    else Object.assign(sorting, { key: column.key, down: !column.text });
    sort();
  } }, column.label())));
  const collator = new Intl.Collator(document.documentElement.lang);
  function sort() {
    const { key, down } = sorting;
    const text = COLUMNS.find((column) => column.key === key).text;
    const ordered = all.toSorted((a, b) => {
      if (text) return collator.compare(a[key] || a.ticker, b[key] || b.ticker) * (down ? -1 : 1);
      if (a[key] === null || b[key] === null) return (a[key] === null) - (b[key] === null); // unknown values last
      return (a[key] - b[key]) * (down ? -1 : 1);
    });
    heads.forEach((head, index) => {
      if (COLUMNS[index].key === key) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    place(ordered.map((one) => rows.get(one)));
  }
  /** Sorts the rows in batches, so that tasks stay short; visible rows first. */
  function place(ordered, from = 0) {
    clearTimeout(placing);
    const slice = ordered.slice(from, from + SLICE);
    if (from) ordered[from - 1].after(...slice);
    else body.prepend(...slice);
    if (from + SLICE < ordered.length) placing = setTimeout(() => place(ordered, from + SLICE));
  }
  sort();
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Holdings") }, h("table", { id: "holdings-table" }, h("thead", {}, h("tr", {}, ...heads)), body));
}

function showHoldings() {
  return fill($("#holdings"), async () => {
    const all = await api(`/portfolios/${id}/holdings` + query({ include_closed: $("#closed").checked ? "true" : "" }));
    return all.length ? holdingsTable(all) : empty(gettext("No holdings. Add a transaction, or drop your broker's file anywhere on this page."));
  });
}

// --- The rest ---

const showAllocation = () => fill($("#allocation"), async () => {
  const parts = await api(`/portfolios/${id}/allocation` + query({ by }));
  return parts.length ? shares(parts, currency, by) : empty(gettext("No holdings."));
});

let waiting;
async function showImports() {
  let isRunning = false;
  await fill($("#imports"), async () => {
    const [own, saved] = await Promise.all([api(`/imports?portfolio_id=${id}`), api("/imports/mappings")]);
    isRunning = own.some((one) => one.state === "running");
    return h("div", {}, importList(own.slice(0, 8), refresh), savedMappings(saved, showImports));
  });
  const hasEnded = waiting && !isRunning;
  clearTimeout(waiting);
  waiting = isRunning ? setTimeout(showImports, 1500) : undefined;
  if (hasEnded) refresh();
}

function refresh() {
  showSummary();
  showHoldings();
  showTime();
  showAllocation();
  showAccount(id, currency, $("#account"), $("#account-tools"), refresh);
  showImports();
}

function edit() {
  const box = dialog(gettext("Edit the portfolio"), form({
    fields: [
      field("name", gettext("Name"), h("input", { required: true, maxlength: 100, value: portfolio.name })),
      field("brokerage_firm", gettext("Broker"), h("input", { maxlength: 100, value: portfolio.brokerage_firm })),
      field("cash", `${gettext("Cash")} (${currency})`, numberInput(portfolio.cash)),
      field("used_credit", `${gettext("Used credit")} (${currency})`, numberInput(portfolio.used_credit)),
    ],
    label: gettext("Save"),
    extra: [h("button", { class: "button danger", type: "button", onclick: () => confirm(gettext("The portfolio and all its transactions will be deleted."), gettext("Delete"), async () => { await api(`/portfolios/${id}`, { method: "DELETE" }); location.assign("/portfolios"); }) }, gettext("Delete"))],
    read: (own) => readNumbers(own, ["cash", "used_credit"], { name: own.elements.name.value, brokerage_firm: own.elements.brokerage_firm.value }),
    send: async ({ cash, used_credit: credit, ...rest }) => {
      await api(`/portfolios/${id}`, { method: "PATCH", body: rest });
      if (cash !== undefined && cash !== typed(portfolio.cash).replace(",", ".")) await api(`/portfolios/${id}/cash`, { method: "PUT", body: { cash } });
      if (credit !== undefined && credit !== typed(portfolio.used_credit).replace(",", ".")) await api(`/portfolios/${id}/used-credit`, { method: "PUT", body: { used_credit: credit } });
      box.close();
      $("h1").textContent = rest.name;
      refresh();
    },
  }));
}

$("#ranges").append(ranges(range, (chosen) => { range = chosen; showTime(); }));
$("#benchmark").append(benchmarkForm());
$("#with-cash").hidden = !countsMoney;
withCash.addEventListener("change", () => { localStorage.setItem(CHOICE, withCash.checked); showTime(); });
$("#allocation-tools").append(select(gettext("Allocation by"), [["sector", gettext("Sector")], ["currency", gettext("Currency")], ["asset_type", gettext("Type")], ["country", gettext("Country")], ["exchange", gettext("Exchange")], ["holding", gettext("Holding")]], by, (chosen) => { by = chosen; showAllocation(); }));
$("#closed").addEventListener("change", showHoldings);
$("#add").addEventListener("click", () => editTransaction({ portfolioId: id, done: refresh }));
$("#action").addEventListener("click", () => openAction({ portfolioId: id, done: refresh }));
$("#import").addEventListener("click", () => importFile(id, refresh));
$("#history").addEventListener("click", () => showHistory($("h1").textContent, { portfolio_id: id }));
$("#edit").addEventListener("click", () => portfolio && edit());
accept(document.body, (files) => importFile(id, refresh, files));
refresh();
