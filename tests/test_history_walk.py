"""Walk every way to write, and find each in the history with its door, its actor and its fields.

A writing route that is not in EXPECTED, an admin form that is not in FORMS and a command that is in
neither COMMANDS nor READING fails a test.
"""

from typing import Any, NamedTuple

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from conftest import api_client, forget
from financeproj.history.models import Door, HistoryEntry
from financeproj.users.models import User
from financeproj.users.services import issue_tokens
from portfolios.services.replay import replay_holding
from tests.test_url_walk import CALLS, OPEN, Call, ask
from tests.world import World, world  # noqa: F401  (world is a fixture)

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]
# It answers with a part of the file that is sent.
ANSWERING = {("post", "transactions/import-csv/failed-rows")}
READING = [key for key in CALLS if key[0] == "get" or key in ANSWERING]
WRITING = [key for key in CALLS if key not in READING and key not in OPEN]


class Act(NamedTuple):
    """What an entry says: the action, the type of its object and the fields that it names."""

    action: str
    type: str
    fields: str = ""


PORTFOLIO = "brokerage_firm cash currency name position used_credit"
TRANSACTION = "commission date exchange_rate note price quantity source tax type"
GROUP = "amount_in amount_out date kind note"
VALUE = "date source value"
PLAN = "amount frequency growth start"
ACCOUNT = "currency name ynab_account_id"
# The key of a route: what a call of it records.
EXPECTED = {
    ("post", "auth/logout"): Act("signed_out", "user"),
    ("patch", "users/me"): Act("changed", "user", "email"),
    ("put", "users/me/retirement-goal"): Act(
        "changed", "user", "retirement_goal_amount retirement_goal_year"
    ),
    ("put", "users/me/password"): Act("password_changed", "user"),
    ("patch", "stocks/<str:ticker>"): Act("changed", "instrument", "company_name"),
    ("delete", "stocks/<str:ticker>/prices/<str:date>"): Act(
        "price_deleted", "instrument", "close date source"
    ),
    ("post", "stocks/<str:ticker>/prices"): Act("price_entered", "instrument", "close date"),
    ("post", "portfolios"): Act("created", "portfolio", PORTFOLIO),
    ("put", "portfolios/order"): Act("portfolios_ordered", "user"),
    ("put", "portfolios/<uuid:pk>"): Act("changed", "portfolio", "name"),
    ("patch", "portfolios/<uuid:pk>"): Act("changed", "portfolio", "name"),
    ("delete", "portfolios/<uuid:pk>"): Act("deleted", "portfolio", PORTFOLIO),
    ("put", "portfolios/<uuid:pk>/used-credit"): Act(
        "balance_set", "portfolio", "date used_credit"
    ),
    ("put", "portfolios/<uuid:pk>/cash"): Act("balance_set", "portfolio", "cash date"),
    ("put", "portfolios/<uuid:pk>/cash-from"): Act("changed", "portfolio", "cash_from"),
    ("post", "held-back"): Act("held_back_accepted", "instrument", "date reason value"),
    ("post", "held-back/<uuid:pk>"): Act("held_back_accepted", "instrument", "date reason value"),
    ("patch", "holdings/<uuid:pk>"): Act("changed", "holding", "company_name"),
    ("delete", "holdings/<uuid:pk>"): Act("deleted", "holding"),
    ("post", "transactions"): Act("created", "transaction", TRANSACTION),
    ("post", "transactions/bulk"): Act("created", "transaction", TRANSACTION),
    ("post", "transaction-groups"): Act("created", "transaction_group", GROUP),
    ("put", "transaction-groups/<uuid:pk>"): Act(
        "changed", "transaction_group", "amount_in amount_out date"
    ),
    ("delete", "transaction-groups/<uuid:pk>"): Act("deleted", "transaction_group", GROUP),
    ("post", "transactions/import-csv"): Act("imported", "import"),
    ("put", "transactions/<uuid:pk>"): Act("changed", "transaction", "date price"),
    ("patch", "transactions/<uuid:pk>"): Act("changed", "transaction", "date price"),
    ("delete", "transactions/<uuid:pk>"): Act("deleted", "transaction", TRANSACTION),
    ("delete", "imports/<uuid:pk>"): Act("undone", "import", "state"),
    ("delete", "imports/mappings/<path:name>"): Act("deleted", "import_mapping", "mapping"),
    ("post", "settings/ynab"): Act("changed", "ynab_settings"),
    ("post", "pension/accounts/<uuid:pk>/sync"): Act("created", "pension_value", VALUE),
    ("post", "pension/accounts"): Act("created", "pension_account", ACCOUNT),
    ("put", "pension/accounts/<uuid:pk>"): Act(
        "changed", "pension_account", "name ynab_account_id"
    ),
    ("patch", "pension/accounts/<uuid:pk>"): Act("changed", "pension_account", "name"),
    ("delete", "pension/accounts/<uuid:pk>"): Act("deleted", "pension_account", ACCOUNT),
    ("post", "pension/accounts/<uuid:pk>/values"): Act("created", "pension_value", VALUE),
    ("put", "pension/accounts/<uuid:pk>/values/<uuid:value_id>"): Act(
        "changed", "pension_value", "date value"
    ),
    ("patch", "pension/accounts/<uuid:pk>/values/<uuid:value_id>"): Act(
        "changed", "pension_value", "date value"
    ),
    ("delete", "pension/accounts/<uuid:pk>/values/<uuid:value_id>"): Act(
        "deleted", "pension_value", VALUE
    ),
    ("post", "pension/accounts/<uuid:pk>/contributions"): Act("created", "contribution_plan", PLAN),
    ("put", "pension/accounts/<uuid:pk>/contributions/<uuid:contribution_id>"): Act(
        "changed", "contribution_plan", "amount start"
    ),
    ("patch", "pension/accounts/<uuid:pk>/contributions/<uuid:contribution_id>"): Act(
        "changed", "contribution_plan", "amount start"
    ),
    ("delete", "pension/accounts/<uuid:pk>/contributions/<uuid:contribution_id>"): Act(
        "deleted", "contribution_plan", PLAN
    ),
}
# Acts that have a door of their own, however they came.
OWN_DOOR = {
    ("post", "transactions/import-csv"): Door.IMPORT,
    ("delete", "imports/<uuid:pk>"): Door.IMPORT,
}
COUNTS = {
    ("post", "held-back"): {"transactions": 1},
    ("post", "held-back/<uuid:pk>"): {"transactions": 1},
    ("delete", "portfolios/<uuid:pk>"): {"transactions": 8},
    ("delete", "holdings/<uuid:pk>"): {"transactions": 3},
    ("post", "transactions/import-csv"): {
        "rows": 2,
        "created": 2,
        "duplicates": 0,
        "ignored": 0,
        "failed": 0,
    },
    ("delete", "imports/<uuid:pk>"): {"transactions": 2, "holdings": 1},
    ("delete", "pension/accounts/<uuid:pk>"): {"values": 1, "contributions": 1},
}


