"""The first screen in one answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage, strip_zeros
from financeproj.users.models import User
from marketdata.selectors import rates_now
from pensions.projections import Assumptions, has_goal, projection_of
from pensions.selectors import accounts_of, value_of_accounts
from portfolios.calc.valuation import fraction, rounded
from portfolios.selectors import ValuedPortfolio

MOST_MOVERS = 5


@dataclass(slots=True)
class _Sums:
    """In the base currency."""

    market_value: Decimal = ZERO
    cash: Decimal = ZERO
    used_credit: Decimal = ZERO
    total_gain: Decimal = ZERO
    day_change: Decimal = ZERO


@dataclass(slots=True)
class _Mover:
    """`before` is what it was worth at the previous close."""

    ticker: str
    company_name: str
    day_change: Decimal = ZERO
    before: Decimal = ZERO


def dashboard(user: User, portfolios: Sequence[ValuedPortfolio]) -> dict[str, Any]:
    """Sums over `portfolios`, all of the user's, and pensions in the base currency.

    A sum that needs a rate that is not known is None; `missing` names the pair, and the instruments
    without a price.
    """
    currency = user.base_currency
    pairs = {
        (one.portfolio.currency, currency)
        for one in portfolios
        if one.portfolio.currency != currency
    }
    rates = {base: rate.rate for (base, _), rate in rates_now(pairs).items()} | {currency: ONE}
    accounts = list(accounts_of(user))
    pensions = value_of_accounts(accounts, currency)
    unknown = sorted(f"{base}/{target}" for base, target in pairs if base not in rates)
    missing = {ticker for one in portfolios for ticker in one.summary.missing} | {
        *unknown,
        *pensions.missing,
    }
    with localcontext(EXACT):
        sums = None if unknown else _summed(portfolios, rates)
        net_value = None if sums is None else sums.market_value + sums.cash - sums.used_credit
        net_worth = (
            None if net_value is None or pensions.value is None else net_value + pensions.value
        )
        day_change_pct = (
            None if sums is None else fraction(sums.day_change, sums.market_value - sums.day_change)
        )
    return {
        "currency": currency,
        "net_worth": rounded(net_worth),
        "portfolios_value": None if sums is None else rounded(sums.market_value),
        "cash": None if sums is None else rounded(sums.cash),
        "used_credit": None if sums is None else rounded(sums.used_credit),
        "pensions_value": rounded(pensions.value),
        "day_change": None if sums is None else rounded(sums.day_change),
        "day_change_pct": rounded(day_change_pct),
        "total_gain": None if sums is None else rounded(sums.total_gain),
        "movers": _movers(portfolios, rates),
        "goal": _goal(user, portfolios),
        "freshness": _freshness(portfolios),
        "missing": sorted(missing),
        "accounts": accounts,
    }


def _goal(user: User, portfolios: Sequence[ValuedPortfolio]) -> dict[str, Any] | None:
    if not has_goal(user):
        return None
    return projection_of(user, Assumptions(months=0, include_portfolios=True), portfolios)["goal"]


def _summed(portfolios: Sequence[ValuedPortfolio], rates: dict[str, Decimal]) -> _Sums:
    sums = _Sums()
    for one in portfolios:
        rate, summary = rates[one.portfolio.currency], one.summary
        sums.market_value += summary.market_value * rate
        sums.cash += one.portfolio.cash * rate
        sums.used_credit += one.portfolio.used_credit * rate
        sums.total_gain += summary.total_gain * rate
        sums.day_change += summary.day_change * rate
    return sums


def _movers(
    portfolios: Sequence[ValuedPortfolio], rates: dict[str, Decimal]
) -> list[dict[str, Any]]:
    """What moved most today, by percent; an instrument in several portfolios counts once, in the
    base currency.
    """
    movers: dict[tuple[str, str], _Mover] = {}
    with localcontext(EXACT):
        for one in portfolios:
            rate = rates.get(one.portfolio.currency)
            for holding in one.holdings:
                if rate is not None and holding.day_change and holding.market_value is not None:
                    key = holding.ticker, holding.currency
                    mover = movers.setdefault(key, _Mover(holding.ticker, holding.company_name))
                    mover.day_change += holding.day_change * rate
                    mover.before += (holding.market_value - holding.day_change) * rate
        shares = {key: fraction(mover.day_change, mover.before) for key, mover in movers.items()}
    ordered = sorted(movers, key=lambda key: (-abs(shares[key] or ZERO), key))[:MOST_MOVERS]
    return [
        {
            "ticker": movers[key].ticker,
            "company_name": movers[key].company_name,
            "day_change": strip_zeros(round_for_storage(movers[key].day_change)),
            "day_change_pct": rounded(shares[key]),
        }
        for key in ordered
    ]


def _freshness(portfolios: Sequence[ValuedPortfolio]) -> dict[str, Any]:
    held = [holding for one in portfolios for holding in one.holdings if holding.current_quantity]
    return {
        "oldest_price_at": min(
            (holding.price_as_of for holding in held if holding.price_as_of), default=None
        ),
        "stale": sorted({holding.ticker for holding in held if holding.price_stale}),
    }
