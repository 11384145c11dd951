"""Trading 212: what several kinds of rows say in the same way."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import ONE, ZERO
from integrations.statements.base import StatementRow
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.sheet import Sheet
from integrations.statements.trading212_columns import Amount, Columns
from portfolios.calc.import_rows import gettext_noop as _


def add_row(sheet: Sheet, raw: RawRow, columns: Columns, **fields: Any) -> StatementRow | None:
    return sheet.add(raw, **{"note": raw["Notes"], **identity_of(raw, columns), **fields})


def identity_of(raw: RawRow, columns: Columns) -> dict[str, Any]:
    return {
        "date": raw.day("Time"),
        "isin": raw["ISIN"] or None,
        "symbol": raw["Ticker"] or None,
        "company_name": raw["Name"],
        "rate_currency": columns.total.read(raw)[1] or None,
        "external_id": raw["ID"] or None,
    }


def shares_of(raw: RawRow) -> Decimal:
    return abs(raw.required_number("No. of shares"))


def price_of(raw: RawRow) -> tuple[Decimal, str]:
    """Return the price of a share and its currency, pounds for pence."""
    price = raw.required_number("Price / share")
    return in_major_unit(price, raw["Currency (Price / share)"])


def stated_rate(raw: RawRow, currency: str, account_currency: str) -> Decimal | None:
    """Return how much of `currency` one unit of the account's currency buys.

    Returns None if the file says that it is not available.
    """
    if currency == account_currency:
        return ONE
    try:
        stated = raw.number("Exchange rate")
    except BadRow:
        return None
    if not stated or stated < 0:
        return None
    return in_major_unit(stated, raw["Currency (Price / share)"])[0]


def withheld_tax(raw: RawRow, columns: Columns) -> tuple[Decimal, str]:
    """Return the tax withheld and its currency, if the file names it."""
    tax, code = columns.withheld.read(raw)
    return abs(tax or ZERO), code


def charges_of(raw: RawRow, amounts: Sequence[Amount], account_currency: str) -> dict[str, Decimal]:
    """Return the sum of charges in each currency. Newer files write them with a minus."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one in amounts:
        amount, code = one.read(raw)
        if amount:
            sums[code or account_currency] += abs(amount)
    return sums


def mixed_currencies(codes: Sequence[str]) -> BadRow:
    message = _(
        "The fees are in several currencies: %(currencies)s. Enter the trade by hand and skip this "
        "row."
    )
    return bad_row(None, None, "mixed_currencies", message, currencies=", ".join(codes))
