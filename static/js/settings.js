// The user's settings.
import { api } from "./api.js";
import { $, empty, field, fill, form, h, notice } from "./dom.js";
import { moment } from "./format.js";
import { currencySelect, numberInput, readNumbers } from "./portfolios.js";
import { lastSync } from "./ynab.js";

const SHOWN = 20; // of the sign-ins

const me = api("/users/me");
me.catch(() => {});
const saved = () => notice(gettext("Saved."));

fill($("#me"), async () => {
  const user = await me;
  return form({
    fields: [
      field("username", gettext("User name"), h("input", { value: user.username, disabled: true })),
      field("base_currency", gettext("Base currency"), await currencySelect(user.base_currency), { hint: gettext("Totals are shown in this currency.") }),
      field("email", gettext("E-mail"), h("input", { type: "email", value: user.email, autocomplete: "email" }), { wide: true }),
    ],
    label: gettext("Save"),
    read: ({ elements }) => ({ base_currency: elements.base_currency.value, email: elements.email.value }),
    send: async (body) => { await api("/users/me", { method: "PATCH", body }); saved(); },
  });
});

fill($("#goal"), async () => {
  const user = await me;
  const amount = numberInput(user.retirement_goal_amount);
  const year = h("input", { class: "number", inputmode: "numeric", maxlength: 4, value: user.retirement_goal_year ?? "" });
  return form({
    fields: [
      field("retirement_goal_amount", `${gettext("Amount")} (${user.base_currency})`, amount, { hint: gettext("In today's money") }),
      field("retirement_goal_year", gettext("By the end of the year"), year),
    ],
    label: gettext("Save"),
    extra: [h("button", { class: "button", type: "button", onclick: (event) => { amount.value = year.value = ""; event.target.form.requestSubmit(); } }, gettext("Remove goal"))],
    read: (own) => readNumbers(own, ["retirement_goal_amount", "retirement_goal_year"], { retirement_goal_amount: null, retirement_goal_year: null }),
    send: async (body) => { await api("/users/me/retirement-goal", { method: "PUT", body }); saved(); },
  });
});

/** A list of the plans that the user may choose; a field for the id where YNAB does not list them. */
async function planField(now) {
  const plans = now.api_key_configured ? await api("/settings/ynab/plans").catch(() => null) : null;
  if (!plans) {
    return field("budget_id", gettext("Plan (budget) id"), h("input", { value: now.budget_id ?? "", maxlength: 64, autocomplete: "off", spellcheck: "false" }), { wide: true, hint: gettext("From the address of the plan in YNAB") });
  }
  const choices = plans.map(({ id, name, currency }) => [id, [name || id, currency].filter(Boolean).join(" · ")]);
  if (now.budget_id && !plans.some(({ id }) => id === now.budget_id)) choices.unshift([now.budget_id, now.budget_name ?? now.budget_id]);
  const hint = plans.length ? "" : gettext("No plan is assigned to you. Ask an administrator.");
  const box = h("select", {}, h("option", { value: "" }, "–"), ...choices.map(([id, label]) => h("option", { value: id }, label)));
  box.value = now.budget_id ?? "";
  return field("budget_id", gettext("Plan (budget)"), box, { wide: true, hint });
}

function showYnab() {
  return fill($("#ynab"), async () => {
    const now = await api("/settings/ynab");
    const state = !now.api_key_configured
      ? [h("span", { class: "tag warn" }, gettext("No API key")), " ", gettext("The server has no YNAB key. Its administrator can set YNAB_API_KEY.")]
      : !now.budget_id ? [h("span", { class: "tag warn" }, gettext("No plan chosen"))]
      : [h("span", { class: now.verified ? "tag" : "tag warn" }, now.verified ? gettext("Linked") : gettext("Not verified yet")), " ", now.budget_name ?? ""];
    return [
      h("p", {}, ...state),
      now.budget_id ? lastSync(now) : "",
      now.budget_id ? h("p", { class: "small" }, h("a", { href: "/pension" }, gettext("Accounts are linked and synced on the pension page."))) : "",
      form({
        fields: [await planField(now)],
        label: gettext("Save"),
        read: ({ elements }) => ({ budget_id: elements.budget_id.value.trim() }),
        send: async (body) => { await api("/settings/ynab", { method: "POST", body }); saved(); showYnab(); },
      }),
    ];
  });
}
showYnab();

fill($("#sign-ins"), async () => {
  const attempts = await api("/sign-ins");
  if (!attempts.length) return empty(gettext("No sign-ins in the last 90 days."));
  const heads = [gettext("Time"), gettext("Result"), gettext("Address"), gettext("Browser or app")];
  const row = ({ at, address, agent, success }) => h("tr", {},
    h("td", {}, moment(at)),
    h("td", {}, success ? gettext("Succeeded") : h("span", { class: "tag warn" }, gettext("Failed"))),
    h("td", {}, address),
    h("td", { class: "small muted" }, agent || "–"));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Recent sign-ins") }, h("table", {},
    h("thead", {}, h("tr", {}, ...heads.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...attempts.slice(0, SHOWN).map(row))));
});

fill($("#password"), async () => form({
  fields: [
    h("input", { class: "hidden", autocomplete: "username", value: (await me).username, readonly: true, tabindex: -1, "aria-hidden": "true" }), // for password managers
    field("current_password", gettext("Current password"), h("input", { type: "password", autocomplete: "current-password", required: true }), { wide: true }),
    field("new_password", gettext("New password"), h("input", { type: "password", autocomplete: "new-password", required: true }), { wide: true }),
  ],
  label: gettext("Change password"),
  read: ({ elements }) => ({ current_password: elements.current_password.value, new_password: elements.new_password.value }),
  send: async (body) => {
    await api("/users/me/password", { method: "PUT", body });
    for (const input of $("#password").querySelectorAll("input[type=password]")) input.value = "";
    notice(gettext("Password changed. Other devices must sign in again."));
  },
}));
