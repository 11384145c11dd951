"""What is read to value portfolios: their holdings with the instruments, and the latest prices.

A process keeps these rows for as long as nothing of them has changed, which one small query tells.
Whatever is worked out from them is worked out anew each time.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import connection
from django.utils import timezone

from financeproj.core.money import strip_zeros
from financeproj.core.shared.versioned_cache import VersionedCache
from marketdata.selectors import PriceNow, prices_now, with_staleness_of_now
from portfolios.models import Holding, Portfolio

MOST_HOLDINGS_KEPT = 10_000
EXACT_COLUMNS = ("current_quantity", "cost_basis", "realised_gain", "income", "charges")


@dataclass(frozen=True, slots=True)
class Inputs:
    """`holdings` by portfolio, each with its `stock`; `prices` by stock. Shared between requests:
    not to be changed.

    `currencies` are those of a portfolio's instruments, `open` (stock, currency) what it still
    holds. `stamp` changes whenever a holding, its instrument, a close, a split or a quote does.
    """

    holdings: Mapping[UUID, Sequence[Holding]]
    prices: Mapping[UUID, PriceNow]
    stamp: str
    currencies: Mapping[UUID, Set[str]]
    open: Mapping[UUID, Set[tuple[UUID, str]]]


kept = VersionedCache(MOST_HOLDINGS_KEPT)
kept_prices = VersionedCache(MOST_HOLDINGS_KEPT)


def inputs_of(portfolios: Sequence[Portfolio], known: Inputs | None = None) -> Inputs:
    """One query if this process has the rows already, or `known` still holds; two if it has the
    prices, else six.
    """
    key = tuple(portfolio.pk for portfolio in portfolios)
    market, stamp = _stamps_of(portfolios)
    found = kept.get(key, stamp)
    if found is None:
        found = (
            known
            if known is not None and known.stamp == stamp
            else _read(portfolios, market, stamp)
        )
        kept.put(key, stamp, found, max(1, sum(map(len, found.holdings.values()))))
    return replace(found, prices=with_staleness_of_now(found.prices))


# By hand, since it is asked with every valuation, and Django takes four times as long to write it
# as it takes to run.
_STAMP = """
SELECT SUM(stock.version), MAX(stock.history_fetched_at), MAX(quote.fetched_at), MAX(holding.updated_at)
FROM portfolios_holding holding
JOIN marketdata_stockmetadata stock ON stock.id = holding.stock_id
LEFT JOIN marketdata_stockquote quote ON quote.stock_id = stock.id
WHERE holding.portfolio_id IN ({marks})
"""


def _stamps_of(portfolios: Sequence[Portfolio]) -> tuple[str, str]:
    """What the prices of just these instruments are known by, and what all of the inputs are.

    Portfolio versions move with holdings, instruments' with names, prices and splits, times with
    the rest.
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


def _read(portfolios: Sequence[Portfolio], market: str, stamp: str) -> Inputs:
    holdings: dict[UUID, list[Holding]] = defaultdict(list)
    rows = Holding.objects.filter(portfolio__in=portfolios).select_related("stock")
    for holding in rows.defer("created_at", "updated_at", "stock__created_at", "stock__updated_at"):
        for name in EXACT_COLUMNS:  # as they are shown
            setattr(holding, name, strip_zeros(getattr(holding, name)))
        holdings[holding.portfolio_id].append(holding)
    return Inputs(
        holdings=dict(holdings),
        prices=_prices_of(
            sorted(holding.stock_id for listed in holdings.values() for holding in listed), market
        ),
        stamp=stamp,
        currencies={
            pk: {holding.stock.currency for holding in listed} for pk, listed in holdings.items()
        },
        open={
            pk: {
                (holding.stock_id, holding.stock.currency)
                for holding in listed
                if holding.current_quantity
            }
            for pk, listed in holdings.items()
        },
    )


def _prices_of(stock_ids: Sequence[UUID], market: str) -> Mapping[UUID, PriceNow]:
    """`stock_ids` has an instrument once for each holding, as the sum of versions in `market`
    counts it.
    """
    key = tuple(stock_ids)
    found: Mapping[UUID, PriceNow] | None = kept_prices.get(key, market)
    if found is None:
        found = prices_now(set(stock_ids))
        kept_prices.put(key, market, found, max(1, len(key)))
    return found
