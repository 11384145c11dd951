"""Avanza (Sweden): the transactions export. Semicolons, decimal comma, newest row first, no ids.

The commission is in the transaction's currency and called `Courtage`; before 2025 it was `Courtage
(SEK)`, in kronor.
"""

import re
from decimal import Decimal

from financeproj.core.money import EXACT, ONE
from integrations.statements.amounts import cash_effect, divide
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.sheet import (
    RawRow,
    Sheet,
    bad_row,
    has_columns,
    unpaired_reversal,
)
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Datum", "Konto", "Typ av transaktion", "Värdepapper/beskrivning", "Antal", "Kurs", "Belopp",
    "Transaktionsvaluta", "Courtage", "Valutakurs", "Instrumentvaluta", "ISIN", "Resultat",
)  # fmt: skip
NUMBERS = ("Antal", "Kurs", "Belopp", "Courtage", "Courtage (SEK)", "Valutakurs")
TRADES = {"köp": "buy", "sälj": "sell"}
CASH = {
    "insättning", "autogiroinsättning", "uttag", "ränta", "inlåningsränta",
    "preliminärskatt kapitalränta", "adr-avgift", "övrigt",
}  # fmt: skip
_DIVIDEND_OF = re.compile(r"^Utdelning (\S+)")
_HAS_COMMON_COLUMNS = has_columns(
    "Datum", "Typ av transaktion", "Värdepapper/beskrivning", "Instrumentvaluta", "ISIN"
)

NOT_SETTLED = _(
    "This trade is not settled yet: it has no exchange rate and no commission. Export the file "
    "again in a few days, or skip this row until then."
)


def recognises(table: Table) -> bool:
    has_either = has_columns("Courtage")(table) != has_columns("Courtage (SEK)")(table)
    return has_either and _HAS_COMMON_COLUMNS(table)


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet("avanza", table, options, read_day=iso_day, decimal="comma", numbers=NUMBERS)
    sheet.set_account("Konto")
    for raw in sheet.sort_oldest_first("Datum"):
        with sheet.collect_problem(raw):
            _read_row(sheet, raw)
    return sheet.statement


def _read_row(sheet: Sheet, raw: RawRow) -> None:
    kind = raw["Typ av transaktion"].casefold()
    if kind in TRADES:
        _add_trade(sheet, raw, TRADES[kind])
    elif kind == "utdelning":
        _require_sign(raw, ONE)
        sheet.add(
            raw,
            type="dividend",
            quantity=abs(raw.required_number("Antal")),
            price=raw.required_number("Kurs"),
            exchange_rate=_exchange_rate(raw),
            **_identity(raw),
        )
    elif kind == "utländsk källskatt":
        _require_sign(raw, -ONE)
        # The file gives only the amount in the account's currency.
        sheet.add(
            raw,
            type="tax",
            quantity=ONE,
            price=-raw.required_number("Belopp"),
            price_in=raw["Transaktionsvaluta"],
            **_identity(raw),
        )
    elif kind == "övrigt" and raw["ISIN"]:
        _add_transfer(sheet, raw)
    elif kind in CASH and not raw["ISIN"]:
        sheet.ignore(raw, kind, raw.number_or_zero("Belopp"), raw["Transaktionsvaluta"])
    else:
        raise sheet.unknown_type("Typ av transaktion", raw["Typ av transaktion"])


def _add_trade(sheet: Sheet, raw: RawRow, side: str) -> None:
    _require_settled(raw)
    quantity = abs(raw.required_number("Antal"))
    price = raw.required_number("Kurs")
    rate = _exchange_rate(raw)
    fee, fee_currency = _fee(raw)
    gross = EXACT.multiply(quantity, price)
    if rate is not None:
        gross = EXACT.multiply(gross, rate)
    _require_sign(raw, cash_effect(side, gross, fee))
    if fee and rate and rate != ONE and fee_currency == raw["Transaktionsvaluta"]:
        fee = divide(fee, rate)
        fee_currency = raw["Instrumentvaluta"]
    sheet.add(
        raw,
        type=side,
        quantity=quantity,
        price=price,
        commission=fee,
        commission_in=fee_currency,
        exchange_rate=rate,
        **_identity(raw),
    )


def _add_transfer(sheet: Sheet, raw: RawRow) -> None:
    """Add one half of a fund's conversion into another. The file does not give the new cost."""
    quantity = raw.required_number("Antal")
    sheet.add(
        raw,
        type="transfer_in" if quantity > 0 else "transfer_out",
        quantity=abs(quantity),
        price=raw.number("Kurs"),
        **_identity(raw),
    )


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


def _fee(raw: RawRow) -> tuple[Decimal, str]:
    """Return the commission and its currency."""
    if raw["Courtage"]:
        return raw.number_or_zero("Courtage"), raw["Transaktionsvaluta"]
    return raw.number_or_zero("Courtage (SEK)"), "SEK"


def _exchange_rate(raw: RawRow) -> Decimal | None:
    """Return the price of one unit of the instrument's currency in the transaction's currency."""
    if raw["Instrumentvaluta"] == raw["Transaktionsvaluta"]:
        return ONE
    stated = raw.number("Valutakurs")
    if stated not in (None, ONE):
        return stated
    # Dividends give 1 whatever the rate was. The amount contains the real one.
    gross = EXACT.multiply(raw.required_number("Antal"), raw.required_number("Kurs"))
    amount = raw.number_or_zero("Belopp")
    if not gross or not amount:
        return None
    fee, _currency = _fee(raw)
    return None if fee else divide(abs(amount), abs(gross))


def _identity(raw: RawRow) -> dict[str, object]:
    name = raw["Värdepapper/beskrivning"]
    is_dividend = _DIVIDEND_OF.match(name) is not None
    return {
        "date": raw.day("Datum"),
        "isin": raw["ISIN"] or None,
        "symbol": None if raw["ISIN"] else name,
        "company_name": "" if is_dividend else name,
        "currency": raw["Instrumentvaluta"] or None,
        "rate_currency": raw["Transaktionsvaluta"] or None,
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
