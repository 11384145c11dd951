"""Trading 212: money alone, interest and exchanges of currencies."""

import re
from decimal import Decimal
from typing import Any

from financeproj.core.money import ONE, ZERO
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.sheet import Sheet, id_of_part
from integrations.statements.trading212_columns import Columns
from integrations.statements.trading212_rows import (
    add_row,
    charges_of,
    mixed_currencies,
    withheld_tax,
)
from portfolios.calc.import_rows import gettext_noop as _

ARRIVES, TAKEN = ":into", ":fee"  # of the id of the leg that comes in, and of the fee
PAID_FOR = {"fee", "tax"}
_EXCHANGED = re.compile(
    r"(\d{1,12}(?:\.\d{1,8})?) ([A-Z]{3}) -> (\d{1,12}(?:\.\d{1,8})?) ([A-Z]{3})", re.ASCII
)


def total_of(raw: RawRow, columns: Columns) -> Decimal:
    return raw.required_number(columns.total.column)


def add_money(
    sheet: Sheet, raw: RawRow, columns: Columns, kind: str, amount: Decimal, **fields: Any
) -> None:
    sheet.add_money(
        raw,
        kind,
        amount,
        columns.total.read(raw)[1],
        date=raw.day("Time"),
        note=" ".join(filter(None, (raw["Name"], raw["Notes"], raw["Merchant name"]))),
        external_id=raw["ID"] or None,
        **fields,
    )


def add_signed_money(sheet: Sheet, raw: RawRow, columns: Columns, kind: str) -> None:
    """Add money with the sign that the file gives it. Compensation of a share is interest."""
    amount = total_of(raw, columns)
    currency = columns.total.read(raw)[1]
    tax = _tax_of_interest(raw, columns) if kind == "interest" and amount > 0 else ZERO
    if raw["ISIN"] and (amount < 0) == (kind in PAID_FOR):
        add_row(
            sheet,
            raw,
            columns,
            type=kind if kind in PAID_FOR else "interest",
            quantity=ONE,
            price=abs(amount) + tax,
            tax=tax,
            currency=currency or None,
            settlement_currency=currency or None,
            settlement_amount=amount,
        )
    else:
        add_money(sheet, raw, columns, kind, amount, **({"tax": tax} if tax else {}))


def _tax_of_interest(raw: RawRow, columns: Columns) -> Decimal:
    """Return what was kept of interest. Raises BadRow if that is in another currency."""
    currency = columns.total.read(raw)[1]
    kept = charges_of(raw, columns.taxes, currency)
    withheld, code = withheld_tax(raw, columns)
    kept[code or currency] += withheld
    others = {code for code, amount in kept.items() if amount} - {currency}
    if others:
        raise mixed_currencies(sorted({*others, currency}))
    return kept[currency]


def add_conversion(sheet: Sheet, raw: RawRow, columns: Columns) -> None:
    """Add both legs of an exchange of currencies, which older files tell in the notes alone."""
    out, out_in = columns.leaves.read(raw)
    into, into_in = columns.arrives.read(raw)
    if out is None or into is None:
        match = _EXCHANGED.fullmatch(raw["Notes"])
        if match is None:
            message = _(
                "This exchange of currencies does not name its two currencies. Enter it by hand "
                "and skip this row."
            )
            raise bad_row("Notes", raw["Notes"], "unpaired_conversion", message)
        out, out_in = Decimal(match[1]), match[2]
        into, into_in = Decimal(match[3]), match[4]
    row_id = raw["ID"]
    legs = {
        "date": raw.day("Time"),
        "note": raw["Notes"],
        "group": row_id or f"line {raw.line}",
        "group_kind": "conversion",
    }
    first = sheet.add_money(
        raw, "conversion", -abs(out), out_in, external_id=row_id or None, **legs
    )
    if first:
        other_id = id_of_part(row_id, ARRIVES)
        sheet.add_money(raw, "conversion", abs(into), into_in, external_id=other_id, **legs)
        _add_fee(sheet, raw, columns)


def _add_fee(sheet: Sheet, raw: RawRow, columns: Columns) -> None:
    """Add the fee of an exchange, which is taken on top of its two amounts."""
    fee, currency = columns.conversion_fee.read(raw)
    if fee:
        sheet.add_money(
            raw,
            "fee",
            -abs(fee),
            currency,
            date=raw.day("Time"),
            note=raw["Action"],
            external_id=id_of_part(raw["ID"], TAKEN),
        )
