// One instrument: price, closes, what it is, who holds it where, splits and dividends, prices by hand.
import { api, query } from "./api.js";
import { openAction } from "./actions.js";
import { answersTable } from "./answers.js";
import { chart, period, ranges } from "./charts.js";
import { $, dialog, empty, field, fill, form, h, notice } from "./dom.js";
import { date, num, time } from "./format.js";
import { pricesByHand } from "./prices.js";
import { sourceNote } from "./sources.js";
import { assetTypes, countryName, partName } from "./words.js";

const { ticker, described, priced } = $("#instrument").dataset;
const path = `/stocks/${encodeURIComponent(ticker)}`;
const fact = (label, ...value) => h("div", {}, h("dt", {}, label), h("dd", {}, ...value));
let range = "1Y";
let instrument = api(path);

// --- Price and closes ---

function showPrice() {
  return fill($("#price"), async () => {
    const one = await api(`${path}/price`).catch((problem) => {
      if (problem.errors?.[0]?.code === "unknown_price") return null;
      throw problem;
    });
    if (!one) return empty(gettext("No price yet."));
    const note = await sourceNote({ asOf: one.as_of, retry: showPrice });
    return h("div", { class: "hero" }, h("div", {},
      h("p", { class: "eyebrow" }, `${gettext("Price")} (${one.currency})`),
      h("p", { class: "big" }, num("price", one.price)),
      h("p", { class: "change" }, num("price", one.change, { signed: true }), " (", num("percent", one.change_pct, { digits: 2, signed: true }), ")"),
      h("p", { class: "small muted" }, interpolate(gettext("Prices as of %s"), [time(one.as_of)]),
        one.stale ? h("span", { class: "warn" }, ` · ${one.source === "trade" ? gettext("what was last paid") : gettext("stale")}`) : ""),
      note));
  });
}

function showCloses() {
  return fill($("#closes"), async () => {
    const { currency, points } = await api(`${path}/history${query(period(range))}`);
    if (!points.length) return empty(gettext("No closes of this period are known."));
    const series = [{ key: "close", label: gettext("Closing price"), colour: "c1", area: true }];
    if (points.some((point) => point.adjusted_close !== point.close))
      series.push({ key: "adjusted_close", label: gettext("In today's shares"), colour: "c4", dashed: true });
    const container = h("div");
    setTimeout(() => chart(container, { points, currency, kind: "price", label: gettext("Closes over time"), series }));
    return container;
  });
}

// --- What it is, and who holds it where ---

const closeOn = (known) => (known ? [num("price", known.close), " ", h("span", { class: "small muted" }, date(known.date))] : ["–"]);

function showFacts() {
  return fill($("#facts"), async () => {
    const one = await instrument;
    $("h1").textContent = one.company_name || one.ticker;
    return h("dl", { class: "facts fact-grid" },
      fact(gettext("Ticker"), one.ticker),
      fact("ISIN", one.isin || "–"),
      fact(gettext("Currency"), one.currency),
      fact(gettext("Type"), partName("asset_type", { key: one.asset_type, label: one.asset_type })),
      fact(gettext("Exchange"), one.exchange || "–"),
      fact(gettext("Sector"), one.sector ? partName("sector", { key: one.sector, label: one.sector }) : "–"),
      fact(gettext("Country"), one.country ? countryName(one.country) : "–"),
      fact(gettext("Source"), one.source === "manual" ? gettext("entered by hand") : one.source),
      fact(gettext("First close"), ...closeOn(one.first_close)),
      fact(gettext("Last close"), ...closeOn(one.last_close)));
  });
}

function showHoldings() {
  return fill($("#holdings"), async () => {
    const { holdings, renamed_to: renamedTo } = await instrument;
    if (!holdings.length) return empty(gettext("You have no holding of it."));
    const list = h("ul", { class: "rows" }, ...holdings.map((one) => h("li", {},
      h("a", { class: "grow", href: `/portfolios/${one.portfolio_id}` }, one.portfolio_name),
      h("b", { class: "end" }, num("quantity", one.current_quantity)))));
    return [list, ...(renamedTo ? renameRows(renamedTo, holdings.filter((one) => one.current_quantity > 0)) : [])];
  });
}

