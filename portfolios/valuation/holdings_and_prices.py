"""The stored holdings and prices with which portfolios are valued.

A process keeps these rows until one of them changes, which one small query shows. Whatever is
calculated from them is calculated again each time.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db import connection
from django.utils import timezone

from financeproj.core.db.rows import pks_of
from financeproj.core.money import strip_zeros
from financeproj.core.shared.versioned_cache import VersionedCache
from marketdata.models import StockMetadata
from marketdata.selectors import PriceNow, prices_now, with_staleness_of_now
from portfolios.calc.trade_prices import TradePrices
from portfolios.models import Holding, Portfolio
from portfolios.valuation.traded import (
    UserTrades,
    instruments_with_own_splits,
    lacks_closes,
    read_trades,
    with_trades,
)

MAX_HOLDINGS_CACHED = 10_000
EXACT_COLUMNS = ("current_quantity", "cost_basis", "realised_gain", "income", "charges")


@dataclass(slots=True)
class HoldingsAndPrices:
    """Everything about some portfolios that valuing them needs, except rates.

    Requests share it: do not change it. `holdings`, each with its `stock`, `currencies` (of all
    instruments), `open_stock_ids` and `open_currencies` (of what is still held) are by portfolio;
    `prices`, the latest stored, are by instrument. `lacking` are the instruments that trades or
    splits of their user may price, `trades` those, both by user. `rows_stamp` changes whenever a
    holding, its instrument, a close, a split or a quote does, `stamp` also with such a trade in
    another portfolio.
    """

    rows_stamp: str
    stamp: str = ""
    holdings: dict[UUID, list[Holding]] = field(default_factory=lambda: defaultdict(list))
    currencies: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    open_stock_ids: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    open_currencies: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    prices: Mapping[UUID, PriceNow] = field(default_factory=dict)
    lacking: dict[UUID, dict[UUID, StockMetadata]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    trades: Mapping[UUID, UserTrades] = field(default_factory=dict)

    def prices_for(self, user_id: UUID) -> Mapping[UUID, PriceNow]:
        """Return the latest price of each instrument for the user, who may have traded it."""
        trades = self.trades.get(user_id)
        if trades is None:
            return self.prices
        return with_trades(self.prices, trades.of_stock)

    def trades_for(self, user_id: UUID) -> Mapping[UUID, TradePrices]:
        """Return the user's trade prices of the instruments that lack closes."""
        trades = self.trades.get(user_id)
        if trades is None:
            return {}
        return trades.of_stock

    def add(self, holding: Holding) -> None:
        """Add a holding that was just read."""
        portfolio_id, stock = holding.portfolio_id, holding.stock
        self.holdings[portfolio_id].append(holding)
        self.currencies[portfolio_id].add(stock.currency)
        if holding.current_quantity:
            self.open_stock_ids[portfolio_id].add(stock.pk)
            self.open_currencies[portfolio_id].add(stock.currency)


holdings_cache = VersionedCache(MAX_HOLDINGS_CACHED)
prices_cache = VersionedCache(MAX_HOLDINGS_CACHED)


def read_holdings_and_prices(
    portfolios: Sequence[Portfolio], known: HoldingsAndPrices | None = None
) -> HoldingsAndPrices:
    """Read what valuing `portfolios` needs.

    One query if this process has the rows already or `known` is still true, three if it has the
    prices, else seven. One to three more for a user who has an instrument that lacks closes.
    """
    key = tuple(pks_of(portfolios))
    market, stamp = _stamps_of(portfolios)
    found: HoldingsAndPrices | None = holdings_cache.get(key, stamp)
    if found is None:
        if known is not None and known.rows_stamp == stamp:
            found = known
        else:
            found = _read(portfolios, market, stamp)
        size = sum(map(len, found.holdings.values()))
        holdings_cache.put(key, stamp, found, max(1, size))
    trades = {}
    for user_id, stocks in found.lacking.items():
        trades[user_id] = read_trades(user_id, stocks.values(), found.prices)
    own = [one.stamp for one in trades.values()]
    return replace(
        found,
        stamp=repr((stamp, own)) if own else stamp,
        prices=with_staleness_of_now(found.prices),
        trades=trades,
    )


# Written by hand because every valuation runs it, and Django takes four times as long to build the
# SQL as the database takes to run it.
_STAMP = """
SELECT
    SUM(stock.version),
    MAX(stock.history_fetched_at),
    MAX(quote.fetched_at),
    MAX(holding.updated_at)
FROM portfolios_holding holding
JOIN marketdata_stockmetadata stock ON stock.id = holding.stock_id
LEFT JOIN marketdata_stockquote quote ON quote.stock_id = stock.id
WHERE holding.portfolio_id IN ({marks})
"""


def _stamps_of(portfolios: Sequence[Portfolio]) -> tuple[str, str]:
    """Return a stamp of the prices of these portfolios' instruments, and one of everything.

    Versions of portfolios grow with their holdings, those of instruments with names, prices and
    splits; the times cover the rest.
    """
    state, renamed_at = [], None
    if portfolios:
        field = Portfolio._meta.pk
        ids = [field.get_db_prep_value(portfolio.pk, connection) for portfolio in portfolios]
        with connection.cursor() as cursor:
            cursor.execute(_STAMP.format(marks=", ".join(["%s"] * len(ids))), ids)
            *state, renamed_at = cursor.fetchone()
    versions = [(portfolio.pk, portfolio.version) for portfolio in portfolios]
    market = repr((timezone.localdate(), state))
    return market, repr((market, versions, renamed_at))


def _read(portfolios: Sequence[Portfolio], market: str, stamp: str) -> HoldingsAndPrices:
    found = HoldingsAndPrices(stamp)
    user_of = {portfolio.pk: portfolio.user_id for portfolio in portfolios}
    stock_ids = []
    unknown = set()
    rows = Holding.objects.filter(portfolio__in=portfolios).select_related("stock")
    for holding in rows.defer("created_at", "updated_at", "stock__created_at", "stock__updated_at"):
        for name in EXACT_COLUMNS:  # as they are shown
            setattr(holding, name, strip_zeros(getattr(holding, name)))
        found.add(holding)
        stock_ids.append(holding.stock_id)
        if not holding.stock.has_known_closes:
            unknown.add(holding.stock_id)
    stored = _prices_of(sorted(stock_ids), market)
    found.prices = {pk: price for pk, price in stored.items() if pk not in unknown}
    has_own_splits = instruments_with_own_splits(portfolios)
    for portfolio_id, holdings in found.holdings.items():
        for holding in holdings:
            lacks = lacks_closes(holding, found.prices.get(holding.stock_id))
            if lacks or holding.stock_id in has_own_splits:
                found.lacking[user_of[portfolio_id]][holding.stock_id] = holding.stock
    return found


def _prices_of(stock_ids: Sequence[UUID], market: str) -> Mapping[UUID, PriceNow]:
    """Read the latest prices, or take those of the same `market` stamp.

    `stock_ids` has an instrument once for each holding, as the sum of versions in `market` does.
    """
    key = tuple(stock_ids)
    found: Mapping[UUID, PriceNow] | None = prices_cache.get(key, market)
    if found is None:
        found = prices_now(set(stock_ids))
        prices_cache.put(key, market, found, max(1, len(key)))
    return found
