"""Avanza (Sweden): the transactions export. Semicolons, decimal comma, newest row first, no ids.

The commission is in the transaction's currency and called `Courtage`; from 2023 to 2025 it was
`Courtage (SEK)`, in kronor. Until 2023 the file did not give the currency of the price, and wrote -
in empty cells.
"""

import re
from decimal import Decimal
from functools import partial
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import (
    cash_effect,
    divide,
    require_amount,
    require_commission,
    reversed_lines,
    transfer_kind,
)
from integrations.statements.avanza_file import (
    CONVERSIONS,
    DIVIDEND_TAXES,
    DIVIDENDS,
    EXCHANGES,
    OTHER,
    SPLITS,
    File,
    currency_of,
    day_key,
    fee_of,
    file_of,
    kind_of,
    number_or_zero,
    rate_and_currency,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.exchanges import add_leg, add_split
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.sheet import Sheet, has_columns
from integrations.statements.values import folded
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Datum", "Konto", "Typ av transaktion", "Värdepapper/beskrivning", "Antal", "Kurs", "Belopp",
    "Transaktionsvaluta", "Courtage", "Valutakurs", "Instrumentvaluta", "ISIN", "Resultat",
)  # fmt: skip
NUMBERS = ("Antal", "Kurs", "Belopp", "Courtage", "Courtage (SEK)", "Valutakurs")
# The types are compared as `folded` leaves them.
TRADES = {"kop": "buy", "salj": "sell"}
LENDING = {"utbetalning aktielan", "aktielan"}
# New shares for money, and shares that are redeemed for it.
PAID = {
    OTHER, "inlosen", "nyemission", "emission", "teckning", "tvangsinlosen", "likvidation",
    "fondbyte",
}  # fmt: skip
GRANTED = {"tilldelning", "teckningsratter", "teckningsratt", "avknoppning", "utskiftning"}
MOVES = {OTHER, "vardepappersoverforing", "tillgangsinsattning", "tillgangsuttag", "overforing"}
# What the words of a row without shares mean, in this order.
_MONEY = [
    ("tax", re.compile(r"skatt")),
    ("interest", re.compile(r"rant[ao]|aktielan")),
    ("fee", re.compile(r"avgift|courtage|riskpremie|\bmoms\b|underlag|tjanst")),
    ("adjustment", re.compile(r"kompensation|ersattning|rattning|korrigering|avrundning")),
    (
        "deposit",
        re.compile(r"insattning|uttag|overforing|kampanj|bonus|gava|utbetalning|nollstallning"),
    ),
]
_RIGHTS = re.compile(r" (?:tr|ur|teckningsratt\w{0,3}|unitratt\w{0,3})\Z")
_REPAID = re.compile(r"aterbetal")
PER_CENT = Decimal("0.01")
_DIVIDEND_OF = re.compile(r"^Utdelning (\S+)")
_COMMON = ("Datum", "Typ av transaktion", "Värdepapper/beskrivning", "Antal", "Belopp", "ISIN")
_HAS_COMMON_COLUMNS = has_columns(*_COMMON)
_HAS_BOTH_CURRENCIES = has_columns("Transaktionsvaluta", "Instrumentvaluta")
_HAS_ONE_CURRENCY = has_columns("Valuta")

# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "Datum",
    "amount": "Belopp",
    "quantity": "Antal",
    "isin": "ISIN",
    "company_name": "Värdepapper/beskrivning",
}
NOT_SETTLED = _(
    "This trade is not settled yet: it has no exchange rate and no commission. Export the file "
    "again in a few days, or skip this row until then."
)


UNPAIRED_CONVERSION = _(
    "This exchange of currencies needs two rows, one of each currency: money that leaves and money "
    "that arrives. Enter it by hand and skip this row."
)


