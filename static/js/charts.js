// Line charts with Lightweight Charts, sparklines and rings as SVG. All follow the page's theme.
import { amountsHidden, date, isoDate, locale, num, text } from "./format.js";
import { h, segments, svg } from "./dom.js";
import { partName } from "./words.js";

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

/** Returns a custom property as rgb(), because the chart cannot read light-dark(). */
function colour(name, opacity = 1) {
  probe.style.color = `var(--${name})`;
  const found = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3);
  return opacity === 1 ? `rgb(${found})` : `rgba(${found},${opacity})`;
}

/** Returns an opaque mix of a colour and the card, so that stacked areas do not shine through. */
function laidOver(name, opacity) {
  const [over, under] = [name, "surface"].map((one) => colour(one).match(/\d+/g).map(Number));
  return `rgb(${over.map((part, i) => Math.round(part * opacity + under[i] * (1 - opacity)))})`;
}

export const RANGES = [
  ["1M", () => gettext("1M"), "day"],
  ["3M", () => gettext("3M"), "day"],
  ["YTD", () => gettext("YTD"), "day"],
  ["1Y", () => gettext("1Y"), "day"],
  ["5Y", () => gettext("5Y"), "week"],
  ["Max", () => gettext("Max"), "week"],
];

/** Returns the query of a range: `start` (left out for all) and `interval`. */
export function period(range) {
  const today = new Date();
  const back = (months) => isoDate(new Date(today.getFullYear(), today.getMonth() - months, today.getDate()));
  const start = { "1M": back(1), "3M": back(3), YTD: `${today.getFullYear()}-01-01`, "1Y": back(12), "5Y": back(60) }[range];
  return { start, interval: RANGES.find(([key]) => key === range)[2] };
}

export const ranges = (chosen, onchoose) =>
  segments(gettext("Period"), RANGES.map(([key, label]) => [key, label()]), chosen, onchoose);

/**
 * A chart whose legend shows the values of the day under the pointer, else of the last day.
 * `series`: [{key, label, colour, kind, area, width, dashed, hidden, drawn(point)}], where `key` is the point's own
 * number (what the legend shows) and `drawn` where the line goes if not there. `points` carry a `date`.
 */
