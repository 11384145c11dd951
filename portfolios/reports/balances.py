"""Cash and used credit over time, as the user entered them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np

from portfolios.calc.performance import Floats
from portfolios.models import Portfolio, PortfolioBalance
from portfolios.reports.figures import Period

Entries = Sequence[tuple[date, Decimal]]


@dataclass(frozen=True, slots=True)
class Balances:
    """What was entered for one portfolio, by day."""

    cash: Entries
    credit: Entries


def balances_of(portfolios: Iterable[Portfolio]) -> dict[UUID, Balances]:
    """One query."""
    rows = PortfolioBalance.objects.filter(portfolio__in=list(portfolios)).order_by("date")
    found: dict[UUID, dict[str, list[tuple[date, Decimal]]]] = defaultdict(
        lambda: {"cash": [], "credit": []}
    )
    for row in rows:
        found[row.portfolio_id][row.kind].append((row.date, row.amount))
    return {portfolio.pk: Balances(**found[portfolio.pk]) for portfolio in portfolios}


def entry_on(
    entries: Entries, day: date, *, counts_back: bool = False
) -> tuple[date, Decimal] | None:
    """The last of `entries` (by day) on or before `day`; with `counts_back` the first one stands
    before it too.
    """
    earlier = [entry for entry in entries if entry[0] <= day]
    if earlier:
        return earlier[-1]
    return entries[0] if entries and counts_back else None


def on_days(entries: Entries, period: Period, *, begins: date | None = None) -> Floats:
    """[column] the amount last entered by each day of `period`.

    Before the first entry it is 0, unless the first entry counts back to `begins`.
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
