"""Adding to the history, and pruning it."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import islice
from uuid import UUID, uuid5

import msgspec
from django.conf import settings
from django.db import connection
from django.db.models.query import QuerySet
from django.utils import timezone

from financeproj.core.db.rows import pks_of
from financeproj.history.context import current_acting, current_request_id
from financeproj.history.models import Door, HistoryEntry

Changes = dict[str, tuple[object, object]]
Counts = dict[str, int]

LABEL_LENGTH = 255
PRUNED_AT_ONCE = 1000
RESTORED_AT_ONCE = 1000


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
        counts=dict(sorted((counts or {}).items())),
    )
    entry.save(force_insert=True)
    return entry


def check_entry(entry: HistoryEntry) -> None:
    """Raise ValueError for an entry of a file whose door, changes or counts cannot be real."""
    if entry.door not in Door.values:
        raise ValueError(f"door {entry.door} must be one of {', '.join(Door.values)}.")
    for name, shape in (("changes", Changes), ("counts", Counts)):
        try:
            msgspec.convert(getattr(entry, name), shape)
        except msgspec.ValidationError as error:
            raise ValueError(f"{name}: {error}") from error


def restore_history(*, owner_id: UUID, entries: Iterable[HistoryEntry]) -> int:
    """Store entries of an export as they are; return how many are new.

    Entries that `owner_id` has already stay as they are: the same file adds nothing twice. If an
    entry of another owner has the same id, the new one gets an id that follows from owner and id.
    """
    remaining = iter(entries)
    restored = 0
    while chunk := list(islice(remaining, RESTORED_AT_ONCE)):
        stored = HistoryEntry.objects.filter(pk__in=pks_of(chunk))
        of_others = set(stored.exclude(owner_id=owner_id).values_list("pk", flat=True))
        for entry in chunk:
            if entry.pk in of_others:
                entry.pk = uuid5(owner_id, str(entry.pk))
        known = HistoryEntry.objects.filter(pk__in=pks_of(chunk))
        known_keys = set(known.values_list("pk", flat=True))
        new = [entry for entry in chunk if entry.pk not in known_keys]
        HistoryEntry.objects.bulk_create(new)
        restored += len(new)
    return restored


def prune_history() -> int:
    """Delete entries older than HISTORY_DAYS, in batches; return how many. Safe to run twice."""
    oldest = timezone.now() - timedelta(days=settings.HISTORY_DAYS)
    expired = HistoryEntry.objects.filter(at__lt=oldest).order_by("at")
    deleted = 0
    while keys := list(expired.values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
        rows = HistoryEntry.objects.filter(pk__in=keys)
        deleted += QuerySet.delete(rows)[0]
    return deleted
