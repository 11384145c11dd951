// What the API says in English, in the reader's language: names of parts, and refusals whose text has numbers in it.
const language = document.documentElement.lang;

const NAMES = () => ({
  unknown: gettext("Unknown"),
  // kinds of instruments
  stock: gettext("Stock"), etf: gettext("ETF"), fund: gettext("Fund"), bond: gettext("Bond"), crypto: gettext("Crypto currency"),
  index: gettext("Index"), other: gettext("Other"),
  // sectors, as the source of market data calls them
  "Basic Materials": gettext("Basic materials"), "Communication Services": gettext("Communication services"),
  "Consumer Cyclical": gettext("Consumer cyclical"), "Consumer Defensive": gettext("Consumer defensive"),
  "Consumer Staples": gettext("Consumer staples"), Energy: gettext("Energy"), "Financial Services": gettext("Financial services"),
  Financials: gettext("Financials"), Healthcare: gettext("Health care"), "Health Care": gettext("Health care"),
  Industrials: gettext("Industrials"), "Real Estate": gettext("Real estate"), Technology: gettext("Technology"), Utilities: gettext("Utilities"),
});

/** The name of a part of an allocation `by` something. */
export function partName(by, { key, label }) {
  if (key === "unknown") return gettext("Unknown");
  if (by === "currency") return currencyName(key, label);
  if (by === "sector" || by === "asset_type") return NAMES()[key] ?? label;
  return by === "country" ? countryName(label) : label;
}

export function currencyName(code, name) {
  if (language === "en") return name;
  const found = new Intl.DisplayNames(language, { type: "currency" }).of(code);
  return found === code ? name : found[0].toUpperCase() + found.slice(1);
}

let codes; // English name of a country → its code
function countryName(name) {
  if (language === "en") return name;
  if (!codes) {
    const english = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
    const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    codes = new Map(letters.flatMap((a) => letters.map((b) => [english.of(a + b), a + b])));
  }
  return codes.has(name) ? new Intl.DisplayNames(language, { type: "region" }).of(codes.get(name)) : name;
}

const REFUSALS = () => ({
  insufficient_quantity: gettext("So many are not held on that day."),
  exchange_rate_required: gettext("The exchange rate of that day is not known: enter it."),
  currency_required: gettext("The instrument's currency cannot be found out: enter it."),
  currency_mismatch: gettext("The currencies do not agree."),
  currency_fixed: gettext("The currency cannot be changed any more."),
  unknown_ticker: gettext("No instrument of this ticker is known."),
  duplicate_date: gettext("There is a value on this date already."),
  unresolved: gettext("Which instrument this is cannot be told."),
  ambiguous_dates: gettext("The dates can be read in two ways."),
  ambiguous_numbers: gettext("The numbers can be read in two ways."),
  empty_file: gettext("The file is empty."),
  unreadable_file: gettext("The file cannot be read."),
  unknown_format: gettext("The file is of no format that is known here."),
  ragged_rows: gettext("A row of the file has more cells than its header."),
  duplicate_column: gettext("The file has a column twice."),
  too_large: gettext("The file is too large."),
  unknown_budget: gettext("YNAB knows no such plan."),
  ynab_unauthorized: gettext("YNAB refuses the server's key."),
  upstream_unavailable: gettext("The source cannot be asked now."),
  upstream_timeout: gettext("The source did not answer in time."),
  busy: gettext("The server is busy. Try again in a moment."),
});

/** What the API says of one error: its own words, which have the numbers, after those of the reader's language. */
export function refusal({ code, detail }) {
  const own = language !== "en" && REFUSALS()[code];
  return own ? `${own} (${detail})` : detail;
}
