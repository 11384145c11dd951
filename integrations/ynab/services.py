"""What we take from YNAB: balances for the screen, values for linked pension accounts.

Third parties are asked outside of transactions, through the gateway: one call for a thing at a
time, the ceiling of requests, the circuit and the deadline are its business.
"""

import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from financeproj.core.currencies import is_currency
from financeproj.core.errors import DomainError, NotFound, UpstreamError
from financeproj.users.models import User
from integrations.models import YnabBudget, YnabSettings
from integrations.ynab import client
from integrations.ynab.client import UnknownToYnab, from_milliunits
from integrations.ynab.errors import BudgetNotSet, BudgetUnknown, NotConfigured, error_for
from marketdata import gateway
from marketdata.sources import KeyRefused, SourceError

log = structlog.get_logger(__name__)

# YNAB allows 200 requests an hour a token; other programs of the user's may use the same one.
PARTY = gateway.Party("ynab", calls_per_second=2, burst=20, calls_per_hour=60)

ROOT_CACHE_SECONDS = REFUSAL_CACHE_SECONDS = 24 * 3600
ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Balance:
    """One account at YNAB: amounts in `currency` (None while unknown), negative is owed; `deleted`
    there, kept here.
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


# --- Reads that may ask YNAB ----------------------------------------------------------------------


def balances_of(user: User) -> list[Balance]:
    """Every account of the user's budget, at most MARKET_DATA_CACHE_SECONDS old, or the last known
    ones as stale.

    Accounts that were deleted at YNAB stay, marked as closed and deleted. Raises NotConfigured,
    BudgetNotSet, BudgetUnknown, and UpstreamError when nothing is known or YNAB refuses the key.
    """
    budget, failure = _known(_budget_of(user), deadline=_deadline())
    return _balances(budget, stale=failure is not None)


def balance_of(user: User, account_id: str) -> Balance:
    """One account. Raises as `balances_of`, and NotFound for an account that YNAB does not have or
    has deleted.

    What is kept may be older than the account: once in the cache time YNAB is asked about an
    unknown one.
    """
    deadline = _deadline()
    budget, failure = _known(_budget_of(user), deadline=deadline)
    if not ACCOUNT_ID.fullmatch(account_id):
        raise NotFound("YNAB knows no such account.", code="unknown_ynab_account")
    found = _pick(_balances(budget, stale=failure is not None), account_id)
    if found is None and failure is not None:
        raise failure
    asked = f"ynab:unknown:{budget.pk}:{account_id}"
    if found is None and not cache.get(asked):
        with suppress(UpstreamError):
            fresh = fresh_balances_of(user, since=timezone.now(), deadline=deadline)
            found = _pick(fresh.values(), account_id)
            cache.set(asked, found is None, settings.MARKET_DATA_CACHE_SECONDS)
    if found is None:
        raise NotFound("YNAB knows no such account.", code="unknown_ynab_account")
    return found


def _pick(balances: Iterable[Balance], account_id: str) -> Balance | None:
    return next(
        (balance for balance in balances if balance.id == account_id and not balance.deleted), None
    )


def fresh_balances_of(
    user: User, *, since: datetime, deadline: float | None = None
) -> dict[str, Balance]:
    """Every account by its id, as YNAB told it at `since` or later, never stale; deleted ones as in
    `balances_of`.

    `deadline` is a moment of time.monotonic(), by default MARKET_DATA_TIMEOUT_SECONDS from now.
    Raises as `balances_of`, and UpstreamError whenever YNAB does not answer.
    """
    budget = _budget_of(user)
    try:
        budget = _refreshed(budget.pk, since=since, whole=True, deadline=deadline or _deadline())
    except UnknownToYnab as error:
        raise BudgetUnknown from error
    except SourceError as error:
        raise error_for(error) from error
    return {balance.id: balance for balance in _balances(budget, stale=False)}


def _budget_of(user: User) -> YnabBudget:
    if not settings.YNAB_API_KEY:
        raise NotConfigured
    chosen = YnabSettings.objects.select_related("budget").filter(user=user).first()
    if chosen is None:
        raise BudgetNotSet
    return chosen.budget


def _known(budget: YnabBudget, *, deadline: float) -> tuple[YnabBudget, DomainError | None]:
    """The budget with accounts, and what stood in the way of fresh ones. Raises as
    `balances_of`.
    """
    try:
        return _refreshed(budget.pk, since=_cache_start(), deadline=deadline), None
    except UnknownToYnab as error:
        raise BudgetUnknown from error
    except SourceError as error:
        budget.refresh_from_db()
        refusal = error if isinstance(error, KeyRefused) else _refused_since()
        if refusal is not None or budget.accounts_fetched_at is None:
            raise error_for(refusal or error) from error
        return budget, error_for(error)


def _deadline() -> float:
    """Until when a request may wait for YNAB in all, on the clock of time.monotonic()."""
    return time.monotonic() + settings.MARKET_DATA_TIMEOUT_SECONDS


def _cache_start() -> datetime:
    return timezone.now() - timedelta(seconds=settings.MARKET_DATA_CACHE_SECONDS)


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


# --- Asking ---------------------------------------------------------------------------------------


def _refreshed(
    budget_id: str, *, since: datetime, deadline: float, whole: bool = False
) -> YnabBudget:
    """The budget with accounts fetched at `since` or later. `whole`: all of them, not what changed.

    Raises a SourceError (UnknownToYnab: YNAB knows no such budget).
    """
    _refresh_currency(budget_id, deadline=deadline)

    def run(root: str, seconds: float) -> tuple[datetime, bool, client.Accounts]:
        budget = known  # read in the asker's thread: this one touches no database
        delta = not whole and budget.accounts_fetched_at is not None
        knowledge = budget.server_knowledge if delta else None
        started = timezone.now()
        return (
            started,
            delta,
            client.accounts(root, budget_id, knowledge=knowledge, seconds=seconds),
        )

    def is_kept() -> bool:
        # Not beyond now: a clock that was ahead for a while must not keep us from asking.
        return YnabBudget.objects.filter(
            pk=budget_id, accounts_fetched_at__range=(since, timezone.now())
        ).exists()

    known = YnabBudget.objects.get(pk=budget_id)
    _ask(
        f"ynab:accounts:{budget_id}",
        run,
        lambda got: _keep_accounts(budget_id, *got),
        is_kept,
        deadline,
    )
    return YnabBudget.objects.get(pk=budget_id)


def _refresh_currency(budget_id: str, *, deadline: float) -> None:
    """Have the budget's currency known within the cache time, which also tells whether YNAB knows
    the budget.
    """

    def keep(currency: str) -> None:
        YnabBudget.objects.filter(pk=budget_id).update(
            currency=_known_currency(currency), currency_fetched_at=timezone.now(), verified=True
        )

    def is_kept() -> bool:
        kept = (_cache_start(), timezone.now())
        return YnabBudget.objects.filter(pk=budget_id, currency_fetched_at__range=kept).exists()

    try:
        _ask(
            f"ynab:settings:{budget_id}", partial(_currency_at, budget_id), keep, is_kept, deadline
        )
    except UnknownToYnab:
        YnabBudget.objects.filter(pk=budget_id).update(verified=False)
        raise


def _currency_at(budget_id: str, root: str, seconds: float) -> str:
    return client.plan_currency(root, budget_id, seconds=seconds)


def _known_currency(code: str) -> str:
    return code if is_currency(code) else ""


def _keep_accounts(
    budget_id: str, fetched_at: datetime, is_delta: bool, answer: client.Accounts
) -> None:
    """Store an answer. What a whole one lacks, and what a delta names as such, is deleted at YNAB,
    but kept here.
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


