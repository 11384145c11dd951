"""The openings that imports make: what stood in each currency before the rows of the files."""

from collections.abc import Container, Iterable, Mapping
from datetime import date
from decimal import Decimal
from uuid import uuid4

from django.db.models import Q

from portfolios.calc.agreement import BookedRow, Stated, first_balances, openings
from portfolios.calc.import_rows import Checkpoint
from portfolios.calc.kinds import TransactionType
from portfolios.models import OpeningBalance, Portfolio, Transaction, TransactionSource
from portfolios.services.openings import ONE_DAY, first_row_on, set_opening
from portfolios.valuation import booked_rows, comparable_checkpoints, reversed_rows


def keep_imported_openings(portfolio: Portfolio, only: Container[str] | None = None) -> None:
    """Work out again what stood before the imported rows of the locked `portfolio`.

    Call it after each import and each undo; changes by hand leave these openings as they are, but
    for `only` those currencies, whose opening was taken back. A currency that a person opened keeps
    that opening. A portfolio without rows has no opening. Four queries, and more if one changes.
    """
    derived = Transaction.objects.filter(
        portfolio=portfolio, type=TransactionType.OPENING, source=TransactionSource.DERIVED
    )
    stand = {code or "" for code in derived.values_list("settlement_currency", flat=True)}
    stated = comparable_checkpoints(portfolio)
    if not stand and not stated:
        return
    opened = opened_by_hand(portfolio)
    made: Mapping[str, Decimal] = {}
    first = first_row_on(portfolio)
    if first is not None:
        rows = _rows_until(portfolio, first_balances(stated))
        made = openings(stated, rows, portfolio.currency)
    day = (first or date.max) - ONE_DAY
    for currency in sorted(stand | made.keys()):
        if currency not in opened and (only is None or currency in only):
            set_opening(portfolio, currency, made.get(currency, Decimal(0)), day)


def _rows_until(portfolio: Portfolio, first: Mapping[str, Checkpoint]) -> list[BookedRow]:
    """Read the rows that can be booked on or before the last of these checkpoints."""
    if not first:
        return []
    day = max(checkpoint.day for checkpoint in first.values())
    can_count = Q(date__lte=day) | Q(booked_on__lte=day) | Q(imported_on__lte=day)
    rows = Transaction.objects.filter(can_count, portfolio=portfolio)
    reversed_by_then = [row for row in reversed_rows(portfolio) if row.date <= day]
    return [*booked_rows(rows), *reversed_by_then]


def with_openings(
    portfolio: Portfolio, stated: Iterable[Stated], rows: Iterable[BookedRow]
) -> list[BookedRow]:
    """Return `rows` with the openings that an import would make in place of those that stand."""
    rows = list(rows)
    opened = opened_by_hand(portfolio)
    made: Mapping[str, Decimal] = {}
    if not all(row.is_derived for row in rows):
        made = openings(stated, rows, portfolio.currency)
    kept = [row for row in rows if not row.is_derived or _stays(row, opened)]
    for currency, amount in made.items():
        if currency not in opened:
            kept.append(_opening(currency, amount))
    return kept


def _stays(row: BookedRow, opened: Container[str | None]) -> bool:
    """Whether an opening is one of shares, or of a currency that a person opened."""
    return bool(row.ticker) or row.settlement_currency in opened


def opened_by_hand(portfolio: Portfolio) -> set[str]:
    """Return the currencies whose opening a person recorded, or said with `cash_from`."""
    plain = Transaction.objects.filter(portfolio=portfolio, type=TransactionType.OPENING).exclude(
        source=TransactionSource.DERIVED
    )
    said = OpeningBalance.objects.filter(portfolio=portfolio)
    recorded = plain.values_list("settlement_currency", flat=True)
    return {code or "" for code in recorded} | set(said.values_list("currency", flat=True))


def _opening(currency: str, amount: Decimal) -> BookedRow:
    return BookedRow(
        pk=uuid4(),
        ticker=None,
        type=TransactionType.OPENING,
        date=date.min,
        effective_date=date.min,
        sequence=0,
        quantity=Decimal(1),
        price=abs(amount),
        commission=Decimal(0),
        tax=Decimal(0),
        exchange_rate=None,
        settlement_currency=currency,
        settlement_amount=amount,
        booked_on=None,
        carried=None,
        source=TransactionSource.DERIVED,
        import_id=None,
    )
