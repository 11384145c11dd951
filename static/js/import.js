// A broker's file: chosen or dropped, shown as it would be imported, imported, and undone.
import { api } from "./api.js";
import { confirm, dialog, empty, failure, h, notice, select } from "./dom.js";
import { num, text, time } from "./format.js";
import { counts, errorTable, instrumentForm, mappingForm, previewTable, remarks } from "./statement.js";

const isImport = (status, body) => "rows" in body; // 422 with the rows' errors is an answer

export async function undo(one, done) {
  confirm(interpolate(gettext("Undo the import of %s? Its transactions are removed."), [one.file_name]), gettext("Undo"), async () => {
    await api(`/imports/${one.id}`, { method: "DELETE" });
    notice(gettext("The import is undone."));
    done();
  });
}

/** The dialog: file → what the file leaves open → preview → confirm → undo. `file` may be given by a drop on the page. */
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
  /** Another file: what was said of the last one is forgotten. */
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
  /** What the file leaves open is asked: the API says which of two ways, which format, or which columns there are. */
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
      h("p", {}, seen.formats.length ? gettext("The file has the columns of several brokers.") : gettext("The file is of no format that is known here. Say which of its columns is which, or whose file it is.")),
      h("details", {}, h("summary", {}, gettext("What was found out")), failure(problem)),
      seen.formats.length
        ? h("div", {}, h("h3", {}, gettext("Whose file is it?")), h("div", { class: "actions" }, ...seen.formats.map((name) => way({ format: name, mapping: null }, label(name)))))
        : mappingForm(seen, choices.mapping, (mapping) => again({ format: "auto", mapping })),
      h("div", { class: "actions" },
        others.length > 0 && !seen.formats.length && select(gettext("Read it as the file of a broker"), [["", gettext("Read it as the file of a broker")], ...others.map((one) => [one.format, one.label])], "", (name) => name && again({ format: name, mapping: null })),
        h("button", { class: "button", type: "button", onclick: () => choose() }, gettext("Another file"))));
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
      choices = before; // the form tells why
      throw problem;
    }
  }
  function show(chosen, found) {
    const skip = h("input", { type: "checkbox", id: "import-skip" });
    const go = h("button", { class: "button primary", type: "button", onclick: () => run(chosen, skip.checked) }, interpolate(ngettext("Import %s transaction", "Import %s transactions", found.created), [found.created]));
    go.disabled = !found.created || found.failed > 0;
    skip.addEventListener("change", () => { go.disabled = !found.created || !skip.checked; });
    // Rows of an instrument that is not known are told once, where it can be said which it is.
    const errors = found.errors.filter((one) => one.code !== "unresolved");
    body.replaceChildren(...[
      h("p", { class: "muted small" }, `${found.file_name} · ${found.format} · ${found.encoding}`),
      counts(found),
      ...remarks(found),
      instrumentForm(found, (said) => name(chosen, said)),
      errors.length && errorTable(errors),
      found.preview.length ? previewTable(found.preview) : empty(found.failed ? gettext("No row can be imported as it is.") : gettext("Nothing in the file is new.")),
      h("div", { class: "actions" },
        found.failed ? h("label", { for: "import-skip" }, skip, " ", gettext("Leave out the rows with errors")) : "",
        h("button", { class: "button", type: "button", onclick: () => choose() }, gettext("Another file")), go),
    ].filter(Boolean));
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
    if (!box.open) return undefined; // closed meanwhile: the page's list of imports tells the rest
    const ok = done.state === "done" && done.id;
    body.replaceChildren(
      ok ? h("p", { role: "status" }, h("b", {}, interpolate(ngettext("%s transaction is imported.", "%s transactions are imported.", done.created), [done.created]))) : h("p", { class: "alert", role: "alert" }, gettext("Nothing was imported.")),
      counts(done),
      done.errors.length ? errorTable(done.errors) : "",
      h("div", { class: "actions" },
        ok && h("button", { class: "button danger", type: "button", onclick: () => undo(done, () => { box.close(); changed(); }) }, gettext("Undo")),
        h("button", { class: "button primary", type: "button", onclick: () => box.close() }, gettext("Done"))));
    return undefined;
  }
  /** A long import runs in the background: its progress until it ends. */
  async function follow(started) {
    const bar = h("progress", { max: 1, value: 0, "aria-label": gettext("Importing") });
    const share = h("b", { class: "num" });
    body.replaceChildren(h("div", { class: "empty", role: "status" },
      h("p", {}, interpolate(gettext("Importing %s"), [started.file_name]), " ", share), bar,
      h("p", { class: "small" }, gettext("A file as big as this is imported in the background: you may close this, it goes on."))));
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

/** Lets files be dropped on `target`. */
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
  if (!all.length) return empty(gettext("Nothing imported yet. Drop a file anywhere on this page."));
  const states = { running: gettext("running"), done: gettext("done"), failed: gettext("failed"), undone: gettext("undone") };
  return h("ul", { class: "rows" }, ...all.map((one) => h("li", {},
    h("span", {}, h("b", { class: "name" }, one.file_name), h("span", { class: "under" }, time(one.created_at), " · ", num("count", one.created), " ", gettext("new"), " · ", num("count", one.duplicates), " ", gettext("known already")),
      one.state === "running" && h("progress", { max: 1, value: one.progress, "aria-label": `${gettext("Importing")}: ${one.file_name}` })),
    h("span", { class: one.state === "failed" ? "tag bad" : one.state === "done" ? "tag" : "tag warn" }, states[one.state] ?? one.state),
    one.state === "done" && h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Undo")}: ${one.file_name}`, onclick: () => undo(one, changed) }, gettext("Undo")))));
}
