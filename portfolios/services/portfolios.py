"""Create, change, order and delete portfolios, and set their cash and used credit."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError, QuerySet
from django.utils import timezone

from financeproj.core.db.rows import by_pk
from financeproj.core.errors import Conflict, DomainError
from financeproj.history.services import record, without_owner
from financeproj.users.history import user_fields, user_object
from financeproj.users.models import User
from portfolios.models import (
    ImportBatch,
    Portfolio,
    PortfolioBalance,
    Transaction,
    TransactionGroup,
)
from portfolios.services.cash import is_derived_balance
from portfolios.services.history import portfolio_fields, portfolio_object
from portfolios.services.ledger_rows import lock_portfolio, lock_portfolios
from portfolios.services.links import replay_left, unlink_others

BalanceKind = PortfolioBalance.Kind
BALANCE_COLUMNS = {BalanceKind.CASH: "cash", BalanceKind.CREDIT: "used_credit"}


def _save(portfolio: Portfolio) -> Portfolio:
    """Validate and save. Raises Conflict if another portfolio of the user has the name."""
    try:
        portfolio.full_clean()
        with transaction.atomic():
            portfolio.save()
    except (ValidationError, IntegrityError) as error:
        if isinstance(error, IntegrityError) or _is_duplicate(error):
            raise Conflict(
                f"You already have a portfolio called {portfolio.name}. Choose another name.",
                attr="name",
                code="duplicate_name",
            ) from error
        raise
    return portfolio


def _is_duplicate(error: ValidationError) -> bool:
    problems = chain.from_iterable(error.error_dict.values())
    return any(problem.code == "duplicate_name" for problem in problems)


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
    """Create an empty portfolio, last in the user's order.

    Raises Conflict (`duplicate_name`), ValidationError.
    """
    User.objects.select_for_update().get(pk=user.pk)  # one position at a time
    last = Portfolio.objects.filter(user=user).aggregate(last=Max("position", default=-1))["last"]
    portfolio = _save(
        Portfolio(
            user=user,
            name=name,
            currency=currency,
            brokerage_firm=brokerage_firm,
            used_credit=used_credit or 0,
            cash=cash or 0,
            position=last + 1,
        )
    )
    for kind, amount in ((BalanceKind.CREDIT, used_credit), (BalanceKind.CASH, cash)):
        if amount is not None:
            portfolio = _set_balance(portfolio, kind, amount, timezone.localdate())
    record("created", portfolio_object(portfolio), after=portfolio_fields(portfolio))
    return portfolio


@transaction.atomic
def update_portfolio(*, portfolio: Portfolio, **changes: object) -> Portfolio:
    """Change `name`, `brokerage_firm`, `currency`, `used_credit` or `cash`.

    A change of None is ignored. Raises Conflict when the name is taken, or when the currency would
    change although there are transactions.
    """
    portfolio = lock_portfolio(portfolio)
    changes = {field: value for field, value in changes.items() if value is not None}
    before = portfolio_fields(portfolio)
    today = timezone.localdate()
    for column in BALANCE_COLUMNS.values():
        amount = changes.get(column)
        if not isinstance(amount, Decimal):
            continue
        if is_derived_balance(portfolio, column, amount, today):
            changes.pop(column)
    currency = changes.get("currency", portfolio.currency)
    if currency != portfolio.currency and Transaction.objects.filter(portfolio=portfolio).exists():
        raise Conflict(
            f"{portfolio.name} has transactions, so its currency cannot change.",
            attr="currency",
            code="currency_fixed",
        )
    for field, value in changes.items():
        setattr(portfolio, field, value)
    portfolio = _save(portfolio)
    for kind, column in BALANCE_COLUMNS.items():
        amount = getattr(portfolio, column)
        if amount != before[column]:
            portfolio = _set_balance(portfolio, kind, amount, timezone.localdate())
    record("changed", portfolio_object(portfolio), before=before, after=portfolio_fields(portfolio))
    return portfolio


@transaction.atomic
def set_balance(
    *, portfolio: Portfolio, kind: str, amount: Decimal, on: date | None = None
) -> Portfolio:
    """Set cash or used credit of `portfolio` from the day `on` (today by default), in its currency.

    A second value on one day replaces the first. Raises ValidationError.
    """
    portfolio = lock_portfolio(portfolio)
    on = on or timezone.localdate()
    if on > timezone.localdate():
        raise DomainError(f"The date {on} is in the future.", attr="date", code="future_date")
    column = BALANCE_COLUMNS[BalanceKind(kind)]
    if is_derived_balance(portfolio, column, amount, on):
        return portfolio
    stored = PortfolioBalance.objects.filter(portfolio=portfolio, kind=kind, date=on)
    before = stored.values_list("amount", flat=True).first()
    portfolio = _set_balance(portfolio, kind, amount, on)
    record(
        "balance_set",
        portfolio_object(portfolio),
        before={column: before},
        after={column: amount, "date": on},
    )
    return portfolio


def _set_balance(portfolio: Portfolio, kind: str, amount: Decimal, on: date) -> Portfolio:
    balance = PortfolioBalance.objects.filter(portfolio=portfolio, kind=kind, date=on).first()
    balance = balance or PortfolioBalance(portfolio=portfolio, kind=kind, date=on)
    balance.amount = amount
    balance.full_clean(validate_unique=False)
    balance.save()
    return _show_latest_balance(portfolio, kind)


@transaction.atomic
def delete_balance(*, balance: PortfolioBalance) -> None:
    """Delete a dated balance; the portfolio shows the latest of those that are left."""
    portfolio = lock_portfolio(balance.portfolio)
    balance.delete()
    portfolio = _show_latest_balance(portfolio, balance.kind)
    column = BALANCE_COLUMNS[BalanceKind(balance.kind)]
    record(
        "balance_deleted",
        portfolio_object(portfolio),
        before={column: balance.amount, "date": balance.date},
    )


def _show_latest_balance(portfolio: Portfolio, kind: str) -> Portfolio:
    balances = portfolio.balances.filter(kind=kind).order_by("-date")
    latest = balances.values_list("amount", flat=True).first()
    setattr(portfolio, BALANCE_COLUMNS[BalanceKind(kind)], latest or Decimal(0))
    portfolio.version += 1
    portfolio.save()
    return portfolio


@transaction.atomic
def order_portfolios(*, user: User, ids: Sequence[UUID]) -> None:
    """Put the user's portfolios in the order of `ids`, which must contain each of them once."""
    User.objects.select_for_update().get(pk=user.pk)
    portfolios = by_pk(Portfolio.objects.filter(user=user))
    if len(ids) != len(set(ids)) or set(ids) != set(portfolios):
        raise DomainError(
            "ids must contain each of your portfolios exactly once.",
            attr="ids",
            code="invalid_order",
        )
    before = _positions(portfolios.values())
    for position, pk in enumerate(ids):
        portfolios[pk].position = position
    Portfolio.objects.bulk_update(portfolios.values(), ["position"])
    after = _positions(portfolios.values())
    record("portfolios_ordered", user_object(user), before=before, after=after)


