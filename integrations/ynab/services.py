"""Choose a YNAB budget, and check whether an account may be linked."""

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from financeproj.core.errors import DomainError, NotFound
from financeproj.history.services import record
from financeproj.users.models import User
from integrations.models import AssignedBudget, YnabBudget, YnabSettings
from integrations.ynab import client
from integrations.ynab.asking import ask, new_deadline
from integrations.ynab.errors import UnknownBudget, error_for
from integrations.ynab.plans import ALIASES, may_choose, settings_fields, settings_object
from integrations.ynab.queries import Balance, balance_of, budget_of, currency_at
from marketdata.sources import KeyRefused, Refusal, SourceError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def choose_budget(*, user: User, budget_id: str, assign: bool = False) -> YnabSettings:
    """Set which budget the user reads: an assigned one, verified with YNAB if it can be asked.

    Staff and the only user choose any budget of the key, which is assigned to them. `assign` is for
    staff who choose for another user. Raises DomainError (`unknown_budget`) for other budgets and
    where YNAB does not know it, and UpstreamError if YNAB refuses the key: then nothing changes.
    """
    is_open = may_choose(user, budget_id) or (assign and budget_id not in ALIASES)
    if not is_open:
        raise UnknownBudget("This budget is not one of yours. Ask an administrator to assign it.")
    found = _verified(user, budget_id)
    with transaction.atomic():
        _store_assigned(user, budget_id, found)
        before = settings_fields(user)
        chosen, _ = YnabSettings.objects.update_or_create(
            user=user, defaults={"budget_id": budget_id}
        )
        record("changed", settings_object(user), before=before, after=settings_fields(user))
    return YnabSettings.objects.select_related("budget").get(pk=chosen.pk)


@transaction.atomic
def forget_budget(*, user: User) -> None:
    """Unset the user's budget, which stays assigned."""
    before = settings_fields(user)
    YnabSettings.objects.filter(user=user).delete()
    record("changed", settings_object(user), before=before, after=settings_fields(user))


def assign_budget(*, user: User, budget_id: str) -> YnabBudget:
    """Let the user read a budget. Only staff may call this.

    Raises DomainError (`unknown_budget`) if YNAB does not know it or it is an alias, and
    UpstreamError if YNAB refuses the key: then nothing changes.
    """
    if budget_id in ALIASES:
        raise UnknownBudget(f'"{budget_id}" is not the id of a budget.')
    found = _verified(user, budget_id)
    with transaction.atomic():
        return _store_assigned(user, budget_id, found)


@transaction.atomic
def withdraw_budget(*, user: User, budget_id: str) -> None:
    """Take an assigned budget from the user, also where it is the chosen one."""
    if YnabSettings.objects.filter(user=user, budget=budget_id).exists():
        forget_budget(user=user)
    assigned = AssignedBudget.objects.filter(user=user, budget=budget_id)
    if assigned.delete()[0]:
        record("changed", settings_object(user), before={"assigned": budget_id})


def _store_assigned(user: User, budget_id: str, found: dict[str, object]) -> YnabBudget:
    """Store what YNAB says of the budget, and that the user may read it."""
    budget, _ = YnabBudget.objects.update_or_create(pk=budget_id, defaults=found)
    _, is_new = AssignedBudget.objects.get_or_create(user=user, budget=budget)
    if is_new:
        record("changed", settings_object(user), after={"assigned": budget_id})
    return budget


def _verified(user: User, budget_id: str) -> dict[str, object]:
    """Return fields of YnabBudget as YNAB has them, none where it cannot be asked.

    Raises DomainError (`unknown_budget`) if YNAB does not know it or calls it malformed, and
    UpstreamError if it refuses the key.
    """
    if not settings.YNAB_API_KEY:
        return {}
    try:
        return _looked_up(user, budget_id)
    except Refusal as error:
        raise UnknownBudget("YNAB has no such budget.") from error
    except KeyRefused as error:
        raise error_for(error) from error
    except SourceError:
        return {}  # YNAB cannot be asked: the choice is saved, not verified


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
        return {plan.id: plan.name for plan in client.plans(root, seconds=seconds)}

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
