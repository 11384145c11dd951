"""Test that groups of shares never touch what another user has, and that nothing is written."""

from datetime import date
from decimal import Decimal as D
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.urls import reverse

from marketdata.models import StockMetadata
from marketdata.tests.factories import instrument
from portfolios import services
from portfolios.models import Holding, Portfolio, Transaction, TransactionGroup
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
GROUPS = "/api/v1/transaction-groups"
ROWS = "/api/v1/transactions"
JANUARY, JUNE = date(2024, 1, 8), date(2024, 6, 3)


def everything():
    models = (Transaction, Holding, TransactionGroup, Portfolio, StockMetadata)
    return [list(model.objects.order_by("pk").values()) for model in models]


def place(user, stock, target, name):
    """Give a user two portfolios, a transfer between them, an exchange and rows in no group."""
    first = services.create_portfolio(user=user, name=f"{name} 1", currency="NOK")
    second = services.create_portfolio(user=user, name=f"{name} 2", currency="NOK")
    held = trade(first, stock, "buy", "100", "30", on=JANUARY).holding
    legs = services.transfer_of_shares(holding=held, to_portfolio=second, quantity=D(10), date=JUNE)
    moved = services.record_share_group(kind="transfer", legs=legs, date=JUNE)
    targets = [services.NewTarget(target, D(5))]
    action = services.Action("exchange", held, JUNE, targets, quantity_out=D(10))
    legs = services.action_legs(action)
    exchanged = services.record_share_group(kind="exchange", legs=legs, date=JUNE)
    out = trade(first, stock, "transfer_out", "7", on=JUNE)
    arrives = trade(second, stock, "transfer_in", "7", "30", on=JUNE)
    return SimpleNamespace(
        held=str(held.pk),
        first=first,
        second=str(second.pk),
        moved=moved,
        exchanged=exchanged,
        out=str(out.pk),
        arrives=str(arrives.pk),
    )


@pytest.fixture
def two(user, other_user, make_stock):
    """Two users with the same instruments."""
    stock, target = make_stock("T.DEMO"), make_stock("A.DEMO")
    return place(user, stock, target, "Mine"), place(other_user, stock, target, "Theirs")


def action(holding, **changes):
    targets = [{"ticker": "A.DEMO", "quantity": 5}]
    body = {"kind": "exchange", "date": "2024-06-04", "quantity_out": 5, "targets": targets}
    return {**body, "holding_id": holding, **changes}


def transfer(holding, to_portfolio):
    body = {"kind": "transfer", "date": "2024-06-04", "quantity": 5}
    return {**body, "holding_id": holding, "to_portfolio_id": to_portfolio}


def standing(row, **changes):
    return [{"transaction_id": row, "cost_share": 1, **changes}]


BODIES = {
    "exchange of their holding": (
        lambda mine, theirs: action(theirs.held),
        ("unknown_holding", "holding_id"),
    ),
    "spin-off of their holding": (
        lambda mine, theirs: action(theirs.held, kind="spin_off", quantity_out=0),
        ("unknown_holding", "holding_id"),
    ),
    "their row goes out": (
        lambda mine, theirs: action(mine.held, out_id=theirs.out),
        ("unknown_transaction", "out_id"),
    ),
    "their row comes in": (
        lambda mine, theirs: action(mine.held, targets=standing(theirs.arrives)),
        ("unknown_transaction", "targets.0.transaction_id"),
    ),
    "transfer of their holding": (
        lambda mine, theirs: transfer(theirs.held, mine.second),
        ("unknown_holding", "holding_id"),
    ),
    "transfer to their portfolio": (
        lambda mine, theirs: transfer(mine.held, theirs.second),
        ("unknown_portfolio", "to_portfolio_id"),
    ),
}


@pytest.mark.parametrize("dry_run", ["", "?dry_run=true"])
@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_a_new_group_with_something_of_another_user_is_refused(api, two, body, expected, dry_run):
    before = everything()
    response = api.post(GROUPS + dry_run, body(*two))
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"], error["attr"]) == (422, *expected)
    assert everything() == before


