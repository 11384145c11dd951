"""The statement of one currency of a portfolio, as a bank would send it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone
from msgspec import Struct

from financeproj.core.errors import DomainError
from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.money import EXACT, ZERO, strip_zeros
from portfolios.calc.money import money_of
from portfolios.models import Portfolio, Transaction
from portfolios.valuation.cash import READ_AT_ONCE, MoneyRow

Day = date  # within a class that has a field `date`


class StatementRow(MoneyRow, frozen=True, gc=False):
    """What a statement shows of a transaction, next to its money."""

    id: UUID
    day: Day  # the booking day
    booked_on: Day | None
    note: str
    ticker: str | None
    company_name: str | None


class StatementRowPayload(Struct, gc=False):
    """One booking; `balance` is what stands in the currency after it."""

    date: date
    booked_on: Day | None
    transaction_id: UUID
    type: str
    ticker: str | None
    text: str
    amount: ReadOnlyDecimal
    balance: ReadOnlyDecimal


class StatementPayload(Struct):
    """The bookings of a period by booking day, then by order of entry."""

    currency: str
    start: date
    end: date
    opening_balance: ReadOnlyDecimal
    closing_balance: ReadOnlyDecimal
    rows: list[StatementRowPayload]


@dataclass(frozen=True, slots=True)
class StatementQuery:
    """What a request asks for; None stands for what it left out."""

    currency: str | None = None
    start: date | None = None
    end: date | None = None


def statement_of(portfolio: Portfolio, query: StatementQuery) -> StatementPayload:
    """Return what moved one currency, with its balance after each row. One query.

    It covers the twelve months up to today where nothing else is asked. Raises DomainError when
    `start` is after `end`.
    """
    currency = query.currency or portfolio.currency
    start, end = _days_of(query)
    opening = balance = ZERO
    rows: list[StatementRowPayload] = []
    for row in _rows_until(portfolio, currency, end):
        _, amount = money_of(row, portfolio.currency)
        if not amount:
            continue
        balance = EXACT.add(balance, amount)
        if row.day < start:
            opening = balance
        else:
            rows.append(_row_shown(row, amount, balance))
    return StatementPayload(
        currency=currency,
        start=start,
        end=end,
        opening_balance=strip_zeros(opening),
        closing_balance=strip_zeros(balance),
        rows=rows,
    )


def _days_of(query: StatementQuery) -> tuple[date, date]:
    end = query.end
    if end is None:
        end = timezone.localdate()
        if query.start is not None:
            end = max(end, query.start)  # a booking day can lie in the future
    start = query.start or _a_year_before(end)
    if start > end:
        raise DomainError(
            f"start ({start}) is after end ({end}).", attr="start", code="start_after_end"
        )
    return start, end


def _a_year_before(end: date) -> date:
    """Return the first of the twelve months that end on `end`."""
    try:
        same_day = end.replace(year=max(end.year - 1, 1))
    except ValueError:  # 29 February
        same_day = end.replace(year=end.year - 1, day=28)
    return same_day + timedelta(days=1)


def _rows_until(portfolio: Portfolio, currency: str, end: date) -> Iterator[StatementRow]:
    through = Q(settlement_currency=currency)
    if currency == portfolio.currency:
        through |= Q(settlement_currency__isnull=True)
    rows = Transaction.objects.filter(through, portfolio=portfolio).annotate(
        day=Coalesce("booked_on", "date"),
        ticker=F("holding__stock__ticker"),
        company_name=Coalesce(
            NullIf("holding__company_name", Value("")), "holding__stock__company_name"
        ),
    )
    rows = rows.filter(day__lte=end).order_by("day", "sequence")
    for values in rows.values_list(*StatementRow.__struct_fields__).iterator(READ_AT_ONCE):
        yield StatementRow(*values)


def _row_shown(row: StatementRow, amount: Decimal, balance: Decimal) -> StatementRowPayload:
    return StatementRowPayload(
        date=row.date,
        booked_on=row.booked_on,
        transaction_id=row.id,
        type=row.type,
        ticker=row.ticker,
        text=row.note or row.company_name or "",
        amount=strip_zeros(amount),
        balance=strip_zeros(balance),
    )
