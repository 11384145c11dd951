// The dashboard: four calls, and one more when the first sparkline is visible.
import { api, query } from "./api.js";
import { chart, period, ranges, shares, spark } from "./charts.js";
import { $, empty, fill, h, segments, select } from "./dom.js";
import { changeNote, date, num, otherDay, time } from "./format.js";
import { missingNote, sourceNote } from "./sources.js";

const first = api("/dashboard");
first.catch(() => {}); // each panel shows the error
let again = first;
const overview = () => again;
function reload(panel, show) {
  return fill(panel, async () => {
    try {
      return await show(await overview());
    } catch (problem) {
      again = api("/dashboard"); // for the next try
      again.catch(() => {});
      throw problem;
    }
  });
}

const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));

function freshness({ freshness: { oldest_price_at: oldest, stale }, missing_why: why }) {
  const said = [];
  if (oldest) said.push(h("span", {}, interpolate(gettext("Prices as of %s"), [time(oldest)])));
  if (stale.length)
    said.push(h("span", { class: "warn", title: stale.join(", ") }, ` · ${interpolate(ngettext("%s stale", "%s stale", stale.length), [stale.length])}`));
  said.push(...missingNote(why));
  return h("p", { class: "small muted", id: "freshness" }, ...said);
}

async function hero(data) {
  const { currency } = data;
  const note = await sourceNote({ asOf: data.freshness.oldest_price_at, retry: () => location.reload() });
  const money = (value, options = {}) => num("money", value, { currency, ...options });
  return h("div", { class: "hero" },
    h("div", {},
      h("p", { class: "eyebrow" }, gettext("Net worth")),
      h("p", { class: "big" }, money(data.net_worth)),
      h("p", { class: "change" },
        money(data.day_change, { signed: true }), " ",
        h("span", {}, "(", num("percent", data.day_change_pct, { digits: 2, signed: true }), ")"),
        changeNote(data)),
    ),
    h("div", {},
      h("dl", { class: "facts" },
        fact(gettext("Portfolios"), money(data.portfolios_value)),
        fact(gettext("Cash"), money(data.cash)),
        fact(gettext("Used credit"), money(data.used_credit)),
        fact(gettext("Pensions"), money(data.pensions_value)),
        fact(gettext("Total gain"), money(data.total_gain, { signed: true })),
      ),
      freshness(data), note,
    ),
  );
}

// --- Over time ---

let mode = "stacked";
let range = "1Y";
const off = new Set();
let wealth; // the last answer, so that a toggle redraws it without a call

const PARTS = [
  ["portfolios", () => gettext("Portfolios"), "c1", 1],
  ["cash", () => gettext("Cash"), "c2", 1],
  ["pensions", () => gettext("Pensions"), "c3", 1],
  ["credit", () => gettext("Used credit"), "c5", -1],
];

function drawTime(container) {
  const { points, currency } = wealth;
  const shown = PARTS.filter(([key]) => !off.has(key));
  const upTo = (key) => {
    const below = shown.slice(0, shown.findIndex(([one]) => one === key) + 1).filter(([, , , sign]) => sign > 0);
    return (point) => (below.some(([one]) => point[one] === null) ? null : below.reduce((sum, [one]) => sum + point[one], 0));
  };
  const stacked = mode === "stacked";
  const used = points.some((point) => point.credit);
  const parts = PARTS.filter(([key]) => key !== "credit" || used).map(([key, label, colour, sign]) => ({
    key, label: label(), colour, hidden: off.has(key), width: stacked ? 1 : 2,
    area: stacked ? "solid" : false,
    drawn: sign < 0 ? (point) => (point[key] === null ? null : -point[key]) : stacked && !off.has(key) ? upTo(key) : undefined,
  }));
  chart(container, {
    // The highest area comes first, because later ones are drawn on top.
    series: [...(stacked ? parts.toReversed() : parts), { key: "net_worth", label: gettext("Net worth"), colour: "c7", width: 2, hidden: off.has("net_worth") }],
    points, currency, tall: true, toggles: true,
    label: interpolate(gettext("Net worth from %s to %s"), [date(points[0].date), date(points.at(-1).date)]),
    ontoggle: (key) => {
      if (!off.delete(key)) off.add(key);
      drawTime(container);
    },
  });
}

function showTime() {
  return fill($("#time"), async () => {
    const answer = await api("/net-worth" + query(period(range)));
    if (!answer.points.some((point) => point.net_worth)) return empty(gettext("No data yet. Import transactions or enter a pension value."));
    wealth = answer;
    const container = h("div");
    queueMicrotask(() => setTimeout(() => drawTime(container))); // after it has been inserted and has a size
    return container;
  });
}

