// The parts of the import dialog: counts, errors, preview, and questions about the file.
import { field, form, h } from "./dom.js";
import { date, num } from "./format.js";
import { tickerInput } from "./tickers.js";
import { ALL_TYPES, TYPES, WORD_TYPES, warningGroups } from "./words.js";

export function counts(found) {
  const said = [[gettext("rows"), found.rows], [gettext("new"), found.created], [gettext("already imported"), found.duplicates], [gettext("ignored"), found.ignored], [gettext("with errors"), found.failed]];
  return h("dl", { class: "facts" }, ...said.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", { class: label === gettext("with errors") && value ? "loss" : null }, num("count", value)))));
}

const LINES_NAMED = 5;
const NOTES_OPEN = 5; // warnings that are not folded away

function lineNumbers({ rows, count }) {
  const named = rows.slice(0, LINES_NAMED).join(", ");
  const left = count - Math.min(rows.length, LINES_NAMED);
  return left > 0 ? interpolate(ngettext("%(named)s and %(left)s more", "%(named)s and %(left)s more", left), { named, left }, true) : named;
}

/** The problems of the file, in the reader's language: each once, with the first of its rows and what to do. */
export function problemList(problems) {
  const where = (one) => [interpolate(ngettext("line %s", "lines %s", one.count), [lineNumbers(one)]), one.column, one.value].filter(Boolean).join(" · ");
  return h("ul", { class: "problems", "aria-label": gettext("Errors") }, ...problems.map((one) => h("li", {},
    h("b", {}, one.detail), h("span", { class: "under" }, where(one)),
    h("span", { class: "under" }, one.hint), one.sample && h("span", { class: "under sample" }, one.sample))));
}

/** How many rows are understood, where some are not. */
export function understood(found) {
  if (!found.failed) return null;
  const share = { understood: found.rows - found.failed, rows: found.rows };
  return h("p", { role: "status" }, interpolate(ngettext("%(understood)s of %(rows)s row is understood.", "%(understood)s of %(rows)s rows are understood.", found.rows), share, true));
}

/** Asks what unknown words mean. `taken` gets word → our type or "ignore". Returns null if there are none. */
export function wordForm(found, taken) {
  const words = found.problems.filter((one) => one.code === "unknown_type" && one.value);
  if (!words.length) return null;
  const types = Object.entries(WORD_TYPES());
  const boxes = words.map((problem) => {
    const word = problem.value;
    const box = h("select", {}, h("option", { value: "" }, "–"), ...types.map(([key, label]) => h("option", { value: key }, label)));
    const row = field(`word-${problem.rows[0]}`, word, box);
    row.append(h("span", { class: "under" }, interpolate(ngettext("line %s", "lines %s", problem.count), [lineNumbers(problem)])));
    row.append(h("span", { class: "under sample" }, problem.sample));
    return { word, box, row };
  });
  return h("section", { class: "words", "aria-label": gettext("Unknown words") },
    h("h3", {}, interpolate(ngettext("%s word is unknown. Say what it means.", "%s words are unknown. Say what they mean.", words.length), [words.length])),
    form({
      fields: [...boxes.map((one) => one.row), h("p", { class: "small muted wide" }, gettext("Your choices are remembered for the next file."))],
      label: gettext("Use these meanings"),
      read: () => Object.fromEntries(boxes.map(({ word, box }) => [word, box.value]).filter(([, kind]) => kind)),
      send: taken,
    }));
}

export function previewTable(rows) {
  const types = ALL_TYPES();
  const perShare = (kind, row) => row.ticker ? num(kind, row[kind]) : null; // money alone has no shares
  const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Preview") }, h("table", {},
    h("thead", {}, h("tr", {}, head(gettext("Date")), head(gettext("Type"), "text"), head(gettext("Instrument"), "text"), head(gettext("Quantity")), head(gettext("Price")), head(gettext("Amount")))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, h("td", {}, date(row.date)), h("td", { class: "text" }, types[row.type] ?? row.type), h("td", { class: "text" }, row.ticker), h("td", {}, perShare("quantity", row)), h("td", {}, perShare("price", row)), h("td", {}, num("money", row.amount, { digits: 2 })))))));
}

/** The shares that were held before the file begins. */
export function openingTable(rows) {
  const head = (label, kind) => h("th", { scope: "col", class: kind }, label);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": gettext("Held before the file begins") }, h("table", {},
    h("caption", {}, gettext("Held before the file begins")),
    h("thead", {}, h("tr", {}, head(gettext("Date")), head(gettext("Instrument"), "text"), head(gettext("Quantity")))),
    h("tbody", {}, ...rows.map((one) => h("tr", {}, h("td", {}, date(one.date)), h("td", { class: "text" }, one.ticker), h("td", {}, num("quantity", one.quantity)))))));
}