/** The new ticker of the instrument, and for each holding what can be done about it. */
function renameRows(renamedTo, held) {
  if (!held.length) return [];
  const row = (one) => h("li", {}, h("span", { class: "grow" }, one.portfolio_name),
    ...(one.rename_dismissed ? [answerRename(one, gettext("Propose it again"), false)] : [followRename(one, renamedTo), answerRename(one, gettext("Keep the old one"), true)]));
  return [h("p", { class: "note" }, interpolate(gettext("The source lists this as %s now. Nothing was changed. If the company took a new ticker, exchange your shares for those of the new one."), [renamedTo])),
    h("ul", { class: "rows" }, ...held.map(row))];
}

/** Opens the dialog for one new share for each old one. */
function followRename(holding, renamedTo) {
  const open = () => openAction({ ticker, holdingId: holding.id, event: "symbol", targets: [{ ticker: renamedTo }], done: refresh });
  return h("button", { type: "button", class: "button slim", "aria-label": `${gettext("Take the new ticker")}: ${holding.portfolio_name}`, onclick: open }, gettext("Take the new ticker"));
}

function answerRename(holding, label, dismissed) {
  const button = h("button", { type: "button", class: "button slim", "aria-label": `${label}: ${holding.portfolio_name}` }, label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await api(`/holdings/${holding.id}`, { method: "PATCH", body: { rename_dismissed: dismissed } });
      refresh();
    } catch (problem) {
      button.disabled = false;
      notice(problem.message);
    }
  });
  return button;
}

// --- Splits and dividends ---

function eventRows(label, found, value) {
  return [h("h3", {}, label), h("ul", { class: "rows" }, ...found.toReversed().map((one) => h("li", {},
    h("span", { class: "grow" }, date(one.date)), h("b", { class: "end" }, value(one)))))];
}

const SHOWN = ["held_back", "believed", "accepted", "dismissed"];

async function answersOf(kinds) {
  const found = await Promise.all(SHOWN.map((state) => api(`/held-back${query({ state })}`)));
  return found.flat().filter((one) => one.ticker === ticker && kinds.includes(one.kind));
}

function showEvents() {
  return fill($("#events"), async () => {
    const [{ splits, dividends, currency }, answers] = await Promise.all([instrument, answersOf(["split", "dividend", "price"])]);
    const parts = [];
    if (splits.length) parts.push(...eventRows(gettext("Splits"), splits, (one) => num("exact", one.ratio)));
    if (dividends.length) parts.push(...eventRows(`${gettext("Dividends")} (${currency})`, dividends, (one) => num("exact", one.amount)));
    if (answers.length) parts.push(h("h3", {}, gettext("Held back, believed and answered")), answersTable(gettext("Held back"), answers, refresh));
    return parts.length ? parts : empty(gettext("No splits or dividends are known."));
  });
}

// --- Changes ---

async function edit() {
  const one = await instrument;
  const type = h("select", {}, ...assetTypes().map(([key, label]) => h("option", { value: key }, label)));
  type.value = one.asset_type;
  const box = dialog(gettext("Edit the instrument"), form({
    fields: [
      field("company_name", gettext("Name"), h("input", { value: one.company_name, maxlength: 200, autocomplete: "off" }), { wide: true }),
      field("asset_type", gettext("Type"), type),
      field("sector", gettext("Sector"), h("input", { value: one.sector, maxlength: 100, autocomplete: "off" })),
      field("country", gettext("Country"), h("input", { value: one.country, maxlength: 100, autocomplete: "off" })),
    ],
    label: gettext("Save"),
    read: ({ elements }) => ({ company_name: elements.company_name.value, asset_type: type.value, sector: elements.sector.value, country: elements.country.value }),
    send: async (body) => {
      await api(path, { method: "PATCH", body });
      box.close();
      notice(gettext("Saved."));
      refresh();
    },
  }));
}

function refresh() {
  instrument = api(path);
  showFacts();
  showPrice();
  showCloses();
  showHoldings();
  showEvents();
}

async function start() {
  if (described) $("#edit").addEventListener("click", edit);
  $("#ranges").append(ranges(range, (chosen) => { range = chosen; showCloses(); }));
  refresh();
  if (priced) fill($("#by-hand"), async () => pricesByHand(await instrument, refresh));
}

start();