def recognises(table: Table) -> bool:
    has_either = has_columns("Courtage")(table) != has_columns("Courtage (SEK)")(table)
    has_currency = _HAS_BOTH_CURRENCIES(table) or _HAS_ONE_CURRENCY(table)
    return has_either and has_currency and _HAS_COMMON_COLUMNS(table)


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.drop_notes()
    table.require_rectangle(is_always_full=True)
    for record in table.records:
        for position, cell in enumerate(record):
            if cell.strip() == "-":
                record[position] = ""
    sheet = Sheet("avanza", table, options, read_day=iso_day, decimal="comma", numbers=NUMBERS)
    sheet.for_words = FOR_WORDS | {"currency": _currency_column(sheet)}
    sheet.set_account("Konto")
    rows = sheet.sort_oldest_first("Datum")
    cancelled = reversed_lines(_signed(rows))
    file = file_of(rows)
    for raw in rows:
        with sheet.collect_problem(raw):
            if raw.line in cancelled:
                kind = raw["Typ av transaktion"].casefold()
                sheet.ignore_reversed(raw, kind, read=partial(_read_row, sheet, raw, file))
            else:
                _read_row(sheet, raw, file)
    return sheet.statement


def _currency_column(sheet: Sheet) -> str:
    return "Transaktionsvaluta" if "Transaktionsvaluta" in sheet.columns else "Valuta"


def _signed(rows: list[RawRow]) -> list[tuple[Any, Decimal, int]]:
    """Return what can be reversed, with its amount: a reversal has the opposite one."""
    found = []
    for raw in rows:
        kind = kind_of(raw)
        if kind in TRADES or kind in DIVIDENDS or DIVIDEND_TAXES.search(kind):
            key = (kind, raw["Konto"], raw["ISIN"], currency_of(raw))
            found.append((key, number_or_zero(raw, "Belopp"), raw.line))
    return found


def _read_row(sheet: Sheet, raw: RawRow, file: File) -> None:
    kind = kind_of(raw)
    has_instrument = bool(raw["ISIN"])
    if kind in TRADES:
        _add_trade(sheet, raw, TRADES[kind])
    elif kind in DIVIDENDS and not (raw["Kurs"] and raw.number_or_zero("Antal")):
        # Only the amount is told.
        _add_payment(sheet, raw, "dividend", sign=ONE)
    elif kind in DIVIDENDS:
        _add_dividend(sheet, raw)
    elif DIVIDEND_TAXES.search(kind) and has_instrument:
        _add_tax(sheet, raw, kind, file)
    elif kind in LENDING and has_instrument:
        _add_payment(sheet, raw, "interest", sign=ONE)
    elif raw.line in file.exchanged:
        _add_leg(sheet, raw, file.exchanged[raw.line])
    elif has_instrument and (kind in SPLITS or _is_split(raw, kind, file)):
        _add_split(sheet, raw, file.splits[day_key(raw)])
    elif kind in PAID and has_instrument and _side(raw):
        _add_trade(sheet, raw, _side(raw))
    elif _is_granted(raw, kind):
        # Rights, or shares of a company that was split off, at no cost.
        identity = _identity(raw, raw["Instrumentvaluta"] or None)
        sheet.add(raw, type="exchange_in", quantity=raw.required_number("Antal"), **identity)
    elif kind in MOVES and has_instrument and raw["Antal"] and not raw.number_or_zero("Belopp"):
        _add_transfer(sheet, raw)
    elif raw.line in file.conversions:
        _add_conversion(sheet, raw, file.conversions[raw.line])
    elif not raw["Antal"]:
        _add_money(sheet, raw, kind)
    else:
        raise sheet.unknown_type("Typ av transaktion", raw["Typ av transaktion"])


def _is_granted(raw: RawRow, kind: str) -> bool:
    """Return whether shares or rights came that cost nothing."""
    is_right = kind == OTHER and _RIGHTS.search(folded(raw["Värdepapper/beskrivning"])) is not None
    comes = raw.number_or_zero("Antal") > 0 and not raw.number_or_zero("Belopp")
    return (kind in GRANTED or is_right) and bool(raw["ISIN"]) and comes


def _side(raw: RawRow) -> str:
    """Return what shares that move for money are: a buy or a sell; empty without money."""
    quantity, amount = raw.number_or_zero("Antal"), raw.number_or_zero("Belopp")
    if quantity < 0 < amount:
        return "sell"
    return "buy" if amount < 0 < quantity else ""


