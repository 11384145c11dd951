// Building blocks of all pages: elements, panel states, dialogs, forms, notices.
import { ApiError } from "./api.js";
import { refusal } from "./words.js";

/** h("p", {class: "muted", onclick: f}, "text", node) */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const $ = (selector, root = document) => root.querySelector(selector);

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const skeleton = () => h("div", {}, ...[1, 2, 3].map(() => h("span", { class: "skeleton" })));

export const empty = (message, ...actions) => h("div", { class: "empty" }, h("p", {}, message), ...actions);

export function failure(problem, retry) {
  if (!(problem instanceof ApiError)) console.error(problem);
  return h(
    "div",
    { class: "failed", role: "alert" },
    h("p", { class: "alert" }, problem instanceof ApiError ? problem.message : gettext("Something went wrong.")),
    problem.requestId && h("p", { class: "small muted" }, gettext("Request"), " ", h("code", {}, problem.requestId)),
    retry && h("button", { class: "button slim", type: "button", onclick: retry }, gettext("Try again")),
  );
}

/** Fills a panel with the nodes that `load` returns. Shows loading, and errors with a button to retry.
 *  If a panel is filled twice, the later call wins. */
export async function fill(panel, load) {
  const turn = (panel.turn = (panel.turn ?? 0) + 1);
  panel.setAttribute("aria-busy", "true");
  if (!panel.childElementCount) panel.replaceChildren(skeleton());
  let nodes;
  try {
    nodes = await load();
  } catch (problem) {
    nodes = failure(problem, () => fill(panel, load));
  }
  if (turn !== panel.turn) return;
  panel.removeAttribute("aria-busy");
  panel.replaceChildren(...[nodes].flat());
}

/** A group of buttons of which one is pressed. `choices` is [[key, label], …]. */
export function segments(label, choices, chosen, onchoose) {
  const buttons = choices.map(([key, text]) =>
    h("button", { type: "button", "aria-pressed": String(key === chosen), "data-key": key, onclick: () => choose(key) }, text),
  );
  function choose(key) {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.key === key));
    onchoose(key);
  }
  return h("div", { class: "segments", role: "group", "aria-label": label }, ...buttons);
}

export function select(label, choices, chosen, onchoose, attributes = {}) {
  const box = h(
    "select",
    { class: "compact", "aria-label": label, ...attributes, onchange: () => onchoose(box.value) },
    ...choices.map(([key, text]) => h("option", { value: key }, text)),
  );
  box.value = chosen;
  return box;
}

export function notice(message, action) {
  const box = h("div", {}, h("span", {}, message));
  if (action) {
    const [label, run] = action;
    box.append(h("button", { type: "button", onclick: () => { box.remove(); run(); } }, label));
  }
  $("#notices").append(box);
  setTimeout(() => box.remove(), action ? 15000 : 5000);
}

let dialogs = 0;

/** A modal dialog, removed when it closes. `closed` is called then. */
export function dialog(title, body, { large = false, closed } = {}) {
  const id = `dialog-${++dialogs}`;
  const box = h(
    "dialog",
    { class: large ? "large" : null, "aria-labelledby": id },
    h(
      "header",
      {},
      h("h2", { id }, title),
      h("button", { class: "button slim", type: "button", onclick: () => box.close() }, gettext("Close")),
    ),
    h("div", { class: "body" }, body),
  );
  box.addEventListener("close", () => {
    box.remove();
    closed?.();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Asks for confirmation before data is deleted. */
export function confirm(message, label, run) {
  const problem = h("div");
  const go = h("button", { class: "button danger", type: "button", onclick: act }, label);
  const box = dialog(
    gettext("Are you sure?"),
    h("div", {}, h("p", {}, message), problem, h("div", { class: "actions" }, h("button", { class: "button", type: "button", onclick: () => box.close() }, gettext("Cancel")), go)),
  );
  async function act() {
    go.disabled = true;
    try {
      await run();
      box.close();
    } catch (error) {
      problem.replaceChildren(failure(error));
      go.disabled = false;
    }
  }
}

/** A labelled input. */
export function field(name, label, input, { wide = false, hint } = {}) {
  input.name = name;
  input.id = `f-${name}-${++dialogs}`;
  return h("div", { class: wide ? "field wide" : "field" }, h("label", { for: input.id }, label), input, hint && h("span", { class: "under" }, hint));
}

/** A form that passes the result of `read` to `send` and shows the API's errors at the fields they name. */
export function form({ fields, label, send, read, extra = [], cancel }) {
  const problems = h("div");
  const button = h("button", { class: "button primary" }, label);
  const box = h(
    "form",
    { novalidate: true },
    h("div", { class: "fields" }, ...fields),
    problems,
    h("div", { class: "actions" }, ...extra, cancel && h("button", { class: "button", type: "button", onclick: cancel }, gettext("Cancel")), button),
  );
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    clear();
    const body = read(box);
    if (body === undefined) return;
    button.disabled = true;
    try {
      await send(body);
    } catch (error) {
      show(error);
    } finally {
      button.disabled = false;
    }
  });
  function clear() {
    problems.replaceChildren();
    for (const one of box.querySelectorAll(".field-error")) one.remove();
    for (const one of box.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
  }
  function mark(name, message) {
    const input = box.elements[name];
    if (!input?.closest) return false;
    const id = input.id + "-error";
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", id);
    const folded = input.closest("details");
    if (folded) folded.open = true;
    input.closest(".field").append(h("span", { class: "field-error", id }, message));
    return true;
  }
  function show(error) {
    const rest = (error.errors ?? []).filter((one) => !(one.attr && mark(one.attr, refusal(one))));
    if (rest.length || !error.errors?.length) {
      problems.replaceChildren(failure(new ApiError(error.status ?? 0, { errors: rest.length ? rest : [{ detail: error.message }] }, error.requestId)));
    }
    box.querySelector("[aria-invalid]")?.focus();
  }
  box.refuse = (name, message) => mark(name, message) && box.elements[name].focus();
  return box;
}
