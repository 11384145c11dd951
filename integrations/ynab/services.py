"""Choose a YNAB budget, and check whether an account may be linked."""

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from financeproj.core.errors import DomainError, NotFound
from financeproj.history.services import HistoryObject, record
from financeproj.users.models import User
from integrations.models import YnabBudget, YnabSettings
from integrations.ynab import client
from integrations.ynab.asking import ask, new_deadline
from integrations.ynab.client import UnknownToYnab
from integrations.ynab.errors import error_for
from integrations.ynab.queries import Balance, balance_of, budget_of, currency_at
from marketdata.sources import KeyRefused, SourceError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def choose_budget(*, user: User, budget_id: str) -> YnabSettings:
    """Set which budget the user reads, verified with YNAB if it can be asked.

    Raises DomainError (`unknown_budget`) if YNAB does not know it, and UpstreamError if it refuses
    the key: then nothing changes.
    """
    found: dict[str, object] = {}
    if settings.YNAB_API_KEY:
        try:
            found = _looked_up(user, budget_id)
        except UnknownToYnab as error:
            raise DomainError(
                "YNAB has no such budget.", attr="budget_id", code="unknown_budget"
            ) from error
        except KeyRefused as error:
            raise error_for(error) from error
        except SourceError:
            pass  # YNAB cannot be asked: the choice is saved, not verified
    with transaction.atomic():
        before = _history_fields(user)
        YnabBudget.objects.update_or_create(pk=budget_id, defaults=found)
        chosen, _ = YnabSettings.objects.update_or_create(
            user=user, defaults={"budget_id": budget_id}
        )
        record("changed", _history_object(user), before=before, after=_history_fields(user))
    return YnabSettings.objects.select_related("budget").get(pk=chosen.pk)


def forget_budget(*, user: User) -> None:
    """Unset the user's budget; the nightly sync deletes budgets that no user has chosen."""
    with transaction.atomic():
        before = _history_fields(user)
        YnabSettings.objects.filter(user=user).delete()
        record("changed", _history_object(user), before=before, after=_history_fields(user))


def _history_object(user: User) -> HistoryObject:
    return HistoryObject(type="ynab_settings", id=user.pk, label="YNAB", owner_id=user.pk)


def _history_fields(user: User) -> dict[str, str | None]:
    stored = YnabSettings.objects.filter(user=user)
    return {"budget_id": stored.values_list("budget_id", flat=True).first()}


def _looked_up(user: User, budget_id: str) -> dict[str, object]:
    """Return fields of YnabBudget as YNAB has them, without the name if only that fails.

    Raises a SourceError.
    """
    deadline = new_deadline()
    found: dict[str, object] = {}
    # No other request waits for this answer, which is only kept here.
    own_key = f"{user.pk}:{budget_id}"

    def run(root: str, seconds: float) -> str:
        return currency_at(budget_id, root, seconds)

    def keep(currency: str) -> None:
        found.update(verified=True, currency=currency, currency_fetched_at=timezone.now())

    ask(f"ynab:check:{own_key}", run, keep, lambda: False, deadline)
    return found | _looked_up_name(own_key, budget_id, deadline)


def _looked_up_name(own_key: str, budget_id: str, deadline: float) -> dict[str, str]:
    """Return the field `name` of the budget, nothing if YNAB does not give it."""
    names: dict[str, str] = {}

    def run(root: str, seconds: float) -> dict[str, str]:
        return client.plan_names(root, seconds=seconds)

    try:
        ask(f"ynab:names:{own_key}", run, names.update, lambda: False, deadline)
    except SourceError as error:
        log.info("ynab_budget_name_unknown", reason=type(error).__name__)
    if budget_id not in names:
        return {}
    return {"name": names[budget_id][:255]}


def learn_budget_name(user: User) -> None:
    """Ask for the name of the user's budget where it is not known.

    It is unknown if YNAB was down when the budget was chosen.
    """
    budget = budget_of(user)
    if budget.name:
        return
    found = _looked_up_name(f"{user.pk}:{budget.pk}", budget.pk, new_deadline())
    if found:
        YnabBudget.objects.filter(pk=budget.pk).update(**found)


# --- For pensions, which does not know YNAB -------------------------------------------------------


def check_link(*, user: User, ynab_account_id: str, currency: str) -> None:
    """Check whether a pension account in `currency` may be linked.

    Raises DomainError (`unknown_ynab_account`, `currency_mismatch`). If YNAB cannot be asked, the
    link is allowed; the sync checks again.
    """
    try:
        balance = balance_of(user, ynab_account_id)
    except NotFound as error:
        raise DomainError(error.detail, attr="ynab_account_id", code=error.code) from error
    except DomainError:
        return
    check_currency(balance, currency)


def check_currency(balance: Balance, currency: str) -> None:
    """Raise DomainError (`currency_mismatch`) unless the balance is known to be in `currency`."""
    if balance.currency != currency:
        theirs = balance.currency or "an unknown currency"
        raise DomainError(
            f"The YNAB account is in {theirs}, the pension account in {currency}.",
            attr="ynab_account_id",
            code="currency_mismatch",
        )
