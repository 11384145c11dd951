"""What several portfolios are worth together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from financeproj.core.missing import gravest, with_rate_held_back, without_rate
from financeproj.core.money import ZERO, strip_zeros
from marketdata.selectors import Conversion
from portfolios.valuation.valued import ValuedPortfolio


@dataclass(frozen=True, slots=True)
class NetValue:
    """Portfolios in one currency.

    All amounts are None where a rate is unknown; `missing_why` then names its pair. It also names
    the pairs whose rate is in doubt, and the instruments whose price or rate is unknown or in
    doubt.
    """

    market_value: Decimal | None
    cash: Decimal | None
    used_credit: Decimal | None
    net_value: Decimal | None
    missing_why: Mapping[str, str]
    stale: bool


def why_missing_together(
    portfolios: Sequence[ValuedPortfolio], rates: Conversion
) -> dict[str, str]:
    """Return why something is missing from, or in doubt in, sums of `portfolios` at `rates`."""
    reasons = [without_rate(rates.missing), with_rate_held_back(rates.in_doubt)]
    for valued in portfolios:
        reasons.append(valued.summary.missing_why)
        if rates.is_in_doubt(valued.portfolio.currency):
            held = [holding.ticker for holding in valued.holdings if holding.current_quantity]
            reasons.append(with_rate_held_back(held))
    return gravest(*reasons)


def net_value_of(portfolios: Sequence[ValuedPortfolio], currency: str) -> NetValue:
    """Return what `portfolios` are worth together, in `currency`. One query."""
    rates = Conversion((valued.portfolio.currency for valued in portfolios), currency)
    missing_why = why_missing_together(portfolios, rates)
    stale = rates.stale or any(valued.summary.stale for valued in portfolios)
    if rates.missing:
        return NetValue(None, None, None, None, missing_why, stale)
    market_value = cash = used_credit = net_value = ZERO
    for valued in portfolios:
        rate = rates.rate(valued.portfolio.currency)
        market_value += valued.summary.market_value * rate
        cash += valued.cash * rate
        used_credit += valued.used_credit * rate
        net_value += valued.summary.net_value * rate
    return NetValue(
        market_value=strip_zeros(market_value),
        cash=strip_zeros(cash),
        used_credit=strip_zeros(used_credit),
        net_value=strip_zeros(net_value),
        missing_why=missing_why,
        stale=stale,
    )
