"""Which budgets a user may read: those that staff assigned; all for staff and the only user."""

from dataclasses import dataclass

import msgspec
from django.conf import settings
from django.core.cache import cache

from financeproj.core.currencies import is_currency
from financeproj.history.services import HistoryObject
from financeproj.users.models import User
from integrations.models import AssignedBudget, YnabSettings
from integrations.ynab import client
from integrations.ynab.asking import ask, key_digest, new_deadline
from integrations.ynab.errors import NotConfigured, error_for
from marketdata.sources import KeyRefused, SourceError

# YNAB answers to these with a plan of the owner of the API key, so they are not ids.
ALIASES = ("last-used", "default")
# How long the last known list stands where YNAB does not answer.
LIST_KEPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ReadablePlan:
    """A budget that a user may choose; `currency` is None while unknown."""

    id: str
    name: str
    currency: str | None


def settings_object(user: User) -> HistoryObject:
    """Return how the user's choice of a budget appears in the history."""
    return HistoryObject(type="ynab_settings", id=user.pk, label="YNAB", owner_id=user.pk)


def settings_fields(user: User) -> dict[str, str | None]:
    """Return what the history keeps of the user's choice."""
    stored = YnabSettings.objects.filter(user=user)
    return {"budget_id": stored.values_list("budget_id", flat=True).first()}


def chooses_freely(user: User) -> bool:
    """Return whether every budget of the API key is open to the user: to staff with the right
    to see budgets, and to the only user of the installation.
    """
    may_see_all = user.is_staff and user.has_perm("integrations.view_ynabbudget")
    return may_see_all or not User.objects.exclude(pk=user.pk).exists()


def may_choose(user: User, budget_id: str) -> bool:
    """Return whether the user may read the budget. An alias is never one."""
    if budget_id in ALIASES:
        return False
    is_assigned = AssignedBudget.objects.filter(user=user, budget=budget_id).exists()
    return is_assigned or chooses_freely(user)


def plans_of(user: User) -> list[ReadablePlan]:
    """Return the budgets that the user may choose, by name.

    Raises NotConfigured, and UpstreamError where YNAB must be asked and has never answered.
    """
    if not settings.YNAB_API_KEY:
        raise NotConfigured
    if chooses_freely(user):
        found = _plans_of_key()
    else:
        assigned = AssignedBudget.objects.filter(user=user).select_related("budget")
        budgets = [row.budget for row in assigned]
        found = [ReadablePlan(row.pk, str(row), row.currency or None) for row in budgets]
    return sorted(found, key=lambda plan: (plan.name.casefold(), plan.id))


def _plans_of_key() -> list[ReadablePlan]:
    """Return what YNAB lists for the API key, at most as old as the cache time, else the last
    known list. Raises UpstreamError.
    """
    fresh_key, last_key = f"ynab:plans:{key_digest()}", f"ynab:last-plans:{key_digest()}"

    def keep(answer: list[client.Plan]) -> None:
        listed = msgspec.to_builtins(answer)
        cache.set(fresh_key, listed, settings.MARKET_DATA_CACHE_SECONDS)
        cache.set(last_key, listed, LIST_KEPT_SECONDS)

    def run(root: str, seconds: float) -> list[client.Plan]:
        return client.plans(root, seconds=seconds)

    def is_kept() -> bool:
        return cache.get(fresh_key) is not None

    try:
        ask(fresh_key, run, keep, is_kept, new_deadline())
    except SourceError as error:
        if isinstance(error, KeyRefused) or cache.get(last_key) is None:
            raise error_for(error) from error
    found = []
    for plan in msgspec.convert(cache.get(last_key) or [], list[client.Plan]):
        currency = plan.currency if is_currency(plan.currency) else None
        found.append(ReadablePlan(plan.id, plan.name, currency))
    return found
