// The contribution plans of a pension account.
import { api } from "./api.js";
import { confirm, dialog, field, fill, form, h, notice } from "./dom.js";
import { date, isoDate, num, percentOf, typedPercent } from "./format.js";
import { numberInput, readNumbers } from "./portfolios.js";
import { FREQUENCIES } from "./words.js";

const path = (account, plan) => `/pension/accounts/${account.id}/contributions${plan ? `/${plan.id}` : ""}`;

/** Fills `panel` with the plans of `account`; `changed` is called after each change. */
export function showPlans(panel, account, changed) {
  return fill(panel, async () => {
    const plans = await api(path(account));
    if (!plans.length) return h("p", { class: "muted" }, gettext("No plans yet. The projection assumes no contributions."));
    const frequencies = FREQUENCIES();
    const today = isoDate(new Date());
    const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
    const rows = plans.map((one) => {
      const named = `${frequencies[one.frequency]}, ${date(one.start)}`; // without the amount, which may be hidden
      const button = (label, kind, run) => h("button", { class: `button slim ${kind}`, type: "button", "aria-label": `${label}: ${named}`, onclick: run }, label);
      return h("tr", { "data-id": one.id },
        h("th", { scope: "row" }, num("money", one.amount, { currency: account.currency, digits: 2 }), h("span", { class: "under" }, frequencies[one.frequency])),
        h("td", { class: "text" }, date(one.start)),
        h("td", { class: "text" }, one.end ? date(one.end) : gettext("no end date"), one.end && one.end < today ? h("span", { class: "tag warn" }, gettext("ended")) : ""),
        h("td", { class: "less" }, num("percent", one.growth, { digits: 1 })),
        h("td", {}, h("span", { class: "actions end" },
          button(gettext("Edit"), "", () => editPlan(account, one, changed)),
          one.start <= today && (!one.end || one.end > today) && button(gettext("End"), "", () => endPlan(account, one, changed)),
          button(gettext("Delete"), "danger", () => confirm(named, gettext("Delete"), async () => { await api(path(account, one), { method: "DELETE" }); changed(); })))));
    });
    return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Contribution plans") }, h("table", { id: "plans-table" },
      h("thead", {}, h("tr", {}, head(gettext("Amount")), head(gettext("From"), "text"), head(gettext("Until"), "text"), head(gettext("Yearly increase"), "less"), head(h("span", { class: "hidden" }, gettext("Actions"))))),
      h("tbody", {}, ...rows)));
  });
}

/** The dialog for a new plan, or for `plan`. */
export function editPlan(account, plan, changed) {
  const amount = numberInput(plan?.amount, { required: true });
  const growth = h("input", { class: "number", inputmode: "decimal", autocomplete: "off", value: typedPercent(plan?.growth ?? 0) });
  const shown = { amount: amount.value, growth: growth.value };
  const frequency = h("select", {}, ...Object.entries(FREQUENCIES()).map(([key, label]) => h("option", { value: key }, label)));
  frequency.value = plan?.frequency ?? "monthly";
  const box = dialog(`${plan ? gettext("Edit the plan") : gettext("Add a plan")}: ${account.name}`, form({
    fields: [
      field("amount", `${gettext("Amount")} (${account.currency})`, amount),
      field("frequency", gettext("Frequency"), frequency),
      field("start", gettext("From"), h("input", { type: "date", required: true, value: plan?.start ?? isoDate(new Date()) })),
      field("end", gettext("Until"), h("input", { type: "date", value: plan?.end ?? "" }), { hint: gettext("Leave empty for no end date") }),
      field("growth", gettext("Yearly increase (%)"), growth),
    ],
    label: plan ? gettext("Save") : gettext("Add"),
    read: (own) => {
      const { start, end } = own.elements;
      const body = { frequency: frequency.value, start: start.value };
      if (end.value) body.end = end.value;
      // Unchanged values are sent back as they came, because a text box does not show every digit.
      if (plan && growth.value === shown.growth) body.growth = plan.growth;
      else {
        const share = percentOf(growth.value);
        if (share === undefined) { own.refuse("growth", gettext("Enter a number.")); return undefined; }
        if (share !== null) body.growth = share;
      }
      if (plan && amount.value === shown.amount) return { ...body, amount: plan.amount };
      return readNumbers(own, ["amount"], body);
    },
    send: async (body) => {
      await api(path(account, plan), { method: plan ? "PUT" : "POST", body });
      box.close();
      notice(gettext("Plan saved."));
      changed();
    },
  }));
}

function endPlan(account, plan, changed) {
  const today = isoDate(new Date());
  const box = dialog(gettext("End the plan"), form({
    fields: [field("end", gettext("Last payment date"), h("input", { type: "date", required: true, min: plan.start, value: today }), { wide: true })],
    label: gettext("End"),
    read: ({ elements }) => ({ end: elements.end.value }),
    send: async (body) => {
      await api(path(account, plan), { method: "PATCH", body });
      box.close();
      notice(gettext("Plan ended."));
      changed();
    },
  }));
}
