"""The money of portfolios as arrays, cached in the process by the portfolio's version.

The rows stay the truth; a portfolio whose version has changed is read again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from operator import attrgetter
from uuid import UUID

import numpy as np

from financeproj.core.db.rows import by_pk
from financeproj.core.money import EXACT, ZERO
from financeproj.core.shared.versioned_cache import VersionedCache
from portfolios.calc.cash import ABSENT, MoneyRows
from portfolios.calc.columns import column, positions_of
from portfolios.calc.kinds import RULES, TransactionType
from portfolios.calc.money import moved_and_formula
from portfolios.models import Portfolio, Transaction
from portfolios.reports.vectors import day_number, day_of
from portfolios.valuation.cash import READ_AT_ONCE, MoneyRow

MAX_ROWS_CACHED = 1_000_000


@dataclass(frozen=True, slots=True)
class MoneyVector:
    """The rows of one portfolio that move money.

    `rows.currency` is an index into `currencies`, `rows.instrument` one into `holding_ids`. What
    stood in `unsettled` currencies in the end is not 0. `first_on` is the day of the first row
    other than an opening.
    """

    currencies: Sequence[str]
    holding_ids: Sequence[UUID]
    rows: MoneyRows
    unsettled: Sequence[str]
    first_on: date | None

    @property
    def begins_on(self) -> date | None:
        """The day of the first row, an opening too."""
        return day_of(self.rows.day.min()) if len(self.rows) else None

    @property
    def last_on(self) -> date | None:
        """The day of the last row."""
        return day_of(self.rows.day.max()) if len(self.rows) else None

    def stands_between(self, index: int, start: date, end: date) -> bool:
        """Return whether something stood in a currency, or moved, on a day of the period."""
        rows = self.rows.take(self.rows.currency == index)
        before = rows.balance[rows.day <= day_number(start)]
        if len(before) and before[-1]:
            return True
        return bool(((rows.day >= day_number(start)) & (rows.day <= day_number(end))).any())

    def rows_for(self, holding_ids: Sequence[UUID]) -> MoneyRows:
        """Return the rows with `instrument` as an index into `holding_ids`."""
        place = positions_of(holding_ids)
        # One more for ABSENT, which is the last.
        index = np.full(len(self.holding_ids) + 1, ABSENT, dtype=np.int32)
        for own, pk in enumerate(self.holding_ids):
            index[own] = place.get(pk, ABSENT)
        return replace(self.rows, instrument=index[self.rows.instrument])


class _Row(MoneyRow, frozen=True, gc=False):
    """What is read of a transaction."""

    id: UUID
    holding_id: UUID | None
    group_id: UUID | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transaction moves, and the formula in the portfolio's currency (0 for money alone)."""

    row: _Row
    currency: str
    amount: Decimal
    formula: Decimal


money_rows_cache = VersionedCache(MAX_ROWS_CACHED)


def money_rows_of(portfolios: Iterable[Portfolio]) -> dict[UUID, MoneyVector]:
    """Return the money of each portfolio. One query for all that this process has not cached."""

    def read(unknown: Iterable[Portfolio]) -> dict[UUID, MoneyVector]:
        moved = _read(unknown)
        return {pk: _vector_of(rows) for pk, rows in moved.items()}

    def size(vector: MoneyVector) -> int:
        return 1 + len(vector.rows)

    return money_rows_cache.get_or_read(portfolios, read, size)


def _read(portfolios: Iterable[Portfolio]) -> dict[UUID, list[Moved]]:
    """Read what moves money, of each portfolio in the order of days and entry."""
    portfolio_of = by_pk(portfolios)
    moved: dict[UUID, list[Moved]] = {pk: [] for pk in portfolio_of}
    rows = Transaction.objects.filter(portfolio__in=list(portfolio_of))
    columns = rows.order_by("effective_date", "sequence").values_list(*_Row.__struct_fields__)
    for values in columns.iterator(READ_AT_ONCE):
        row = _Row(*values)
        own = portfolio_of[row.portfolio_id].currency
        currency, amount, formula = moved_and_formula(row, own)
        if row.holding_id is None:
            formula = ZERO
        if amount or formula:
            moved[row.portfolio_id].append(Moved(row, currency, amount, formula))
    return moved


def _vector_of(moved: Sequence[Moved]) -> MoneyVector:
    # Sorting is stable: within a currency they stay in the order of days and entry.
    moved = sorted(moved, key=attrgetter("currency"))
    currency_at = positions_of(one.currency for one in moved)
    holding_at = positions_of(one.row.holding_id for one in moved if one.row.holding_id)
    partner_of = partners_in(moved)
    balances = _balances(moved)
    last: dict[str, float] = {}
    first_on = None
    currencies, days, kinds, instruments, partners = [], [], [], [], []
    for one, balance in zip(moved, balances, strict=True):
        row = one.row
        instrument = ABSENT
        if row.holding_id is not None:
            instrument = holding_at[row.holding_id]
        currencies.append(currency_at[one.currency])
        days.append(day_number(row.effective_date))
        kinds.append(RULES[row.type].code)
        instruments.append(instrument)
        partners.append(currency_at.get(partner_of.get(row.id, ""), ABSENT))
        last[one.currency] = balance
        is_opening = row.type == TransactionType.OPENING
        if not is_opening and (first_on is None or row.effective_date < first_on):
            first_on = row.effective_date
    rows = MoneyRows(
        currency=np.array(currencies, dtype=np.int32),
        day=np.array(days, dtype=np.int32),
        kind=np.array(kinds, dtype=np.int8),
        amount=column(moved, "amount", np.float64),
        formula=column(moved, "formula", np.float64),
        instrument=np.array(instruments, dtype=np.int32),
        partner=np.array(partners, dtype=np.int32),
        balance=np.array(balances, dtype=np.float64),
    )
    unsettled = [code for code, balance in last.items() if balance]
    return MoneyVector(list(currency_at), list(holding_at), rows, unsettled, first_on)


def moved_in(portfolio: Portfolio) -> list[Moved]:
    """Return what moves money in a portfolio, in the order of days and entry. One query."""
    return _read([portfolio])[portfolio.pk]


def partners_in(moved: Sequence[Moved]) -> dict[UUID, str]:
    """Return the currency of the other leg of each conversion, by the id of its row."""
    legs: dict[UUID, list[Moved]] = {}
    for one in moved:
        if one.row.type == TransactionType.CONVERSION and one.row.group_id is not None:
            legs.setdefault(one.row.group_id, []).append(one)
    partners: dict[UUID, str] = {}
    for group in legs.values():
        if len(group) == 2:
            first, second = group
            partners[first.row.id] = second.currency
            partners[second.row.id] = first.currency
    return partners


def _balances(moved: Sequence[Moved]) -> list[float]:
    """Return what stands in its currency after each row, from exact sums."""
    balances, balance, currency = [], ZERO, ""
    for one in moved:
        if one.currency != currency:
            balance, currency = ZERO, one.currency
        balance = EXACT.add(balance, one.amount)
        balances.append(float(balance))
    return balances
