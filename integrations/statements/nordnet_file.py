"""Nordnet: what the rows of a file say about each other, and what all kinds of rows share."""

import re
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import divide, half_unit, rounding_of_product
from integrations.statements.exchanges import pair_rows
from integrations.statements.nordnet_words import Meaning, is_reversal, meaning_of
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.sheet import Sheet, id_of_part

SPLITS = (Meaning.SPLIT_OUT, Meaning.SPLIT_IN)
CURRENCY_TRADES = (Meaning.BUY_CURRENCY, Meaning.SELL_CURRENCY)
# Rates are written with few digits.
MAX_RATE_DIFFERENCE = Decimal("0.01")
EXCHANGED = {Meaning.EXCHANGED_OUT: "exchange_out", Meaning.EXCHANGED_IN: "exchange_in"}
PAID = (Meaning.DIVIDEND, Meaning.RETURN_OF_CAPITAL, Meaning.LENDING)
OF_COUNTRIES = {"NO": "NOK", "SE": "SEK", "DK": "DKK", "FI": "EUR"}
Halves = dict[Meaning, list[RawRow]]
# (ISIN, booking day) → the rate.
Rates = dict[tuple[str, str], Decimal]
_RIGHT = re.compile(
    r"\b(?:T-?RETT|T-?RETTER|TEGNINGSRET\w{0,8}|TECKNINGSR\w{0,10}|UNITR\w{0,6}|\w{0,10}RETTIGHET\w{0,4}|"
    r"TR|UR|BTA|MERKINTÄOIK\w{0,8})\b",
    re.IGNORECASE,
)
_PER_SHARE = re.compile(
    r"(?<![\d.,])(\d{1,9}(?:[.,]\d{1,9})?) ([A-Z]{3})/(?:AKSJE|AKTIE|OSAKE|OS|ANDEL|SHARE)",
    re.IGNORECASE,
)


class File(NamedTuple):
    """What the rows of the file say about each other.

    `traded` are the currencies in which instruments trade, by ISIN, and `currencies` those of the
    prices of the others; `rates` are those of dividends; `halves` are the rows of splits, by ISIN
    and day; `redeemed` is the row of the money for shares that were redeemed, by the line of these;
    `exchanges` is the name of the exchange that a row is a leg of, by its line; `exercises` is the
    row of the shares that were bought with rights, by the line of either; of the ISINs in
    `paid_apart` the money for new shares is a row of its own; `conversions` is the name of an
    exchange of currencies in two rows, by the line of either.
    """

    traded: dict[str, str]
    currencies: dict[str, str]
    rates: Rates
    halves: dict[tuple[str, str], Halves]
    redeemed: dict[int, RawRow]
    exchanges: dict[int, str]
    exercises: dict[int, RawRow]
    paid_apart: set[str]
    conversions: dict[int, str]


def file_of(sheet: Sheet) -> File:
    traded, currencies = _currencies(sheet)
    paid_apart = {
        raw["isin"] for raw in sheet if meaning_of(raw["type"]) is Meaning.SUBSCRIBED_MONEY
    }
    file = File(
        traded,
        currencies,
        {},
        _halves(sheet),
        _redemptions(sheet),
        _exchanges(sheet),
        _exercises(sheet),
        paid_apart,
        _conversions(sheet),
    )
    file.rates.update(_rates_of_payments(sheet, file))
    return file


def _currencies(sheet: Sheet) -> tuple[dict[str, str], dict[str, str]]:
    """Return the currency in which each ISIN trades, and that which its payments name."""
    traded: dict[str, str] = {}
    named: dict[str, str] = {}
    for raw in sheet:
        if raw["result_currency"]:
            traded.setdefault(raw["isin"], raw["result_currency"])
        per_share = per_share_of(raw)
        if per_share is not None:
            named.setdefault(raw["isin"], per_share[1])
    return traded, named


def per_share_of(raw: RawRow) -> tuple[Decimal, str] | None:
    """Return what the text says that a share was paid: (0.37, USD) for `EQNR 0.37 USD/AKSJE`."""
    match = _PER_SHARE.search(raw["text"])
    if match is None:
        return None
    return Decimal(match[1].replace(",", ".")), match[2].upper()


def _rates_of_payments(sheet: Sheet, file: File) -> Rates:
    """Return the rates of dividends in another currency. Where the file writes none, or 1, it is
    what was paid, divided by quantity × price.
    """
    rates: Rates = {}
    for raw in sheet:
        if meaning_of(raw["type"]) is not Meaning.DIVIDEND or raw["cancelled"]:
            continue
        try:
            payment = payment_of(raw, file)
        except BadRow:
            continue  # its row reports it
        if payment.rate is not None and payment.rate != ONE:
            rates[raw["isin"], raw["booked"]] = payment.rate
    return rates


class Payment(NamedTuple):
    """What a row paid for each of so many shares, and in what: `rate` is the price of one unit of
    that in the account's currency.
    """

    quantity: Decimal
    price: Decimal
    currency: str | None
    rate: Decimal | None


