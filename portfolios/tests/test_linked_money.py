"""Test that a withdrawal and a deposit that stand already are linked as one transfer."""

from datetime import date
from decimal import Decimal as D

import pytest

from portfolios import services
from portfolios.calc.import_rows import ImportRow
from portfolios.models import ImportBatch, Transaction, TransactionGroup
from portfolios.tests.test_groups import ROWS, URL, answer, codes

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(user):
    return services.create_portfolio(user=user, name="Other", currency="NOK")


def money(api, portfolio, kind, amount, day, **fields):
    body = {"portfolio_id": str(portfolio.pk), "type": kind, "amount": amount, "date": day}
    return answer(api.post(ROWS, body | fields), 201)


def link(out, arrives):
    return {"kind": "transfer", "out_id": out["id"], "in_id": arrives["id"]}


@pytest.fixture
def pair(api, portfolio, other):
    out = money(api, portfolio, "withdrawal", -500, "2024-06-03", note="to Other")
    arrives = money(api, other, "deposit", 500, "2024-06-05", booked_on="2024-06-06")
    return out, arrives


def rows():
    names = ("type", "date", "booked_on", "settlement_amount", "note", "group_id")
    return list(Transaction.objects.order_by("date").values_list(*names))


def test_a_withdrawal_and_a_deposit_become_one_transfer_on_their_own_days(api, pair):
    group = answer(api.post(URL, link(*pair)), 201)
    assert (group["kind"], group["date"]) == ("transfer", "2024-06-05")
    assert [row["id"] for row in group["transactions"]] == [one["id"] for one in pair]
    stored = TransactionGroup.objects.get()
    assert stored.is_linked
    assert rows() == [
        ("withdrawal", date(2024, 6, 3), None, -500, "to Other", stored.pk),
        ("deposit", date(2024, 6, 5), date(2024, 6, 6), 500, "", stored.pk),
    ]
    assert codes(api.post(URL, link(*pair))) == [("part_of_group", "out_id")]


def test_a_dry_run_of_a_link_changes_nothing(api, pair):
    before = rows()
    group = answer(api.post(f"{URL}?dry_run=true", link(*pair)))
    assert len(group["transactions"]) == 2
    assert rows() == before
    assert not TransactionGroup.objects.exists()


@pytest.mark.parametrize("by_leg", [False, True])
def test_deleting_the_group_or_a_row_takes_the_rows_apart(api, pair, by_leg):
    before = rows()
    group = answer(api.post(URL, link(*pair)), 201)
    url = f"{ROWS}/{pair[0]['id']}" if by_leg else f"{URL}/{group['id']}"
    assert api.delete(url).status_code == 204
    assert rows() == before
    assert not TransactionGroup.objects.exists()


def test_a_date_changes_alone_within_thirty_days(api, pair):
    answer(api.post(URL, link(*pair)), 201)
    url = f"{ROWS}/{pair[0]['id']}"
    moved = answer(api.patch(url, {"date": "2024-06-04", "note": "later"}))
    assert (moved["date"], moved["note"]) == ("2024-06-04", "later")
    assert [row[1:3] for row in rows()] == [
        (date(2024, 6, 4), None),
        (date(2024, 6, 5), date(2024, 6, 6)),
    ]
    before = rows()
    assert codes(api.patch(url, {"date": "2024-06-06"})) == [("not_a_pair", "date")]
    assert codes(api.patch(url, {"date": "2024-05-01"})) == [("not_a_pair", "date")]
    assert rows() == before


def test_the_amount_changes_on_both_sides_and_the_days_stay(api, pair):
    group = answer(api.post(URL, link(*pair)), 201)
    url = f"{URL}/{group['id']}"
    shown = answer(api.get(url))
    answer(api.put(url, shown | {"amount": 450}))
    assert [(row[1], row[3]) for row in rows()] == [
        (date(2024, 6, 3), -450),
        (date(2024, 6, 5), 450),
    ]
    response = api.put(url, shown | {"date": "2024-06-04"})
    assert (response.status_code, codes(response)) == (422, [("part_of_group", "date")])
    assert answer(api.put(url, answer(api.get(url))))["date"] == "2024-06-05"


@pytest.mark.parametrize(
    ("kind", "amount", "day", "fields"),
    [
        ("deposit", 499, "2024-06-03", {}),
        ("deposit", 500, "2024-06-02", {}),
        ("deposit", 500, "2024-07-04", {}),
        ("deposit", 500, "2024-06-03", {"currency": "EUR"}),
        ("adjustment", 500, "2024-06-03", {}),
    ],
)
def test_what_is_not_the_other_side_is_refused(api, portfolio, other, kind, amount, day, fields):
    out = money(api, portfolio, "withdrawal", -500, "2024-06-03")
    arrives = money(api, other, kind, amount, day, **fields)
    before = rows()
    response = api.post(URL, link(out, arrives))
    assert (response.status_code, codes(response)) == (422, [("not_a_pair", "in_id")])
    assert rows() == before
    assert not TransactionGroup.objects.exists()


def test_two_rows_of_one_portfolio_are_refused(api, portfolio):
    out = money(api, portfolio, "withdrawal", -500, "2024-06-03")
    arrives = money(api, portfolio, "deposit", 500, "2024-06-03")
    assert codes(api.post(URL, link(out, arrives))) == [("circular_transfer", "in_id")]


def test_another_users_rows_are_unknown(other_api, pair):
    response = other_api.post(URL, link(*pair))
    assert codes(response) == [("unknown_transaction", "out_id")]
    assert not TransactionGroup.objects.exists()


def test_undoing_an_import_leaves_the_other_side_plain(api, portfolio, other):
    out = money(api, portfolio, "withdrawal", -500, "2024-06-03")
    import_batch = ImportBatch(portfolio=other, file_name="rows.csv", format="generic")
    row = ImportRow(
        row=2,
        type="deposit",
        date=date(2024, 6, 4),
        ticker="",
        quantity=D(1),
        price=D(500),
        settlement_currency="NOK",
        settlement_amount=D(500),
        is_money_alone=True,
    )
    services.import_rows(import_batch=import_batch, rows=[row])
    arrives = {"id": str(Transaction.objects.get(type="deposit").pk)}
    answer(api.post(URL, link(out, arrives)), 201)
    services.undo_import(import_batch=import_batch)
    assert [(one[0], one[5]) for one in rows()] == [("withdrawal", None)]
    assert not TransactionGroup.objects.exists()


def test_when_one_portfolio_goes_the_other_row_stays_plain(api, other, pair):
    answer(api.post(URL, link(*pair)), 201)
    assert api.delete(f"/api/v1/portfolios/{other.pk}").status_code == 204
    assert [(one[0], one[5]) for one in rows()] == [("withdrawal", None)]
    assert not TransactionGroup.objects.exists()
