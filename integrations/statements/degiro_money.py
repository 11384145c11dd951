"""DEGIRO's account statement: payments, charges, exchanges of currencies and other money."""

from financeproj.core.money import ONE
from integrations.statements.degiro_file import File, identity_of
from integrations.statements.degiro_orders import Order
from integrations.statements.raw_rows import RawRow, bad_row, unpaired_reversal
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _


def add_money(sheet: Sheet, raw: RawRow, kind: str) -> None:
    notes = (raw["description"], raw["product"])
    sheet.add_money(
        raw,
        kind,
        raw.number_or_zero("change"),
        raw["currency"],
        date=raw.day("date"),
        note=" ".join(filter(None, notes))[:500],
    )


def add_payment(sheet: Sheet, raw: RawRow, kind: str) -> None:
    amount = raw.required_number("change")
    if amount < 0:
        raise unpaired_reversal("change", amount)
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        price=amount,
        currency=raw["currency"],
        settlement_amount=amount or None,
        settlement_currency=raw["currency"],
        **identity_of(raw),
    )


def add_accrued(sheet: Sheet, raw: RawRow) -> None:
    """Add interest that a bond had accrued. What was paid for it is interest below 0."""
    if raw["isin"] and raw.required_number("change") > 0:
        add_payment(sheet, raw, "interest")
    else:
        add_money(sheet, raw, "interest")


def add_charge(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add a tax or fee of an instrument. One that is paid back is money alone."""
    amount = raw.required_number("change")
    if amount > 0:
        add_money(sheet, raw, kind)
        return
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        price=-amount,
        currency=raw["currency"],
        settlement_amount=amount or None,
        settlement_currency=raw["currency"],
        **identity_of(raw),
    )


def add_exchange(file: File, raw: RawRow, order: Order | None) -> None:
    """Add a leg of an exchange, unless it is part of a trade."""
    sheet = file.sheet
    if order is not None and raw.line in order.absorbed:
        sheet.ignore(raw, "part of a trade")
        return
    partner = file.partners.get(raw.line)
    if partner is None:
        raise bad_row(
            "change",
            raw["change"],
            "unpaired_conversion",
            _(
                "This exchange of currencies needs two rows, one of each currency: money that "
                "leaves and money that arrives. Enter it by hand and skip this row."
            ),
        )
    first, second = sorted((raw.line, partner.line))
    sheet.add_money(
        raw,
        "conversion",
        raw.required_number("change"),
        raw["currency"],
        date=raw.day("date"),
        note=raw["description"],
        group=f"{first} {second}",
        group_kind="conversion",
    )
