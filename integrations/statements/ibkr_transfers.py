"""Interactive Brokers: shares and money that were moved from or to another broker."""

from decimal import Decimal

from integrations.statements.amounts import divide, transfer_kind
from integrations.statements.ibkr import add_money
from integrations.statements.ibkr_assets import CASH, EXCHANGED, IMPORTED, symbol_of
from integrations.statements.ibkr_words import category_of
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _


def add_transfers(sheet: Sheet) -> None:
    for raw in sheet:
        with sheet.collect_problem(raw):
            add_transfer(sheet, raw)


def add_transfer(sheet: Sheet, raw: RawRow, isin: str | None = None) -> None:
    """Add money, or shares at their market value: what they had cost is not in the file.

    Without that value their cost is unknown.
    """
    category = category_of(raw["Asset Category"] or raw["AssetClass"])
    currency = raw["Currency"] or raw["CurrencyPrimary"]
    row_id = raw["TransactionID"]
    amount = raw.number_or_zero("Cash Amount")
    if category in (CASH, *EXCHANGED) or (not category and amount):
        add_money(sheet, raw, "deposit", currency, "Date", row_id, amount=amount)
        return
    value, shares = raw.number_or_zero("Market Value"), raw.required_number("Qty")
    if category not in IMPORTED or not shares:
        raise without_cost(raw)
    is_in = _comes_in(raw, shares)
    sheet.add(
        raw,
        type="transfer_in" if is_in else "transfer_out",
        date=raw.day("Date"),
        quantity=abs(shares),
        price=divide(abs(value), abs(shares)) if value else None,
        is_cost_unknown=is_in and not value,
        currency=currency or None,
        isin=isin or raw["ISIN"] or None,
        symbol=symbol_of(raw["Symbol"], category, currency) or None,
        note=" ".join(filter(None, (raw["Type"], raw["Xfer Company"].strip("-")))),
        external_id=row_id or None,
    )


def add_grant(sheet: Sheet, raw: RawRow, isin: str | None) -> None:
    """Add shares that the broker gave, at their price on that day, or took back.

    They are there from the grant on: that they vest moves nothing.
    """
    words = raw["Description"].casefold()
    shares, price = raw.required_number("Quantity"), raw.number("Price")
    if "vesting" in words and shares > 0:
        sheet.ignore(raw, "vesting of a grant")
        return
    if not shares or (shares > 0 and not price):
        raise without_cost(raw)
    sheet.add(
        raw,
        type=transfer_kind(shares),
        date=raw.day("Report Date"),
        quantity=abs(shares),
        price=price,
        isin=isin,
        symbol=raw["Symbol"] or None,
        note=raw["Description"],
    )


def without_cost(raw: RawRow) -> BadRow:
    """Make the error of a row that moves shares without a value."""
    message = _(
        "Shares were added or removed without a trade, and the file does not give their cost. "
        "Enter them by hand as transfer_in or transfer_out, and skip this row."
    )
    return bad_row("Symbol", raw["Symbol"], "unsupported", message)


def _comes_in(raw: RawRow, shares: Decimal) -> bool:
    return shares > 0 and raw["Direction"].casefold() not in ("out", "aus", "ausgang", "sortie")
