"""The shape of an entry of the history."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from financeproj.history.models import HistoryEntry


class HistoryActorPayload(Struct):
    id: UUID
    username: str


class HistoryObjectPayload(Struct):
    type: str
    id: str
    label: str


class HistoryEntryPayload(Struct):
    """One act. `actor` is null for the system; `changes` has [before, after] by field."""

    id: UUID
    at: datetime
    actor: HistoryActorPayload | None
    door: str
    request_id: str
    action: str
    object: HistoryObjectPayload
    changes: dict[str, list[Any]]
    counts: dict[str, int]


def entry_payload(entry: HistoryEntry) -> HistoryEntryPayload:
    actor = entry.actor
    return HistoryEntryPayload(
        id=entry.pk,
        at=entry.at,
        actor=HistoryActorPayload(actor.pk, actor.username) if actor else None,
        door=entry.door,
        request_id=entry.request_id,
        action=entry.action,
        object=HistoryObjectPayload(entry.object_type, entry.object_id, entry.object_label),
        changes=entry.changes,
        counts=entry.counts,
    )
