from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db.models import Q, QuerySet

from financeproj.history.models import HistoryEntry


def history_visible_to(user: AbstractUser) -> QuerySet[HistoryEntry]:
    """Return the entries about a user's own objects; all of them for staff who may see them."""
    entries = HistoryEntry.objects.select_related("actor")
    if user.is_staff and user.has_perm("history.view_historyentry"):
        return entries
    return entries.filter(owner_id=user.pk)


def about_object(entries: QuerySet[HistoryEntry], key: str) -> QuerySet[HistoryEntry]:
    """Return the entries about the object of this id; of a holding its transactions' too."""
    try:
        return entries.filter(Q(object_id=key) | Q(within_id=UUID(key)))
    except ValueError:
        return entries.filter(object_id=key)


def done_by(entries: QuerySet[HistoryEntry], actor: str) -> QuerySet[HistoryEntry]:
    """Return what a user did, named by id or user name."""
    try:
        return entries.filter(actor_id=UUID(actor))
    except ValueError:
        return entries.filter(actor__username=actor)
