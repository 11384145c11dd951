// The import dialog and the list of imported files.
import { completeAction } from "./actions.js";
import { ApiError, api } from "./api.js";
import { confirm, dialog, empty, failure, h, notice, select } from "./dom.js";
import { num, text, time } from "./format.js";
import { sourceNote } from "./sources.js";
import { importAll, isQuestion } from "./several.js";
import { failedRowsButton } from "./failedrows.js";
import { counts, instrumentForm, lookUpProgress, mappingForm, openingTable, previewTable, problemList, remarks, understood, warningNotes, wordForm } from "./statement.js";
import { WORD_TYPES, warningGroups, withoutParameters } from "./words.js";

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

/** The dialog: file → questions about the file → preview → confirm → undo. `files` are set after a drop on the page. */
export function importFile(portfolioId, changed, files = []) {
  const body = h("div");
  const box = dialog(gettext("Import a file"), body, { large: true });
  const OPEN = { format: "auto", date_format: "", decimal: "", account: "", accept_opening: "", save_mapping_as: "", currency: "", sheet: "", mapping: null };
  // What a person chose: for each file, for the instruments of all files, and for the words of each format.
  let choices, instruments, types, formats;
  let back = null; // shows the list of several files again

  const choicesOf = (chosen) => choices.get(chosen) ?? OPEN;

  function formOf(chosen, extra = {}) {
    const data = new FormData();
    const { mapping, currency, sheet, ...plain } = choicesOf(chosen);
    for (const [name, value] of Object.entries({ portfolio_id: portfolioId, ...plain, ...extra })) if (value) data.append(name, value);
    const words = types[formats.get(chosen)];
    const meaning = { ...(mapping && { columns: mapping }), ...(words && { types: words }), ...(currency && { currency }), ...(sheet && { sheet }) };
    if (Object.keys(meaning).length) data.append("mapping", JSON.stringify(meaning));
    if (Object.keys(instruments).length) data.append("instruments", JSON.stringify(instruments));
    data.append("file", chosen, chosen.name);
    return data;
  }
  async function send(chosen, extra) {
    const found = await api("/transactions/import-csv", { method: "POST", body: formOf(chosen, extra), accept: [isImport] });
    formats.set(chosen, found.format);
    return found;
  }
  const failedRows = (chosen, found) => failedRowsButton(chosen, found, () => formOf(chosen));
  function working(message) {
    body.replaceChildren(h("div", { class: "empty", role: "status" }, h("p", {}, message), h("progress", { "aria-label": message })));
  }
  /** Takes one file, or several: a broker's years are often a file each. Clears the choices made for the last ones. */
  function takeAll(chosen) {
    [choices, instruments, types, formats, back] = [new Map(), {}, {}, new Map(), null];
    if (chosen.length === 1) return preview(chosen[0]);
    return importAll(chosen, { body, send, working, changed, look, close: () => box.close(), isOpen: () => box.open });
  }
  /** Shows one file of several; `goBack` returns to their list. */
  function look(chosen, goBack) {
    back = () => { back = null; goBack(); };
    return preview(chosen);
  }
  function choose(problem) {
    const input = h("input", { type: "file", id: "import-file", class: "hidden", multiple: true, accept: ".csv,.txt,.tsv,.xlsx,text/csv,text/plain", onchange: () => input.files.length && takeAll([...input.files]) });
    const drop = h("div", { class: "drop" }, h("p", {}, gettext("Drop your broker's file here, or")), h("label", { class: "button primary", for: "import-file" }, gettext("Choose a file")), input,
      h("p", { class: "small muted" }, gettext("CSV or Excel (.xlsx). Several files at once are taken oldest first.")));
    accept(drop, takeAll);
    body.replaceChildren(problem ?? "", drop);
  }
  /** The way out of a file: back to the list of several, or to another file. */
  const leave = () => back
    ? h("button", { class: "button", type: "button", onclick: back }, gettext("Back to the files"))
    : h("button", { class: "button", type: "button", onclick: () => choose() }, gettext("Choose another file"));
  /** Says that a file cannot be used. The id of the request matters only where the server failed. */
  function refuse(chosen, problem) {
    const said = h("div", {}, h("p", { class: "muted small" }, chosen.name), problem.status < 500 && problem.status ? h("p", { class: "alert", role: "alert" }, problem.message) : failure(problem));
    if (!back) return choose(said);
    return body.replaceChildren(said, h("div", { class: "actions" }, leave()));
  }
  /** Asks what the file leaves open. */
  function ask(chosen, question, detail, ...answers) {
    body.replaceChildren(
      h("p", { class: "muted small" }, chosen.name),
      h("div", { role: "alert" }, h("h3", {}, question), detail && h("p", { class: "small" }, detail)),
      h("div", { class: "answers" }, ...answers),
      h("div", { class: "actions" }, leave()));
  }
  /** Asks what the API could not decide: the order of dates, the decimal separator, the sheet, the format, or the columns. */
  async function settle(chosen, problem) {
    const code = problem.errors?.[0]?.code;
    const { file: seen, accounts, sheets } = problem.body ?? {};
    const mine = choicesOf(chosen);
    const again = (more) => { choices.set(chosen, { ...mine, ...more }); return preview(chosen); };
    const way = (more, label) => h("button", { class: "button", type: "button", onclick: () => again(more) }, label);
    const why = withoutParameters(problem);
    if (code === "ambiguous_dates") return ask(chosen, gettext("How does the file write dates?"), why, way({ date_format: "dmy" }, gettext("Day before month")), way({ date_format: "mdy" }, gettext("Month before day")));
    if (code === "ambiguous_numbers") return ask(chosen, gettext("How does the file write numbers?"), why, way({ decimal: "comma" }, gettext("Decimal comma")), way({ decimal: "point" }, gettext("Decimal point")));
    if (accounts?.length) return ask(chosen, gettext("Which account is this portfolio?"), why, ...accounts.map((account) => way({ account }, account)));
    if (sheets?.length) return ask(chosen, gettext("Which sheet of the workbook is to be imported?"), why, ...sheets.map((sheet) => way({ sheet }, sheet)));
    if (code === "currency_required") {
      const currencies = await api("/currencies").catch(() => []);
      const names = currencies.map((one) => [one.code, `${one.code} ${one.name}`]);
      const label = gettext("The account's currency");
      return ask(chosen, gettext("In which currency are the amounts?"), why, select(label, [["", label], ...names], "", (currency) => currency && again({ currency })));
    }
    if (code === "unknown_format" && !isQuestion(problem)) return refuse(chosen, new ApiError(problem.status, { errors: [{ detail: gettext("This is not a table of transactions. Choose the file that your broker exports.") }] }));
    if (code !== "unknown_format" || !seen) return refuse(chosen, problem);
    const known = await api("/imports/formats").catch(() => []);
    const label = (name) => known.find((one) => one.format === name)?.label ?? name;
    const others = known.filter((one) => one.format !== "mapped" && one.format !== mine.format);
    body.replaceChildren(...[
      h("p", { class: "muted small" }, chosen.name),
      h("p", {}, seen.formats.length ? gettext("The file matches several formats.") : gettext("The format was not recognised. Choose the columns, or the broker.")),
      others.length > 0 && !seen.formats.length && select(gettext("Choose the broker"), [["", gettext("Choose the broker")], ...others.map((one) => [one.format, one.label])], "", (name) => name && again({ format: name, mapping: null })),
      h("details", {}, h("summary", {}, gettext("Details")), h("p", { class: "small" }, problem.message)),
      seen.formats.length
        ? h("div", {}, h("h3", {}, gettext("Which broker is this file from?")), h("div", { class: "answers" }, ...seen.formats.map((name) => way({ format: name, mapping: null }, label(name)))))
        : mappingForm(seen, mine.mapping, (chosenColumns) => again({ format: "auto", ...chosenColumns })),
      h("div", { class: "actions" }, leave()),
    ].filter(Boolean));
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
  async function name(chosen, more) {
    const before = [instruments, types];
    const format = formats.get(chosen);
    instruments = { ...instruments, ...more.instruments };
    if (more.types) types = { ...types, [format]: { ...types[format], ...more.types } };
    try {
      show(chosen, await send(chosen, { dry_run: "true" }));
    } catch (problem) {
      [instruments, types] = before; // the form shows the error
      throw problem;
    }
  }
  function show(chosen, found, pause = LOOK_UP_PAUSE) {
    const note = h("div");
    sourceNote({ retry: () => preview(chosen) }).then((said) => note.replaceChildren(said ?? ""));
    const held = found.opening.filter((one) => one.ticker);
    const book = h("input", { type: "checkbox", id: "import-opening", checked: Boolean(choicesOf(chosen).accept_opening), onchange: () => { choices.set(chosen, { ...choicesOf(chosen), accept_opening: book.checked ? "true" : "" }); return preview(chosen); } });
    const skip = h("input", { type: "checkbox", id: "import-skip" });
    const go = h("button", { class: "button primary", type: "button", onclick: () => run(chosen, skip.checked) }, interpolate(ngettext("Import %s transaction", "Import %s transactions", found.created), [found.created]));
    const isEmpty = !found.created && !(book.checked && held.length);
    go.disabled = isEmpty || found.failed > 0;
    skip.addEventListener("change", () => { go.disabled = isEmpty || !skip.checked; });
    // Rows of an unidentified instrument or an unknown word are shown once, where it can be chosen.
    const words = wordForm(found, (meanings) => name(chosen, { types: meanings }));
    const problems = found.problems.filter((one) => one.code !== "unresolved" && !(one.code === "unknown_type" && one.value));
    const lookingUp = found.looking_up && lookUpProgress(found.looking_up);
    if (lookingUp) lookFurther(chosen, found, lookingUp, pause);
    body.replaceChildren(...[
      h("p", { class: "muted small" }, `${found.file_name} · ${found.format} · ${found.encoding}`),
      counts(found),
      understood(found),
      found.failed > 0 && h("div", { class: "answers" }, failedRows(chosen, found)),
      note,
      ...remarks(found),
      lookingUp,
      instrumentForm(found, (tickers) => name(chosen, { instruments: tickers })),
      words,
      held.length && openingTable(held),
      held.length && h("p", {}, h("label", { for: "import-opening" }, book, " ", gettext("These shares were there before the file begins: book them at the close of the day"))),
      problems.length && problemList(problems),
      found.preview.length ? previewTable(found.preview) : empty(found.failed ? gettext("No row can be imported.") : gettext("The file has no new transactions.")),
      h("div", { class: "actions pinned" },
        found.failed ? h("label", { for: "import-skip" }, skip, " ", gettext("Skip rows with errors")) : "",
        leave(), go),
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
      done.problems.length ? problemList(done.problems) : "",
      ...toComplete(done.warnings.filter((one) => one.transaction_id)),
      ...warningNotes(done.warnings.filter((one) => !one.transaction_id)),
      h("div", { class: "actions pinned" },
        failedRows(chosen, done),
        back && leave(),
        ok && h("button", { class: "button danger", type: "button", onclick: () => undo(done, () => { box.close(); changed(); }) }, gettext("Undo")),
        h("button", { class: "button primary", type: "button", onclick: () => box.close() }, gettext("Done"))));
    return undefined;
  }
  /** What to complete: each text once, with a button for each of its transactions that opens the dialog of its group. */
  function toComplete(warnings) {
    const button = ({ transaction_id: id, row }) => h("button", { class: "button slim", type: "button", onclick: () => completeAction(id, changed) }, `${gettext("Complete")}: ${row}`);
    return warningGroups(warnings).map(({ text, all }) => h("div", { class: "note" }, text, h("div", { class: "chips" }, ...all.map(button))));
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
  if (files.length) takeAll(files);
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
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}

/** The saved mappings and the words that were given a meaning; null if there are none. Each can be forgotten. */
export function savedMappings(all, changed) {
  const forget = (name, word) => confirm(interpolate(gettext("Forget “%s”? Files that were imported stay as they are."), [word ?? name]), gettext("Forget"), async () => {
    await api(`/imports/mappings/${encodeURIComponent(name)}${word ? `?word=${encodeURIComponent(word)}` : ""}`, { method: "DELETE" });
    changed();
  });
  const button = (name, word) => h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Forget")}: ${word ?? name}`, onclick: () => forget(name, word) }, gettext("Forget"));
  const types = WORD_TYPES();
  const item = (title, under, name, word) => h("li", {}, h("span", {}, h("b", { class: "name" }, title), h("span", { class: "under" }, under)), button(name, word));
  const items = all.flatMap((one) => one.name === one.format
    ? Object.entries(one.mapping.types ?? {}).map(([word, kind]) => item(word, `${one.format} · ${types[kind] ?? kind}`, one.name, word))
    : [item(one.name, Object.values(one.mapping.columns ?? {}).join(", "), one.name)]);
  if (!items.length) return null;
  return h("details", {}, h("summary", {}, gettext("Remembered columns and words")), h("ul", { class: "rows" }, ...items));
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
