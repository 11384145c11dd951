// Numbers and dates in the reader's locale. All numbers on the pages come from the API and are formatted here.
const language = document.documentElement.lang;
export const locale =
  language === "nb" ? "nb-NO" : (navigator.languages.find((one) => one.startsWith("en")) ?? "en-GB");

const made = new Map();
function formatter(options) {
  const key = JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.NumberFormat(locale, options));
  return made.get(key);
}

const KINDS = {
  money: ({ currency, digits = 0, signed }) => ({
    ...(currency ? { style: "currency", currency } : {}),
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: signed ? "exceptZero" : "negative",
  }),
  price: ({ digits = 6 }) => ({ minimumFractionDigits: 2, maximumFractionDigits: digits }),
  quantity: () => ({ maximumFractionDigits: 8 }),
  percent: ({ digits = 1, signed }) => ({
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: signed ? "exceptZero" : "negative",
  }),
  compact: () => ({ notation: "compact", maximumFractionDigits: 1 }),
  index: () => ({ minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  count: () => ({ maximumFractionDigits: 0 }),
  exact: () => ({ maximumFractionDigits: 15 }),
};

export function text(kind, value, options = {}) {
  return formatter(KINDS[kind](options)).format(value);
}

// Kinds that "hide amounts" hides: the user's own money. Prices, rates and percentages stay visible.
const PERSONAL = new Set(["money", "quantity"]);

/** A <span> with the number formatted; null is a dash. `signed` adds sign, arrow and colour. */
export function num(kind, value, options = {}) {
  const span = document.createElement("span");
  span.className = "num";
  if (value === null || value === undefined) {
    span.textContent = "–";
    span.setAttribute("aria-label", gettext("unknown"));
    span.setAttribute("role", "img");
    return span;
  }
  span.dataset.value = value;
  span.dataset.kind = kind;
  if (PERSONAL.has(kind)) span.classList.add("amount");
  const shown = document.createTextNode(text(kind, value, options));
  if (options.signed && /[1-9]/.test(shown.data)) {
    span.classList.add(value > 0 ? "gain" : "loss");
    const arrow = document.createElement("span");
    arrow.className = "arrow";
    arrow.setAttribute("aria-hidden", "true");
    arrow.textContent = value > 0 ? "▲" : "▼";
    span.append(arrow);
  }
  span.append(shown);
  return span;
}

export const amountsHidden = () => document.documentElement.dataset.amounts === "hidden";

const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const shortDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
const shortTime = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const fullTime = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });

/** `2026-11-20` → 20 Nov 2026 */
export const date = (iso) => (iso ? day.format(new Date(iso + "T00:00:00Z")) : "–");
const isToday = (iso) => !iso || iso >= isoDate(new Date()); // an exchange's day may begin before ours

/** A <span> that says of which day a change is: `today`, or `last trading day (27 Nov)`; and how many holdings it
 *  leaves out, with their tickers as its title. */
export function changeNote({ day_change_on: day, day_change_missing: missing }) {
  const span = document.createElement("span");
  span.className = "muted small";
  const when = isToday(day) ? gettext("today") : interpolate(gettext("last trading day (%s)"), [shortDay.format(new Date(day))]);
  span.textContent = ` ${when}`;
  if (missing.length) {
    span.textContent += ` · ${interpolate(ngettext("without %s holding", "without %s holdings", missing.length), [missing.length])}`;
    span.title = missing.join(", ");
  }
  return span;
}

/** `2026-11-27` → ` · 27 Nov`; nothing for today. */
export const otherDay = (iso) => (isToday(iso) ? "" : ` · ${shortDay.format(new Date(iso))}`);

/** Formats a timestamp in the reader's time zone; only the time if it is today. */
export function time(iso) {
  const when = new Date(iso);
  return when.toDateString() === new Date().toDateString() ? clock.format(when) : shortTime.format(when);
}

/** Formats a timestamp in the reader's time zone, with date and year. */
export const moment = (iso) => fullTime.format(new Date(iso));

const parts = new Intl.NumberFormat(locale).formatToParts(-12345.6);
const decimal = parts.find((part) => part.type === "decimal").value;

/** Parses a typed number into an exact string for the API; null if empty, undefined if it is not a number.
 *  Uses the locale's decimal separator; a single other one is accepted too. */
export function parseNumber(typed) {
  let clean = typed.replace(/[\s'’]/g, "").replace("−", "-");
  if (!clean) return null;
  if (decimal === ",") clean = clean.includes(",") ? clean.replace(/\./g, "").replace(",", ".") : clean;
  else if (/^-?\d{1,3}(,\d{3})+(\.\d*)?$/.test(clean)) clean = clean.replace(/,/g, "");
  else clean = clean.replace(",", ".");
  return /^-?(\d+\.?\d*|\.\d+)$/.test(clean) ? clean : undefined;
}

/** Formats a number for a text box, without grouping. */
export function typed(value) {
  if (value === null || value === undefined) return "";
  return formatter({ maximumFractionDigits: 15, useGrouping: false }).format(value);
}

/** Formats a fraction as percent for a text box: 0.025 → 2.5 */
export const typedPercent = (share) =>
  formatter({ style: "percent", maximumFractionDigits: 13, useGrouping: false }).format(share).replace(/[^\d.,−-]/g, "");

/** Parses typed percent into an exact fraction for the API; null and undefined as in parseNumber. */
export function percentOf(text) {
  const clean = parseNumber(text.replace("%", ""));
  return clean ? `${clean}e-2` : clean;
}

export const isoDate = (when) =>
  `${when.getFullYear()}-${String(when.getMonth() + 1).padStart(2, "0")}-${String(when.getDate()).padStart(2, "0")}`;
