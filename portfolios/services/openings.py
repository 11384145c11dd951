"""The openings that follow from what a person said stood in each currency before `cash_from`."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Q

from financeproj.core.money import EXACT, ONE, ZERO
from portfolios.calc.kinds import TransactionType
from portfolios.models import OpeningBalance, Portfolio, Transaction, TransactionSource
from portfolios.services.ledger_rows import next_sequence, touch
from portfolios.valuation.cash import money_moved

ONE_DAY = timedelta(days=1)


def keep_openings(portfolio: Portfolio) -> None:
    """Work out the openings of the locked `portfolio` again from what its person said.

    Call it after every change of its transactions. No query without `cash_from`.
    """
    if portfolio.cash_from is None:
        return
    openings = OpeningBalance.objects.filter(portfolio=portfolio)
    said = dict(openings.values_list("currency", "amount"))
    if not said:
        return
    moved = moved_before(portfolio, portfolio.cash_from)
    day = min(first_row_on(portfolio) or portfolio.cash_from, portfolio.cash_from) - ONE_DAY
    for currency, amount in said.items():
        set_opening(portfolio, currency, EXACT.subtract(amount, moved.get(currency, ZERO)), day)


def moved_before(portfolio: Portfolio, day: date) -> dict[str, Decimal]:
    """Add up by currency what the rows before `day` moved, derived openings left out."""
    moved: dict[str, Decimal] = defaultdict(Decimal)
    rows = Transaction.objects.filter(portfolio=portfolio, date__lt=day).exclude(
        type=TransactionType.OPENING, source=TransactionSource.DERIVED
    )
    for *_, currency, amount in money_moved(rows, {portfolio.pk: portfolio.currency}):
        moved[currency] = EXACT.add(moved[currency], amount)
    return moved


def first_row_on(portfolio: Portfolio) -> date | None:
    """Return the day of the first row; an opening, of money or shares, is not a first row."""
    rows = Transaction.objects.filter(portfolio=portfolio).exclude(
        Q(type=TransactionType.OPENING) | Q(source=TransactionSource.DERIVED)
    )
    return rows.order_by("date").values_list("date", flat=True).first()


def set_opening(portfolio: Portfolio, currency: str, amount: Decimal, day: date) -> None:
    """Give the locked `portfolio` the derived opening of a currency; 0 takes it away."""
    stored = Transaction.objects.filter(
        portfolio=portfolio,
        type=TransactionType.OPENING,
        settlement_currency=currency,
        source=TransactionSource.DERIVED,
    )
    row = stored.first()
    if not amount:
        if row is not None:
            row.delete()
            touch(portfolio)
        return
    if row is not None and (row.settlement_amount, row.date) == (amount, day):
        return
    if row is None:
        row = Transaction(
            portfolio=portfolio,
            type=TransactionType.OPENING,
            source=TransactionSource.DERIVED,
            settlement_currency=currency,
            quantity=ONE,
            sequence=next_sequence(portfolio),
        )
    row.settlement_amount = amount
    row.price = abs(amount)
    row.date = row.effective_date = day
    row.exchange_rate = ONE if currency == portfolio.currency else None
    row.save()
    touch(portfolio)
