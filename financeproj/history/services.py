"""Adding to the history, and pruning it."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection
from django.db.models.query import QuerySet
from django.utils import timezone

from financeproj.history.context import current_acting, current_request_id
from financeproj.history.models import HistoryEntry

LABEL_LENGTH = 255
PRUNED_AT_ONCE = 1000


class HistoryObject(msgspec.Struct, frozen=True, kw_only=True):
    """What an act was done to. `type` is the API's word for it, `owner_id` whose object it is.

    `portfolio_id` and `within_id` say where it belongs, so that the history of a portfolio has
    that of its transactions.
    """

    type: str
    id: object
    label: str
    owner_id: UUID | None
    portfolio_id: UUID | None = None
    within_id: UUID | None = None


def without_owner(of: HistoryObject) -> HistoryObject:
    """Return `of` for an entry that outlives its owner; staff alone may read it."""
    return msgspec.structs.replace(of, owner_id=None)


def changed_fields(
    before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> dict[str, list[object]]:
    """Return {field: [before, after]} of the fields that differ.

    What did not exist before, or does not exist any more, has `None` on that side; fields that are
    empty on the other side too are left out.
    """
    before, after = before or {}, after or {}
    changes = {}
    for field in before.keys() | after.keys():
        old, new = before.get(field), after.get(field)
        if old != new:
            changes[field] = [old, new]
    return dict(sorted(changes.items()))


def record(
    action: str,
    of: HistoryObject,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    counts: Mapping[str, int] | None = None,
    door: str | None = None,
) -> HistoryEntry:
    """Add an entry, in the database transaction of the change itself.

    `before` and `after` are fields as the API names them; secrets must not be among them. `door`
    is given only by acts that have one of their own, such as imports.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("Record the history in the transaction of the change.")
    actor_id, current_door = current_acting()
    entry = HistoryEntry(
        actor_id=actor_id,
        owner_id=of.owner_id,
        door=door or current_door,
        request_id=current_request_id(),
        action=action,
        object_type=of.type,
        object_id=str(of.id),
        object_label=of.label[:LABEL_LENGTH],
        portfolio_id=of.portfolio_id,
        within_id=of.within_id,
        changes=changed_fields(before, after),
        counts=dict(counts or {}),
    )
    entry.save(force_insert=True)
    return entry


def prune_history() -> int:
    """Delete entries older than HISTORY_DAYS, in batches; return how many. Safe to run twice."""
    oldest = timezone.now() - timedelta(days=settings.HISTORY_DAYS)
    expired = HistoryEntry.objects.filter(at__lt=oldest).order_by("at")
    deleted = 0
    while keys := list(expired.values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
        rows = HistoryEntry.objects.filter(pk__in=keys)
        deleted += QuerySet.delete(rows)[0]
    return deleted
