"""Portfolios themselves: their names, their order, their cash and credit."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError, QuerySet
from django.utils import timezone

from financeproj.core.errors import Conflict, DomainError
from financeproj.users.models import User
from portfolios.models import ImportBatch, Portfolio, PortfolioBalance, Transaction
from portfolios.services.replay import lock_portfolio

Kind = PortfolioBalance.Kind
COLUMN = {Kind.CASH: "cash", Kind.CREDIT: "used_credit"}


def _save(portfolio: Portfolio) -> Portfolio:
    """Validate and save. Raises Conflict on a name that the user has already."""
    try:
        portfolio.full_clean()
        with transaction.atomic():
            portfolio.save()
    except (ValidationError, IntegrityError) as error:
        if isinstance(error, IntegrityError) or _is_duplicate(error):
            raise Conflict(
                f"You have a portfolio called {portfolio.name} already.",
                attr="name",
                code="duplicate_name",
            ) from error
        raise
    return portfolio


def _is_duplicate(error: ValidationError) -> bool:
    return any(
        one.code == "duplicate_name" for errors in error.error_dict.values() for one in errors
    )


@transaction.atomic
def create_portfolio(
    *,
    user: User,
    name: str,
    currency: str,
    brokerage_firm: str = "",
    used_credit: Decimal | None = None,
    cash: Decimal | None = None,
) -> Portfolio:
    """A new, empty portfolio, last in the user's order. Raises Conflict (`duplicate_name`),
    ValidationError.
    """
    User.objects.select_for_update().get(pk=user.pk)  # positions are given out one at a time
    last = Portfolio.objects.filter(user=user).aggregate(last=Max("position"))["last"]
    portfolio = _save(
        Portfolio(
            user=user,
            name=name,
            currency=currency,
            brokerage_firm=brokerage_firm,
            used_credit=used_credit or 0,
            cash=cash or 0,
            position=0 if last is None else last + 1,
        )
    )
    for kind, amount in ((Kind.CREDIT, used_credit), (Kind.CASH, cash)):
        if amount is not None:
            portfolio = set_balance(portfolio=portfolio, kind=kind, amount=amount)
    return portfolio


@transaction.atomic
def update_portfolio(*, portfolio: Portfolio, **changes: Any) -> Portfolio:
    """Change `name`, `brokerage_firm`, `currency`, `used_credit` or `cash`.

    Raises Conflict when the name is taken, or when the currency would change under existing
    transactions.
    """
    portfolio = lock_portfolio(portfolio)
    changes = {field: value for field, value in changes.items() if value is not None}
    before = {kind: getattr(portfolio, column) for kind, column in COLUMN.items()}
    currency = changes.get("currency", portfolio.currency)
    if currency != portfolio.currency and Transaction.objects.filter(portfolio=portfolio).exists():
        raise Conflict(
            f"The currency of {portfolio.name} is fixed: it has transactions.",
            attr="currency",
            code="currency_fixed",
        )
    for field, value in changes.items():
        setattr(portfolio, field, value)
    portfolio = _save(portfolio)
    for kind, amount in ((kind, getattr(portfolio, column)) for kind, column in COLUMN.items()):
        if amount != before[kind]:
            portfolio = set_balance(portfolio=portfolio, kind=kind, amount=amount)
    return portfolio


@transaction.atomic
def set_balance(
    *, portfolio: Portfolio, kind: str, amount: Decimal, on: date | None = None
) -> Portfolio:
    """Cash or used credit of `portfolio` from the day `on` (today by default), in its currency.

    A second value on one day replaces the first. Raises ValidationError.
    """
    portfolio = lock_portfolio(portfolio)
    on = on or timezone.localdate()
    if on > timezone.localdate():
        raise DomainError(f"The date {on} is in the future.", attr="date", code="future_date")
    balance = PortfolioBalance.objects.filter(portfolio=portfolio, kind=kind, date=on).first()
    balance = balance or PortfolioBalance(portfolio=portfolio, kind=kind, date=on)
    balance.amount = amount
    balance.full_clean(validate_unique=False)
    balance.save()
    return _show_latest_balance(portfolio, kind)


@transaction.atomic
def delete_balance(*, balance: PortfolioBalance) -> None:
    portfolio = lock_portfolio(balance.portfolio)
    balance.delete()
    _show_latest_balance(portfolio, balance.kind)


def _show_latest_balance(portfolio: Portfolio, kind: str) -> Portfolio:
    latest = portfolio.balances.filter(kind=kind).order_by("-date").first()
    setattr(portfolio, COLUMN[Kind(kind)], latest.amount if latest else Decimal(0))
    portfolio.version += 1
    portfolio.save()
    return portfolio


@transaction.atomic
def order_portfolios(*, user: User, ids: Sequence[UUID]) -> None:
    """Show the user's portfolios in the order of `ids`, which must name each of them once."""
    User.objects.select_for_update().get(pk=user.pk)
    portfolios = {portfolio.pk: portfolio for portfolio in Portfolio.objects.filter(user=user)}
    if len(ids) != len(set(ids)) or set(ids) != set(portfolios):
        raise DomainError(
            "Name every one of your portfolios once.", attr="ids", code="invalid_order"
        )
    for position, pk in enumerate(ids):
        portfolios[pk].position = position
    Portfolio.objects.bulk_update(portfolios.values(), ["position"])


@transaction.atomic
def delete_portfolio(*, portfolio: Portfolio) -> None:
    """Delete the portfolio with everything in it."""
    portfolio = lock_portfolio(portfolio)
    # In this order, since imports are kept as long as transactions name them.
    Transaction.objects.filter(portfolio=portfolio).delete()
    ImportBatch.objects.filter(portfolio=portfolio).delete()
    portfolio.delete()


@transaction.atomic
def delete_users(*, users: QuerySet[User]) -> None:
    """Delete users with all that is theirs. Raises Conflict (`in_use`) while others hold an
    instrument of theirs.
    """
    # First the portfolios: they hold the instruments, and by a cascade 100,000 transactions would
    # take half a minute.
    for portfolio in Portfolio.objects.filter(user__in=users).order_by("pk"):
        delete_portfolio(portfolio=portfolio)
    try:
        users.delete()
    except ProtectedError as error:
        kept = ", ".join(sorted(str(row) for row in error.protected_objects))
        raise Conflict(
            f"Nothing was deleted: others need something of theirs ({kept}).", code="in_use"
        ) from error