def payment_of(raw: RawRow, file: File) -> Payment:
    """Return what a row paid. A price that is missing is that of the text, or of the amount."""
    account_currency = raw["account_currency"]
    amount, quantity = raw.number_or_zero("amount"), abs(raw.number_or_zero("quantity"))
    price, per_share = raw.number("price"), per_share_of(raw)
    currency = per_share[1] if per_share else None
    currency = currency or raw["result_currency"] or file.traded.get(raw["isin"])
    if price is None and per_share is not None:
        price = per_share[0]
    if price is None or not quantity:
        quantity = quantity or ONE
        return Payment(quantity, divide(amount, quantity), account_currency, ONE)
    currency, rate = _currency_and_rate(raw, currency)
    gross = EXACT.multiply(quantity, price)
    if _is_at_par(raw, gross, amount):
        return Payment(quantity, price, account_currency, ONE)
    if rate is None and gross > 0 and amount > 0 and currency:
        rate = divide(amount, gross)
    return Payment(quantity, price, currency, rate)


def _is_at_par(raw: RawRow, gross: Decimal, amount: Decimal) -> bool:
    """Return whether the amount is `gross` as it stands: then both are in one currency."""
    quantity, price = abs(raw.number_or_zero("quantity")), raw.number_or_zero("price")
    rounding = rounding_of_product(quantity, price) + half_unit(amount)
    return bool(price) and abs(amount - gross) <= rounding


def _number(raw: RawRow, column: str) -> Decimal:
    """Return a number; 0 if it is missing, or cannot be read, which its row reports."""
    try:
        return raw.number_or_zero(column)
    except BadRow:
        return ZERO


def _halves(sheet: Sheet) -> dict[tuple[str, str], Halves]:
    """Collect the rows of splits by ISIN and day."""
    halves: dict[tuple[str, str], Halves] = defaultdict(lambda: defaultdict(list))
    for raw in sheet:
        meaning = meaning_of(raw["type"])
        if meaning in SPLITS and not raw["cancelled"]:
            halves[raw["isin"], raw["traded"]][meaning].append(raw)
    return halves


def _redemptions(sheet: Sheet) -> dict[int, RawRow]:
    """Pair shares that were redeemed with their money: of the same day, or as many shares."""
    gone: list[RawRow] = []
    paid: dict[tuple[object, ...], RawRow] = {}
    for raw in sheet:
        meaning = meaning_of(raw["type"])
        if meaning is Meaning.REDEEMED_SHARES and not raw["cancelled"]:
            gone.append(raw)
        elif meaning is Meaning.REDEEMED_MONEY and not raw["cancelled"]:
            for key in _keys_of_redemption(raw):
                paid.setdefault(key, raw)
    found: dict[int, RawRow] = {}
    for raw in gone:
        matching = [paid[key] for key in _keys_of_redemption(raw) if key in paid]
        if matching:
            found[raw.line] = matching[0]
    return found


def _keys_of_redemption(raw: RawRow) -> tuple[tuple[object, ...], ...]:
    isin, day, shares = raw["isin"], raw["traded"], abs(_number(raw, "quantity"))
    return (isin, day, shares), (isin, day), (isin, shares)


def _exchanges(sheet: Sheet) -> dict[int, str]:
    """Return the name of the exchange of each leg, by line: of one day and one text, or one number
    of the note, one instrument goes and others come.
    """
    names: dict[int, str] = {}
    for column in ("text", "verification"):
        found: dict[tuple[str, str], Halves] = defaultdict(lambda: defaultdict(list))
        for raw in sheet:
            meaning = meaning_of(raw["type"])
            is_open = meaning in EXCHANGED and raw.line not in names and not raw["cancelled"]
            if meaning is not None and is_open and (raw[column] or column == "text"):
                found[raw["traded"], raw[column]][meaning].append(raw)
        for (day, _said), halves in found.items():
            out, into = halves[Meaning.EXCHANGED_OUT], halves[Meaning.EXCHANGED_IN]
            isins = {raw["isin"] for raw in into}
            if len(out) == 1 and into and out[0]["isin"] not in isins and len(isins) == len(into):
                name = f"exchange {out[0]['id'] or day}"
                names |= {raw.line: name for raw in (*out, *into)}
    return names


def _conversions(sheet: Sheet) -> dict[int, str]:
    """Return the name of each exchange of currencies in two rows, by the line of either: an
    account with several currencies has a row for what leaves and one for what arrives.
    """
    trades = [raw for raw in sheet if _is_currency_trade(raw)]
    names: dict[int, str] = {}
    for first, second in pair_rows(trades, lambda raw: raw["traded"], _is_other_leg):
        name = f"{first['id'] or first.line} {second['id'] or second.line}"
        names |= {first.line: name, second.line: name}
    return names


def _is_currency_trade(raw: RawRow) -> bool:
    return meaning_of(raw["type"]) in CURRENCY_TRADES and not raw["cancelled"]


