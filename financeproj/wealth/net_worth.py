"""Net worth over time: portfolios, cash, credit and pensions in the base currency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from msgspec import Struct

from financeproj.core.json_types import DateText
from financeproj.core.money import ZERO, round_for_storage, strip_zeros
from marketdata.selectors import rates_on
from pensions.selectors import ValuedAccount
from portfolios.calc.performance import Floats
from portfolios.calc.timeline import Interval, sample, tidy
from portfolios.reports.balances import Balances, entry_on, on_days
from portfolios.reports.figures import Figures, rates_into
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.periods import Period
from portfolios.reports.shown import ledgers_until, positions_shown, rate_shown

FORMULAS = {
    "portfolios": "the sum over portfolios of the values of their positions"
    " (quantity × price × rate) × rate",
    "cash": "the sum over portfolios of cash × rate",
    "credit": "the sum over portfolios of used credit × rate",
    "pensions": "the sum over pension accounts of value × rate",
    "net_worth": "portfolios + cash − credit + pensions",
}


@dataclass(frozen=True, slots=True)
class Wealth:
    """Hold what net worth is made of; `figures` returns those of all portfolios in `currency`."""

    histories: Sequence[PortfolioHistory]
    pensions: Sequence[ValuedAccount]
    figures: Callable[[], Figures]
    period: Period
    currency: str
    balances: dict[UUID, Balances] = field(default_factory=dict)

    def counts_from(self, history: PortfolioHistory) -> date | None:
        """Return the day from which the first cash and credit of a portfolio count.

        That is the first transaction, or the first balance if that is earlier.
        """
        balances = self.balances[history.portfolio.pk]
        candidates = [entries[0][0] for entries in (balances.cash, balances.credit) if entries]
        if history.vector.first_on is not None:
            candidates.append(history.vector.first_on)
        return min(candidates, default=None)


class NetWorthPointPayload(Struct, frozen=True, gc=False):
    """Net worth on a day; an amount that needs an unknown rate is null."""

    date: DateText
    portfolios: float
    cash: float | None
    credit: float | None
    pensions: float | None
    net_worth: float | None


class NetWorthPayload(Struct, frozen=True):
    """Net worth over a period; `missing` names what has no price or rate."""

    currency: str
    start: date
    end: date
    interval: Interval
    points: list[NetWorthPointPayload]
    stale: bool
    missing: list[str]


def first_entry_on(
    pensions: Sequence[ValuedAccount], balances: dict[UUID, Balances]
) -> date | None:
    """Return the first day with a pension value, cash or credit."""
    first_days = [pension.entries[0][0] for pension in pensions if pension.entries]
    for balance in balances.values():
        first_days += [entries[0][0] for entries in (balance.cash, balance.credit) if entries]
    return min(first_days, default=None)


def net_worth_over_time(wealth: Wealth, *, interval: Interval) -> NetWorthPayload:
    """Report net worth at the end of each `interval` (day, week or month) of the period.

    Portfolios count what has a price.
    """
    period = wealth.period
    currencies = [history.portfolio.currency for history in wealth.histories]
    currencies += [pension.account.currency for pension in wealth.pensions]
    rates, has_old_rates = rates_into(wealth.currency, currencies, period)
    figures = wealth.figures()
    portfolios = figures.daily.value
    cash, credit, pensions = np.zeros((3, period.columns))
    unknown_pairs: set[str] = set()

    def converted(amounts: Floats, code: str) -> Floats:
        """Convert daily amounts; NaN where there is an amount and no rate."""
        result: Floats = np.where(amounts == 0, 0.0, amounts * rates[code])
        if np.isnan(result).any():
            unknown_pairs.add(f"{code}/{wealth.currency}")
        return result

    for history in wealth.histories:
        code = history.portfolio.currency
        balances = wealth.balances[history.portfolio.pk]
        begins = wealth.counts_from(history)
        cash += converted(on_days(balances.cash, period, begins=begins), code)
        credit += converted(on_days(balances.credit, period, begins=begins), code)
    for pension in wealth.pensions:
        pensions += converted(on_days(pension.entries, period), pension.account.currency)

    columns = (portfolios, cash, credit, pensions, portfolios + cash - credit + pensions)
    return NetWorthPayload(
        currency=wealth.currency,
        start=period.start,
        end=period.end,
        interval=interval,
        points=_points(period, interval, columns),
        stale=figures.stale or has_old_rates,
        missing=sorted({*figures.missing, *unknown_pairs}),
    )


def _points(
    period: Period, interval: Interval, columns: Sequence[Floats]
) -> list[NetWorthPointPayload]:
    chosen = sample(period.first_day, period.columns, interval)
    days = (period.first_day + chosen.last).astype("datetime64[D]")
    dates = np.datetime_as_string(days).tolist()
    amounts = [_none_for_nan(tidy(chosen.levels(column))) for column in columns]
    return list(map(NetWorthPointPayload, dates, *amounts))


def _none_for_nan(series: Floats) -> list[float | None]:
    shown = series.astype(object)
    shown[np.isnan(series)] = None
    return shown.tolist()


# --- Explained ------------------------------------------------------------------------------------


def net_worth_explained(wealth: Wealth) -> dict[str, Any]:
    """Explain net worth at the end of the period: its parts with prices, rates, dates and sources."""
    day = wealth.period.end
    rates = _rates_shown(wealth, day)
    portfolios = [
        _portfolio_shown(wealth, history, rates[history.portfolio.currency])
        for history in wealth.histories
    ]
    pensions = [
        _pension_shown(pension, rates[pension.account.currency], day) for pension in wealth.pensions
    ]
    report = net_worth_over_time(wealth, interval="month")
    last_point = report.points[-1]
    numbers = {
        name: {"value": getattr(last_point, name), "formula": formula}
        for name, formula in FORMULAS.items()
    }
    return {
        "currency": wealth.currency,
        "date": day,
        "inputs": {"portfolios": portfolios, "pensions": pensions},
        "numbers": numbers,
        "missing": report.missing,
    }


def _rates_shown(wealth: Wealth, day: date) -> dict[str, dict[str, Any]]:
    """Return each currency's rate into the base currency on `day`."""
    currencies = {history.portfolio.currency for history in wealth.histories}
    currencies |= {pension.account.currency for pension in wealth.pensions}
    found = rates_on([(code, wealth.currency) for code in currencies], day)
    shown = {}
    for code in currencies:
        rate = found.get((code, wealth.currency))
        shown[code] = rate_shown(code, wealth.currency, rate, day)
    return shown