def _positions(portfolios: Iterable[Portfolio]) -> dict[str, object]:
    return {portfolio.name: portfolio.position for portfolio in portfolios}


@transaction.atomic
def delete_portfolio(*, portfolio: Portfolio) -> None:
    """Delete a portfolio with everything in it."""
    portfolio = lock_portfolio(portfolio)
    deleted, before = portfolio_object(portfolio), portfolio_fields(portfolio)
    transactions = Transaction.objects.filter(portfolio=portfolio).count()
    rows = Transaction.objects.filter(portfolio=portfolio)
    groups = TransactionGroup.objects.filter(transactions__portfolio=portfolio).distinct()
    left = unlink_others(groups, rows)
    # Transactions first: imports cannot be deleted while transactions refer to them.
    Transaction.objects.filter(portfolio=portfolio).delete()
    ImportBatch.objects.filter(portfolio=portfolio).delete()
    portfolio.delete()
    replay_left(left)
    record("deleted", deleted, before=before, counts={"transactions": transactions})


@transaction.atomic
def delete_users(*, users: QuerySet[User]) -> None:
    """Delete users with everything they own.

    Raises Conflict (`in_use`) while other users hold an instrument of theirs.
    """
    # Portfolios first: they hold the instruments, and a cascade takes half a minute for 100,000
    # transactions.
    owned = Portfolio.objects.filter(user__in=users).order_by("pk")
    lock_portfolios(owned.values_list("pk", flat=True))
    for portfolio in owned:
        delete_portfolio(portfolio=portfolio)
    deleted = [(user_object(user), user_fields(user)) for user in users]
    try:
        users.delete()
    except ProtectedError as error:
        holdings = ", ".join(sorted(str(row) for row in error.protected_objects))
        raise Conflict(
            f"Nothing was deleted: other users hold their instruments ({holdings}).", code="in_use"
        ) from error
    for user, before in deleted:
        record("deleted", without_owner(user), before=before)
