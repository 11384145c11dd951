"""Avanza: what the rows of a file say about each other, and what all kinds of rows share."""

import re
from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import divide, gross_of, require_amount
from integrations.statements.exchanges import pair_rows
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.values import folded

# The types are compared as `folded` leaves them.
DIVIDENDS = {"utdelning"}
DIVIDEND_TAXES = re.compile(r"\Autlandsk kallskatt|\Aprel.*skatt utdelning|\Akallskatt")
SPLITS = {"split", "omvand split"}
OTHER = "ovrigt"  # then the description says what it is
EXCHANGES = {OTHER, "byte", "fondbyte", "fusion", "inlosen"}
CONVERSIONS = re.compile(r"valutavaxling|vaxling|valutakop|valutasalj")
# After the kind of a row that takes another back.
_CORRECTION = ", rattelse"
# Account, day and ISIN.
DayKey = tuple[str, str, str]


class File(NamedTuple):
    """What one row of a file says of another, by account, day and ISIN.

    `splits` has the shares taken out and put in, `rates` those of dividends in files that do not
    give the currency of the instrument. `exchanged` has the name of the exchange by the lines of
    two rows of an account and day, of which one takes shares and one brings others;
    `conversions` likewise that of an exchange of currencies.
    """

    splits: dict[DayKey, dict[str, Decimal]]
    rates: dict[DayKey, Decimal]
    exchanged: dict[int, str]
    conversions: dict[int, str]


def file_of(rows: list[RawRow]) -> File:
    return File(_splits(rows), _dividend_rates(rows), _exchanged(rows), _conversions(rows))


def _dividend_rates(rows: list[RawRow]) -> dict[DayKey, Decimal]:
    found = {}
    for raw in rows:
        if kind_of(raw) in DIVIDENDS and not raw["Instrumentvaluta"]:
            try:
                rate, _in = rate_and_currency(raw, "dividend", ZERO)
            except BadRow:
                continue  # It is the error of its own row.
            if rate is not None and rate != ONE:
                found[day_key(raw)] = rate
    return found


def _splits(rows: list[RawRow]) -> dict[DayKey, dict[str, Decimal]]:
    found: dict[DayKey, dict[str, Decimal]] = defaultdict(_no_shares)
    for raw in rows:
        if kind_of(raw) in SPLITS | EXCHANGES:
            quantity = number_or_zero(raw, "Antal")
            found[day_key(raw)]["in" if quantity > 0 else "out"] += abs(quantity)
    return found


def _exchanged(rows: list[RawRow]) -> dict[int, str]:
    """Pair the rows of one kind, account and day; of several companies by how their names begin."""
    moved: dict[tuple[str, ...], list[RawRow]] = defaultdict(list)
    for raw in rows:
        kind = kind_of(raw)
        if kind in SPLITS | EXCHANGES and raw["ISIN"] and raw["Antal"]:
            moved[kind, raw["Konto"], raw["Datum"]].append(raw)
    found: dict[int, str] = {}
    for key, together in moved.items():
        parts: dict[str, list[RawRow]] = defaultdict(list)
        for raw in together:
            name = "" if len(together) == 2 else folded(raw["Värdepapper/beskrivning"])
            parts[name.partition(" ")[0]].append(raw)
        for pair in parts.values():
            if len(pair) == 2 and _is_exchange(*pair):
                name = " ".join((*key, pair[0]["ISIN"]))
                found |= {raw.line: name for raw in pair}
    return found


def _conversions(rows: list[RawRow]) -> dict[int, str]:
    """Pair the two rows of each exchange of currencies: of one account and day, in two currencies,
    one of which leaves.
    """
    exchanged = [raw for raw in rows if CONVERSIONS.search(kind_of(raw)) and not raw["ISIN"]]
    found: dict[int, str] = {}
    for first, second in pair_rows(exchanged, _account_and_day, _are_legs):
        name = f"conversion {first.line}"
        found |= {first.line: name, second.line: name}
    return found


def _account_and_day(raw: RawRow) -> tuple[str, str]:
    return raw["Konto"], raw["Datum"]


def _are_legs(one: RawRow, other: RawRow) -> bool:
    moved = number_or_zero(one, "Belopp") * number_or_zero(other, "Belopp")
    return moved < 0 and currency_of(one) != currency_of(other)


def _is_exchange(one: RawRow, other: RawRow) -> bool:
    moved = number_or_zero(one, "Antal") * number_or_zero(other, "Antal")
    return one["ISIN"] != other["ISIN"] and moved < 0


def _no_shares() -> dict[str, Decimal]:
    return defaultdict(Decimal)


def day_key(raw: RawRow) -> DayKey:
    return raw["Konto"], raw["Datum"], raw["ISIN"]


def kind_of(raw: RawRow) -> str:
    """Return the folded type of a row, or what the row corrects. Other types with a tax on a
    dividend in the description are that.
    """
    kind = folded(raw["Typ av transaktion"]).removesuffix(_CORRECTION)
    description = folded(raw["Värdepapper/beskrivning"])
    if kind == OTHER and raw["ISIN"] and DIVIDEND_TAXES.search(description):
        return description
    return kind


def currency_of(raw: RawRow) -> str:
    """Return the currency of the amount."""
    return raw["Transaktionsvaluta"] or raw["Valuta"]


def number_or_zero(raw: RawRow, column: str) -> Decimal:
    try:
        return raw.number_or_zero(column)
    except BadRow:
        return ZERO  # It is the error of its own row.


def rate_and_currency(raw: RawRow, side: str, fee: Decimal) -> tuple[Decimal | None, str | None]:
    """Return (price of one unit of the instrument's currency in that of the amount, the former).

    None for what the file does not show.
    """
    currency = raw["Instrumentvaluta"]
    if currency and currency == currency_of(raw):
        return ONE, currency
    stated = raw.number("Valutakurs")
    if stated not in (None, ONE):
        return stated, currency or None
    if not currency and (_is_at_par(raw, side, fee) or raw["ISIN"].startswith("SE")):
        return ONE, currency_of(raw)
    # Dividends give 1 whatever the rate was. The amount contains the real one.
    gross = abs(EXACT.multiply(raw.required_number("Antal"), raw.required_number("Kurs")))
    amount = abs(raw.number_or_zero("Belopp"))
    if fee and fee_of(raw)[1] != currency_of(raw):
        return None, currency or None
    converted = gross_of(side, amount, fee)
    if not gross or converted <= 0:
        return None, currency or None
    return divide(converted, gross), currency or None


def _is_at_par(raw: RawRow, side: str, fee: Decimal) -> bool:
    """Return whether the amount is quantity × price: then both are in one currency."""
    quantity, price = abs(raw.required_number("Antal")), raw.required_number("Kurs")
    amount = raw.required_number("Belopp")
    try:
        require_amount(raw, "Belopp", side, quantity, price, amount=amount, charges=fee)
    except BadRow:
        return False
    return True


def fee_of(raw: RawRow) -> tuple[Decimal, str]:
    """Return the commission and its currency."""
    if raw["Courtage"]:
        return raw.number_or_zero("Courtage"), currency_of(raw)
    return raw.number_or_zero("Courtage (SEK)"), "SEK"