def _portfolio_shown(
    wealth: Wealth, history: PortfolioHistory, rate: dict[str, Any]
) -> dict[str, Any]:
    day = wealth.period.end
    balances = wealth.balances[history.portfolio.pk]
    begins = wealth.counts_from(history)
    counts_back = begins is not None and day >= begins
    positions = positions_shown(history, ledgers_until(history, day), day)
    values = [position["value"] for position in positions if position["value"] is not None]
    return {
        "portfolio_id": history.portfolio.pk,
        "name": history.portfolio.name,
        "positions": positions,
        "value": strip_zeros(round_for_storage(sum(values, ZERO))),
        "cash": _balance_shown(entry_on(balances.cash, day, counts_back=counts_back)),
        "used_credit": _balance_shown(entry_on(balances.credit, day, counts_back=counts_back)),
        "rate": rate,
    }


def _balance_shown(entry: tuple[date, Decimal] | None) -> dict[str, Any]:
    if entry is None:
        return {"amount": ZERO, "entered_for": None}
    entered_for, amount = entry
    return {"amount": strip_zeros(amount), "entered_for": entered_for}


def _pension_shown(pension: ValuedAccount, rate: dict[str, Any], day: date) -> dict[str, Any]:
    """Show the value last entered by `day`; None before the first."""
    entry = pension.value_on(day)
    shown = {
        "account_id": pension.account.pk,
        "name": pension.account.name,
        "value_id": None,
        "date": None,
        "source": None,
        "value": None,
        "rate": rate,
    }
    if entry is not None:
        shown["value_id"] = entry.pk
        shown["date"] = entry.date
        shown["source"] = entry.source
        shown["value"] = strip_zeros(entry.value)
    return shown
