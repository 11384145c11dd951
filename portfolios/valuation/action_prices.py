"""The prices of instruments on the day on which one is exchanged for another."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from uuid import UUID

from financeproj.core.db.rows import pks_of
from marketdata.models import StockMetadata
from marketdata.selectors import closes_on, prices_now
from portfolios.valuation.taken_over import first_closes
from portfolios.valuation.traded import read_trades


def action_prices(
    *, user_id: UUID, given: StockMetadata, targets: Collection[StockMetadata], day: date
) -> dict[UUID, Decimal]:
    """Return the price of each instrument on `day`, in its own currency; unknown ones are absent.

    It is the last close. `targets` without one have the first close within 14 days after. Without
    either it is what the user last paid or got. Where prices are entered by hand, a trade that is
    later than the last close comes before it. A constant number of queries.
    """
    stocks = [stock for stock in (given, *targets) if not stock._state.adding]
    found: dict[UUID, Decimal] = {}
    for pk, close in closes_on(pks_of(stocks), day).items():
        found[pk] = close.price
    lacking = set(pks_of(targets)).difference(found)
    for (pk, _), price in first_closes((pk, day) for pk in lacking).items():
        found[pk] = price
    tradable = [stock for stock in stocks if stock.owner_id is not None or stock.pk not in found]
    if tradable:
        traded = read_trades(user_id, tradable, prices_now(pks_of(tradable)))
        for pk, own in traded.of_stock.items():
            trade = own.on(day)
            if trade is not None:
                found[pk] = trade[1]
    return found
