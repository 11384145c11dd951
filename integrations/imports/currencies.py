"""Prices and commissions in the currency of their instrument."""

from financeproj.core.money import EXACT, ONE, round_for_storage
from integrations.statements.base import RowError, StatementRow
from marketdata.queries import exchange_rates_for_import


def convert_to_own_currency(rows: list[StatementRow]) -> tuple[list[StatementRow], list[RowError]]:
    """`rows` with prices and commissions in the instrument's currency, at the day's rate where the
    broker gives them in another; and the errors of those for which there is no rate.
    """
    wanted = {
        (row.currency, other, row.date)
        for row in rows
        for other in (row.price_in, row.commission_in)
        if other and row.currency and other != row.currency
    }
    rates = exchange_rates_for_import(wanted) if wanted else {}
    converted, errors = [], []
    for row in rows:
        others = {
            other for other in (row.price_in, row.commission_in) if other and other != row.currency
        }
        if missing := [
            other for other in others if not rates.get((row.currency or "", other, row.date))
        ]:
            detail = f"No rate from {missing[0]} to {row.currency or 'its currency'} is known on {row.date}."
            errors.append(
                RowError(row.row, "currency", missing[0], "exchange_rate_required", detail)
            )
            continue
        for name, other in (("price", row.price_in), ("commission", row.commission_in)):
            value = getattr(row, name)
            if other in others and value:
                rate = rates[row.currency or "", other, row.date] or ONE
                setattr(row, name, round_for_storage(EXACT.divide(value, rate)))
        converted.append(row)
    return converted, errors
