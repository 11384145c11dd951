"""Check transactions against stored prices and rates of their days. No source is asked."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from financeproj.core.money import ONE
from marketdata.models import StockMetadata
from marketdata.selectors import closes_on_days, rates_on_days, splits_of
from portfolios.calc.kinds import RULES
from portfolios.calc.plausibility import PlausibilityWarning, check_price, check_rate
from portfolios.models import Transaction

# A close or rate that is older says nothing about the day.
MAX_AGE_DAYS = 7


class Checked(NamedTuple):
    """What is checked of a transaction, in a portfolio of `currency`."""

    pk: UUID
    stock: StockMetadata
    currency: str
    type: str
    day: date
    price: Decimal | None
    rate: Decimal | None

    @property
    def has_market_price(self) -> bool:
        rules = RULES[self.type]
        return self.price is not None and (rules.is_purchase or rules.is_sale)


def warnings_of(rows: Iterable[Transaction]) -> dict[UUID, list[PlausibilityWarning]]:
    """Return what looks like a mistake in stored transactions, by their id. Three queries.

    Rows of money alone and legs of groups have nothing to compare.
    """
    checked = []
    for row in rows:
        if row.holding is None or row.group_id is not None:
            continue  # a leg has the price and the rate of its group
        stock, currency = row.holding.stock, row.portfolio.currency
        checked.append(
            Checked(row.pk, stock, currency, row.type, row.date, row.price, row.exchange_rate)
        )
    return plausibility_warnings(checked)


def plausibility_warnings(rows: Sequence[Checked]) -> dict[UUID, list[PlausibilityWarning]]:
    """Return what looks like a mistake, by transaction. Three queries."""
    priced = [row for row in rows if row.has_market_price]
    closes = closes_on_days([(row.stock.pk, row.day) for row in priced], max_age_days=MAX_AGE_DAYS)
    splits = splits_of({stock_id for stock_id, _ in closes})
    rates = _market_rates(rows)
    found: dict[UUID, list[PlausibilityWarning]] = {}
    for row in rows:
        warnings = []
        close = closes.get((row.stock.pk, row.day))
        if close is not None and row.has_market_price and row.price is not None:
            known = splits.get(row.stock.pk, ())
            warning = check_price(
                price=row.price,
                close=close.price,
                close_on=close.date,
                currency=row.stock.currency,
                later_splits=[ratio for day, ratio in known if day > row.day],
            )
            if warning is not None:
                warnings.append(warning)
        pair = row.stock.currency, row.currency
        market = rates.get((*pair, row.day))
        if market is not None and row.rate:
            base, target = pair
            warning = check_rate(rate=row.rate, market=market, base=base, target=target)
            if warning is not None:
                warnings.append(warning)
        if warnings:
            found[row.pk] = warnings
    return found


def _market_rates(rows: Sequence[Checked]) -> dict[tuple[str, str, date], Decimal]:
    """Return the rates of the market by pair and day, of the same currency 1."""
    found: dict[tuple[str, str, date], Decimal] = {}
    wanted = set()
    for row in rows:
        if not row.rate:
            continue
        key = row.stock.currency, row.currency, row.day
        if row.stock.currency == row.currency:
            found[key] = ONE
        else:
            wanted.add(key)
    if wanted:
        for key, rate in rates_on_days(wanted).items():
            if not rate.stale:
                found[key] = rate.rate
    return found
