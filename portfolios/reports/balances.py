"""Cash and used credit over time: as the user entered them, or from the transactions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np

from marketdata.calc.rates import Pair
from marketdata.selectors import Stretches
from portfolios.calc.layout import Floats
from portfolios.models import Portfolio, PortfolioBalance
from portfolios.reports.figures import rates_into
from portfolios.reports.periods import Period
from portfolios.valuation import Money

Entry = tuple[date, Decimal]
Entries = Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Balances:
    """What was entered for one portfolio, oldest first."""

    cash: list[Entry]
    credit: list[Entry]


def balances_of(portfolios: Iterable[Portfolio]) -> dict[UUID, Balances]:
    """Return what was entered for each portfolio. One query."""
    balances = {portfolio.pk: Balances([], []) for portfolio in portfolios}
    rows = PortfolioBalance.objects.filter(portfolio__in=list(balances)).order_by("date")
    for row in rows:
        found = balances[row.portfolio_id]
        entries = found.cash if row.kind == PortfolioBalance.Kind.CASH else found.credit
        entries.append((row.date, row.amount))
    return balances


def entry_on(entries: Entries, day: date, *, counts_back: bool = False) -> Entry | None:
    """Return the last of `entries`, which are by day, on or before `day`.

    With `counts_back` the first entry also counts before its own day.
    """
    found = None
    if counts_back and entries:
        found = entries[0]
    for entry in entries:
        if entry[0] <= day:
            found = entry
    return found


def on_days(entries: Entries, period: Period, *, begins: date | None = None) -> Floats:
    """Return the amount last entered by each day of `period`, [column].

    Before the first entry it is 0, unless the first entry counts back to the day `begins`.
    """
    amounts = np.zeros(period.columns)
    for day, amount in entries:
        column = (day - period.day_before).days
        if column < period.columns:
            amounts[max(column, 0) :] = float(amount)
    if begins is not None and entries:
        first, amount = entries[0]
        column = (begins - period.day_before).days
        amounts[max(column, 0) : max((first - period.day_before).days, 0)] = float(amount)
    return amounts


@dataclass(frozen=True, slots=True)
class CashDaily:
    """Cash and used credit, [column], in the portfolio's currency.

    `missing` are the pairs without a rate on a day on which one was needed; `doubtful` those of
    which a later rate is held back on such a day.
    """

    cash: Floats
    credit: Floats
    missing: set[str]
    doubtful: set[str]


def cash_over_time(
    portfolio: Portfolio,
    balances: Balances,
    money: Money,
    period: Period,
    *,
    begins: date | None,
    in_doubt: Mapping[Pair, Stretches],
) -> CashDaily:
    """Return cash and used credit of every day: from `cash_from` on they follow from `money`.

    `in_doubt` has the days on which a later rate of a pair is held back.
    """
    cash = on_days(balances.cash, period, begins=begins)
    credit = on_days(balances.credit, period, begins=begins)
    missing: set[str] = set()
    doubtful: set[str] = set()
    if portfolio.cash_from is None:
        return CashDaily(cash, credit, missing, doubtful)
    first = max((portfolio.cash_from - period.day_before).days, 0)
    cash[first:] = credit[first:] = 0.0
    others = [code for code in money if code != portfolio.currency]
    rates, _ = rates_into(portfolio.currency, others, period)
    for code, history in money.items():
        entries = list(zip(history.days, history.balances, strict=True))
        amounts = on_days(entries, period)
        amounts[:first] = 0.0
        if is_any_on(amounts, in_doubt.get((code, portfolio.currency), []), period):
            doubtful.add(f"{code}/{portfolio.currency}")
        amounts = amounts[first:]
        if code != portfolio.currency:
            amounts = np.where(amounts == 0, 0.0, amounts * rates[code][first:])
            if np.isnan(amounts).any():
                missing.add(f"{code}/{portfolio.currency}")
            amounts = np.nan_to_num(amounts)
        cash[first:] += np.maximum(amounts, 0.0)
        credit[first:] += np.maximum(-amounts, 0.0)
    return CashDaily(cash, credit, missing, doubtful)


def is_any_on(amounts: Floats, stretches: Stretches, period: Period) -> bool:
    """Return whether there is an amount on a day of `stretches`."""
    for first, last in stretches:
        begin = (max(first, period.start) - period.day_before).days
        end = (min(last, period.end) - period.day_before).days
        if amounts[begin : end + 1].any():
            return True
    return False