def _is_other_leg(one: RawRow, other: RawRow) -> bool:
    """Return whether two rows are the two sides of one exchange of currencies, by the rate."""
    amount, paid = _number(one, "amount"), _number(other, "amount")
    if amount * paid >= 0 or one["account_currency"] == other["account_currency"]:
        return False
    if one["name"] != other["name"]:
        return False
    rate = _number(one, "rate") or _number(other, "rate")
    if not rate or rate == ONE:
        return True
    found = abs(EXACT.divide(amount, paid))
    ratios = (found, EXACT.divide(ONE, found))
    return any(abs(ratio / rate - ONE) <= MAX_RATE_DIFFERENCE for ratio in ratios)


def _exercises(sheet: Sheet) -> dict[int, RawRow]:
    """Pair rights that go with the shares that are paid for on the same day."""
    granted = {raw["isin"] for raw in sheet if meaning_of(raw["type"]) is Meaning.GRANTED}
    days: dict[str, Halves] = defaultdict(lambda: defaultdict(list))
    for raw in sheet:
        meaning = meaning_of(raw["type"])
        is_paid = meaning is Meaning.SUBSCRIBED and _number(raw, "amount") < 0
        is_right = meaning is Meaning.LAPSED and (
            raw["isin"] in granted or _RIGHT.search(raw["name"]) is not None
        )
        if (is_paid or is_right) and not raw["cancelled"]:
            days[raw["traded"]][meaning or Meaning.BUY].append(raw)
    found: dict[int, RawRow] = {}
    for halves in days.values():
        rights, shares = halves[Meaning.LAPSED], halves[Meaning.SUBSCRIBED]
        for right in rights:
            bought = [raw for raw in shares if _first_word(raw) == _first_word(right)]
            if len(rights) == len(shares) == 1:
                bought = shares
            if len(bought) == 1 and bought[0].line not in found:
                found |= {right.line: bought[0], bought[0].line: bought[0]}
    return found


def _first_word(raw: RawRow) -> str:
    return raw["name"].partition(" ")[0].casefold()


def reversed_rows(sheet: Sheet) -> set[int]:
    """Return the lines of rows that a later row takes back, and of those that do.

    That row has the opposite amount, or a word for it and as many shares.
    """
    waiting: dict[tuple[object, ...], list[int]] = defaultdict(list)
    found: set[int] = set()
    for raw in sheet:
        meaning = meaning_of(raw["type"])
        if raw["cancelled"] or meaning is None or not raw["isin"]:
            continue
        amount, quantity = _number(raw, "amount"), abs(_number(raw, "quantity"))
        key = (meaning, raw["isin"], quantity if not amount else None)
        takes_back = is_reversal(raw["type"]) or (meaning in PAID and amount < 0)
        if not takes_back:
            waiting[*key, amount].append(raw.line)
        elif waiting[*key, -amount]:
            found |= {waiting[*key, -amount].pop(), raw.line}
    return found


def known_currency(raw: RawRow, file: File) -> str | None:
    """Return the currency in which the instrument of a row trades.

    Without a row that says it, that is the account's for companies of the same country, else None.
    """
    isin = raw["isin"]
    named = raw["result_currency"] or file.traded.get(isin) or file.currencies.get(isin)
    if not named and OF_COUNTRIES.get(isin[:2]) == raw["account_currency"]:
        named = raw["account_currency"]
    return named or None


def currency_and_rate(raw: RawRow, file: File) -> tuple[str | None, Decimal | None]:
    """Return (currency of the row's price, price of one unit of it in the account's currency).

    Each is None if the file does not give it.
    """
    return _currency_and_rate(raw, known_currency(raw, file))


def _currency_and_rate(raw: RawRow, currency: str | None) -> tuple[str | None, Decimal | None]:
    account_currency = raw["account_currency"]
    stated = raw.number("rate") or None  # 0 is not a rate.
    if not currency and stated in (None, ONE):
        currency = account_currency
    if currency == account_currency:
        return currency, ONE
    # Some sites write 1 where they mean that they do not say it.
    return currency or None, None if stated == ONE else stated


def settlement_of(sheet: Sheet, raw: RawRow, day: date) -> dict[str, Any]:
    """Return the broker's own amount and its booking day, for a row of `day`."""
    booked = booking_day(sheet, raw)
    return {
        "settlement_currency": raw["account_currency"] or None,
        "settlement_amount": raw.number("amount"),
        "booked_on": None if booked == day else booked,
    }


def booking_day(sheet: Sheet, raw: RawRow) -> date | None:
    """Return the booking day, which may lie after today."""
    return sheet.read_day(raw["booked"])


def identity_of(raw: RawRow, currency: str | None, suffix: str = "") -> dict[str, str | None]:
    row_id = raw["id"]
    return {
        "isin": raw["isin"] or None,
        "symbol": None if raw["isin"] else raw["name"],
        "company_name": raw["name"],
        "currency": currency,
        "rate_currency": raw["account_currency"] or None,
        "note": raw["text"],
        "external_id": id_of_part(row_id, suffix),
    }