def _add_trade(sheet: Sheet, raw: RawRow, side: str) -> None:
    _require_settled(raw)
    quantity = abs(raw.required_number("Antal"))
    price = raw.required_number("Kurs")
    amount = raw.required_number("Belopp")
    fee, fee_currency = fee_of(raw)
    gross = EXACT.multiply(quantity, price)
    rate, currency = rate_and_currency(raw, side, fee)
    converted = gross
    if rate is not None:
        converted = EXACT.multiply(gross, rate)
    _require_sign(raw, cash_effect(side, converted, fee))
    if fee_currency == currency_of(raw) or not fee:
        price = _fitting_price(raw, side, price, amount=amount, fee=fee, rate=rate or ONE)
    else:
        charged = cash_effect(side, converted) - amount
        require_commission(raw, "Belopp", charged, quantity, price)
    if fee and rate and rate != ONE and fee_currency == currency_of(raw):
        fee = divide(fee, rate)
        fee_currency = currency or ""
    sheet.add(
        raw,
        type=side,
        quantity=quantity,
        price=price,
        commission=fee,
        commission_in=fee_currency or None,
        exchange_rate=rate,
        settlement_amount=amount or None,
        settlement_currency=currency_of(raw),
        **_identity(raw, currency),
    )


def _fitting_price(
    raw: RawRow, side: str, price: Decimal, *, amount: Decimal, fee: Decimal, rate: Decimal
) -> Decimal:
    """Return the price that gives the amount: as it stands, or of a bond, in per cent.

    Raises BadRow if neither does.
    """
    quantity = abs(raw.required_number("Antal"))
    check = partial(require_amount, raw, "Belopp", side, quantity)
    try:
        check(price, amount=amount, charges=fee, rate=rate)
    except BadRow as problem:
        per_unit = EXACT.multiply(price, PER_CENT)
        try:
            check(per_unit, amount=amount, charges=fee, rate=rate)
        except BadRow:
            raise problem from None
        return per_unit
    return price


def _add_dividend(sheet: Sheet, raw: RawRow) -> None:
    _require_sign(raw, ONE)
    rate, currency = rate_and_currency(raw, "dividend", ZERO)
    quantity, price = abs(raw.required_number("Antal")), raw.required_number("Kurs")
    amount = raw.required_number("Belopp")
    require_amount(raw, "Belopp", "dividend", quantity, price, amount=amount, rate=rate or ONE)
    sheet.add(
        raw,
        type="dividend",
        quantity=quantity,
        price=price,
        exchange_rate=rate,
        settlement_amount=amount or None,
        settlement_currency=currency_of(raw),
        **_identity(raw, currency),
    )


def _add_tax(sheet: Sheet, raw: RawRow, kind: str, file: File) -> None:
    """Add the tax on a dividend. What is paid back is money alone."""
    is_repaid = _REPAID.search(folded(raw["Värdepapper/beskrivning"])) is not None
    if is_repaid and raw.number_or_zero("Belopp") > 0:
        _add_money(sheet, raw, kind)
    else:
        _add_payment(sheet, raw, "tax", sign=-ONE, rate=file.rates.get(day_key(raw)))


def _add_payment(
    sheet: Sheet, raw: RawRow, kind: str, *, sign: Decimal, rate: Decimal | None = None
) -> None:
    """Add a payment of which the file gives only the amount in the account's currency.

    `rate` is that of the dividend, where the file does not give the instrument's currency.
    """
    _require_sign(raw, sign)
    amount = raw.required_number("Belopp")
    price: dict[str, Any] = {"price": abs(amount), "price_in": currency_of(raw)}
    if rate is not None:
        price = {"price": divide(abs(amount), rate), "exchange_rate": rate}
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        settlement_amount=amount or None,
        settlement_currency=currency_of(raw),
        **price,
        **_identity(raw, raw["Instrumentvaluta"] or None),
    )


def _add_split(sheet: Sheet, raw: RawRow, moved: dict[str, Decimal]) -> None:
    """Add a split: one row takes the old shares out, another of the day puts the new ones in."""
    old, new = moved["out"], moved["in"]
    if not old or not new:
        raise sheet.unknown_type("Typ av transaktion", raw["Typ av transaktion"])
    shares = raw.required_number("Antal")
    if old == new:
        sheet.ignore(raw, "split: shares taken out")
        return
    identity = _identity(raw, raw["Instrumentvaluta"] or None)
    add_split(sheet, raw, shares, (new, -old), **identity)


