"""Avanza (Sweden): the transactions export. Semicolons, decimal comma, newest row first; no number
of its own.

The commission is in the transaction's currency and called `Courtage`; before 2025 it was `Courtage
(SEK)`, in kronor.
"""

import re
from decimal import Decimal

from financeproj.core.money import EXACT, ONE
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import (
    Raw,
    Sheet,
    bad_row,
    divided,
    has_columns,
    iso_day,
    taken_back,
)
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Datum", "Konto", "Typ av transaktion", "Värdepapper/beskrivning", "Antal", "Kurs", "Belopp",
    "Transaktionsvaluta", "Courtage", "Valutakurs", "Instrumentvaluta", "ISIN", "Resultat",
)  # fmt: skip
NUMBERS = ("Antal", "Kurs", "Belopp", "Courtage", "Courtage (SEK)", "Valutakurs")
TRADES = {"köp": "buy", "sälj": "sell"}
CASH = {
    "insättning", "autogiroinsättning", "uttag", "ränta", "inlåningsränta", "preliminärskatt kapitalränta",
    "adr-avgift", "övrigt",
}  # fmt: skip
_DIVIDEND_OF = re.compile(r"^Utdelning (\S+)")
_HAS_THE_REST = has_columns(
    "Datum", "Typ av transaktion", "Värdepapper/beskrivning", "Instrumentvaluta", "ISIN"
)

NOT_SETTLED = _(
    "This trade is not settled yet: it has neither rate nor commission. Export the file again in "
    "some days. Until then skip this row."
)


def recognises(table: Table) -> bool:
    has_either = has_columns("Courtage")(table) != has_columns("Courtage (SEK)")(table)
    return has_either and _HAS_THE_REST(table)


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet("avanza", table, options, read_day=iso_day, decimal="comma", numbers=NUMBERS)
    sheet.take_account("Konto")
    for raw in sheet.oldest_first("Datum"):
        with sheet.row(raw):
            _read_row(sheet, raw)
    return sheet.statement


def _read_row(sheet: Sheet, raw: Raw) -> None:
    kind = raw["Typ av transaktion"].casefold()
    if kind in TRADES:
        _require_settled(raw)
        quantity, price, rate = abs(raw.needed("Antal")), raw.needed("Kurs"), _rate(raw)
        fee, fee_currency = _fee(raw)
        gross = EXACT.multiply(quantity, price if rate is None else EXACT.multiply(price, rate))
        # A sale may bring less than its commission.
        _require_sign(raw, -gross - fee if TRADES[kind] == "buy" else gross - fee)
        if fee and rate and rate != ONE and fee_currency == raw["Transaktionsvaluta"]:
            fee, fee_currency = divided(fee, rate), raw["Instrumentvaluta"]
        sheet.add(
            raw,
            type=TRADES[kind],
            quantity=quantity,
            price=price,
            commission=fee,
            commission_in=fee_currency,
            exchange_rate=rate,
            **_identity(raw),
        )
    elif kind == "utdelning":
        _require_sign(raw, ONE)
        sheet.add(
            raw,
            type="dividend",
            quantity=abs(raw.needed("Antal")),
            price=raw.needed("Kurs"),
            exchange_rate=_rate(raw),
            **_identity(raw),
        )
    elif kind == "utländsk källskatt":
        _require_sign(raw, -ONE)
        # Only the amount in the account's currency is told.
        tax = {
            "type": "tax",
            "quantity": ONE,
            "price": -raw.needed("Belopp"),
            "price_in": raw["Transaktionsvaluta"],
        }
        sheet.add(raw, **tax, **_identity(raw))
    elif kind == "övrigt" and raw["ISIN"]:
        # One fund turned into another; at what cost the new one stands is not told.
        quantity = raw.needed("Antal")
        moved = {
            "type": "transfer_in" if quantity > 0 else "transfer_out",
            "quantity": abs(quantity),
        }
        sheet.add(raw, **moved, price=raw.number("Kurs"), **_identity(raw))
    elif kind in CASH and not raw["ISIN"]:
        sheet.ignore(raw, kind, raw.amount("Belopp"), raw["Transaktionsvaluta"])
    else:
        raise sheet.unknown("Typ av transaktion", raw["Typ av transaktion"])


def _require_settled(raw: Raw) -> None:
    """Raises BadRow for a trade that will be another row, with rate and commission, in a later
    export.
    """
    is_foreign = raw["Instrumentvaluta"] not in ("", "SEK")
    if is_foreign and not (raw["Valutakurs"] or raw["Courtage"] or raw["Courtage (SEK)"]):
        raise bad_row("Valutakurs", None, "not_settled", NOT_SETTLED)


def _require_sign(raw: Raw, ours: Decimal) -> None:
    """Raises BadRow if the cash went the other way than `ours`: the row takes back an earlier
    one.
    """
    if EXACT.multiply(raw.amount("Belopp"), ours) < 0:
        raise taken_back("Belopp", raw.amount("Belopp"))


def _fee(raw: Raw) -> tuple[Decimal, str]:
    """The commission and its currency."""
    if raw["Courtage"]:
        return raw.amount("Courtage"), raw["Transaktionsvaluta"]
    return raw.amount("Courtage (SEK)"), "SEK"


def _rate(raw: Raw) -> Decimal | None:
    """What one unit of the instrument's currency is in the transaction's."""
    if raw["Instrumentvaluta"] == raw["Transaktionsvaluta"]:
        return ONE
    stated = raw.number("Valutakurs")
    if stated not in (None, ONE):
        return stated
    # Dividends say 1 whatever the rate was: it is in the amount.
    gross, amount = EXACT.multiply(raw.needed("Antal"), raw.needed("Kurs")), raw.amount("Belopp")
    return divided(abs(amount), abs(gross)) if gross and amount and not _fee(raw)[0] else None


def _identity(raw: Raw) -> dict[str, object]:
    name = raw["Värdepapper/beskrivning"]
    return {
        "date": raw.day("Datum"),
        "isin": raw["ISIN"] or None,
        "symbol": None if raw["ISIN"] else name,
        "company_name": "" if _DIVIDEND_OF.match(name) else name,
        "currency": raw["Instrumentvaluta"] or None,
        "rate_currency": raw["Transaktionsvaluta"] or None,
        "note": raw["Konto"],
    }


FORMATS = (
    Format(
        name="avanza",
        label="Avanza",
        columns=COLUMNS,
        example=";".join(COLUMNS)
        + "\r\n2024-03-01;1234567;Köp;Investor B;10;250,50;-2544;SEK;39;;SEK;SE0015811963;\r\n",
        recognises=recognises,
        read=read,
    ),
)
