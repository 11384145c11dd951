"""Trade Republic: shares that come or go by what a company does, and those that are moved."""

from decimal import Decimal

from financeproj.core.money import ZERO
from integrations.statements.amounts import divide, split_ratio
from integrations.statements.exchanges import add_leg, add_split, unpaired_action
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.sheet import Sheet
from integrations.statements.traderepublic_file import (
    File,
    add_charged,
    add_part,
    identity_of,
    kind_of,
    settled_of,
)
from integrations.statements.traderepublic_words import REINVESTMENT, SPLITS, WORTHLESS
from portfolios.calc.import_rows import gettext_noop as _


def add_action(sheet: Sheet, raw: RawRow, file: File) -> None:
    """Add what a company did. The export states the shares that came or went, and no cost."""
    kind = kind_of(raw)
    shares = raw.required_number("shares")
    if raw.line in file.exchanges:
        _add_leg(sheet, raw, file, shares)
    elif raw.line in file.rebooked:
        sheet.ignore(raw, kind.lower())
    elif kind == WORTHLESS:
        sheet.add(raw, type="sell", quantity=abs(shares), price=ZERO, **identity_of(raw))
    elif kind == REINVESTMENT and raw.line in file.reinvested:
        _add_reinvested(sheet, raw, file, shares)
    elif len(file.halves[kind, raw["symbol"], raw["date"]]) == 2:
        _add_halves(sheet, raw, file.halves[kind, raw["symbol"], raw["date"]], shares)
    elif kind in SPLITS:
        ratio = split_ratio(file.held[raw["symbol"]], shares, "shares")
        sheet.add(raw, type="split", quantity=ratio, **identity_of(raw))
    elif shares > 0:
        add_leg(sheet, raw, shares, **identity_of(raw, note=_label(raw)))
    else:
        raise unpaired_action(raw, "shares")


def _add_leg(sheet: Sheet, raw: RawRow, file: File, shares: Decimal) -> None:
    name = file.exchanges[raw.line]
    paid = file.cash.get(name)
    cash = None
    if shares < 0 and paid is not None:
        cash = paid.required_number("amount")
    add_leg(
        sheet,
        raw,
        shares,
        group=name,
        label=_label(raw),
        cash=cash,
        settlement_currency=paid["currency"] if paid is not None and cash else None,
        **identity_of(raw),
    )


def read_cash(sheet: Sheet, raw: RawRow, file: File) -> None:
    """Leave to an action the money that stands in a row of its own, except for the tax on it."""
    charges = settled_of(raw, ZERO)
    if charges and raw.line in file.cash_of_exchanges:
        add_part(sheet, raw, "tax", charges, ":tax")
    else:
        sheet.ignore(raw, "money of an action")


def _label(raw: RawRow) -> str:
    return raw["type"].replace("_", " ").capitalize()


def _add_reinvested(sheet: Sheet, raw: RawRow, file: File, shares: Decimal) -> None:
    """Add the purchase for a dividend, whose money was paid out and taken back."""
    debit = file.reinvested[raw.line]
    amount = debit.required_number("amount")
    add_charged(
        sheet,
        raw,
        type="buy",
        quantity=shares,
        price=divide(-amount, shares),
        settled=settled_of(debit, amount),
        charged=debit,
    )


def _add_halves(sheet: Sheet, raw: RawRow, halves: list[RawRow], shares: Decimal) -> None:
    first, second = (half.required_number("shares") for half in halves)
    if (first < 0) == (second < 0):
        raise unpaired_action(raw, "shares")
    add_split(sheet, raw, shares, (first, second), **identity_of(raw))


def add_moved(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add shares that were moved in or out. Coming in without a price, their cost is unknown."""
    price = raw.number("price")
    sheet.add(
        raw,
        type=kind,
        quantity=abs(raw.required_number("shares")),
        price=price,
        is_cost_unknown=kind == "transfer_in" and price is None,
        **identity_of(raw),
    )


def add_migration(sheet: Sheet, raw: RawRow, file: File) -> None:
    """Ignore shares that were taken out and put in again, as by another bank."""
    if raw.line in file.exchanges:
        _add_leg(sheet, raw, file, raw.required_number("shares"))
        return
    if raw.line not in file.rebooked:
        message = _("What was taken out and put in is not the same. Enter by hand what happened.")
        raise bad_row("shares", raw["shares"], "unpaired_action", message)
    sheet.ignore(raw, "migration")
