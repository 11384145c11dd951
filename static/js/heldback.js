// What a source says and is not believed: what it says, what stood before, what accepting changes.
import { api, query } from "./api.js";
import { $, empty, fill, h, notice } from "./dom.js";
import { date, moment, num } from "./format.js";

const KINDS = () => ({ split: gettext("Split"), dividend: gettext("Dividend"), price: gettext("Price"), rate: gettext("Exchange rate") });
const STATES = () => ({ accepted: gettext("Accepted"), dismissed: gettext("Dismissed") });

const value = (number) => (number === null ? "–" : num("exact", number));

async function answer(one, accept) {
  await api(`/held-back/${one.id}`, { method: "POST", body: { accept } });
  notice(accept ? gettext("Accepted.") : gettext("Dismissed."));
  show();
}

function button(label, one, accept) {
  const element = h("button", { type: "button", class: "button slim", "aria-label": `${label}: ${one.ticker}, ${date(one.date)}` }, label);
  element.addEventListener("click", async () => {
    element.disabled = true;
    try {
      await answer(one, accept);
    } catch (problem) {
      element.disabled = false;
      notice(problem.message);
    }
  });
  return element;
}

function table(label, found, actions) {
  const heads = [gettext("Instrument"), gettext("Date"), gettext("It says"), gettext("Before"), gettext("Why, and what accepting changes"), ""];
  const row = (one) => h("tr", {},
    h("th", { scope: "row" }, h("b", {}, one.ticker), h("span", { class: "under" }, KINDS()[one.kind] ?? one.kind)),
    h("td", {}, date(one.date), h("span", { class: "under" }, moment(one.since))),
    h("td", {}, value(one.value)),
    h("td", {}, value(one.before)),
    h("td", {}, one.detail || STATES()[one.state] || "–", one.effect ? h("span", { class: "under" }, one.effect) : null),
    h("td", {}, ...actions(one)));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, h("table", {},
    h("thead", {}, h("tr", {}, ...heads.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...found.map(row))));
}

const of = (state) => api(`/held-back${query({ state })}`);

function show() {
  fill($("#held-back"), async () => {
    const found = await api("/held-back");
    if (!found.length) return empty(gettext("Nothing is held back."));
    return table(gettext("Held back"), found, (one) => [button(gettext("Accept"), one, true), " ", button(gettext("Dismiss"), one, false)]);
  });
  fill($("#believed"), async () => {
    const found = await of("believed");
    if (!found.length) return empty(gettext("Nothing of your holdings."));
    return table(gettext("Believed by itself"), found, (one) => [button(gettext("Dismiss"), one, false)]);
  });
  fill($("#answered"), async () => {
    const [accepted, dismissed] = await Promise.all([of("accepted"), of("dismissed")]);
    const found = [...accepted, ...dismissed];
    if (!found.length) return empty(gettext("You have answered nothing yet."));
    const undo = (one) => [one.state === "accepted" ? button(gettext("Dismiss"), one, false) : button(gettext("Accept"), one, true)];
    return table(gettext("Answered"), found, undo);
  });
}

show();