def _add_transfer(sheet: Sheet, raw: RawRow) -> None:
    """Add shares that were moved. The file seldom gives the cost of what comes in."""
    quantity = raw.required_number("Antal")
    price = raw.number("Kurs")
    sheet.add(
        raw,
        type=transfer_kind(quantity),
        quantity=abs(quantity),
        price=price,
        is_cost_unknown=quantity > 0 and price is None,
        **_identity(raw, raw["Instrumentvaluta"] or None),
    )


def _is_split(raw: RawRow, kind: str, file: File) -> bool:
    """Return whether shares of one ISIN leave and come on one day, without money."""
    moved = file.splits[day_key(raw)]
    has_both = moved["out"] > 0 and moved["in"] > 0
    return kind in EXCHANGES and has_both and not raw.number_or_zero("Belopp")


def _add_leg(sheet: Sheet, raw: RawRow, name: str) -> None:
    """Add one half of the conversion of a fund or share into another."""
    quantity = raw.required_number("Antal")
    amount = raw.number_or_zero("Belopp")
    add_leg(
        sheet,
        raw,
        quantity,
        group=name,
        label=raw["Typ av transaktion"],
        cash=amount,
        settlement_currency=currency_of(raw) or None,
        **_identity(raw, raw["Instrumentvaluta"] or None),
    )


def _add_conversion(sheet: Sheet, raw: RawRow, name: str) -> None:
    sheet.add_money(
        raw,
        "conversion",
        raw.required_number("Belopp"),
        currency_of(raw),
        date=raw.day("Datum"),
        note=raw["Värdepapper/beskrivning"],
        group=f"{raw['Datum']} {name}",
        group_kind="conversion",
    )


def _add_money(sheet: Sheet, raw: RawRow, kind: str) -> None:
    description = raw["Värdepapper/beskrivning"]
    if CONVERSIONS.search(kind):
        raise bad_row("Belopp", raw["Belopp"], "unpaired_conversion", UNPAIRED_CONVERSION)
    words = kind if kind != OTHER else folded(description)
    for meaning, pattern in _MONEY:
        if pattern.search(words):
            notes = (raw["Typ av transaktion"], description)
            sheet.add_money(
                raw,
                meaning,
                raw.required_number("Belopp"),
                currency_of(raw),
                date=raw.day("Datum"),
                note=" ".join(filter(None, notes)),
            )
            return
    raise sheet.unknown_type("Typ av transaktion", raw["Typ av transaktion"])


def _require_settled(raw: RawRow) -> None:
    """Raise BadRow for a trade that a later export will list again, with rate and commission."""
    is_foreign = raw["Instrumentvaluta"] not in ("", "SEK")
    has_rate_or_fee = raw["Valutakurs"] or raw["Courtage"] or raw["Courtage (SEK)"]
    if is_foreign and not has_rate_or_fee:
        raise bad_row("Valutakurs", None, "not_settled", NOT_SETTLED)


def _require_sign(raw: RawRow, expected: Decimal) -> None:
    """Raise BadRow if the amount has the other sign than `expected`: the row is a reversal."""
    amount = raw.number_or_zero("Belopp")
    if EXACT.multiply(amount, expected) < 0:
        raise unpaired_reversal("Belopp", amount)


def _identity(raw: RawRow, currency: str | None) -> dict[str, Any]:
    name = raw["Värdepapper/beskrivning"]
    company_name = name
    if _DIVIDEND_OF.match(name):
        company_name = ""
    return {
        "date": raw.day("Datum"),
        "isin": raw["ISIN"] or None,
        "symbol": None if raw["ISIN"] else name,
        "company_name": company_name,
        "currency": currency,
        "rate_currency": currency_of(raw) or None,
        "note": raw["Konto"],
    }


EXAMPLE = "2024-03-01;1234567;Köp;Investor B;10;250,50;-2544;SEK;39;;SEK;SE0015811963;"
FORMATS = (
    Format(
        name="avanza",
        label="Avanza",
        columns=COLUMNS,
        example=f"{';'.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
