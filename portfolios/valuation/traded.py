"""The latest prices for one user: what others say, and what was last paid where they say nothing.

docs/definitions.md, "Prices and rates".
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Max, Sum
from django.utils import timezone

from financeproj.core.db.rows import pks_of
from financeproj.core.shared.versioned_cache import VersionedCache
from marketdata.models import HistoricalStockPrice, StockMetadata
from marketdata.selectors import PriceNow, splits_of
from portfolios.calc.kinds import TransactionType, types_where
from portfolios.calc.trade_prices import (
    Splits,
    TradePrices,
    splits_in,
    splits_unknown_to,
    trade_prices,
)
from portfolios.models import Holding, Portfolio, Transaction, TransactionSource
from portfolios.valuation.taken_over import ActionPrices, read_action_prices

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


def instruments_with_own_splits(portfolios: Iterable[Portfolio]) -> set[UUID]:
    """Return the instruments of which their users recorded a split themselves. One query."""
    splits = Transaction.objects.filter(portfolio__in=portfolios, type=TransactionType.SPLIT)
    by_hand = splits.exclude(source=TransactionSource.MARKET_DATA)
    # In no order: SQLite would read the index of that order, not the one of splits.
    return set(by_hand.order_by().values_list("holding__stock", flat=True))


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
    """A user's trade prices by instrument; `stamp` changes whenever one of them does.

    `givers` are the other instruments that they follow from, since they were exchanged for these.
    """

    stamp: str
    of_stock: Mapping[UUID, TradePrices]
    givers: Collection[UUID] = ()


def read_trades(
    user_id: UUID, stocks: Collection[StockMetadata], prices: Mapping[UUID, PriceNow]
) -> UserTrades:
    """Read the user's trade prices of `stocks`, of which `prices` are the latest stored.

    One query for what this process has read before, and one more where something came by an action,
    else three and more.
    """
    ids = sorted(pks_of(stocks))
    holdings = Holding.objects.filter(portfolio__user=user_id, stock__in=ids)
    state = holdings.aggregate(Sum("version"), Max("updated_at"), Count("pk"))
    versions = sorted((stock.pk, stock.version, stock.has_history) for stock in stocks)
    stamp = repr((sorted(state.items()), versions))
    key = (user_id, *ids)
    found: UserTrades | None = trades_cache.get(key, stamp)
    if found is not None and found.stamp == _with_givers(stamp, found.givers):
        return found
    of_stock, givers = _read(user_id, stocks, prices)
    found = UserTrades(_with_givers(stamp, givers), of_stock, givers)
    size = sum(len(one.prices) for one in of_stock.values())
    trades_cache.put(key, stamp, found, max(1, size))
    return found


def _with_givers(stamp: str, givers: Collection[UUID]) -> str:
    """Add to `stamp` the versions of the instruments whose prices count too."""
    if not givers:
        return stamp
    versions = StockMetadata.objects.filter(pk__in=list(givers)).values_list("pk", "version")
    return repr((stamp, sorted(versions)))


def _read(
    user_id: UUID, stocks: Collection[StockMetadata], prices: Mapping[UUID, PriceNow]
) -> tuple[dict[UUID, TradePrices], Collection[UUID]]:
    transactions = Transaction.objects.filter(
        portfolio__user=user_id, holding__stock__in=stocks, type__in=_TYPES
    ).exclude(type=TransactionType.TRANSFER_IN, group__isnull=False)
    columns = ("holding__stock_id", *_Row._fields[1:])
    rows: dict[UUID, list[_Row]] = defaultdict(list)
    for row in transactions.order_by().values_list(*columns):
        rows[row[0]].append(_Row(*row))
    actions = ActionPrices()
    if any(row.type == TransactionType.EXCHANGE_IN for own in rows.values() for row in own):
        actions = read_action_prices(user_id, set(pks_of(stocks)))
    own_splits = _own_splits(rows)
    stored_on = _days_with_closes(stocks, prices, own_splits)
    found = {}
    for stock in stocks:
        found[stock.pk] = trade_prices(
            rows[stock.pk],
            stored_on=stored_on.get(stock.pk, []),
            by_hand=stock.owner_id is not None,
            own_splits=own_splits.get(stock.pk, ()),
            came_at=actions.closes[stock.pk],
            taken_over=actions.taken[stock.pk],
        )
    return found, sorted(actions.givers)


def _own_splits(rows: Mapping[UUID, Sequence[_Row]]) -> dict[UUID, Splits]:
    """Return by instrument the user's splits that stored closes know nothing of."""
    found: dict[UUID, Splits] = {}
    for stock_id, own in rows.items():
        splits = splits_in(own)
        if splits:
            found[stock_id] = splits
    known = splits_of(found) if found else {}
    return {pk: splits_unknown_to(known.get(pk, []), splits) for pk, splits in found.items()}


def _days_with_closes(
    stocks: Iterable[StockMetadata],
    prices: Mapping[UUID, PriceNow],
    own_splits: Mapping[UUID, Splits],
) -> dict[UUID, list[date]]:
    """Return the days with a close of each instrument, oldest first.

    Only the first, where that is enough.
    """
    found: dict[UUID, list[date]] = defaultdict(list)
    every: list[UUID] = []
    for stock in stocks:
        price = prices.get(stock.pk)
        if stock.owner_id is not None or (stock.has_history and own_splits.get(stock.pk)):
            every.append(stock.pk)
        elif stock.has_history and price is not None and price.first_close_on is not None:
            found[stock.pk] = [price.first_close_on]
    closes = HistoricalStockPrice.objects.filter(stock__in=every).order_by("date")
    for stock_id, day in closes.values_list("stock_id", "date"):
        found[stock_id].append(day)
    return found


def with_trades(
    prices: Mapping[UUID, PriceNow], trades: Mapping[UUID, TradePrices]
) -> Mapping[UUID, PriceNow]:
    """Return the latest `prices`, replaced by the user's own trades where those stand.

    Those of before a split of the user's own are divided by its ratio.
    """
    today = timezone.localdate()
    found = dict(prices)
    for stock_id, own in trades.items():
        stored = prices.get(stock_id)
        if stored is not None and own.own_splits:
            stored = found[stock_id] = _after_own_splits(stored, own, today)
        traded = own.on(today)
        if traded is None:
            continue
        if stored is None or (own.by_hand and stored.day < traded[0]):
            found[stock_id] = _price_of_trade(traded, own, stored)
    return found


def _after_own_splits(stored: PriceNow, own: TradePrices, today: date) -> PriceNow:
    previous_close = stored.previous_close
    if previous_close is not None:
        previous_day = stored.previous_day or stored.day
        previous_close = own.after_own_splits(previous_close, previous_day, today)
    price = own.after_own_splits(stored.price, stored.day, today)
    return replace(stored, price=price, previous_close=previous_close)


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
