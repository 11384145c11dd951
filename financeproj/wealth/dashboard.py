"""The first screen in one answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext

from msgspec import Struct

from financeproj.core.missing import gravest
from financeproj.core.money import EXACT, ZERO, round_for_display
from financeproj.users.models import User
from marketdata.selectors import Conversion
from pensions.payloads import AccountPayload, ProjectionGoalPayload, account_payload
from pensions.projections import Assumptions, has_goal, projection_of
from pensions.selectors import accounts_of, value_of_accounts
from portfolios.calc.valuation import fraction, rounded
from portfolios.payloads import PortfolioPayload, portfolio_payloads
from portfolios.valuation import ValuedPortfolio, why_missing_together

MAX_MOVERS = 5
# None when a rate into the base currency is unknown.
AMOUNTS = (
    "net_worth",
    "portfolios_value",
    "cash",
    "used_credit",
    "day_change",
    "day_change_pct",
    "total_gain",
)


class MoverPayload(Struct, frozen=True):
    """An instrument that moved on its last trading day, `day_change_on`. `day_change` is in the
    base currency.
    """

    ticker: str
    company_name: str
    day_change: Decimal
    day_change_pct: Decimal | None
    day_change_on: date | None


class FreshnessPayload(Struct, frozen=True):
    """How old the prices of the holdings are. `stale` lists tickers."""

    oldest_price_at: datetime | None
    stale: list[str]


class DashboardPayload(Struct, frozen=True):
    """What a user owns, in the base currency; an amount that needs an unknown rate is null.

    The change of the day covers the holdings that have one; `day_change_missing` names the others.
    """

    currency: str
    net_worth: Decimal | None
    portfolios_value: Decimal | None
    cash: Decimal | None
    used_credit: Decimal | None
    pensions_value: Decimal | None
    day_change: Decimal | None
    day_change_pct: Decimal | None
    day_change_on: date | None
    day_change_missing: list[str]
    total_gain: Decimal | None
    portfolios: list[PortfolioPayload]
    movers: list[MoverPayload]
    pension_accounts: list[AccountPayload]
    goal: ProjectionGoalPayload | None
    freshness: FreshnessPayload
    missing: list[str]
    missing_why: dict[str, str]


@dataclass(slots=True)
class _Sums:
    """Sums over portfolios in the base currency.

    `day_change` is None while no portfolio has one; `value_before` is what the holdings that have
    one were worth at the previous close.
    """

    market_value: Decimal = ZERO
    cash: Decimal = ZERO
    used_credit: Decimal = ZERO
    total_gain: Decimal = ZERO
    day_change: Decimal | None = None
    value_before: Decimal = ZERO

    @property
    def net_value(self) -> Decimal:
        return self.market_value + self.cash - self.used_credit

    def add_day_change(self, valued: ValuedPortfolio, rates: Conversion) -> None:
        """Add the change of the day of a portfolio that has one."""
        change, currency = valued.summary.day_change, valued.portfolio.currency
        if change is None:
            return
        self.day_change = (self.day_change or ZERO) + rates.convert(change, currency)
        for holding in valued.holdings:
            if holding.day_change is not None and holding.market_value is not None:
                before = holding.market_value - holding.day_change
                self.value_before += rates.convert(before, currency)


@dataclass(slots=True)
class _Movement:
    """The day change of one instrument; `before` is its value at the previous close."""

    ticker: str
    company_name: str
    day: date | None
    day_change: Decimal = ZERO
    before: Decimal = ZERO

    @property
    def fraction(self) -> Decimal | None:
        return fraction(self.day_change, self.before)


def dashboard_of(user: User, portfolios: Sequence[ValuedPortfolio]) -> DashboardPayload:
    """Add up `portfolios`, all of the user's, and the pensions in the base currency."""
    currency = user.base_currency
    rates = Conversion({valued.portfolio.currency for valued in portfolios}, currency)
    accounts = list(accounts_of(user))
    pensions = value_of_accounts(accounts, currency)
    sums = None if rates.missing else _sums_of(portfolios, rates)
    missing_why = gravest(why_missing_together(portfolios, rates), pensions.missing_why)
    amounts = dict.fromkeys(AMOUNTS) if sums is None else _amounts_of(sums, pensions.value)
    return DashboardPayload(
        currency=currency,
        **amounts,
        pensions_value=rounded(pensions.value),
        portfolios=portfolio_payloads(portfolios),
        movers=_movers_of(portfolios, rates),
        pension_accounts=[account_payload(account) for account in accounts],
        goal=_goal_of(user, portfolios),
        freshness=_freshness_of(portfolios),
        day_change_on=max(_days_of_change(portfolios), default=None),
        day_change_missing=_without_day_change(portfolios),
        missing=sorted(missing_why),
        missing_why=missing_why,
    )


