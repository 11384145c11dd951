"""Cash and used credit over time, as the user entered them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np

from portfolios.calc.layout import Floats
from portfolios.models import Portfolio, PortfolioBalance
from portfolios.reports.periods import Period

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
