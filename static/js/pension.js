// Pension accounts, their values over time, and their projection.
import { api, query } from "./api.js";
import { chart } from "./charts.js";
import { $, confirm, dialog, empty, field, fill, form, h, notice, select } from "./dom.js";
import { date, isoDate, num, text } from "./format.js";
import { historyButton } from "./history.js";
import { editPlan, showPlans } from "./plans.js";
import { currencySelect, numberInput, readNumbers } from "./portfolios.js";
import { syncedLine } from "./ynab.js";

let accounts = [];
let chosen;
const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
const account = () => accounts.find((one) => one.id === chosen);
const of = (one) => `/pension/accounts/${one.id}`;

// --- Accounts ---

function showAccounts() {
  return fill($("#accounts"), async () => {
    accounts = await api("/pension/accounts");
    const ynab = accounts.some((one) => one.ynab_account_id) ? await api("/settings/ynab").catch(() => null) : null;
    chosen = account()?.id ?? accounts[0]?.id;
    $("#add-value").disabled = $("#add-plan").disabled = !chosen;
    showValues();
    if (!accounts.length) return empty(gettext("No pension accounts yet."), h("button", { class: "button primary", type: "button", onclick: () => editAccount() }, gettext("Add an account")));
    return h("ul", { class: "rows" }, ...accounts.map((one) => h("li", { "data-id": one.id },
      h("span", {}, h("b", {}, one.name), h("span", { class: "under" }, one.current_value_date ? interpolate(gettext("as of %s"), [date(one.current_value_date)]) : gettext("no value yet"), one.ynab_account_id ? ` · ${gettext("linked to YNAB")}` : ""), syncedLine(ynab, one.id)),
      h("b", { class: "end" }, num("money", one.current_value, { currency: one.currency })),
      h("span", { class: "actions" },
        one.ynab_account_id && h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Sync")}: ${one.name}`, onclick: (event) => sync(one, event.target) }, gettext("Sync")),
        h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Edit")}: ${one.name}`, onclick: () => editAccount(one) }, gettext("Edit"))))));
  });
}

async function sync(one, button) {
  button.disabled = true;
  try {
    await api(`${of(one)}/sync`, { method: "POST" });
    notice(gettext("Today's balance was fetched from YNAB."));
    changed();
  } catch (problem) {
    notice(problem.message + (problem.requestId ? ` (${gettext("Request")} ${problem.requestId})` : ""));
    showAccounts(); // with the result
  }
}

async function editAccount(one) {
  const me = one ? null : await api("/users/me").catch(() => null);
  const currency = await currencySelect(one?.currency ?? me?.base_currency ?? "NOK");
  // The budget's accounts that can be linked; none without YNAB.
  const ynab = await api("/settings/ynab").catch(() => ({}));
  const known = ynab.api_key_configured && ynab.budget_id ? await api("/ynab/accounts").catch(() => []) : [];
  const link = h("select", {}, h("option", { value: "" }, gettext("Not linked")), ...known.map((two) => h("option", { value: two.id }, two.name)));
  if (one?.ynab_account_id && !known.some((two) => two.id === one.ynab_account_id)) link.append(h("option", { value: one.ynab_account_id }, one.ynab_account_id));
  link.value = one?.ynab_account_id ?? "";
  const box = dialog(one ? gettext("Edit the account") : gettext("Add an account"), form({
    fields: [
      field("name", gettext("Name"), h("input", { required: true, maxlength: 100, value: one?.name ?? "" }), { wide: true }),
      field("currency", gettext("Currency"), currency),
      ...(known.length || one?.ynab_account_id ? [field("ynab_account_id", gettext("YNAB account"), link)] : []),
    ],
    label: one ? gettext("Save") : gettext("Add"),
    extra: one ? [historyButton(one.name, { object: one.id }), h("button", { class: "button danger", type: "button", onclick: () => confirm(gettext("The account and all its values will be deleted."), gettext("Delete"), async () => { await api(of(one), { method: "DELETE" }); box.close(); changed(); }) }, gettext("Delete"))] : [],
    read: ({ elements }) => ({ name: elements.name.value, currency: elements.currency.value, ...(elements.ynab_account_id ? { ynab_account_id: elements.ynab_account_id.value } : {}) }),
    send: async (body) => {
      const saved = await api(one ? of(one) : "/pension/accounts", { method: one ? "PATCH" : "POST", body });
      chosen = saved.id;
      box.close();
      changed();
    },
  }));
}

// --- Values ---

function showValues() {
  $("#values-tools").replaceChildren(...(accounts.length > 1 ? [select(gettext("Account"), accounts.map((one) => [one.id, one.name]), chosen, (id) => { chosen = id; showValues(); })] : []));
  const below = $("#value-table");
  if (chosen) showPlans($("#plans"), account(), changed);
  else fill($("#plans"), () => empty(gettext("Add an account first. Each plan belongs to an account.")));
  return fill($("#values"), async () => {
    below.replaceChildren();
    if (!chosen) return empty(gettext("Add an account first. Each value belongs to an account."));
    const { currency } = account();
    const values = await api(`${of(account())}/values`);
    if (!values.length) return empty(gettext("No values yet."), h("button", { class: "button primary", type: "button", onclick: () => editValue() }, gettext("Enter a value")));
    const container = h("div");
    if (values.length > 1) setTimeout(() => chart(container, { points: values, currency, tall: true, label: gettext("Values over time"), series: [{ key: "value", label: account().name, colour: "c3", area: true }] }));
    const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
    const sources = { manual: gettext("manual"), ynab: "YNAB", import: gettext("import") };
    const rows = values.toReversed().map((one) => h("tr", { "data-id": one.id },
      h("th", { scope: "row" }, date(one.date)), h("td", {}, num("money", one.value, { currency, digits: 2 })), h("td", { class: "text less" }, sources[one.source] ?? one.source),
      h("td", {},
        h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Edit")}: ${date(one.date)}`, onclick: () => editValue(one) }, gettext("Edit")), " ",
        h("button", { class: "button slim danger", type: "button", "aria-label": `${gettext("Delete")}: ${date(one.date)}`, onclick: () => confirm(date(one.date), gettext("Delete"), async () => { await api(`${of(account())}/values/${one.id}`, { method: "DELETE" }); changed(); }) }, gettext("Delete")))));
    below.replaceChildren(h("h3", {}, account().name), h("div", { class: "scroll high", tabindex: 0, role: "region", "aria-label": gettext("Values") }, h("table", {},
      h("thead", {}, h("tr", {}, head(gettext("Date")), head(gettext("Value")), head(gettext("Source"), "text less"), head(h("span", { class: "hidden" }, gettext("Actions"))))), h("tbody", {}, ...rows))));
    return values.length > 1 ? container : empty(gettext("The chart needs at least two values."));
  });
}

function editValue(one) {
  const today = isoDate(new Date());
  const own = account();
  const input = numberInput(one?.value, { required: true });
  const shown = input.value;
  const box = dialog(`${one ? gettext("Edit the value") : gettext("Enter a value")}: ${own.name}`, form({
    fields: [
      field("date", gettext("Date"), h("input", { type: "date", required: true, max: today, value: one?.date ?? today })),
      field("value", `${gettext("Value")} (${own.currency})`, input),
    ],
    label: gettext("Save"),
    read: (form) => readNumbers(form, one && input.value === shown ? [] : ["value"], { date: form.elements.date.value }),
    send: async (body) => {
      await api(one ? `${of(own)}/values/${one.id}` : `${of(own)}/values`, { method: one ? "PATCH" : "POST", body });
      box.close();
      notice(gettext("Value saved."));
      changed();
    },
  }));
  input.focus();
}

// --- Projection ---

// They begin as those of the goal (`GET /goal`), so that the dashboard and this page say the same of it.
const ASSUMPTIONS = [
  { key: "monthly_contribution", label: () => gettext("Monthly contribution"), kind: "money", max: 30000, step: 250, value: 0, byPlans: true },
  { key: "annual_return", label: () => gettext("Annual return"), kind: "percent", min: -0.02, max: 0.12, step: 0.0025, value: 0.05, digits: 2 },
  { key: "inflation", label: () => gettext("Inflation"), kind: "percent", max: 0.08, step: 0.0025, value: 0.02, digits: 2 },
  { key: "volatility", label: () => gettext("Volatility"), kind: "percent", max: 0.35, step: 0.01, value: 0.15, digits: 0 },
  { key: "years", label: () => gettext("Years"), kind: "count", min: 1, max: 50, step: 1, value: 20 },
];
const touched = new Set();
let including = true;
let currency; // from the projection, once it is loaded

function sliders() {
  for (const one of ASSUMPTIONS) {
    const input = h("input", { type: "range", id: `a-${one.key}`, min: one.min ?? 0, max: one.max, step: one.step });
    input.value = one.value;
    const output = h("output", { for: input.id });
    const back = one.byPlans && h("button", { class: "button slim", type: "button", hidden: true, onclick: () => { touched.delete(one.key); one.follow(0); showProjection(); } }, gettext("Reset to the plans"));
    const say = () => {
      const byPlans = one.byPlans && !touched.has(one.key);
      output.textContent = byPlans ? gettext("as planned") : text(one.kind, one.value, { digits: one.digits, currency: one.kind === "money" ? currency : undefined });
      output.classList.toggle("amount", one.kind === "money" && !byPlans);
      if (back) back.hidden = byPlans;
      input.setAttribute("aria-valuetext", output.textContent);
    };
    one.say = say;
    input.addEventListener("input", () => {
      one.value = Number(input.value);
      touched.add(one.key);
      say();
      clearTimeout(input.wait);
      input.wait = setTimeout(showProjection, 150);
    });
    one.follow = (value) => { one.value = value; if (value > Number(input.max)) input.max = value; input.value = value; say(); };
    say();
    $("#assumptions").append(h("div", { class: "slider" }, h("label", { for: input.id }, one.label()), output, input, back || ""));
  }
  $("#assumptions").append(h("label", {}, h("input", { type: "checkbox", checked: true, onchange: (event) => { including = event.target.checked; showProjection(); } }), " ", gettext("Include portfolios")));
}

let latest;
function showProjection() {
  latest?.abort();
  latest = new AbortController();
  const { signal } = latest;
  return fill($("#projection"), async () => {
    const fields = Object.fromEntries(ASSUMPTIONS.map((one) => [one.key, one.value]));
    // Until a slider is moved, the API uses the accounts' plans and the years until the goal.
    if (!touched.has("monthly_contribution")) delete fields.monthly_contribution;
    if (!touched.has("years")) delete fields.years;
    if (!fields.volatility) delete fields.volatility;
    const answer = await api("/pension/projection" + query({ ...fields, include_portfolios: including ? "true" : "", simulations: fields.volatility ? 2000 : "", seed: fields.volatility ? 1 : "" }), { signal }).catch((problem) => {
      if (problem.name === "AbortError") return new Promise(() => {}); // a newer call is running
      throw problem;
    });
    const { points, goal, assumptions } = answer;
    currency = answer.currency;
    for (const one of ASSUMPTIONS) one.say();
    const years = ASSUMPTIONS.find((one) => one.key === "years");
    if (!touched.has("years")) years.follow(Math.round(assumptions.months / 12));
    if (!points.length || answer.start_value === null) return empty(gettext("No projection, because an exchange rate is missing."));
    const band = points[0].p5 !== undefined;
    const goalAmount = goal?.amount ?? null;
    const container = h("div");
    const series = [];
    if (band) {
      series.push({ key: "p95", label: "95 %", colour: "c1", area: "solid", width: 1 }, { key: "p5", label: "5 %", colour: "c1", area: "cut", width: 1 });
      series.push({ key: "p50", label: gettext("Median"), colour: "c1", width: 2 });
    }
    series.push({ key: "value", label: gettext("Expected"), colour: "c3", dashed: true }, { key: "real_value", label: gettext("In today's money"), colour: "c2" });
    if (goalAmount !== null) series.push({ key: "goal", label: gettext("Goal, in today's money"), colour: "c4", dashed: true, drawn: () => goalAmount });
    const drawnPoints = goalAmount === null ? points : points.map((point) => ({ ...point, goal: goalAmount }));
    setTimeout(() => chart(container, { points: drawnPoints, currency, tall: true, label: gettext("Projected value over time"), series }));
    const money = (value) => num("money", value, { currency });
    const end = points.at(-1);
    return [container, h("dl", { class: "facts fact-grid figures", id: "outcome" },
      fact(gettext("Start"), money(answer.start_value)),
      fact(interpolate(gettext("Expected in %s"), [end.date.slice(0, 4)]), money(end.value)),
      fact(gettext("In today's money"), money(end.real_value)),
      fact(gettext("Paid in"), money(end.contributions)),
      ...(goal ? [
        fact(interpolate(gettext("Goal, end of %s"), [goal.year]), money(goal.amount)),
        fact(gettext("Projected by the target year, in today's money"), money(goal.projected_value)),
        fact(gettext("Shortfall"), money(goal.shortfall)),
        fact(gettext("Required per month"), money(goal.required_monthly_contribution)),
        fact(gettext("Probability, with ups and downs"), num("percent", goal.probability, { digits: 0 })),
      ] : [h("div", {}, h("dt", {}, gettext("Goal")), h("dd", {}, h("a", { href: "/settings" }, gettext("Set a goal"))))]),
    )];
  });
}

function changed() {
  showAccounts();
  showProjection();
}

$("#add-value").addEventListener("click", () => editValue());
$("#add-plan").addEventListener("click", () => editPlan(account(), null, changed));
$("#add-account").addEventListener("click", () => editAccount());
sliders();
changed();
