"""Convert prices, commissions and taxes into the currency of their instrument."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from msgspec.structs import replace

from financeproj.core.money import EXACT, round_for_storage
from integrations.statements.base import StatementRow
from marketdata.queries import exchange_rates_for_import
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

# (from, to, day) → the rate, None where none is known.
Rates = Mapping[tuple[str, str, date], Decimal | None]


def convert_to_own_currency(
    rows: Sequence[StatementRow],
) -> tuple[list[StatementRow], list[RowProblem]]:
    """Convert amounts that the broker gives in another currency at the day's rate; rows without a
    known rate fail.
    """
    rates = _rates(rows)
    converted: list[StatementRow] = []
    problems: list[RowProblem] = []
    for row in rows:
        missing = [currency for currency in _foreign(row) if not _rate(row, currency, rates)]
        if missing:
            problems.append(_no_rate(row, missing[0]))
        elif row.price_in or row.commission_in:
            price = _converted(row, row.price, row.price_in, rates)
            commission = _converted(row, row.commission, row.commission_in, rates)
            tax = _converted(row, row.tax, row.price_in, rates)
            amounts = {"price": price, "commission": commission, "tax": tax}
            converted.append(replace(row, **amounts, is_converted=bool(_foreign(row))))
        else:
            converted.append(row)
    return converted, problems


def without_foreign_rates(rows: Sequence[StatementRow], currency: str) -> list[StatementRow]:
    """Drop the rates into the broker's account where that is not in the portfolio's `currency`."""
    kept: list[StatementRow] = []
    for row in rows:
        if row.rate_currency and row.rate_currency != currency:
            kept.append(replace(row, exchange_rate=None))
        else:
            kept.append(row)
    return kept


def in_own_money(rows: Sequence[StatementRow], currency: str) -> list[StatementRow]:
    """Let money whose currency the file does not name be in the portfolio's `currency`."""
    named: list[StatementRow] = []
    for row in rows:
        if row.is_money_alone and row.settlement_currency is None:
            named.append(replace(row, settlement_currency=currency))
        else:
            named.append(row)
    return named


def _foreign(row: StatementRow) -> list[str]:
    """List the other currencies than the instrument's in which amounts of the row are."""
    currencies = {row.price_in, row.commission_in} - {None, "", row.currency}
    return sorted(filter(None, currencies))


def _rates(rows: Sequence[StatementRow]) -> Rates:
    wanted: set[tuple[str, str, date]] = set()
    for row in rows:
        if row.currency and (row.price_in or row.commission_in):
            wanted.update((row.currency, currency, row.date) for currency in _foreign(row))
    if not wanted:
        return {}
    return exchange_rates_for_import(wanted)


def _rate(row: StatementRow, currency: str, rates: Rates) -> Decimal | None:
    return rates.get((row.currency or "", currency, row.date))


def _converted(
    row: StatementRow, amount: Decimal | None, currency: str | None, rates: Rates
) -> Decimal | None:
    if not amount or not currency or currency == row.currency:
        return amount
    rate = _rate(row, currency, rates)
    assert rate is not None  # nosec B101  # for mypy: rows without a rate have failed
    return round_for_storage(EXACT.divide(amount, rate))


def _no_rate(row: StatementRow, currency: str) -> RowProblem:
    if row.currency:
        message = _("No rate from %(base)s to %(target)s is known on %(date)s.")
    else:
        message = _("No rate from %(base)s to the instrument's currency is known on %(date)s.")
    params = {"base": currency, "target": row.currency or "", "date": str(row.date)}
    problem = RowProblem("exchange_rate_required", message, params)
    return problem.at(row.row, "currency", currency)