def _ask(
    key: str,
    run: Callable[[str, float], Any],
    keep: Callable[[Any], None],
    is_kept: Callable[[], bool],
    deadline: float,
) -> None:
    """Ask through the gateway at `/plans`; if there is nothing, and it never answered there, once
    at `/budgets`.

    `run` gets the root and the seconds left. Raises a SourceError.
    """
    roots = _roots()
    for root in roots:

        def keep_with_root(answer: Any, root: str = root) -> None:
            cache.set(_root_key(), root, ROOT_CACHE_SECONDS)
            cache.delete(_refusal_key())
            keep(answer)

        seconds = deadline - time.monotonic()
        call = gateway.Call(
            key=key,
            party=PARTY,
            run=partial(run, root, seconds),
            keep=keep_with_root,
            is_kept=is_kept,
        )
        try:
            gateway.ask(call, seconds=seconds)
            return
        except UnknownToYnab:
            if root == roots[-1]:
                raise
        except KeyRefused as error:
            cache.set(_refusal_key(), str(error), REFUSAL_CACHE_SECONDS)
            raise


def _refusal_key() -> str:
    """Of this very key, so that a new one begins anew; its digest, for the key itself is kept
    nowhere.
    """
    return f"ynab:refused:{salted_hmac('ynab', settings.YNAB_API_KEY).hexdigest()[:16]}"


