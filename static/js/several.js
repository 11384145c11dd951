// Several files at once: read, put in the order of their days, imported one after the other.
import { api } from "./api.js";
import { h } from "./dom.js";
import { num } from "./format.js";
import { withoutParameters } from "./words.js";

const PAUSE = 700; // milliseconds between two looks at what a worker does

const firstDay = (found) => found.first_day ?? "";
const isImported = ({ found }) => Boolean(found) && found.state !== "failed";
const sumOf = (all, count) => all.reduce((sum, { found }) => sum + (found?.[count] ?? 0), 0);

const ASKED = ["ambiguous_dates", "ambiguous_numbers", "currency_required"];
const NEEDED_COLUMNS = 3; // of a table of transactions: a date, a type, and a price or an amount

/** Whether a file cannot be read only because a person has to answer something: a sheet, a currency, the columns. */
export function isQuestion({ errors, body }) {
  if (body?.accounts?.length || body?.sheets?.length || ASKED.includes(errors?.[0]?.code)) return true;
  return Boolean(body?.file) && (body.file.formats.length > 0 || body.file.header.length >= NEEDED_COLUMNS);
}

/** Calls `one` with each file, its number and their number. Returns {file, found} or {file, problem} of each. */
async function each(files, one) {
  const all = [];
  for (const [at, file] of files.entries()) {
    try {
      all.push({ file, found: await one(file, { name: file.name, at: at + 1, of: files.length }) });
    } catch (problem) {
      all.push({ file, problem });
    }
  }
  return all;
}

/** Waits for a worker that imports a large file: the next one may need its purchases. */
async function finished(started) {
  let now = started;
  while (now.state === "running") {
    await new Promise((next) => setTimeout(next, PAUSE));
    now = await api(`/imports/${started.id}`);
  }
  return now;
}

/** The sums of all files. */
function sums(all) {
  const said = [
    [gettext("files"), all.length],
    [gettext("new"), sumOf(all, "created")],
    [gettext("already imported"), sumOf(all, "duplicates")],
    [gettext("with errors"), sumOf(all, "failed"), "loss"],
    [gettext("to answer"), all.filter(({ problem }) => problem && isQuestion(problem)).length, "loss"],
    [gettext("cannot be read"), all.filter(({ problem }) => problem && !isQuestion(problem)).length, "loss"],
  ].filter(([, value, kind]) => value || !kind);
  return h("dl", { class: "facts" }, ...said.map(([label, value, kind]) => h("div", {}, h("dt", {}, label), h("dd", { class: value ? kind : null }, num("count", value)))));
}

/** The files, each with what is in it, or why it cannot be used. `tag` returns the kind and the text of its mark. */
function fileList(all, tag, look) {
  const item = (one) => {
    const { file, found, problem } = one;
    const [kind, label] = tag(one);
    const inIt = found && [
      h("span", { class: "under" }, found.format, " · ", num("count", found.created), " ", gettext("new"), " · ", num("count", found.duplicates), " ", gettext("already imported")),
      found.failed > 0 && h("span", { class: "under" }, h("span", { class: "loss" }, num("count", found.failed), " ", gettext("with errors"))),
    ];
    return h("li", {},
      h("span", {}, h("b", { class: "name" }, file.name), inIt ?? h("span", { class: "under" }, whyNot(problem))),
      h("span", { class: `tag ${kind}` }, label),
      (problem || found.failed > 0) && h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Look at it")}: ${file.name}`, onclick: () => look(file) }, gettext("Look at it")));
  };
  return h("ul", { class: "rows files", "aria-label": gettext("Files") }, ...all.map(item));
}

function whyNot(problem) {
  return problem.body?.file ? gettext("The format was not recognised.") : withoutParameters(problem);
}

function tagBefore({ found, problem }) {
  if (problem) return isQuestion(problem) ? ["warn", gettext("to answer")] : ["bad", gettext("cannot be read")];
  if (found.failed) return ["warn", gettext("with errors")];
  return found.created ? ["", gettext("ready")] : ["", gettext("nothing new")];
}

function tagAfter(one) {
  if (!isImported(one)) return ["bad", gettext("not imported")];
  return one.found.created ? ["", gettext("imported")] : ["", gettext("nothing new")];
}

/** Reads the files and asks whether to import them, oldest first; then shows what became of each.
 *  Those in `known` are not read again. */
export async function importAll(files, dialog, known = []) {
  const { body, working, send, changed, look, close, isOpen } = dialog;
  const unread = files.filter((file) => !known.some((one) => one.file === file));
  const all = [...known, ...await each(unread, (file, progress) => {
    working(interpolate(gettext("Reading %(name)s (%(at)s of %(of)s)"), progress, true));
    return send(file, { dry_run: "true" });
  })];
  if (!isOpen()) return;
  const readable = all.filter((one) => one.found);
  readable.sort((one, two) => firstDay(one.found).localeCompare(firstDay(two.found)));
  const unreadable = all.filter((one) => one.problem);
  const failed = sumOf(readable, "failed");
  /** Shows one file; on the way back those that had errors are read again, with what was chosen for it. */
  const lookAt = (file) => look(file, () => importAll(files, dialog, readable.filter((one) => one.file !== file && !one.found.failed)));

  const skip = h("input", { type: "checkbox", id: "import-skip" });
  const go = h("button", { class: "button primary", type: "button", onclick: () => run(skip.checked) }, interpolate(ngettext("Import %s file", "Import %s files", readable.length), [readable.length]));
  go.disabled = !readable.some(({ found }) => found.created || found.failed);
  body.replaceChildren(...[
    sums(all),
    failed > 0 && h("p", { class: "note" }, gettext("A sale can show an error here because its purchase is in an earlier file. The oldest file is imported first.")),
    fileList([...readable, ...unreadable], tagBefore, lookAt),
    h("div", { class: "actions pinned" }, failed > 0 && h("label", { for: "import-skip" }, skip, " ", gettext("Skip rows with errors")), go),
  ].filter(Boolean));

  async function run(skips) {
    const done = await each(readable.map(({ file }) => file), async (file, progress) => {
      working(interpolate(gettext("Importing %(name)s (%(at)s of %(of)s)"), progress, true));
      return finished(await send(file, skips ? { on_error: "skip" } : {}));
    });
    changed();
    if (!isOpen()) return; // closed in the meantime: the list of imports shows the result
    const imported = done.filter(isImported);
    const created = sumOf(imported, "created");
    const left = files.length - imported.length;
    body.replaceChildren(
      h("p", { role: "status" }, h("b", {}, interpolate(ngettext("%s transaction imported.", "%s transactions imported.", created), [created]))),
      left ? h("p", { class: "alert", role: "alert" }, interpolate(ngettext("%s file was not imported.", "%s files were not imported.", left), [left])) : "",
      fileList([...done, ...unreadable], tagAfter, (file) => look(file, () => importAll(files, dialog))),
      h("div", { class: "actions pinned" }, h("button", { class: "button primary", type: "button", onclick: close }, gettext("Done"))));
  }
}
