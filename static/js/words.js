// Texts of the API in the reader's language: names of parts, errors, warnings.
const language = document.documentElement.lang;

// Types of transactions.
export const TYPES = () => ({
  buy: gettext("Buy"), sell: gettext("Sell"), dividend: gettext("Dividend"), interest: gettext("Interest"), fee: gettext("Fee"),
  return_of_capital: gettext("Return of capital"),
  tax: gettext("Tax"), split: gettext("Split"), transfer_in: gettext("Transfer in"), transfer_out: gettext("Transfer out"),
});

/** The same, with those that are no transactions of a holding alone. */
export const ALL_TYPES = () => ({
  ...TYPES(), deposit: gettext("Deposit"), withdrawal: gettext("Withdrawal"), conversion: gettext("Conversion"),
  opening: gettext("Opening balance"), adjustment: gettext("Adjustment"),
  exchange_in: gettext("Exchanged in"), exchange_out: gettext("Exchanged out"),
});

// Kinds of groups: transactions that are entered, changed and deleted together.
export const GROUP_KINDS = () => ({
  conversion: gettext("Conversion"), transfer: gettext("Moved between portfolios"), exchange: gettext("Exchange"),
  spin_off: gettext("Spin-off"), exercise: gettext("Exercised rights"),
});

/** What a word of a broker can mean. */
export const WORD_TYPES = () => ({
  ...TYPES(), deposit: gettext("Deposit"), withdrawal: gettext("Withdrawal"), adjustment: gettext("Adjustment"), ignore: gettext("Ignore"),
});

// How often a plan pays.
export const FREQUENCIES = () => ({ monthly: gettext("every month"), quarterly: gettext("every quarter"), yearly: gettext("every year") });

const NAMES = () => ({
  unknown: gettext("Unknown"),
  // types of instruments
  stock: gettext("Stock"), etf: gettext("ETF"), fund: gettext("Fund"), bond: gettext("Bond"), crypto: gettext("Cryptocurrency"),
  index: gettext("Index"), other: gettext("Other"),
  // sectors, as the market data source names them
  "Basic Materials": gettext("Basic materials"), "Communication Services": gettext("Communication services"),
  "Consumer Cyclical": gettext("Consumer cyclical"), "Consumer Defensive": gettext("Consumer defensive"),
  "Consumer Staples": gettext("Consumer staples"), Energy: gettext("Energy"), "Financial Services": gettext("Financial services"),
  Financials: gettext("Financials"), Healthcare: gettext("Health care"), "Health Care": gettext("Health care"),
  Industrials: gettext("Industrials"), "Real Estate": gettext("Real estate"), Technology: gettext("Technology"), Utilities: gettext("Utilities"),
});

/** Returns the types of instruments as [key, name]. */
export const assetTypes = () => ["stock", "etf", "fund", "bond", "crypto", "index", "other"].map((key) => [key, NAMES()[key]]);

/** Returns the name of a part of an allocation `by` something. */
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
export function countryName(name) {
  if (language === "en") return name;
  if (!codes) {
    const english = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
    const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    codes = new Map(letters.flatMap((a) => letters.map((b) => [english.of(a + b), a + b])));
  }
  return codes.has(name) ? new Intl.DisplayNames(language, { type: "region" }).of(codes.get(name)) : name;
}