def _refused_since() -> KeyRefused | None:
    """The refusal after which YNAB has answered nothing else: staleness must not hide it, whatever
    fails now.
    """
    words = cache.get(_refusal_key())
    return KeyRefused(words) if words else None


def _root_key() -> str:
    return f"ynab:root:{settings.YNAB_BASE_URL}"


def _roots() -> list[str]:
    known = cache.get(_root_key())
    return [known] if known else ["plans", "budgets"]


# --- Which budget ---------------------------------------------------------------------------------


def choose_budget(*, user: User, budget_id: str) -> YnabSettings:
    """Set which budget the user reads, verified with YNAB if it can be asked.

    Raises DomainError (`unknown_budget`) if YNAB does not know it and UpstreamError if it refuses the
    key: then nothing changes.
    """
    found: dict[str, Any] = {}
    if settings.YNAB_API_KEY:
        try:
            found = _looked_up(user, budget_id)
        except UnknownToYnab as error:
            raise DomainError(
                "YNAB knows no such budget.", attr="budget_id", code="unknown_budget"
            ) from error
        except KeyRefused as error:
            raise error_for(error) from error
        except SourceError:
            pass  # it can't be asked: saved as it is, not verified
    with transaction.atomic():
        YnabBudget.objects.update_or_create(pk=budget_id, defaults=found)
        chosen, _ = YnabSettings.objects.update_or_create(
            user=user, defaults={"budget_id": budget_id}
        )
    return YnabSettings.objects.select_related("budget").get(pk=chosen.pk)


def forget_budget(*, user: User) -> None:
    """The user reads no budget any more; the nightly sync forgets one that nobody reads."""
    YnabSettings.objects.filter(user=user).delete()


def _looked_up(user: User, budget_id: str) -> dict[str, Any]:
    """What YNAB says about a budget, as fields of YnabBudget; without its name if only that can't
    be had.
    """
    deadline = _deadline()
    found: dict[str, Any] = {}
    own = f"{user.pk}:{budget_id}"  # nobody else waits for this answer, which is kept only here

    def keep(currency: str) -> None:
        found.update(
            verified=True, currency=_known_currency(currency), currency_fetched_at=timezone.now()
        )

    _ask(f"ynab:check:{own}", partial(_currency_at, budget_id), keep, lambda: False, deadline)
    return found | _looked_up_name(own, budget_id, deadline)


def _looked_up_name(own: str, budget_id: str, deadline: float) -> dict[str, str]:
    names: dict[str, str] = {}

    def run(root: str, seconds: float) -> dict[str, str]:
        return client.plan_names(root, seconds=seconds)

    try:
        _ask(f"ynab:names:{own}", run, names.update, lambda: False, deadline)
    except SourceError as error:
        log.info("ynab_budget_name_unknown", reason=type(error).__name__)
    return {"name": names[budget_id][:255]} if budget_id in names else {}


def learn_budget_name(user: User) -> None:
    """Ask for the name of the user's budget where it is not known, as when YNAB was down when it
    was chosen.
    """
    budget = _budget_of(user)
    if not budget.name and (
        found := _looked_up_name(f"{user.pk}:{budget.pk}", budget.pk, _deadline())
    ):
        YnabBudget.objects.filter(pk=budget.pk).update(**found)


def check_link(*, user: User, ynab_account_id: str, currency: str) -> None:
    """Whether a pension account in `currency` may be linked: for pensions, which does not know
    YNAB.

    Raises DomainError (`unknown_ynab_account`, `currency_mismatch`). What YNAB can't be asked about
    is let through; the sync checks again.
    """
    try:
        balance = balance_of(user, ynab_account_id)
    except NotFound as error:
        raise DomainError(error.detail, attr="ynab_account_id", code=error.code) from error
    except DomainError:
        return
    check_currency(balance, currency)


def check_currency(balance: Balance, currency: str) -> None:
    """Raises DomainError (`currency_mismatch`) for a balance that is, or may be, other money than
    `currency`.
    """
    if balance.currency != currency:
        raise DomainError(
            f"The YNAB account is in {balance.currency or 'an unknown currency'}, the pension account in {currency}.",
            attr="ynab_account_id",
            code="currency_mismatch",
        )
