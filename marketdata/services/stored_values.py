"""Read the stored closes of an instrument or the stored rates of a pair."""

from datetime import date
from decimal import Decimal

from django.db.models import QuerySet

from marketdata.models import HistoricalExchangeRate, HistoricalStockPrice, StockMetadata


def values_between(
    rows: QuerySet[HistoricalStockPrice] | QuerySet[HistoricalExchangeRate],
    column: str,
    first: date,
    last: date,
) -> tuple[dict[date, Decimal], set[date]]:
    """Return the values in `column` by day, and the days of those that were entered by hand.

    `rows` are prices or rates of one instrument or pair; both ends count.
    """
    values: dict[date, Decimal] = {}
    by_hand: set[date] = set()
    within = rows.filter(date__gte=first, date__lte=last)
    for day, value, source in within.values_list("date", column, "source"):
        values[day] = value
        if source == StockMetadata.MANUAL:
            by_hand.add(day)
    return values, by_hand
