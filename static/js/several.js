// Several files at once: read, put in the order of their days, imported one after the other.
import { api } from "./api.js";
import { h } from "./dom.js";
import { num } from "./format.js";

const PAUSE = 700; // milliseconds between two looks at what a worker does

const firstDay = (found) => found.first_day ?? "";

/** Reads all files without recording them. A file that cannot be read has a `problem`. */
async function readAll(files, { send, working }) {
  const read = [];
  for (const file of files) {
    working(interpolate(gettext("Reading %s"), [file.name]));
    try {
      read.push({ file, found: await send(file, { dry_run: "true" }) });
    } catch (problem) {
      read.push({ file, problem });
    }
  }
  const readable = read.filter((one) => one.found);
  readable.sort((one, two) => firstDay(one.found).localeCompare(firstDay(two.found)));
  return [...readable, ...read.filter((one) => one.problem)];
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

function summary(all, look) {
  const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
  const row = ({ file, found, problem }) => h("tr", { class: problem || found.failed ? "bad" : null },
    h("td", { class: "text" }, file.name),
    h("td", { class: "text" }, found ? found.format : problem.message),
    h("td", {}, found ? num("count", found.created) : ""),
    h("td", {}, found ? num("count", found.duplicates) : ""),
    h("td", {}, found ? num("count", found.failed) : ""),
    h("td", {}, (problem || found.failed > 0) && h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Look at it")}: ${file.name}`, onclick: () => look(file) }, gettext("Look at it"))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Files") }, h("table", {},
    h("thead", {}, h("tr", {}, head(gettext("File"), "text"), head(gettext("Format"), "text"), head(gettext("new")), head(gettext("already imported")), head(gettext("with errors")), h("th", {}))),
    h("tbody", {}, ...all.map(row))));
}

/** Reads the files and asks whether to import them, oldest first; then shows what became of each. */
export async function importAll(files, dialog) {
  const { body, working, send, changed, take, close } = dialog;
  const read = await readAll(files, dialog);
  const readable = read.filter((one) => one.found);
  const skip = h("input", { type: "checkbox", id: "import-skip" });
  const go = h("button", { class: "button primary", type: "button", onclick: () => run(skip.checked) }, interpolate(ngettext("Import %s file", "Import %s files", readable.length), [readable.length]));
  go.disabled = !readable.length;
  body.replaceChildren(
    h("p", {}, gettext("The oldest file comes first. A sale can show an error here because its purchase is in an earlier file.")),
    summary(read, take),
    h("div", { class: "actions" }, h("label", { for: "import-skip" }, skip, " ", gettext("Skip rows with errors")), go));

  async function run(skips) {
    const done = [];
    for (const { file } of readable) {
      working(interpolate(gettext("Importing %s"), [file.name]));
      try {
        done.push({ file, found: await finished(await send(file, skips ? { on_error: "skip" } : {})) });
      } catch (problem) {
        done.push({ file, problem });
      }
    }
    changed();
    const created = done.reduce((sum, { found }) => sum + (found?.id ? found.created : 0), 0);
    const left = done.filter(({ found, problem }) => problem || found.state === "failed");
    body.replaceChildren(
      h("p", { role: "status" }, h("b", {}, interpolate(ngettext("%s transaction imported.", "%s transactions imported.", created), [created]))),
      left.length ? h("p", { class: "alert", role: "alert" }, interpolate(ngettext("%s file was not imported.", "%s files were not imported.", left.length), [left.length])) : "",
      summary(done, take),
      h("div", { class: "actions" }, h("button", { class: "button primary", type: "button", onclick: close }, gettext("Done"))));
  }
}