export function chart(container, { series, points, currency, kind = "money", label, toggles = false, tall = false, ontoggle }) {
  const canvas = h("div", { class: tall ? "chart tall" : "chart", role: "img", "aria-label": label });
  const legend = h("div", { class: "legend" });
  container.replaceChildren(legend, canvas);
  const { createChart, AreaSeries, LineSeries, LineStyle } = window.LightweightCharts;
  const byDate = new Map(points.map((point) => [point.date, point]));
  const made = createChart(canvas, {
    autoSize: true,
    layout: { attributionLogo: false }, // its <style> violates the policy; the footer has the attribution
    handleScroll: false,
    handleScale: false,
    localization: {
      locale,
      priceFormatter: (value) => (kind === "money" && amountsHidden() ? "•••" : text(kind === "money" ? "compact" : kind, value, { digits: kind === "price" ? 2 : 0 })),
      timeFormatter: (time) => date(time),
    },
    rightPriceScale: { borderVisible: false, entireTextOnly: true, scaleMargins: { top: 0.08, bottom: 0.04 } },
    timeScale: { borderVisible: false, fixLeftEdge: true, fixRightEdge: true, lockVisibleTimeRangeOnResize: true, minBarSpacing: 0.01 },
    crosshair: { horzLine: { visible: false, labelVisible: false } },
  });
  const lines = series.map((one) => {
    const line = made.addSeries(one.area ? AreaSeries : LineSeries, {
      lineWidth: one.width ?? 2,
      lineStyle: one.dashed ? LineStyle.Dashed : LineStyle.Solid,
      lastValueVisible: false,
      priceLineVisible: false,
      crosshairMarkerRadius: 3,
      visible: !one.hidden,
      // Stacked areas must start at 0.
      autoscaleInfoProvider: one.area === "solid" ? (own) => {
        const found = own();
        if (found?.priceRange) found.priceRange.minValue = Math.min(0, found.priceRange.minValue);
        return found;
      } : undefined,
    });
    const at = one.drawn ?? ((point) => point[one.key]);
    line.setData(points.map((point) => {
      const value = at(point);
      return value === null || value === undefined ? { time: point.date } : { time: point.date, value };
    }));
    return line;
  });
  made.timeScale().fitContent();

  function paint() {
    made.applyOptions({
      layout: {
        background: { color: "transparent" }, textColor: colour("muted"), fontSize: 11,
        fontFamily: getComputedStyle(document.body).fontFamily,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("line") } },
      crosshair: { vertLine: { color: colour("edge"), labelBackgroundColor: colour("edge") } },
    });
    lines.forEach((line, index) => {
      const { colour: name, area } = series[index];
      if (!area) line.applyOptions({ color: colour(name) });
      else if (area === "cut") // covers the area behind it; together they form a band
        line.applyOptions({ lineColor: colour(name), topColor: colour("surface"), bottomColor: colour("surface") });
      else if (area === "solid")
        line.applyOptions({ lineColor: colour(name), topColor: laidOver(name, 0.3), bottomColor: laidOver(name, 0.3) });
      else line.applyOptions({ lineColor: colour(name), topColor: colour(name, 0.22), bottomColor: colour(name, 0.02) });
    });
  }
  function tell(point) {
    const shown = series.filter((one) => !one.silent);
    legend.replaceChildren(
      h("span", { class: "muted nowrap" }, point ? date(point.date) : ""),
      ...shown.map((one) => {
        const inside = [
          h("span", { class: `swatch ${one.colour.replace("c", "s")}` }),
          h("span", { class: "label" }, one.label),
          h("b", {}, num(one.kind ?? kind, point?.[one.key], { currency: one.kind ? undefined : currency })),
        ];
        if (!toggles) return h("span", {}, ...inside);
        return h("button", { type: "button", "data-key": one.key, "aria-pressed": String(!one.hidden), onclick: () => {
          ontoggle(one.key);
          container.querySelector(`[data-key="${one.key}"]`)?.focus();
        } }, ...inside);
      }),
    );
  }
  const last = points.at(-1);
  tell(last);
  made.subscribeCrosshairMove(({ time }) => tell(byDate.get(time) ?? last));
  paint();
  const repaint = () => {
    if (!canvas.isConnected) {
      document.removeEventListener("appearance", repaint);
      made.remove();
    } else paint();
  };
  document.addEventListener("appearance", repaint);
  return made;
}

/** A sparkline without axes, a decoration next to the numbers. */
export function spark(values) {
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const step = 94 / Math.max(1, values.length - 1);
  const points = values.map((value, i) => `${(1 + i * step).toFixed(1)},${(28 - (26 * (value - low)) / span).toFixed(1)}`);
  return svg("svg", { class: "spark", viewBox: "0 0 96 30", "aria-hidden": "true" }, svg("polyline", { points: points.join(" ") }));
}

const MOST = 7;

/** A ring with a list of its shares. `parts` are the API's [{key, label, market_value, weight}] by `by`. */
export function shares(parts, currency, by) {
  const around = 2 * Math.PI * 42;
  let from = 0;
  const rings = parts.map((part, index) => {
    const length = Math.max(0, part.weight) * around;
    const ring = svg("circle", {
      class: `s${(index % MOST) + 1}`, cx: 50, cy: 50, r: 42, transform: "rotate(-90 50 50)",
      "stroke-dasharray": `${Math.max(0, length - (parts.length > 1 ? 1 : 0))} ${around}`, "stroke-dashoffset": -from,
    });
    from += length;
    return ring;
  });
  return h(
    "div",
    { class: "shares" },
    svg("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, ...rings),
    h("ul", { class: "rows" }, ...parts.map((part, index) =>
      h("li", {},
        h("span", { class: `swatch s${(index % MOST) + 1}` }),
        h("span", { class: "grow", title: partName(by, part) }, partName(by, part)),
        h("span", { class: "muted less" }, num("money", part.market_value, { currency })),
        h("b", {}, num("percent", part.weight)),
      ),
    )),
  );
}
