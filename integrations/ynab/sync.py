"""Take values of linked pension accounts from YNAB: on demand and nightly.

Each attempt is recorded as a SyncRun.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.utils import timezone

from financeproj.core.errors import DomainError
from financeproj.users.models import User
from integrations.models import AssignedBudget, SyncRun, YnabBudget, YnabSettings
from integrations.ynab.errors import AccountClosed, AccountUnknown, NotLinked
from integrations.ynab.queries import Balance, fresh_balances_of
from integrations.ynab.services import check_currency, learn_budget_name
from pensions.models import PensionAccount, PensionValueEntry
from pensions.selectors import linked_accounts_of
from pensions.services import record_balance, record_balance_if_changed

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RUNS_KEPT = timedelta(days=400)
FINE = ("written", "unchanged", "kept")


def latest_run_of(user: User) -> SyncRun | None:
    return SyncRun.objects.filter(user=user).first()


def sync_account(
    *, account: PensionAccount, since: datetime | None = None
) -> tuple[PensionValueEntry, bool]:
    """Take today's balance of the linked YNAB account; return the value and whether it is new.

    Balances from before `since` (default: now) are asked for again, so it is never stale. Raises
    NotLinked, NotConfigured, BudgetNotSet, BudgetUnknown, AccountUnknown, AccountClosed,
    UpstreamError, DomainError (`currency_mismatch`, `negative_balance`), Conflict
    (`duplicate_date`: today's value was entered by hand, and is kept) and ValidationError; the
    failure is recorded.
    """
    if not account.ynab_account_id:
        raise NotLinked
    run = SyncRun.objects.create(
        user=account.user, trigger=SyncRun.Trigger.MANUAL, started_at=timezone.now()
    )
    try:
        balance = fresh_balances_of(account.user, since=since or timezone.now()).get(
            account.ynab_account_id
        )
        if balance is None or balance.deleted:
            raise AccountUnknown
        if balance.closed:
            raise AccountClosed
        _check_balance(balance, account)
        entry, is_new = record_balance(
            account=account, on=timezone.localdate(), value=balance.balance
        )
    except (DomainError, ValidationError) as error:
        detail = words_of(error)
        _finish(run, SyncRun.Outcome.FAILED, [_line(account, "failed", detail)], detail)
        raise
    except BaseException:
        _finish(run, SyncRun.Outcome.FAILED, [], "Interrupted by an error of our own.")
        raise
    _finish(run, SyncRun.Outcome.DONE, [_line(account, "written")])
    return entry, is_new


def sync_everybody() -> None:
    """Run the nightly sync: one request for the balances of each user with linked accounts.

    Safe to run again.
    """
    SyncRun.objects.filter(started_at__lt=timezone.now() - RUNS_KEPT).delete()
    unchosen = YnabBudget.objects.exclude(pk__in=YnabSettings.objects.values("budget"))
    unchosen.exclude(pk__in=AssignedBudget.objects.values("budget")).delete()
    since = timezone.now()
    active = YnabSettings.objects.filter(user__is_active=True)
    for chosen in active.select_related("user").order_by("user"):
        accounts = list(linked_accounts_of(chosen.user))
        if accounts:
            sync_user(user=chosen.user, accounts=accounts, since=since)


def sync_user(*, user: User, accounts: Iterable[PensionAccount], since: datetime) -> SyncRun:
    """Take the balances that are news, and record the outcome for each account.

    Errors that YNAB causes are recorded, not raised.
    """
    run = SyncRun.objects.create(
        user=user, trigger=SyncRun.Trigger.NIGHTLY, started_at=timezone.now()
    )
    try:
        balances = fresh_balances_of(user, since=since)
        learn_budget_name(user)
    except DomainError as error:
        return _finish(run, SyncRun.Outcome.FAILED, [], error.detail)
    except Exception:
        log.exception("ynab_sync_failed", user_id=str(user.pk))
        return _finish(run, SyncRun.Outcome.FAILED, [], "An error of our own: see the log.")
    lines = [_sync_nightly(account, balances.get(account.ynab_account_id)) for account in accounts]
    if all(line["outcome"] in FINE for line in lines):
        return _finish(run, SyncRun.Outcome.DONE, lines)
    return _finish(run, SyncRun.Outcome.ATTENTION, lines)


def _sync_nightly(account: PensionAccount, balance: Balance | None) -> dict[str, Any]:
    if balance is None or balance.deleted:
        return _line(account, "missing", "The linked account is not in YNAB any more.")
    if balance.closed:
        # Closing takes the balance to 0 whether the money is gone or just no longer followed: the
        # user must decide.
        return _line(
            account, "closed", "The linked account is closed in YNAB; its last value stands."
        )
    try:
        _check_balance(balance, account)
        outcome = record_balance_if_changed(
            account=account, on=timezone.localdate(), value=balance.balance
        )
    except (DomainError, ValidationError) as error:
        return _line(account, "failed", words_of(error))
    return _line(account, outcome)


def _check_balance(balance: Balance, account: PensionAccount) -> None:
    check_currency(balance, account.currency)
    if balance.balance < 0:
        raise DomainError(
            f"The balance in YNAB is {balance.balance}; a pension value can't be below 0.",
            code="negative_balance",
        )


def words_of(error: DomainError | ValidationError) -> str:
    if isinstance(error, DomainError):
        return error.detail
    return " ".join(error.messages)


def _line(account: PensionAccount, outcome: str, detail: str = "") -> dict[str, Any]:
    return {
        "account_id": str(account.pk),
        "name": account.name,
        "outcome": outcome,
        "detail": detail,
    }


def _finish(run: SyncRun, outcome: Any, lines: list[dict[str, Any]], detail: str = "") -> SyncRun:
    run.outcome = outcome
    run.accounts = lines
    run.detail = detail[:300]
    run.finished_at = timezone.now()
    run.save()
    return run
