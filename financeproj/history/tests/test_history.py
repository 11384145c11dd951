"""The history itself: what an entry holds, who may read it, and how it ends."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from financeproj.history import services
from financeproj.history.context import acting
from financeproj.history.models import Door, HistoryEntry
from financeproj.history.services import HistoryObject, changed_fields, prune_history, record

D = Decimal


def entry_of(user, *, action="changed", key="1", **fields):
    of = HistoryObject(type="portfolio", id=key, label="Savings", owner_id=user.pk)
    with transaction.atomic():
        return record(action, of, **fields)


def test_only_fields_that_differ_are_changes():
    before = {"name": "Savings", "cash": D("1.10"), "note": None}
    after = {"name": "Savings", "cash": D("2.5"), "note": None}
    assert changed_fields(before, after) == {"cash": [D("1.10"), D("2.5")]}


def test_a_creation_has_no_old_values_and_a_deletion_no_new_ones():
    assert changed_fields(None, {"name": "Savings"}) == {"name": [None, "Savings"]}
    assert changed_fields({"name": "Savings"}, None) == {"name": ["Savings", None]}


@pytest.mark.django_db(transaction=True)
def test_an_entry_outside_of_a_transaction_is_refused(user):
    of = HistoryObject(type="portfolio", id="1", label="Savings", owner_id=user.pk)
    with pytest.raises(RuntimeError, match="in the transaction of the change"):
        record("changed", of)
    assert not HistoryEntry.objects.exists()


def test_an_entry_keeps_exact_numbers(user):
    entry_of(user, before={"price": D("0.10")}, after={"price": D("123456789.012345")})
    [entry] = HistoryEntry.objects.all()
    assert entry.changes == {"price": [D("0.10"), D("123456789.012345")]}
    assert str(entry.changes["price"][0]) == "0.10"


def test_an_entry_is_neither_changed_nor_deleted(user):
    entry = entry_of(user)
    entry.action = "deleted"
    for refused in (
        entry.save,
        entry.delete,
        HistoryEntry.objects.all().delete,
        lambda: HistoryEntry.objects.update(action="deleted"),
    ):
        with pytest.raises(TypeError, match="append-only"):
            refused()
    assert list(HistoryEntry.objects.values_list("action", flat=True)) == ["changed"]


def test_the_actor_and_door_are_those_of_the_context(user, other_user):
    with acting(door=Door.SOURCE, actor_id=other_user.pk):
        entry_of(user)
    [entry] = HistoryEntry.objects.all()
    assert (entry.actor, entry.owner, entry.door) == (other_user, user, "source")


def test_without_a_context_it_is_a_command_of_the_system(user):
    entry_of(user)
    [entry] = HistoryEntry.objects.all()
    assert (entry.actor, entry.door) == (None, "command")


def test_a_user_reads_the_entries_about_own_objects_alone(api, user, other_user):
    with acting(door=Door.API, actor_id=user.pk):
        entry_of(user, after={"cash": D("1.50")})
    entry_of(other_user)
    body = api.get("/api/v1/history").json()
    assert body["next"] is None
    [entry] = body["results"]
    assert entry["actor"] == {"id": str(user.pk), "username": "kari"}
    assert entry["door"] == "api"
    assert entry["object"] == {"type": "portfolio", "id": "1", "label": "Savings"}
    assert entry["changes"] == {"cash": [None, 1.5]}
    assert entry["counts"] == {}


def test_staff_with_the_right_read_all(api, user, other_user):
    entry_of(other_user)
    user.is_staff = user.is_superuser = True
    user.save()
    assert len(api.get("/api/v1/history").json()["results"]) == 1


def test_staff_without_the_right_read_their_own(api, user, other_user):
    entry_of(other_user)
    user.is_staff = True
    user.save()
    assert api.get("/api/v1/history").json()["results"] == []


def test_entries_are_found_by_object_actor_and_day(api, user):
    entry_of(user, key="a")
    with acting(door=Door.API, actor_id=user.pk):
        entry_of(user, key="b")

    def keys(**query):
        return [row["object"]["id"] for row in api.get("/api/v1/history", query).json()["results"]]

    today = timezone.now().date()
    assert keys() == ["b", "a"]
    assert keys(object="a") == ["a"]
    assert keys(actor="kari") == keys(actor=str(user.pk)) == ["b"]
    assert keys(start=str(today)) == ["b", "a"]
    assert keys(start=str(today + timedelta(days=1))) == keys(end="2000-01-01") == []


def test_unreadable_input_is_refused(api):
    no_time = b64encode(b"p=yesterday").decode()
    odd_offset = b64encode(b"p=2024-01-01T00:00:00%2B23:59:59.9").decode()
    for query in (
        {"start": "yesterday"},
        {"portfolio_id": "x"},
        {"cursor": "x"},
        {"cursor": "\0"},
        {"cursor": no_time},
        {"cursor": odd_offset},
    ):
        assert api.get("/api/v1/history", query).status_code == 400, query
    assert (
        api.get("/api/v1/history", {"start": "2024-02-01", "end": "2024-01-01"}).status_code == 422
    )


def test_a_page_has_a_hundred_entries_and_leads_to_the_next(api, user):
    for number in range(105):
        entry_of(user, key=str(number))
    first = api.get("/api/v1/history").json()
    second = api.get(first["next"]).json()
    keys = [row["object"]["id"] for row in first["results"] + second["results"]]
    assert keys == [str(number) for number in reversed(range(105))]
    assert second["next"] is None


def test_the_history_needs_a_sign_in(db, anonymous):
    assert anonymous.get("/api/v1/history").status_code == 401


def test_reading_takes_the_same_queries_for_one_entry_and_for_fifty(
    api, user, django_assert_num_queries
):
    entry_of(user)
    with django_assert_num_queries(1):
        api.get("/api/v1/history")
    for _ in range(49):
        entry_of(user)
    with django_assert_num_queries(1):
        assert len(api.get("/api/v1/history").json()["results"]) == 50


def test_entries_older_than_the_days_to_keep_are_pruned_in_batches(user, settings, monkeypatch):
    monkeypatch.setattr(services, "PRUNED_AT_ONCE", 2)
    settings.HISTORY_DAYS = 30
    for age in (0, 29, 31, 40, 50, 60, 70):
        entry = HistoryEntry(
            owner=user,
            door=Door.API,
            action="changed",
            object_type="portfolio",
            object_id=str(age),
            at=datetime.now(UTC) - timedelta(days=age),
        )
        entry.save()
    assert prune_history() == 5
    assert sorted(HistoryEntry.objects.values_list("object_id", flat=True)) == ["0", "29"]
    assert prune_history() == 0
