"""The latest prices for one user: what others say, and what was last paid where they say nothing.

docs/definitions.md, "Prices and rates".
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Max, Sum
from django.utils import timezone

from financeproj.core.shared.versioned_cache import VersionedCache
from marketdata.models import HistoricalStockPrice, StockMetadata
from marketdata.selectors import PriceNow
from portfolios.calc.kinds import types_where
from portfolios.calc.trade_prices import TradePrices, trade_prices
from portfolios.models import Holding, Transaction

MAX_ROWS_CACHED = 100_000
# The `price_source` of such a price.
TRADE = "trade"

# Of these transactions, a price or a ratio is read.
_TYPES = types_where(lambda rules: rules.moves_shares or rules.is_ratio)

trades_cache = VersionedCache(MAX_ROWS_CACHED)


def lacks_closes(holding: Holding, price: PriceNow | None) -> bool:
    """Return whether a trade may be the price on one of the days of the holding.

    `price` is the latest that is stored of its instrument.
    """
    stock = holding.stock
    if stock.owner_id is not None or not stock.has_history:
        return True
    if price is None or price.first_close_on is None:
        return True
    first_on = holding.first_transaction_on
    return first_on is not None and first_on < price.first_close_on


class _Row(NamedTuple):
    """The columns of a transaction that prices come from."""

    stock_id: UUID
    holding_id: UUID
    type: str
    effective_date: date
    sequence: int
    quantity: Decimal
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class UserTrades:
    """A user's trade prices by instrument; `stamp` changes whenever one of them does."""

    stamp: str
    of_stock: Mapping[UUID, TradePrices]


def read_trades(
    user_id: UUID, stocks: Collection[StockMetadata], prices: Mapping[UUID, PriceNow]
) -> UserTrades:
    """Read the user's trade prices of `stocks`, of which `prices` are the latest stored.

    One query for what this process has read before, else three.
    """
    ids = sorted(stock.pk for stock in stocks)
    holdings = Holding.objects.filter(portfolio__user=user_id, stock__in=ids)
    state = holdings.aggregate(Sum("version"), Max("updated_at"), Count("pk"))
    versions = sorted((stock.pk, stock.version, stock.has_history) for stock in stocks)
    stamp = repr((sorted(state.items()), versions))
    key = (user_id, *ids)
    found: dict[UUID, TradePrices] | None = trades_cache.get(key, stamp)
    if found is None:
        found = _read(user_id, stocks, prices)
        size = sum(len(one.prices) for one in found.values())
        trades_cache.put(key, stamp, found, max(1, size))
    return UserTrades(stamp, found)


def _read(
    user_id: UUID, stocks: Collection[StockMetadata], prices: Mapping[UUID, PriceNow]
) -> dict[UUID, TradePrices]:
    transactions = Transaction.objects.filter(
        portfolio__user=user_id, holding__stock__in=stocks, type__in=_TYPES
    )
    columns = ("holding__stock_id", *_Row._fields[1:])
    rows: dict[UUID, list[_Row]] = defaultdict(list)
    for row in transactions.order_by().values_list(*columns):
        rows[row[0]].append(_Row(*row))
    by_hand = [stock for stock in stocks if stock.owner_id is not None]
    stored_on = _days_with_closes(by_hand)
    for stock in stocks:
        price = prices.get(stock.pk)
        is_known = stock.owner_id is None and stock.has_history
        if is_known and price is not None and price.first_close_on is not None:
            stored_on[stock.pk] = [price.first_close_on]
    found = {}
    for stock in stocks:
        found[stock.pk] = trade_prices(
            rows[stock.pk],
            stored_on=stored_on.get(stock.pk, []),
            by_hand=stock.owner_id is not None,
        )
    return found


def _days_with_closes(stocks: Collection[StockMetadata]) -> dict[UUID, list[date]]:
    closes = HistoricalStockPrice.objects.filter(stock__in=stocks).order_by("date")
    found: dict[UUID, list[date]] = defaultdict(list)
    for stock_id, day in closes.values_list("stock_id", "date"):
        found[stock_id].append(day)
    return found


def with_trades(
    prices: Mapping[UUID, PriceNow], trades: Mapping[UUID, TradePrices]
) -> Mapping[UUID, PriceNow]:
    """Return the latest `prices`, replaced by the user's own trades where those stand."""
    today = timezone.localdate()
    found = dict(prices)
    for stock_id, own in trades.items():
        stored = prices.get(stock_id)
        traded = own.on(today)
        if traded is None:
            continue
        if stored is None or (own.by_hand and stored.day < traded[0]):
            found[stock_id] = _price_of_trade(traded, own, stored)
    return found


def _price_of_trade(
    traded: tuple[date, Decimal], own: TradePrices, stored: PriceNow | None
) -> PriceNow:
    """Return the price of a trade that is later than the `stored` price, if there is one."""
    day, price = traded
    previous_day = previous_close = None
    before = own.before(day)
    if before is not None:
        previous_day, previous_close = before
    elif stored is not None:
        previous_day, previous_close = stored.day, stored.price
    return PriceNow(
        price=price,
        previous_close=previous_close,
        day=day,
        as_of=datetime.combine(day, time.min, tzinfo=UTC),
        fetched_at=None,
        source=TRADE,
        stale=True,
        previous_day=previous_day,
    )
