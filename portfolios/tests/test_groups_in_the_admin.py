"""Test that groups are shown, described, moved to another day and deleted in the admin."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.urls import reverse

from portfolios import services
from portfolios.models import Holding, Transaction, TransactionGroup
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
LIST = reverse("admin:portfolios_transactiongroup_changelist")


@pytest.fixture
def page(client, user):
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


@pytest.fixture
def merger(portfolio, make_stock):
    t, a = make_stock("T.DEMO"), make_stock("A.DEMO")
    held = trade(portfolio, t, "buy", "120", "30", on=date(2024, 1, 2)).holding
    cash = services.Cash("NOK", D(1200), cost_share=D("0.2"))
    targets = [services.NewTarget(a, D(48), cost_share=D("0.8"))]
    day = date(2024, 6, 3)
    action = services.Action("exchange", held, day, targets, cash=cash)
    legs = services.action_legs(action)
    return services.record_share_group(kind="exchange", legs=legs, date=day, label="Merger")


def change(group):
    return reverse("admin:portfolios_transactiongroup_change", args=[group.pk])


def form(**fields):
    return {"date": "2024-06-03", "label": "Merger", "note": "", **fields}


def test_a_group_is_found_by_its_tickers_and_lists_its_transactions(page, merger):
    for query in ("?q=T.DEMO", "?q=merger", "?kind=exchange"):
        body = page.get(LIST + query).content.decode()
        assert "2024-06-03 exchange_in A.DEMO" in body
    assert "0 transaction groups" in page.get(LIST + "?q=OTHER").content.decode()
    body = page.get(change(merger)).content.decode()
    assert 'value="2024-06-03"' in body


def test_a_group_is_described_and_moved_to_another_day(page, merger):
    response = page.post(change(merger), form(date="2024-06-10", label="Takeover", note="By post"))
    assert response.status_code == 302
    merger.refresh_from_db()
    assert (merger.label, merger.note) == ("Takeover", "By post")
    days = Transaction.objects.filter(group=merger).values_list("date", "effective_date")
    assert set(days) == {(date(2024, 6, 10), date(2024, 6, 10))}
    came = Holding.objects.get(stock__ticker="A.DEMO")
    gone = Holding.objects.get(stock__ticker="T.DEMO")
    assert (came.current_quantity, came.cost_basis) == (48, 2880)
    assert (gone.current_quantity, gone.realised_gain) == (0, 480)


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2023-12-29", "requested, 0 held on 2023-12-29"),
        ("2999-01-01", "is in the future"),
        ("2024-02-30", "Enter a valid date."),
    ],
)
def test_a_day_that_cannot_be_is_refused_and_nothing_changes(page, merger, day, message):
    before = list(Transaction.objects.order_by("pk").values_list())
    response = page.post(change(merger), form(date=day))
    assert response.status_code == 200
    assert message in response.content.decode()
    assert list(Transaction.objects.order_by("pk").values_list()) == before


def test_a_group_of_money_keeps_its_amounts_when_its_note_changes(page, portfolio):
    legs = services.conversion_legs(
        portfolio=portfolio, currency="NOK", amount=D(100), to_currency="EUR", to_amount=D(9)
    )
    group = services.record_group(kind="conversion", legs=legs, date=date(2024, 6, 3))
    assert page.post(change(group), form(note="At the airport")).status_code == 302
    group.refresh_from_db()
    assert (group.note, group.label) == ("At the airport", "")
    rows = Transaction.objects.filter(group=group).order_by("settlement_amount")
    amounts = rows.values_list("settlement_currency", "settlement_amount")
    assert list(amounts) == [("NOK", -100), ("EUR", 9)]


def test_a_group_is_deleted_with_its_transactions(page, merger):
    address = reverse("admin:portfolios_transactiongroup_delete", args=[merger.pk])
    assert page.post(address, {"post": "yes"}).status_code == 302
    assert not TransactionGroup.objects.exists()
    gone = Holding.objects.get(stock__ticker="T.DEMO")
    assert (gone.current_quantity, gone.cost_basis) == (120, 3600)
