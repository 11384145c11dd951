"""The day from which cash and used credit follow from the transactions."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django.db import transaction

from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import EXACT, ZERO
from financeproj.history.services import record
from marketdata.selectors import rates_on
from portfolios.calc.kinds import TransactionType
from portfolios.models import (
    CashFromBy,
    OpeningBalance,
    Portfolio,
    Transaction,
    TransactionSource,
)
from portfolios.services.history import portfolio_fields, portfolio_object
from portfolios.services.imported_openings import keep_imported_openings
from portfolios.services.ledger_rows import lock_portfolio, touch
from portfolios.services.openings import keep_openings, moved_before
from portfolios.services.transactions import duplicate_opening, refuse_future
from portfolios.valuation import cash_on, cash_pairs, money_in


@transaction.atomic
def set_cash_from(
    *, portfolio: Portfolio, cash_from: date | None, openings: Mapping[str, Decimal] | None = None
) -> Portfolio:
    """Let cash and used credit follow from the transactions from the day `cash_from` on.

    `openings` says what stood in a currency on the evening before; other currencies keep what their
    rows make. None takes the day back: no transaction but those openings changes. Raises
    DomainError, and Conflict (`duplicate_opening`) where the user recorded an opening as a
    transaction.
    """
    openings = openings or {}
    taken_back: set[str] = set()
    portfolio = lock_portfolio(portfolio)
    before = portfolio_fields(portfolio)
    if cash_from is None:
        if openings:
            raise DomainError(
                "Without cash_from there is nothing to open. Leave out opening.",
                attr="opening",
                code="invalid",
            )
        taken_back = _take_openings_back(portfolio)
    else:
        refuse_future(cash_from)
        _refuse_plain_openings(portfolio, openings)
        _store_openings(portfolio, cash_from, openings)
    portfolio.cash_from = cash_from
    portfolio.cash_from_by = CashFromBy.MANUAL
    portfolio.save(update_fields=["cash_from", "cash_from_by", "updated_at"])
    touch(portfolio)
    keep_openings(portfolio)
    keep_imported_openings(portfolio, taken_back)
    record("changed", portfolio_object(portfolio), before=before, after=portfolio_fields(portfolio))
    return Portfolio.objects.get(pk=portfolio.pk)


def _derived_openings(portfolio: Portfolio) -> dict[str, Transaction]:
    rows = Transaction.objects.filter(
        portfolio=portfolio, type=TransactionType.OPENING, source=TransactionSource.DERIVED
    )
    return {row.settlement_currency or "": row for row in rows}


def _take_openings_back(portfolio: Portfolio) -> set[str]:
    """Delete what a person said, with the rows that follow from it, and return its currencies."""
    said = OpeningBalance.objects.filter(portfolio=portfolio)
    currencies = set(said.values_list("currency", flat=True))
    derived = _derived_openings(portfolio)
    for currency in currencies & derived.keys():
        derived[currency].delete()
    said.delete()
    return currencies


def _refuse_plain_openings(portfolio: Portfolio, openings: Mapping[str, Decimal]) -> None:
    plain = Transaction.objects.filter(portfolio=portfolio, type=TransactionType.OPENING).exclude(
        source=TransactionSource.DERIVED
    )
    taken = plain.filter(settlement_currency__in=list(openings))
    for currency in taken.values_list("settlement_currency", flat=True):
        raise duplicate_opening(currency or "")


def _store_openings(portfolio: Portfolio, cash_from: date, openings: Mapping[str, Decimal]) -> None:
    """Store what is said now; what was said before for another day keeps its transaction."""
    moved = moved_before(portfolio, cash_from)
    derived = _derived_openings(portfolio)
    for row in OpeningBalance.objects.filter(portfolio=portfolio).exclude(currency__in=openings):
        stands = derived.get(row.currency)
        opened = (stands and stands.settlement_amount) or ZERO
        row.amount = EXACT.add(opened, moved.get(row.currency, ZERO))
        row.save()
    for currency, amount in openings.items():
        OpeningBalance.objects.update_or_create(
            portfolio=portfolio, currency=currency, defaults={"amount": amount}
        )


def is_derived_balance(portfolio: Portfolio, column: str, amount: Decimal, on: date) -> bool:
    """Whether cash or used credit (`column`) on a day follows from the transactions.

    Raises Conflict (`cash_is_derived`) when `amount` is another than that.
    """
    if portfolio.cash_from is None or on < portfolio.cash_from:
        return False
    money = money_in([portfolio])[portfolio.pk]
    derived = cash_on(portfolio, money, on, rates_on(cash_pairs(portfolio, money), on))
    is_cash = column == "cash"
    stands = derived.cash if is_cash else derived.used_credit
    if float(amount) != float(stands):
        raise Conflict(
            f"From {portfolio.cash_from} on, cash and used credit follow from the transactions. "
            f"On {on} this is {stands:f}. Record a deposit, a withdrawal or an adjustment instead.",
            attr=column,
            code="cash_is_derived",
        )
    return True