const atLines = (rows) => interpolate(ngettext("Line %s", "Lines %s", rows.length), [lineNumbers({ rows, count: rows.length })]);

/** The warnings of a file, each once, with the first of its rows. */
export function warningNotes(warnings) {
  const notes = warningGroups(warnings).map(({ text, rows }) => h("p", { class: "note" }, rows.length ? `${atLines(rows)}: ${text}` : text));
  if (notes.length <= NOTES_OPEN) return notes;
  const left = notes.length - NOTES_OPEN;
  const more = h("details", {}, h("summary", {}, interpolate(ngettext("%s more warning", "%s more warnings", left), [left])), ...notes.slice(NOTES_OPEN));
  return [...notes.slice(0, NOTES_OPEN), more];
}

/** Remarks about the whole file: another account than last time, a different balance, ignored rows. */
export function remarks(found) {
  const said = [];
  if (found.duplicates) said.push(interpolate(ngettext("%s row was imported before and will not be added again.", "%s rows were imported before and will not be added again.", found.duplicates), [found.duplicates]));
  if (found.reconciled === false) said.push(interpolate(gettext("The file's own balance differs from line %s onwards."), [found.first_divergence?.row]));
  const ignored = found.ignored_sums.map((one) => h("li", {}, `${one.type}: `, num("count", one.count), " · ", num("money", one.amount, { currency: one.currency || undefined, digits: 2 })));
  return [
    found.reconciled && h("p", { class: "small" }, "✓ ", gettext("The broker's own balances agree with the file.")),
    ...said.map((text) => h("p", { class: "note" }, text)),
    ...warningNotes(found.warnings),
    ignored.length && h("details", { class: "note" }, h("summary", {}, gettext("Ignored rows")), h("ul", {}, ...ignored)),
  ];
}

const COLUMNS = () => ({
  date: gettext("Date"), type: gettext("Type"), ticker: gettext("Ticker"), isin: "ISIN", quantity: gettext("Quantity"), price: gettext("Price"),
  amount: gettext("Amount"), company_name: gettext("Name"), currency: gettext("Currency"), commission: gettext("Commission"), tax: gettext("Tax"),
  exchange_rate: gettext("Exchange rate"), booked_on: gettext("Booking day"), note: gettext("Note"), external_id: gettext("Broker's reference"),
});
const NEEDED = ["date", "type"];
// Other words of headers for our columns.
const ALIKE = { date: ["timestamp", "time"], type: ["action", "side"], ticker: ["symbol", "asset"], quantity: ["shares", "units"], commission: ["fee", "fees"], note: ["notes"] };

/** Proposes the column of a file for one of ours: one of its name, else the only one with its name as a word in it. */
function proposed(names, key, label) {
  const words = [key.replace("_", " "), label.toLowerCase(), ...(ALIKE[key] ?? [])];
  const same = names.find((name) => words.includes(name.toLowerCase()) || name.toLowerCase() === key);
  if (same) return same;
  const near = names.filter((name) => name.toLowerCase().split(/[\s/()_-]/).some((word) => words.includes(word)));
  return near.length === 1 ? near[0] : "";
}

/** Asks which column is which. `{header, sample}` comes from the API; `taken` gets our column → theirs, and a name to save that under. */
export function mappingForm({ header, sample }, mapping, taken) {
  const columns = Object.entries(COLUMNS());
  const names = header.map((name) => name.trim());
  const fields = columns.map(([key, label]) => {
    const box = h("select", { onchange: tell }, h("option", { value: "" }, "–"), ...[...new Set(names.filter(Boolean))].map((name) => h("option", { value: name }, name)));
    box.value = mapping?.[key] ?? (mapping ? "" : proposed(names, key, label));
    const example = h("span", { class: "under" });
    function tell() {
      const at = names.indexOf(box.value);
      example.textContent = at < 0 ? "" : sample.map((record) => record[at]?.trim()).filter(Boolean).join(" · ");
    }
    tell();
    const row = field(key, NEEDED.includes(key) ? `${label} *` : label, box);
    row.append(example);
    return row;
  });
  const saved = field("save_mapping_as", gettext("Save these columns as"), h("input", { maxlength: 100 }), { hint: gettext("Optional. The next file with these columns is then read by itself.") });
  const box = form({
    fields: [...fields, saved],
    label: gettext("Use these columns"),
    read: ({ elements }) => {
      const chosen = Object.fromEntries(columns.map(([key]) => [key, elements[key].value]).filter(([, name]) => name));
      const lacking = NEEDED.find((key) => !chosen[key]);
      if (lacking) box.refuse(lacking, gettext("This column is required."));
      else if (!chosen.price && !chosen.amount) box.refuse("price", gettext("Choose the column of the price or of the amount."));
      else return { mapping: chosen, save_mapping_as: elements.save_mapping_as.value.trim() };
      return undefined;
    },
    send: taken,
  });
  return h("div", {},
    h("h3", {}, gettext("Columns")),
    h("p", { class: "small muted" }, `${gettext("Columns with * are required, and a price or an amount. You say what other words than these mean in the next step:")} ${Object.keys(TYPES()).join(", ")}.`),
    box);
}

