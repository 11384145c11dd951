// The import dialog and the list of imported files.
import { api } from "./api.js";
import { confirm, dialog, empty, failure, h, notice, select } from "./dom.js";
import { num, text, time } from "./format.js";
import { sourceNote } from "./sources.js";
import { counts, errorTable, instrumentForm, lookUpProgress, mappingForm, previewTable, remarks } from "./statement.js";

const LOOK_UP_PAUSE = 2000; // milliseconds between two looks at what is being identified
const LONGEST_PAUSE = 30000;

const isImport = (status, body) => "rows" in body; // 422 with errors of rows is a normal answer

export async function undo(one, done) {
  confirm(interpolate(gettext("Undo the import of %s? Its transactions will be removed."), [one.file_name]), gettext("Undo"), async () => {
    await api(`/imports/${one.id}`, { method: "DELETE" });
    notice(gettext("Import undone."));
    done();
  });
}

/** The dialog: file → questions about the file → preview → confirm → undo. `file` is set after a drop on the page. */
export function importFile(portfolioId, changed, file) {
  const body = h("div");
  const box = dialog(gettext("Import a file"), body, { large: true });
  const open = { format: "auto", date_format: "", decimal: "", mapping: null, instruments: {} };
  let choices = { ...open };

  function send(chosen, extra) {
    const data = new FormData();
    const { mapping, instruments, ...plain } = choices;
    for (const [name, value] of Object.entries({ portfolio_id: portfolioId, ...plain, ...extra })) if (value) data.append(name, value);
    if (mapping) data.append("mapping", JSON.stringify(mapping));
    if (Object.keys(instruments).length) data.append("instruments", JSON.stringify(instruments));
    data.append("file", chosen, chosen.name);
    return api("/transactions/import-csv", { method: "POST", body: data, accept: [isImport] });
  }
  function working(message) {
    body.replaceChildren(h("div", { class: "empty", role: "status" }, h("p", {}, message), h("progress", { "aria-label": message })));
  }
  /** Takes another file and clears the choices made for the last one. */
  function take(chosen) {
    choices = { ...open };
    return preview(chosen);
  }
  function choose(problem) {
    const input = h("input", { type: "file", id: "import-file", class: "hidden", accept: ".csv,.txt,.tsv,text/csv,text/plain", onchange: () => input.files[0] && take(input.files[0]) });
    const drop = h("div", { class: "drop" }, h("p", {}, gettext("Drop your broker's CSV file here, or")), h("label", { class: "button primary", for: "import-file" }, gettext("Choose a file")), input);
    accept(drop, take);
    body.replaceChildren(problem ?? "", drop);
  }
  /** Asks what the API could not decide: the order of dates, the decimal separator, the format, or the columns. */
  async function settle(chosen, problem) {
    const code = problem.errors?.[0]?.code;
    const seen = problem.body?.file;
    const again = (more) => { choices = { ...choices, ...more }; return preview(chosen); };
    const way = (more, label) => h("button", { class: "button", type: "button", onclick: () => again(more) }, label);
    if (code === "ambiguous_dates") return choose(h("div", {}, failure(problem), h("div", { class: "actions" }, way({ date_format: "dmy" }, gettext("Day before month")), way({ date_format: "mdy" }, gettext("Month before day")))));
    if (code === "ambiguous_numbers") return choose(h("div", {}, failure(problem), h("div", { class: "actions" }, way({ decimal: "comma" }, gettext("Decimal comma")), way({ decimal: "point" }, gettext("Decimal point")))));
    if (code !== "unknown_format" || !seen) return choose(failure(problem));
    const formats = await api("/imports/formats").catch(() => []);
    const label = (name) => formats.find((one) => one.format === name)?.label ?? name;
    const others = formats.filter((one) => one.format !== "mapped" && one.format !== choices.format);
    body.replaceChildren(
      h("p", {}, seen.formats.length ? gettext("The file matches several formats.") : gettext("The format was not recognised. Choose the columns, or the broker.")),
      h("details", {}, h("summary", {}, gettext("Details")), failure(problem)),
      seen.formats.length
        ? h("div", {}, h("h3", {}, gettext("Which broker is this file from?")), h("div", { class: "actions" }, ...seen.formats.map((name) => way({ format: name, mapping: null }, label(name)))))
        : mappingForm(seen, choices.mapping, (mapping) => again({ format: "auto", mapping })),
      h("div", { class: "actions" },
        others.length > 0 && !seen.formats.length && select(gettext("Choose the broker"), [["", gettext("Choose the broker")], ...others.map((one) => [one.format, one.label])], "", (name) => name && again({ format: name, mapping: null })),
        h("button", { class: "button", type: "button", onclick: () => choose() }, gettext("Choose another file"))));
    return undefined;
  }
  async function preview(chosen) {
    working(interpolate(gettext("Reading %s"), [chosen.name]));
    try {
      show(chosen, await send(chosen, { dry_run: "true" }));
    } catch (problem) {
      await settle(chosen, problem);
    }
  }
  async function name(chosen, instruments) {
    const before = choices;
    choices = { ...choices, instruments: { ...choices.instruments, ...instruments } };
    try {
      show(chosen, await send(chosen, { dry_run: "true" }));
    } catch (problem) {
      choices = before; // the form shows the error
      throw problem;
    }
  }
  function show(chosen, found, pause = LOOK_UP_PAUSE) {
    const note = h("div");
    sourceNote({ retry: () => preview(chosen) }).then((said) => note.replaceChildren(said ?? ""));
    const skip = h("input", { type: "checkbox", id: "import-skip" });
    const go = h("button", { class: "button primary", type: "button", onclick: () => run(chosen, skip.checked) }, interpolate(ngettext("Import %s transaction", "Import %s transactions", found.created), [found.created]));
    go.disabled = !found.created || found.failed > 0;
    skip.addEventListener("change", () => { go.disabled = !found.created || !skip.checked; });
    // Rows of an unidentified instrument are shown once, where its ticker can be chosen.
    const errors = found.errors.filter((one) => one.code !== "unresolved");
    const lookingUp = found.looking_up && lookUpProgress(found.looking_up);
    if (lookingUp) lookFurther(chosen, found, lookingUp, pause);
    body.replaceChildren(...[
      h("p", { class: "muted small" }, `${found.file_name} · ${found.format} · ${found.encoding}`),
      counts(found),
      note,
      ...remarks(found),
      lookingUp,
      instrumentForm(found, (said) => name(chosen, said)),
      errors.length && errorTable(errors),
      found.preview.length ? previewTable(found.preview) : empty(found.failed ? gettext("No row can be imported.") : gettext("The file has no new transactions.")),
      h("div", { class: "actions" },
        found.failed ? h("label", { for: "import-skip" }, skip, " ", gettext("Skip rows with errors")) : "",
        h("button", { class: "button", type: "button", onclick: () => choose() }, gettext("Choose another file")), go),
    ].filter(Boolean));
  }
  /** Reads the file again until its instruments are identified. What a person has typed meanwhile stays. */
  async function lookFurther(chosen, before, shown, pause) {
    await new Promise((next) => setTimeout(next, pause));
    if (!box.open || !shown.isConnected) return;
    const found = await send(chosen, { dry_run: "true" }).catch(() => null);
    if (!box.open || !shown.isConnected) return;
    const isFurther = found && (!found.looking_up || found.looking_up.done > before.looking_up.done);
    const next = isFurther ? LOOK_UP_PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
    const inputs = [...body.querySelectorAll(".instruments input")];
    const isTyping = inputs.some((input) => input === document.activeElement || input.value !== input.defaultValue);
    if (isFurther && !isTyping) { show(chosen, found, next); return; }
    if (found?.looking_up) shown.replaceChildren(...lookUpProgress(found.looking_up).children);
    lookFurther(chosen, found?.looking_up ? found : before, shown, next);
  }
  async function run(chosen, skip) {
    working(gettext("Importing"));
    let done;
    try {
      done = await send(chosen, skip ? { on_error: "skip" } : {});
      if (done.state === "running") done = await follow(done);
    } catch (problem) {
      return settle(chosen, problem);
    }
    changed();
    if (!box.open) return undefined; // closed in the meantime: the list of imports shows the result
    const ok = done.state === "done" && done.id;
    body.replaceChildren(
      ok ? h("p", { role: "status" }, h("b", {}, interpolate(ngettext("%s transaction imported.", "%s transactions imported.", done.created), [done.created]))) : h("p", { class: "alert", role: "alert" }, gettext("Nothing was imported.")),
      counts(done),
      done.errors.length ? errorTable(done.errors) : "",
      h("div", { class: "actions" },
        ok && h("button", { class: "button danger", type: "button", onclick: () => undo(done, () => { box.close(); changed(); }) }, gettext("Undo")),
        h("button", { class: "button primary", type: "button", onclick: () => box.close() }, gettext("Done"))));
    return undefined;
  }
  /** Shows the progress of a background import until it ends. */
  async function follow(started) {
    const bar = h("progress", { max: 1, value: 0, "aria-label": gettext("Importing") });
    const share = h("b", { class: "num" });
    body.replaceChildren(h("div", { class: "empty", role: "status" },
      h("p", {}, interpolate(gettext("Importing %s"), [started.file_name]), " ", share), bar,
      h("p", { class: "small" }, gettext("Large files are imported in the background. You can close this window."))));
    let now = started;
    while (now.state === "running" && box.open) {
      bar.value = now.progress;
      share.textContent = text("percent", now.progress, { digits: 0 });
      await new Promise((next) => setTimeout(next, 700));
      now = await api(`/imports/${started.id}`);
    }
    return now;
  }
  if (file) take(file);
  else choose();
}

/** Accepts files dropped on `target`. */
export function accept(target, take) {
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  target.addEventListener("dragover", (event) => { if (isFile(event)) { event.preventDefault(); target.classList.add("over"); } });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    event.stopPropagation();
    target.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
}

export function importList(all, changed) {
  if (!all.length) return empty(gettext("No imported files yet. Drop a file anywhere on this page."));
  const states = { running: gettext("running"), done: gettext("done"), failed: gettext("failed"), undone: gettext("undone") };
  return h("ul", { class: "rows" }, ...all.map((one) => h("li", {},
    h("span", {}, h("b", { class: "name" }, one.file_name), h("span", { class: "under" }, time(one.created_at), " · ", num("count", one.created), " ", gettext("new"), " · ", num("count", one.duplicates), " ", gettext("already imported")),
      one.state === "running" && h("progress", { max: 1, value: one.progress, "aria-label": `${gettext("Importing")}: ${one.file_name}` })),
    h("span", { class: one.state === "failed" ? "tag bad" : one.state === "done" ? "tag" : "tag warn" }, states[one.state] ?? one.state),
    one.state === "done" && h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Undo")}: ${one.file_name}`, onclick: () => undo(one, changed) }, gettext("Undo")))));
}