def with_access_token(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    tokens = issue_tokens(user=user, address="127.0.0.1", agent="")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access_token}")
    return client


def with_session(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_login(user)
    return client


def new_entries(before: set[Any]) -> list[HistoryEntry]:
    return list(HistoryEntry.objects.exclude(pk__in=before).order_by("at"))


def keys() -> set[Any]:
    return set(HistoryEntry.objects.values_list("pk", flat=True))


def said(entry: HistoryEntry) -> Act:
    return Act(entry.action, entry.object_type, " ".join(sorted(entry.changes)))


class rolled_back:
    """Undo what is written inside, so that each call finds what was there at the beginning."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(*error)
        forget()


@pytest.fixture(autouse=True)
def waiting_split(world):
    """Let the holding know of its split, as after every replay: it waits for an answer."""
    replay_holding(world.held_back.stock.holdings.get(portfolio=world.portfolio))


# --- The API --------------------------------------------------------------------------------------


def test_every_writing_route_has_its_act():
    assert set(EXPECTED) == set(WRITING)


@pytest.mark.parametrize(
    ("sign_in", "door"), [(with_access_token, Door.API), (with_session, Door.PAGE)]
)
def test_each_writing_route_records_one_act_with_its_door_actor_and_fields(world, sign_in, door):
    before, wrong = keys(), []
    for key, act in EXPECTED.items():
        own_door = OWN_DOOR.get(key, door)
        if key == ("post", "auth/logout"):
            own_door = Door.API  # it needs a refresh token, which pages do not have
        with rolled_back():
            world.user.refresh_from_db()
            response = ask(sign_in(world.user), key, world)
            found = [
                (said(entry), entry.door, entry.actor_id, entry.owner_id, entry.counts)
                for entry in new_entries(before)
            ]
        expected = [(act, own_door, world.user.pk, world.user.pk, COUNTS.get(key, {}))]
        if response.status_code != CALLS[key].own or found != expected:
            wrong.append((key, response.status_code, found))
    assert wrong == []


def test_the_entry_has_the_request_id_of_the_answer(world):
    before = keys()
    key = ("patch", "transactions/<uuid:pk>")
    response = ask(with_access_token(world.user), key, world)
    [entry] = new_entries(before)
    assert entry.request_id == response["X-Request-ID"]
    assert entry.object_id == str(world.transaction.pk)
    assert (entry.portfolio_id, entry.within_id) == (
        world.portfolio.pk,
        world.transaction.holding_id,
    )
    assert entry.changes.keys() == {"date", "price"}
    assert list(map(str, entry.changes["date"])) == ["2024-07-10", "2024-07-11"]
    assert list(map(str, entry.changes["price"])) == ["2.5", "3"]


def test_no_secret_is_in_the_history(world):
    before = keys()
    ask(with_access_token(world.user), ("put", "users/me/password"), world)
    [entry] = new_entries(before)
    assert (entry.action, entry.changes, entry.counts) == ("password_changed", {}, {})


def test_reading_records_nothing(world):
    before = keys()
    for key in READING:
        with rolled_back():
            ask(with_access_token(world.user), key, world)
            assert new_entries(before) == [], key


def test_what_another_user_is_refused_is_not_recorded(world, other_user):
    before = keys()
    refused = [key for key in WRITING if CALLS[key].other >= 400]
    assert len(refused) > 20
    for key in refused:
        with rolled_back():
            response = ask(with_access_token(other_user), key, world)
            assert (response.status_code, new_entries(before)) == (CALLS[key].other, []), key


WRONG = {"name": "\0", "amount": "x", "value": "x", "quantity": "x", "close": "x", "ids": ["x"]}
WRONG |= {"cash": "x", "used_credit": "x", "email": "x", "budget_id": "\0", "company_name": "\0"}
WRONG |= {"cash_from": "x", "accept": "x", "transactions": ["x"]}
WRONG |= {"retirement_goal_amount": "x", "new_password": "1", "refresh": "x", "file": "x"}


def test_what_is_invalid_is_refused_and_not_recorded(world, monkeypatch):
    client = with_access_token(world.user)
    before, rows = keys(), world.rows()
    keys_with_body = [key for key in WRITING if key[0] != "delete" and CALLS[key].body(world)]
    assert len(keys_with_body) > 20
    for key in keys_with_body:
        call = CALLS[key]
        monkeypatch.setitem(CALLS, key, Call(422, 422, lambda w, call=call: spoiled(call, w)))
        response = ask(client, key, world)
        assert 400 <= response.status_code < 500, (key, response.status_code)
        assert new_entries(before) == [], key
    assert world.rows() == rows


def spoiled(call: Call, w: World) -> dict[str, Any]:
    body = call.body(w)
    wrong = {name: value for name, value in WRONG.items() if name in body}
    assert wrong, body
    return body | wrong


def rows_of(w: World) -> dict[str, Any]:
    """Return all rows of the user, but the log of syncs, which notes the crash."""
    rows = w.rows()
    rows.pop("integrations.SyncRun", None)
    return rows


def test_a_crash_after_the_entry_leaves_neither_entry_nor_change(world, monkeypatch):
    """Every service records in the transaction of the change itself."""
    before, rows = keys(), rows_of(world)
    save = HistoryEntry.save
    crashes = []

    def save_and_crash(entry: HistoryEntry, *args: Any, **kwargs: Any) -> None:
        save(entry, *args, **kwargs)
        assert HistoryEntry.objects.filter(pk=entry.pk).exists()
        crashes.append(entry.action)
        raise RuntimeError("The power fails.")

    monkeypatch.setattr(HistoryEntry, "save", save_and_crash)
    client = api_client(world.user)
    client.raise_request_exception = False
    for key in WRITING:
        response = ask(client, key, world)
        forget()
        assert response.status_code == 500, key
        assert new_entries(before) == [], key
        assert rows_of(world) == rows, key
    assert len(crashes) == len(WRITING)
