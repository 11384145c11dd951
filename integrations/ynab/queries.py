"""Read balances from YNAB, asking it outside of transactions where what is stored is old."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from financeproj.core.currencies import is_currency
from financeproj.core.errors import DomainError, NotFound, UpstreamError
from financeproj.history.services import record
from financeproj.users.models import User
from integrations.models import AssignedBudget, YnabBudget, YnabSettings
from integrations.ynab import client
from integrations.ynab.asking import ask, key_digest, last_refusal, new_deadline
from integrations.ynab.client import UnknownToYnab, from_milliunits
from integrations.ynab.errors import BudgetNotSet, BudgetUnknown, NotConfigured, error_for
from integrations.ynab.plans import ALIASES, chooses_freely, settings_object
from marketdata.sources import KeyRefused, SourceError

ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Balance:
    """One account at YNAB; amounts in `currency` (None while unknown), negative is owed.

    Accounts `deleted` at YNAB are kept here.
    """

    id: str
    name: str
    type: str
    balance: Decimal
    cleared_balance: Decimal
    uncleared_balance: Decimal
    currency: str | None
    closed: bool
    deleted: bool
    as_of: datetime
    stale: bool


def budget_of(user: User) -> YnabBudget:
    """Return the budget that the user has chosen.

    Raises NotConfigured and BudgetNotSet, and UpstreamError where an earlier version stored an
    alias that YNAB must name the budget for.
    """
    if not settings.YNAB_API_KEY:
        raise NotConfigured
    chosen = YnabSettings.objects.select_related("budget").filter(user=user).first()
    if chosen is None:
        raise BudgetNotSet
    if chosen.budget_id in ALIASES:
        return _budget_of_alias(user, chosen.budget)
    return chosen.budget


def _budget_of_alias(user: User, alias: YnabBudget) -> YnabBudget:
    """Let the user keep the budget that YNAB names for `last-used` or `default`.

    Only who may choose freely: an alias shows the accounts of the owner of the API key.
    """
    if not chooses_freely(user):
        raise BudgetNotSet
    key = f"ynab:alias:{key_digest()}:{alias.pk}"

    def run(root: str, seconds: float) -> str:
        return client.plan_id_of(root, alias.pk, knowledge=alias.server_knowledge, seconds=seconds)

    def keep(budget_id: str) -> None:
        cache.set(key, budget_id, settings.MARKET_DATA_CACHE_SECONDS)

    try:
        ask(key, run, keep, lambda: cache.get(key) is not None, new_deadline())
    except UnknownToYnab as error:
        raise BudgetUnknown from error
    except SourceError as error:
        raise error_for(error) from error
    with transaction.atomic():
        budget, _ = YnabBudget.objects.get_or_create(pk=cache.get(key))
        AssignedBudget.objects.get_or_create(user=user, budget=budget)
        YnabSettings.objects.filter(user=user, budget=alias).update(budget=budget)
        record(
            "changed",
            settings_object(user),
            before={"budget_id": alias.pk},
            after={"budget_id": budget.pk},
        )
    return budget


def balances_of(user: User) -> list[Balance]:
    """Return every account of the user's budget.

    They are at most MARKET_DATA_CACHE_SECONDS old, or the last known ones as stale. Accounts that
    were deleted at YNAB stay, marked as closed and deleted. Raises NotConfigured, BudgetNotSet,
    BudgetUnknown, and UpstreamError when nothing is known or YNAB refuses the key.
    """
    budget, failure = _known(budget_of(user), deadline=new_deadline())
    return _balances(budget, stale=failure is not None)


def balance_of(user: User, account_id: str) -> Balance:
    """Return one account.

    Raises as `balances_of`, and NotFound for an account that YNAB does not have or has deleted.
    The account may be newer than what is stored: once in the cache time YNAB is asked about an
    unknown one.
    """
    deadline = new_deadline()
    budget, failure = _known(budget_of(user), deadline=deadline)
    unknown = NotFound("YNAB has no such account.", code="unknown_ynab_account")
    if not ACCOUNT_ID.fullmatch(account_id):
        raise unknown
    found = _pick(_balances(budget, stale=failure is not None), account_id)
    if found is not None:
        return found
    if failure is not None:
        raise failure
    asked = f"ynab:unknown:{budget.pk}:{account_id}"
    if not cache.get(asked):
        with suppress(UpstreamError):
            fresh = fresh_balances_of(user, since=timezone.now(), deadline=deadline)
            found = _pick(fresh.values(), account_id)
            cache.set(asked, found is None, settings.MARKET_DATA_CACHE_SECONDS)
    if found is None:
        raise unknown
    return found


def _pick(balances: Iterable[Balance], account_id: str) -> Balance | None:
    for balance in balances:
        if balance.id == account_id and not balance.deleted:
            return balance
    return None


def fresh_balances_of(
    user: User, *, since: datetime, deadline: float | None = None
) -> dict[str, Balance]:
    """Return every account by its id, fetched at `since` or later, never stale.

    Deleted accounts as in `balances_of`. `deadline` is a moment of time.monotonic(), by default
    MARKET_DATA_TIMEOUT_SECONDS from now. Raises as `balances_of`, and UpstreamError whenever YNAB
    does not answer.
    """
    budget = budget_of(user)
    deadline = deadline or new_deadline()
    try:
        budget = _refreshed(budget.pk, since=since, whole=True, deadline=deadline)
    except UnknownToYnab as error:
        raise BudgetUnknown from error
    except SourceError as error:
        raise error_for(error) from error
    return {balance.id: balance for balance in _balances(budget, stale=False)}


def _known(budget: YnabBudget, *, deadline: float) -> tuple[YnabBudget, DomainError | None]:
    """Return the budget with its accounts, and the error that prevented fresh ones.

    Raises as `balances_of`.
    """
    since = timezone.now() - _cache_time()
    try:
        return _refreshed(budget.pk, since=since, deadline=deadline), None
    except UnknownToYnab as error:
        raise BudgetUnknown from error
    except SourceError as error:
        budget.refresh_from_db()
        refusal: SourceError | None = error
        if not isinstance(error, KeyRefused):
            refusal = last_refusal()
        if refusal is not None or budget.accounts_fetched_at is None:
            raise error_for(refusal or error) from error
        return budget, error_for(error)


def _cache_time() -> timedelta:
    return timedelta(seconds=settings.MARKET_DATA_CACHE_SECONDS)


def _balances(budget: YnabBudget, *, stale: bool) -> list[Balance]:
    assert budget.accounts_fetched_at is not None  # nosec B101  # for mypy
    return [
        Balance(
            id=row["id"],
            name=row["name"],
            type=row["type"],
            balance=from_milliunits(row["balance"]),
            cleared_balance=from_milliunits(row["cleared_balance"]),
            uncleared_balance=from_milliunits(row["uncleared_balance"]),
            currency=budget.currency or None,
            closed=row["closed"] or row["deleted"],
            deleted=row["deleted"],
            as_of=budget.accounts_fetched_at,
            stale=stale,
        )
        for row in budget.accounts.values()
    ]


# --- Fetched and stored ---------------------------------------------------------------------------


def _refreshed(
    budget_id: str, *, since: datetime, deadline: float, whole: bool = False
) -> YnabBudget:
    """Return the budget with accounts fetched at `since` or later.

    With `whole` all accounts are asked for, not what has changed. Raises a SourceError:
    UnknownToYnab if YNAB has no such budget.
    """
    _refresh_currency(budget_id, deadline=deadline)
    known = YnabBudget.objects.get(pk=budget_id)

    def run(root: str, seconds: float) -> tuple[datetime, bool, client.Accounts]:
        # In a thread of its own, which must not touch the database.
        is_delta = not whole and known.accounts_fetched_at is not None
        knowledge = None
        if is_delta:
            knowledge = known.server_knowledge
        started = timezone.now()
        accounts = client.accounts(root, budget_id, knowledge=knowledge, seconds=seconds)
        return started, is_delta, accounts

    def keep(answer: tuple[datetime, bool, client.Accounts]) -> None:
        _keep_accounts(budget_id, *answer)

    def is_kept() -> bool:
        # Not beyond now: a clock that was ahead for a while must not keep us from asking.
        kept = (since, timezone.now())
        return YnabBudget.objects.filter(pk=budget_id, accounts_fetched_at__range=kept).exists()

    ask(f"ynab:accounts:{budget_id}", run, keep, is_kept, deadline)
    return YnabBudget.objects.get(pk=budget_id)


def _keep_accounts(
    budget_id: str, fetched_at: datetime, is_delta: bool, answer: client.Accounts
) -> None:
    """Store an answer.

    Accounts that a whole answer lacks, or a delta marks, were deleted at YNAB; they stay here.
    """
    with transaction.atomic():
        budget = YnabBudget.objects.select_for_update().get(pk=budget_id)
        rows = budget.accounts
        if not is_delta:
            rows = {pk: {**row, "deleted": True} for pk, row in rows.items()}
        budget.accounts = rows | {account.id: asdict(account) for account in answer.accounts}
        budget.accounts_fetched_at = fetched_at
        budget.server_knowledge = answer.server_knowledge
        budget.save(update_fields=["accounts", "accounts_fetched_at", "server_knowledge"])


def _refresh_currency(budget_id: str, *, deadline: float) -> None:
    """Have the budget's currency known within the cache time.

    This also verifies that YNAB knows the budget. Raises a SourceError.
    """
    budget = YnabBudget.objects.filter(pk=budget_id)

    def keep(currency: str) -> None:
        budget.update(currency_fetched_at=timezone.now(), verified=True, currency=currency)

    def is_kept() -> bool:
        now = timezone.now()
        return budget.filter(currency_fetched_at__range=(now - _cache_time(), now)).exists()

    try:
        ask(f"ynab:settings:{budget_id}", partial(currency_at, budget_id), keep, is_kept, deadline)
    except UnknownToYnab:
        budget.update(verified=False)
        raise


def currency_at(budget_id: str, root: str, seconds: float) -> str:
    """Ask for the currency of a budget; empty if it is not one in circulation."""
    code = client.plan_currency(root, budget_id, seconds=seconds)
    if is_currency(code):
        return code
    return ""
