"""Net worth over time: portfolios, cash, credit and pensions in the base currency."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import msgspec
import numpy as np
from django.utils import timezone
from msgspec import Struct

from financeproj.core.json_types import DateText
from financeproj.core.missing import gravest, with_rate_held_back, without_rate
from financeproj.users.models import User
from marketdata.selectors import rates_in_doubt
from pensions.selectors import ValuedAccount, accounts_with_values
from portfolios.calc.layout import Floats
from portfolios.calc.timeline import Interval, sample, tidy_series
from portfolios.reports.balances import (
    Balances,
    Entries,
    balances_of,
    cash_over_time,
    is_any_on,
    on_days,
)
from portfolios.reports.figures import rates_into
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.periods import Period
from portfolios.reports.report import Report, ReportQuery, Scope, prepare_report
from portfolios.selectors import portfolios_of
from portfolios.valuation import Money, cash_pairs, money_in


@dataclass(frozen=True, slots=True)
class Wealth:
    """What net worth is made of. `report` covers all portfolios in the base currency.

    `money` has the balances of the portfolios whose cash follows from the transactions.
    """

    report: Report
    balances: dict[UUID, Balances]
    money: dict[UUID, Money]
    pensions: Sequence[ValuedAccount]

    @property
    def currency(self) -> str:
        return self.report.currency

    @property
    def period(self) -> Period:
        return self.report.period

    def currencies(self) -> set[str]:
        """Return the currencies of the portfolios and pension accounts."""
        currencies = {history.portfolio.currency for history in self.report.histories}
        currencies.update(pension.account.currency for pension in self.pensions)
        return currencies

    def counts_from(self, history: PortfolioHistory) -> date | None:
        """Return the day from which the first cash and credit of a portfolio count.

        That is the first transaction, or the first balance if that is earlier.
        """
        first_balance = _first_balance_on(self.balances[history.portfolio.pk])
        return _earliest([first_balance, history.vector.first_on])


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
    missing_why: dict[str, str]


def read_wealth(user: User, query: ReportQuery) -> Wealth:
    """Read what a user owns over the period of the query, which ends today by default."""
    query = msgspec.structs.replace(query, end=query.end or timezone.localdate())
    pensions = accounts_with_values(user)
    portfolios = list(portfolios_of(user))
    balances = balances_of(portfolios)
    money = money_in(portfolio for portfolio in portfolios if portfolio.cash_from)
    first_days = [_first_balance_on(one) for one in balances.values()]
    first_days += [portfolio.cash_from for portfolio in portfolios]
    pairs, pension_versions = set(), []
    for portfolio in portfolios:
        pairs |= cash_pairs(portfolio, money.get(portfolio.pk, {}))
    for pension in pensions:
        account, entries = pension.account, pension.entries
        pairs.add((account.currency, user.base_currency))
        pension_versions.append((account.pk, account.name, account.currency, entries))
        first_days.append(entries[0][0] if entries else None)
    report = prepare_report(
        Scope(portfolios, user.base_currency, covers_all=True),
        query,
        first_on=_earliest(first_days),
        extra_pairs=pairs,
        extra_versions=pension_versions,
    )
    return Wealth(report, balances, money, pensions)


def _first_balance_on(balances: Balances) -> date | None:
    """Return the first day for which cash or credit was entered."""
    return _earliest([_first_day(balances.cash), _first_day(balances.credit)])


def _first_day(entries: Entries) -> date | None:
    if not entries:
        return None
    return entries[0][0]


def _earliest(days: Iterable[date | None]) -> date | None:
    earliest: date | None = None
    for day in days:
        if day is not None and (earliest is None or day < earliest):
            earliest = day
    return earliest


def net_worth_over_time(wealth: Wealth, *, interval: Interval) -> NetWorthPayload:
    """Report net worth at the end of each day, week or month of the period.

    Portfolios count what has a price.
    """
    period = wealth.period
    rates, has_old_rates = rates_into(wealth.currency, wealth.currencies(), period)
    figures = wealth.report.figures()
    portfolios = figures.daily.value
    cash, credit, pensions = np.zeros((3, period.columns))
    unknown_pairs: set[str] = set()
    doubtful_pairs: set[str] = set()
    pairs = {(code, wealth.currency) for code in wealth.currencies() - {wealth.currency}}
    for history in wealth.report.histories:
        money = wealth.money.get(history.portfolio.pk, {})
        pairs |= cash_pairs(history.portfolio, money)
    in_doubt = rates_in_doubt(pairs)

    def converted(amounts: Floats, code: str) -> Floats:
        """Convert daily amounts; NaN where there is an amount and no rate."""
        result: Floats = np.where(amounts == 0, 0.0, amounts * rates[code])
        if np.isnan(result).any():
            unknown_pairs.add(f"{code}/{wealth.currency}")
        if is_any_on(amounts, in_doubt.get((code, wealth.currency), []), period):
            doubtful_pairs.add(f"{code}/{wealth.currency}")
        return result

    for history in wealth.report.histories:
        code = history.portfolio.currency
        balances = wealth.balances[history.portfolio.pk]
        begins = wealth.counts_from(history)
        own = cash_over_time(
            history.portfolio,
            balances,
            wealth.money.get(history.portfolio.pk, {}),
            period,
            begins=begins,
            in_doubt=in_doubt,
        )
        unknown_pairs |= own.missing
        doubtful_pairs |= own.doubtful
        cash += converted(own.cash, code)
        credit += converted(own.credit, code)
    for pension in wealth.pensions:
        pensions += converted(on_days(pension.entries, period), pension.account.currency)

    columns = (portfolios, cash, credit, pensions, portfolios + cash - credit + pensions)
    missing_why = gravest(
        figures.missing_why, without_rate(unknown_pairs), with_rate_held_back(doubtful_pairs)
    )
    return NetWorthPayload(
        currency=wealth.currency,
        start=period.start,
        end=period.end,
        interval=interval,
        points=_points(period, interval, columns),
        stale=figures.stale or has_old_rates,
        missing=sorted(missing_why),
        missing_why=missing_why,
    )


def _points(
    period: Period, interval: Interval, columns: Sequence[Floats]
) -> list[NetWorthPointPayload]:
    chosen = sample(period.first_day, period.columns, interval)
    days = (period.first_day + chosen.last).astype("datetime64[D]")
    dates = np.datetime_as_string(days).tolist()
    amounts = [_none_for_nan(tidy_series(chosen.levels(column))) for column in columns]
    return list(map(NetWorthPointPayload, dates, *amounts))


def _none_for_nan(series: Floats) -> list[float | None]:
    shown = series.astype(object)
    shown[np.isnan(series)] = None
    return shown.tolist()