def _amounts_of(sums: _Sums, pensions_value: Decimal | None) -> dict[str, Decimal | None]:
    with localcontext(EXACT):
        net_worth = None if pensions_value is None else sums.net_value + pensions_value
        day_change_pct = fraction(sums.day_change, sums.value_before)
    return {
        "net_worth": rounded(net_worth),
        "portfolios_value": rounded(sums.market_value),
        "cash": rounded(sums.cash),
        "used_credit": rounded(sums.used_credit),
        "day_change": rounded(sums.day_change),
        "day_change_pct": rounded(day_change_pct),
        "total_gain": rounded(sums.total_gain),
    }


def _sums_of(portfolios: Sequence[ValuedPortfolio], rates: Conversion) -> _Sums:
    sums = _Sums()
    with localcontext(EXACT):
        for valued in portfolios:
            summary, currency = valued.summary, valued.portfolio.currency
            sums.market_value += rates.convert(summary.market_value, currency)
            sums.cash += rates.convert(valued.cash, currency)
            sums.used_credit += rates.convert(valued.used_credit, currency)
            sums.total_gain += rates.convert(summary.total_gain, currency)
            sums.add_day_change(valued, rates)
    return sums


def _days_of_change(portfolios: Sequence[ValuedPortfolio]) -> list[date]:
    """Return the latest day of each portfolio's change of the day."""
    days = []
    for valued in portfolios:
        day = valued.summary.day_change_on
        if day is not None:
            days.append(day)
    return days


def _without_day_change(portfolios: Sequence[ValuedPortfolio]) -> list[str]:
    """Return the tickers of open holdings without a change of the day."""
    missing: set[str] = set()
    for valued in portfolios:
        missing.update(valued.summary.day_change_missing)
    return sorted(missing)


def _movers_of(portfolios: Sequence[ValuedPortfolio], rates: Conversion) -> list[MoverPayload]:
    """List what moved most today, by percent.

    An instrument in several portfolios counts once. Portfolios without a known rate are left out.
    """
    movements: dict[tuple[str, str], _Movement] = {}
    for valued in portfolios:
        if rates.knows(valued.portfolio.currency):
            _add_movements(movements, valued, rates)

    def rank(key: tuple[str, str]) -> tuple[Decimal, tuple[str, str]]:
        return -abs(movements[key].fraction or ZERO), key

    movers = []
    for key in sorted(movements, key=rank)[:MAX_MOVERS]:
        movement = movements[key]
        mover = MoverPayload(
            ticker=movement.ticker,
            company_name=movement.company_name,
            day_change=round_for_display(movement.day_change),
            day_change_pct=rounded(movement.fraction),
            day_change_on=movement.day,
        )
        movers.append(mover)
    return movers


def _add_movements(
    movements: dict[tuple[str, str], _Movement], valued: ValuedPortfolio, rates: Conversion
) -> None:
    currency = valued.portfolio.currency
    for holding in valued.holdings:
        if not holding.day_change or holding.market_value is None:
            continue
        key = holding.ticker, holding.currency
        new = _Movement(holding.ticker, holding.company_name, holding.day_change_on)
        movement = movements.setdefault(key, new)
        before = EXACT.subtract(holding.market_value, holding.day_change)
        change = rates.convert(holding.day_change, currency)
        movement.day_change = EXACT.add(movement.day_change, change)
        movement.before = EXACT.add(movement.before, rates.convert(before, currency))


def _goal_of(user: User, portfolios: Sequence[ValuedPortfolio]) -> ProjectionGoalPayload | None:
    """Project the user's goal with pensions and portfolios; None without a goal."""
    if not has_goal(user):
        return None
    assumptions = Assumptions(months=0, include_portfolios=True)
    return projection_of(user, assumptions, portfolios).goal


def _freshness_of(portfolios: Sequence[ValuedPortfolio]) -> FreshnessPayload:
    """Return the time of the oldest price and the tickers with stale prices."""
    oldest: datetime | None = None
    stale = set()
    for valued in portfolios:
        for holding in valued.holdings:
            if not holding.current_quantity:
                continue
            if holding.price_stale:
                stale.add(holding.ticker)
            price_at = holding.price_as_of
            if price_at is not None and (oldest is None or price_at < oldest):
                oldest = price_at
    return FreshnessPayload(oldest, sorted(stale))
