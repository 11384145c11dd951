"""What several portfolios are worth together."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from financeproj.core.money import ZERO, strip_zeros
from marketdata.selectors import Conversion
from portfolios.valuation.valued import ValuedPortfolio


@dataclass(frozen=True, slots=True)
class NetValue:
    """Portfolios in one currency.

    All amounts are None where a rate is unknown; `missing` then names its pair. It also names the
    instruments without a price.
    """

    market_value: Decimal | None
    cash: Decimal | None
    used_credit: Decimal | None
    net_value: Decimal | None
    missing: Sequence[str]
    stale: bool


def net_value_of(portfolios: Sequence[ValuedPortfolio], currency: str) -> NetValue:
    """Return what `portfolios` are worth together, in `currency`. One query."""
    rates = Conversion((valued.portfolio.currency for valued in portfolios), currency)
    missing: set[str] = set()
    stale = rates.stale
    for valued in portfolios:
        missing.update(valued.summary.missing)
        stale = stale or valued.summary.stale
    if rates.missing:
        return NetValue(None, None, None, None, [*sorted(missing), *rates.missing], stale)
    market_value = cash = used_credit = net_value = ZERO
    for valued in portfolios:
        rate = rates.rate(valued.portfolio.currency)
        market_value += valued.summary.market_value * rate
        cash += valued.portfolio.cash * rate
        used_credit += valued.portfolio.used_credit * rate
        net_value += valued.summary.net_value * rate
    return NetValue(
        market_value=strip_zeros(market_value),
        cash=strip_zeros(cash),
        used_credit=strip_zeros(used_credit),
        net_value=strip_zeros(net_value),
        missing=sorted(missing),
        stale=stale,
    )
