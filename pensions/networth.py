"""Net worth over time: portfolios, cash, credit and pensions in the base currency."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from financeproj.core.money import ZERO, round_for_storage, strip_zeros
from financeproj.users.models import User
from marketdata.selectors import rates_on
from pensions.models import PensionAccount, PensionValueEntry
from portfolios.calc.performance import Floats
from portfolios.calc.timeline import sample, tidy
from portfolios.reports.balances import Balances, Entries, entry_on, on_days
from portfolios.reports.explain import ledgers_until, positions_shown, rate_shown
from portfolios.reports.figures import Book, Figures, Period, rates_into


@dataclass(frozen=True, slots=True)
class Pension:
    """An account with its values, oldest first."""

    account: PensionAccount
    values: Sequence[PensionValueEntry]

    @property
    def entries(self) -> Entries:
        return [(one.date, one.value) for one in self.values]


def pensions_of(user: User) -> list[Pension]:
    """Two queries."""
    values: dict[UUID, list[PensionValueEntry]] = defaultdict(list)
    for entry in PensionValueEntry.objects.filter(account__user=user).order_by("date"):
        values[entry.account_id].append(entry)
    return [
        Pension(account, values[account.pk]) for account in PensionAccount.objects.filter(user=user)
    ]


@dataclass(frozen=True, slots=True)
class Wealth:
    """What net worth is made of. `figures` are those of all portfolios in the base currency."""

    books: Sequence[Book]
    pensions: Sequence[Pension]
    figures: Callable[[], Figures]
    period: Period
    currency: str
    balances: dict[UUID, Balances] = field(default_factory=dict)

    def begins(self, book: Book) -> date | None:
        """The day from which the first cash and credit count: the first transaction, or entry if
        that is earlier.
        """
        own = self.balances[book.portfolio.pk]
        firsts = [entries[0][0] for entries in (own.cash, own.credit) if entries]
        return min(
            [*firsts, *([book.vector.first_on] if book.vector.first_on else [])], default=None
        )


def first_known_on(pensions: Sequence[Pension], balances: dict[UUID, Balances]) -> date | None:
    """The first day on which a pension value, cash or credit was entered."""
    entered = [one.entries for one in pensions]
    entered += [entries for one in balances.values() for entries in (one.cash, one.credit)]
    return min((entries[0][0] for entries in entered if entries), default=None)


def net_worth(wealth: Wealth, *, interval: str) -> dict[str, Any]:
    """The points of the period; a sum of which a rate is unknown on a day is None on it, and
    `missing` names the pair.

    Portfolios count what has a price; `missing` names what has none.
    """
    period = wealth.period
    codes = [book.portfolio.currency for book in wealth.books] + [
        one.account.currency for one in wealth.pensions
    ]
    rates, old_rates = rates_into(wealth.currency, codes, period)
    figures = wealth.figures()
    cash, credit, pensions = np.zeros((3, period.columns))
    unknown: set[str] = set()

    def converted(amounts: Floats, code: str) -> Floats:
        """NaN where there is an amount and no rate."""
        result: Floats = np.where(amounts == 0, 0.0, amounts * rates[code])
        if np.isnan(result).any():
            unknown.add(f"{code}/{wealth.currency}")
        return result

    for book in wealth.books:
        own, begins, code = (
            wealth.balances[book.portfolio.pk],
            wealth.begins(book),
            book.portfolio.currency,
        )
        cash += converted(on_days(own.cash, period, begins=begins), code)
        credit += converted(on_days(own.credit, period, begins=begins), code)
    for one in wealth.pensions:
        pensions += converted(on_days(one.entries, period), one.account.currency)
    portfolios = figures.daily.value
    chosen = sample(period.first_day, period.columns, interval)
    columns = {
        "portfolios": portfolios,
        "cash": cash,
        "credit": credit,
        "pensions": pensions,
        "net_worth": portfolios + cash - credit + pensions,
    }
    dates = np.datetime_as_string((period.first_day + chosen.last).astype("datetime64[D]")).tolist()
    shown = [_or_none(tidy(chosen.levels(column))) for column in columns.values()]
    names = ("date", *columns)
    return {
        "currency": wealth.currency,
        "start": period.start,
        "end": period.end,
        "interval": interval,
        "points": [dict(zip(names, row, strict=True)) for row in zip(dates, *shown, strict=True)],
        "stale": figures.stale or old_rates,
        "missing": sorted({*figures.missing, *unknown}),
    }


def _or_none(series: Floats) -> list[float | None]:
    return [None if value != value else value for value in series.tolist()]


def net_worth_explained(wealth: Wealth) -> dict[str, Any]:
    """Net worth at the end of the period: what it is made of, with prices, rates, their dates and
    their sources.
    """
    day = wealth.period.end
    codes = {book.portfolio.currency for book in wealth.books} | {
        one.account.currency for one in wealth.pensions
    }
    found = rates_on([(code, wealth.currency) for code in codes], day)
    rates = {
        code: rate_shown(code, wealth.currency, found.get((code, wealth.currency)), day)
        for code in codes
    }
    reported = net_worth(wealth, interval="month")
    last = reported["points"][-1]
    return {
        "currency": wealth.currency,
        "date": day,
        "inputs": {
            "portfolios": [
                _portfolio_shown(wealth, book, rates[book.portfolio.currency])
                for book in wealth.books
            ],
            "pensions": [
                _pension_shown(one, rates[one.account.currency], day) for one in wealth.pensions
            ],
        },
        "numbers": {
            "portfolios": {
                "value": last["portfolios"],
                "formula": "the sum over portfolios of the values of their positions (quantity × price × rate) × rate",
            },
            "cash": {"value": last["cash"], "formula": "the sum over portfolios of cash × rate"},
            "credit": {
                "value": last["credit"],
                "formula": "the sum over portfolios of used credit × rate",
            },
            "pensions": {
                "value": last["pensions"],
                "formula": "the sum over pension accounts of value × rate",
            },
            "net_worth": {
                "value": last["net_worth"],
                "formula": "portfolios + cash − credit + pensions",
            },
        },
        "missing": reported["missing"],
    }


def _portfolio_shown(wealth: Wealth, book: Book, rate: dict[str, Any]) -> dict[str, Any]:
    day = wealth.period.end
    own, begins = wealth.balances[book.portfolio.pk], wealth.begins(book)
    counts_back = begins is not None and day >= begins
    positions = positions_shown(book, ledgers_until(book, day), day)
    return {
        "portfolio_id": book.portfolio.pk,
        "name": book.portfolio.name,
        "positions": positions,
        "value": strip_zeros(
            round_for_storage(
                sum((one["value"] for one in positions if one["value"] is not None), ZERO)
            )
        ),
        "cash": _entry_shown(entry_on(own.cash, day, counts_back=counts_back)),
        "used_credit": _entry_shown(entry_on(own.credit, day, counts_back=counts_back)),
        "rate": rate,
    }


def _entry_shown(entry: tuple[date, Decimal] | None) -> dict[str, Any]:
    return {
        "amount": ZERO if entry is None else strip_zeros(entry[1]),
        "entered_for": None if entry is None else entry[0],
    }


def _pension_shown(pension: Pension, rate: dict[str, Any], day: date) -> dict[str, Any]:
    """The value last entered by `day`; None before the first."""
    entry = next((one for one in reversed(pension.values) if one.date <= day), None)
    return {
        "account_id": pension.account.pk,
        "name": pension.account.name,
        "value_id": entry and entry.pk,
        "date": entry and entry.date,
        "source": entry and entry.source,
        "value": None if entry is None else strip_zeros(entry.value),
        "rate": rate,
    }