// Texts of errors by code.
const ERRORS = () => ({
  insufficient_quantity: gettext("More shares than are held on that day."),
  exchange_rate_required: gettext("The exchange rate of that day is unknown. Enter it."),
  currency_required: gettext("The instrument's currency is unknown. Enter it."),
  currency_mismatch: gettext("The currencies do not match."),
  currency_fixed: gettext("The currency can no longer be changed."),
  currency_changed: gettext("The currency changed in the meantime. Try again."),
  unknown_currency: gettext("Unknown currency."),
  unknown_ticker: gettext("No instrument has this ticker."),
  ambiguous_ticker: gettext("Several instruments have this ticker."),
  minor_currency: gettext("This is a hundredth of a currency. Divide prices by 100 and use the currency itself."),
  unknown_price: gettext("The instrument has no price yet."),
  unknown_rate: gettext("The exchange rate is unknown."),
  unknown_portfolio: gettext("This portfolio does not exist."),
  unknown_holding: gettext("This holding does not exist."),
  not_found: gettext("This no longer exists. Reload the page."),
  not_manual: gettext("The prices of this instrument come from a source."),
  duplicate_name: gettext("This name is already in use."),
  duplicate_date: gettext("There is already a value on this date."),
  end_before_start: gettext("The end must not be before the start."),
  start_after_end: gettext("The start must not be after the end."),
  past_year: gettext("The year must not be in the past."),
  holding_mismatch: gettext("The transaction belongs to another holding."),
  in_use: gettext("It is still in use."),
  not_undoable: gettext("This import cannot be undone."),
  wrong_password: gettext("The current password is wrong."),
  locked_out: gettext("Too many failed sign-ins. Try again later."),
  throttled: gettext("Too many requests. Try again in a moment."),
  permission_denied: gettext("You do not have permission to do this."),
  looking_up: gettext("The instrument has not been looked up yet. Try again in a minute."),
  unresolved: gettext("Could not identify the instrument. Choose its ticker."),
  ambiguous_dates: gettext("The order of day and month is unclear. Choose it."),
  ambiguous_numbers: gettext("The decimal separator is unclear. Choose it."),
  empty_file: gettext("The file is empty."),
  unreadable_file: gettext("The file could not be read. Export it again as CSV."),
  unknown_format: gettext("The format was not recognised."),
  several_sheets: gettext("Several sheets of the workbook have transactions."),
  unknown_sheet: gettext("The workbook has no such sheet."),
  several_accounts: gettext("The file has several accounts. Import each into a portfolio of its own."),
  unknown_account: gettext("The file has no such account."),
  no_excerpt: gettext("The rows of this file cannot stand in a file of their own. Correct the file itself."),
  ragged_rows: gettext("The rows do not fit the header. Export the file again."),
  duplicate_column: gettext("The header names a column twice."),
  too_large: gettext("The file is too large. Split it into smaller files."),
  no_charge: gettext("Shares that are moved in have no charge. Add it to the price."),
  same_currency_rate: gettext("Both amounts are in the same currency, so the exchange rate must be 1. Leave it empty."),
  same_currency: gettext("An exchange needs two different currencies."),
  cash_is_derived: gettext("From this day on, cash follows from the transactions. Add a deposit, a withdrawal or an adjustment instead."),
  duplicate_opening: gettext("There is an opening balance in this currency already."),
  derived_row: gettext("This opening follows from other transactions or from imported files. It cannot be changed here."),
  part_of_group: gettext("This transaction is part of a group. Change or delete the group."),
  circular_transfer: gettext("It cannot be moved to where it comes from, not within a day either."),
  cost_shares: gettext("The parts of the cost do not add up."),
  duplicate_target: gettext("Name each share that came once."),
  holding_fixed: gettext("A group cannot move to another holding. Delete it and enter it there."),
  not_a_pair: gettext("These transactions are not two sides of one move."),
  wrong_sign: gettext("The amount is 0, is missing or has the wrong sign."),
  future_date: gettext("The date must not be in the future."),
  try_again: gettext("It was changed at the same moment. Try again."),
  gave_up: gettext("The import could not be finished. Try it in smaller files."),
  unknown_budget: gettext("YNAB has no such plan."),
  ynab_budget_unknown: gettext("YNAB has no such plan."),
  ynab_budget_not_set: gettext("Choose a YNAB plan first."),
  ynab_not_configured: gettext("The server has no YNAB key. Its administrator can set YNAB_API_KEY."),
  ynab_account_not_linked: gettext("Link the account to YNAB first."),
  unknown_ynab_account: gettext("YNAB has no such account."),
  ynab_unauthorized: gettext("YNAB rejects the server's key."),
  ynab_rate_limited: gettext("YNAB limits our requests. Try again later."),
  ynab_timeout: gettext("YNAB did not answer in time."),
  ynab_bad_answer: gettext("YNAB's answer could not be used."),
  negative_balance: gettext("The balance is negative."),
  upstream_unavailable: gettext("The price source is not available. Try again later."),
  upstream_timeout: gettext("The price source did not answer in time."),
  upstream_bad_answer: gettext("The price source's answer could not be used."),
  busy: gettext("The server is busy. Try again in a moment."),
  database_unavailable: gettext("The database does not answer. Try again in a moment."),
  disk_full: gettext("The server's disk is full. Nothing was saved."),
  read_only: gettext("The server's disk is read-only. Nothing was saved."),
});