/** Shows how many instruments are identified while others are still being looked up. */
export function lookUpProgress({ done, of }) {
  const message = interpolate(gettext("%(done)s of %(of)s instruments identified. The others are being looked up."), { done, of }, true);
  return h("div", { class: "note", role: "status" }, h("p", {}, message), h("progress", { max: of, value: done, "aria-label": message }));
}

const nameOf = (one) => one.isin || one.symbol || one.name;

/** What a choice names: the instrument, with its currency if the file trades several listings of it. */
function keyOf(one, all) {
  const name = nameOf(one);
  return all.filter((other) => nameOf(other) === name).length > 1 ? `${name}:${one.currency}` : name;
}

/** Asks for the tickers of unidentified instruments; identified ones are folded away and can be changed.
 *  `taken` gets the broker's ISIN or name → ticker for each change. Returns null if there are no instruments. */
export function instrumentForm(found, taken) {
  const named = found.instruments.filter((one) => one.resolved_by !== "ticker");
  if (!named.length) return null;
  const inputs = new Map();
  const row = (one) => {
    const key = keyOf(one, found.instruments);
    const [input, options] = tickerInput(() => {});
    const before = one.ticker ?? "";
    const candidates = one.candidates ?? [];
    // A single candidate is offered; it is only taken once the form is sent.
    input.value = input.defaultValue = before || (candidates.length === 1 ? candidates[0].ticker : "");
    inputs.set(key, [input, before]);
    const label = [one.name || one.symbol, one.isin, one.currency].filter(Boolean).join(" · ");
    const box = field(`instrument-${inputs.size}`, label, input, { wide: true });
    box.append(options, h("div", { class: "chips" },
      ...candidates.map((two) =>
        h("button", { class: "button slim", type: "button", onclick: () => { input.value = two.ticker; input.focus(); } }, h("b", {}, two.ticker), ` ${[two.exchange, two.currency].filter(Boolean).join(" · ")}`)),
      !one.ticker && h("button", { class: "button slim", type: "button", "aria-label": `${gettext("Price it by hand")}: ${label}`, onclick: () => taken({ [key]: "manual" }) }, gettext("Price it by hand"))));
    return box;
  };
  const unknown = named.filter((one) => !one.ticker);
  const known = named.filter((one) => one.ticker);
  const allByHand = () => taken(Object.fromEntries(unknown.map((one) => [keyOf(one, found.instruments), "manual"])));
  return h("section", { class: "instruments", "aria-label": gettext("Instruments") },
    unknown.length && !found.looking_up ? h("h3", {}, interpolate(ngettext("%s instrument could not be identified. Choose its ticker.", "%s instruments could not be identified. Choose their tickers.", unknown.length), [unknown.length])) : "",
    unknown.length > 1 && !found.looking_up ? h("p", {}, h("button", { class: "button", type: "button", onclick: allByHand }, gettext("Price all of them by hand"))) : "",
    form({
      fields: [
        ...unknown.map(row),
        known.length ? h("details", { class: "wide" }, h("summary", {}, interpolate(ngettext("%s instrument identified", "%s instruments identified", known.length), [known.length])), h("div", { class: "fields" }, ...known.map(row))) : "",
        h("p", { class: "small muted wide" }, gettext("Your choices are remembered for the next file.")),
      ],
      label: gettext("Use these tickers"),
      read: () => Object.fromEntries([...inputs].map(([key, [input, before]]) => [key, input.value.trim(), before]).filter(([, now, before]) => now && now !== before)),
      send: taken,
    }));
}