// --- The rest ---

let small; // the value of each portfolio over time, fetched once
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    small ??= api("/timeline" + query({ ...period("3M"), interval: "week", by: "portfolio" }));
    small.then(({ portfolios: all }) => {
      const values = all.find((one) => one.portfolio_id === target.dataset.id)?.market_value ?? [];
      if (values.length > 1) target.replaceChildren(spark(values));
    }).catch(() => {}); // a decoration
  }
});

function portfolios({ portfolios: all }) {
  if (!all.length)
    return empty(gettext("No portfolios yet."), h("a", { class: "button primary", href: "/portfolios" }, gettext("Add a portfolio")));
  return h("ul", { class: "rows" }, ...all.map(({ id, name, brokerage_firm: firm, currency, summary }) => {
    const line = h("span", { class: "spark", "data-id": id });
    seen.observe(line);
    return h("li", {},
      h("span", {}, h("a", { href: `/portfolios/${id}` }, name), h("span", { class: "under" }, [firm, currency].filter(Boolean).join(" · "))),
      line,
      h("span", { class: "end total" },
        h("b", {}, num("money", summary.net_value, { currency })),
        h("span", { class: "under" },
          num("money", summary.day_change, { signed: true }), " ",
          num("percent", summary.day_change_pct, { digits: 2, signed: true }), otherDay(summary.day_change_on))),
    );
  }));
}

function movers({ movers: all, currency }) {
  if (!all.length) return empty(gettext("No price changes."));
  return h("ul", { class: "rows" }, ...all.map((one) =>
    h("li", {},
      h("span", {}, h("b", {}, one.company_name || one.ticker), h("span", { class: "under" }, one.ticker, otherDay(one.day_change_on))),
      h("span", { class: "end" }, num("money", one.day_change, { currency, signed: true })),
      h("b", { class: "end" }, num("percent", one.day_change_pct, { digits: 2, signed: true })),
    )));
}

async function goal({ goal: known, currency }) {
  if (!known)
    return empty(gettext("No goal yet. How much do you need, and when?"), h("a", { class: "button", href: "/settings" }, gettext("Set a goal")));
  const one = await api("/goal");
  const bar = h("span");
  bar.style.width = `${Math.max(0, Math.min(1, one.progress ?? 0)) * 100}%`;
  const money = (value) => num("money", value, { currency });
  return h("div", {},
    h("p", {}, h("b", {}, num("percent", one.progress)), " ", gettext("of"), " ", h("b", {}, money(one.amount)), " ", interpolate(gettext("by the end of %s"), [one.year])),
    h("div", { class: "bar wide", "aria-hidden": "true" }, bar),
    one.on_track !== null && h("p", {}, h("span", { class: one.on_track ? "tag" : "tag warn" }, one.on_track ? gettext("Reached at a steady 5 % a year") : gettext("Not reached at a steady 5 % a year"))),
    h("dl", { class: "facts fact-grid" },
      fact(gettext("Projected, in today's money"), money(one.projected_value)),
      fact(gettext("Shortfall"), money(one.shortfall)),
      fact(gettext("Required per month"), money(one.required_monthly_contribution)),
      fact(gettext("Probability, with ups and downs"), num("percent", one.probability, { digits: 0 })),
      fact(gettext("Reached in"), one.reached_in === null ? "–" : String(one.reached_in)),
    ),
    h("p", { class: "small muted" }, gettext("Assumes that portfolios are included, and a return of 5 %, an inflation of 2 % and a volatility of 15 % a year, as the pension page does at first.")));
}

let by = "currency";
function showAllocation() {
  return fill($("#allocation"), async () => {
    const [parts, { currency }] = await Promise.all([api("/allocation" + query({ by })), overview()]);
    return parts.length ? shares(parts, currency, by) : empty(gettext("No holdings."));
  });
}

$("#time-tools").append(
  segments(gettext("Chart type"), [["stacked", gettext("Stacked")], ["lines", gettext("Lines")]], mode, (chosen) => {
    mode = chosen;
    if (wealth) drawTime($("#time").firstElementChild);
  }),
  ranges(range, (chosen) => { range = chosen; showTime(); }),
);
$("#allocation-tools").append(select(gettext("Allocation by"), [
  ["portfolio", gettext("Portfolio")], ["currency", gettext("Currency")], ["asset_type", gettext("Type")],
  ["sector", gettext("Sector")], ["country", gettext("Country")], ["holding", gettext("Holding")],
], by, (chosen) => { by = chosen; showAllocation(); }));

reload($("#hero"), hero);
reload($("#portfolios"), portfolios);
reload($("#movers"), movers);
reload($("#goal"), goal);
showTime();
showAllocation();
