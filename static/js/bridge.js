// What moved the value of a period: the parts of the bridge as a waterfall, of the securities and of the money.
import { h, svg } from "./dom.js";
import { num } from "./format.js";

// [field, label, sign]: 1 adds, -1 takes away, 0 is a value that stands.
const SECURITIES = () => [
  ["start_value", gettext("At the start"), 0],
  ["net_flow", gettext("Bought and sold, net"), 1],
  ["price_effect", gettext("Price effect"), 1],
  ["fx_effect", gettext("Currency effect"), 1],
  ["income", gettext("Income"), 1],
  ["charges", gettext("Charges"), -1],
  ["commissions", gettext("Commissions"), -1],
  ["end_value", gettext("At the end"), 0],
];
const MONEY = () => [
  ["start_value", gettext("At the start"), 0],
  ["entered", gettext("Began to count"), 1],
  ["deposits", gettext("Deposits"), 1],
  ["withdrawals", gettext("Withdrawals"), -1],
  ["adjustments", gettext("Adjustments"), 1],
  ["from_securities", gettext("From securities"), 1],
  ["interest", gettext("Interest"), 1],
  ["fees", gettext("Fees"), -1],
  ["taxes", gettext("Taxes"), -1],
  ["fx_effect", gettext("Currency effect"), 1],
  ["end_value", gettext("At the end"), 0],
];

/** Draws an answer of /bridge; the money too where the answer has it. */
export function waterfalls(answer) {
  const { currency, cash } = answer;
  if (!cash) return [waterfall(SECURITIES(), answer, currency, gettext("Securities"))];
  return [
    h("h3", {}, gettext("Securities")), waterfall(SECURITIES(), answer, currency, gettext("Securities")),
    h("h3", {}, gettext("Money")), waterfall(MONEY(), cash, currency, gettext("Money")),
  ];
}

function waterfall(parts, amounts, currency, label) {
  const steps = placed(parts, amounts);
  const low = Math.min(0, ...steps.flatMap((step) => [step.from, step.to]));
  const span = Math.max(0, ...steps.flatMap((step) => [step.from, step.to])) - low || 1;
  const rows = steps.map((step) => h("tr", { class: step.sign ? null : "stands" },
    h("th", { scope: "row" }, step.label),
    h("td", { class: "bar-cell" }, drawn(step, low, span)),
    h("td", {}, step.sign < 0 ? "− " : "", num("money", step.amount, { currency, signed: step.sign > 0 }))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", { class: "waterfall" }, h("tbody", {}, ...rows)));
}

/** Returns where each bar begins and ends; parts that are 0 are left out. */
function placed(parts, amounts) {
  const steps = [];
  let level = amounts.start_value;
  for (const [field, label, sign] of parts) {
    const amount = amounts[field];
    if (sign === 0) {
      steps.push({ label, sign, amount, from: 0, to: amount });
    } else if (amount) {
      const change = sign * amount;
      steps.push({ label, sign, amount, from: level, to: level + change });
      level += change;
    }
  }
  return steps;
}

function drawn({ sign, from, to }, low, span) {
  const x = ((Math.min(from, to) - low) / span) * 100;
  const width = Math.max((Math.abs(to - from) / span) * 100, 0.4);
  const kind = sign === 0 ? "stands" : to >= from ? "up" : "down";
  return svg("svg", { class: `step ${kind}`, viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x, y: 1, width, height: 8 }));
}