# The kind of a group stays what it is.
CHANGES = {name: case for name, case in BODIES.items() if not name.startswith("spin-off")}


@pytest.mark.parametrize(("body", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_group_is_not_changed_into_one_with_something_of_another_user(api, two, body, expected):
    mine, _ = two
    sent = body(*two)
    group = mine.moved if sent["kind"] == "transfer" else mine.exchanged
    before = everything()
    response = api.put(f"{GROUPS}/{group.pk}", sent)
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"], error["attr"]) == (422, *expected)
    assert everything() == before


@pytest.mark.parametrize(
    ("sides", "attr"),
    [
        (lambda mine, theirs: (theirs.out, mine.arrives), "out_id"),
        (lambda mine, theirs: (mine.out, theirs.arrives), "in_id"),
        (lambda mine, theirs: (theirs.out, theirs.arrives), "out_id"),
        (lambda mine, theirs: (mine.out, str(uuid4())), "in_id"),
    ],
)
def test_rows_of_another_user_are_not_linked(api, two, sides, attr):
    before = everything()
    out, arrives = sides(*two)
    response = api.post(GROUPS, {"kind": "transfer", "out_id": out, "in_id": arrives})
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"]) == (422, "unknown_transaction")
    assert error["attr"] == attr
    assert everything() == before


@pytest.mark.parametrize("name", ["moved", "exchanged"])
def test_a_group_of_another_user_is_not_found(api, two, name):
    mine, theirs = two
    group, own = getattr(theirs, name), getattr(mine, name)
    body = api.get(f"{GROUPS}/{own.pk}").json()
    before = everything()
    answers = [
        api.get(f"{GROUPS}/{group.pk}"),
        api.put(f"{GROUPS}/{group.pk}", body),
        api.put(f"{GROUPS}/{group.pk}?dry_run=true", body),
        api.delete(f"{GROUPS}/{group.pk}"),
    ]
    for leg in group.transactions.all():
        answers.append(api.patch(f"{ROWS}/{leg.pk}", {"quantity": 1}))
        answers.append(api.delete(f"{ROWS}/{leg.pk}"))
    assert {answer.status_code for answer in answers} == {404}
    assert everything() == before


def test_an_instrument_of_another_user_is_no_target(api, two, other_user):
    mine, _ = two
    instrument("CABIN", currency="NOK", owner=other_user)
    before = everything()
    targets = [{"ticker": "CABIN", "quantity": 1}]
    response = api.post(GROUPS, action(mine.held, targets=targets))
    [error] = response.json()["errors"]
    assert response.status_code == 422
    assert error["attr"].startswith("targets.0.")
    assert everything() == before


# --- The admin ------------------------------------------------------------------------------------


def test_the_admin_leaves_a_group_and_its_legs_with_their_owner(client, user, two):
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    mine, theirs = two
    group = mine.exchanged
    before = everything()
    fields = {"date": "2024-06-03", "label": "", "note": "", "portfolio": str(theirs.first.pk)}
    page = reverse("admin:portfolios_transactiongroup_change", args=[group.pk])
    assert client.post(page, {**fields, "kind": "spin_off"}).status_code == 302
    leg = mine.moved.transactions.get(type="transfer_out")
    page = reverse("admin:portfolios_transaction_change", args=[leg.pk])
    form = client.get(page).context["adminform"].form.initial
    sent = {name: value for name, value in form.items() if value is not None}
    assert client.post(page, {**sent, "holding": theirs.held}).status_code == 302
    ids = [(row["id"], row["holding_id"]) for row in everything()[0]]
    assert ids == [(row["id"], row["holding_id"]) for row in before[0]]
    group.refresh_from_db()
    assert (group.kind, group.portfolio) == ("exchange", mine.first)


def test_who_is_no_staff_changes_no_group_in_the_admin(client, user, two):
    client.force_login(user)
    before = everything()
    for group in (two[0].moved, two[1].moved):
        for what in ("change", "delete"):
            page = reverse(f"admin:portfolios_transactiongroup_{what}", args=[group.pk])
            assert client.post(page, {"post": "yes", "date": "2024-06-04"}).status_code == 302
    assert everything() == before
