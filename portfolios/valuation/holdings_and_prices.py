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

from financeproj.core.money import strip_zeros
from financeproj.core.shared.versioned_cache import VersionedCache
from marketdata.selectors import PriceNow, prices_now, with_staleness_of_now
from portfolios.models import Holding, Portfolio

MAX_HOLDINGS_CACHED = 10_000
EXACT_COLUMNS = ("current_quantity", "cost_basis", "realised_gain", "income", "charges")


@dataclass(slots=True)
class HoldingsAndPrices:
    """Everything about some portfolios that valuing them needs, except rates.

    Requests share it: do not change it. `holdings`, each with its `stock`, `currencies` (of all
    instruments), `open_stock_ids` and `open_currencies` (of what is still held) are by portfolio;
    `prices` are by instrument. `stamp` changes whenever a holding, its instrument, a close, a split
    or a quote does.
    """

    stamp: str
    holdings: dict[UUID, list[Holding]] = field(default_factory=lambda: defaultdict(list))
    currencies: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    open_stock_ids: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    open_currencies: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    prices: Mapping[UUID, PriceNow] = field(default_factory=dict)

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

    One query if this process has the rows already or `known` is still true, two if it has the
    prices, else six.
    """
    key = tuple(portfolio.pk for portfolio in portfolios)
    market, stamp = _stamps_of(portfolios)
    found = holdings_cache.get(key, stamp)
    if found is None:
        if known is not None and known.stamp == stamp:
            found = known
        else:
            found = _read(portfolios, market, stamp)
        size = sum(map(len, found.holdings.values()))
        holdings_cache.put(key, stamp, found, max(1, size))
    return replace(found, prices=with_staleness_of_now(found.prices))


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
    stock_ids = []
    rows = Holding.objects.filter(portfolio__in=portfolios).select_related("stock")
    for holding in rows.defer("created_at", "updated_at", "stock__created_at", "stock__updated_at"):
        for name in EXACT_COLUMNS:  # as they are shown
            setattr(holding, name, strip_zeros(getattr(holding, name)))
        found.add(holding)
        stock_ids.append(holding.stock_id)
    found.prices = _prices_of(sorted(stock_ids), market)
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