// Messages with values that the code alone does not give.
const MESSAGES = [
  [/(\S+) requested, (\S+) held on ([\d-]+)/, () => gettext("%s requested, %s held on %s.")],
  [/(\S+) is quoted in (\S+)\.$/, () => gettext("%s is quoted in %s.")],
  [/from account (.+); the previous import was from account (.+)\.$/, () => gettext("This file is from account %s; the previous import was from account %s.")],
  [/^The broker reversed line (\S+), but it is recorded here\. Delete the (\S+) of (.+) on ([\d-]+)\.$/, () => gettext("The broker reversed line %s, but it is recorded here. Delete the %s of %s on %s.")],
  [/^The file does not say what these shares cost\./, () => gettext("The file does not say what these shares cost. They came in at the close of the day, or at 0 where none is known. Edit the price of the transaction if you know it.")],
  [/^These shares came without what they came for/, () => gettext("These shares came without what they came for, so they have no cost. If they came for others, complete the group.")],
  [/^The file does not say which part of the cost/, () => gettext("The file does not say which part of the cost these shares take over. Change the group if you know it; the totals are right with any part.")],
  [/^These shares were there before the file begins\. No exchange rate/, () => gettext("These shares were there before the file begins. No exchange rate is known for the day before, so they were not booked. Enter a transfer in by hand.")],
  [/^(.+) is not a known type of this format\. The broker's balance/, () => gettext("%s is unknown. The broker's balance moves by the amount, so it is an adjustment. If you know what it is, change the transaction.")],
  [/^(\S+) became (\S+) in this portfolio/, () => gettext("%s became %s in this portfolio, so this row is booked there. If it is another share, enter the transaction by hand.")],
  [/^The price (\S+) is far from the close of (\S+) (\S+) on ([\d-]+)\.$/, () => gettext("The price %s is far from the close of %s %s on %s.")],
  [/^The price (\S+) is far from the close of (\S+) (\S+) on ([\d-]+)\. If it is in pence/, () => gettext("The price %s is far from the close of %s %s on %s. If it is in pence or cents, divide it by 100.")],
  [/^The price (\S+) is far from the close of (\S+) (\S+) on ([\d-]+)\. It looks split-adjusted: .+\((\S+):1\)\.$/, () => gettext("The price %s is far from the close of %s %s on %s. It looks split-adjusted: enter price and quantity as they were before the later split (%s:1).")],
  [/^The exchange rate (\S+) is far from that of the market: (\S+) (\S+) for one (\S+)\.$/, () => gettext("The exchange rate %s is far from that of the market: %s %s for one %s.")],
  [/^The exchange rate (\S+) is far from that of the market: (\S+) (\S+) for one (\S+)\. It looks like the inverse: enter (\S+)\.$/, () => gettext("The exchange rate %s is far from that of the market: %s %s for one %s. It looks like the inverse: enter %s.")],
  [/^Ignored columns: (.+)\. Rename/, () => gettext("Ignored columns: %s. Rename any that should be imported.")],
];

/** Returns a message of the API in the reader's language, null if it is not in MESSAGES. */
function translated(detail) {
  for (const [pattern, own] of MESSAGES) {
    const found = pattern.exec(detail);
    if (found) return interpolate(own(), found.slice(1));
  }
  return null;
}

/** Returns the text of an API error. On an English page, it is the API's own text. */
export function refusal({ code, detail }) {
  if (language === "en") return detail;
  return translated(detail) ?? ERRORS()[code] ?? detail;
}

const PARAMETER = /\w=|\bmapping\b|\baccount\.$/;

/** Returns the text of an error without the sentences about parameters of the API, for which the page has its own fields. */
export function withoutParameters(problem) {
  const sentences = problem.message.split(/(?<=\.) /).filter((sentence) => !PARAMETER.test(sentence));
  return sentences.join(" ") || problem.message;
}

const TICKER = /^([A-Z0-9.^=_&+-]+): (.+)$/s;

/** Puts warnings together: those of an instrument's prices or rates, else those with one text. `all` are the warnings, `rows`
 *  their lines in the file, and `text` is that of the first in the reader's language. */
export function warningGroups(warnings) {
  const groups = new Map();
  for (const one of warnings) {
    const [, ticker, rest] = (one.field && TICKER.exec(one.detail)) || [null, "", one.detail];
    const key = `${one.code} ${ticker || one.detail}`;
    if (!groups.has(key)) {
      const said = language === "en" ? rest : translated(rest) ?? rest;
      groups.set(key, { text: ticker ? `${ticker}: ${said}` : said, all: [], rows: [] });
    }
    groups.get(key).all.push(one);
    if (one.row !== undefined) groups.get(key).rows.push(one.row);
  }
  return [...groups.values()];
}
