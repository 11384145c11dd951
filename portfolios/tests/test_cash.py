"""Test cash and used credit that follow from the transactions."""

from datetime import date, timedelta
from decimal import Decimal as D
from random import Random

import pytest
from django.utils import timezone

from portfolios import services
from portfolios.models import Portfolio, Transaction
from portfolios.tests.conftest import rate, trade

pytestmark = pytest.mark.django_db
DAY = date(2024, 5, 2)


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def answer(response, status=200):
    assert response.status_code == status, response.content
    return response.json(parse_float=D)


def url(portfolio, name=""):
    return f"/api/v1/portfolios/{portfolio.pk}{name}"


def money(portfolio, kind, amount, on=DAY, currency="NOK"):
    return services.record_money(
        portfolio=portfolio,
        type=kind,
        date=on,
        settlement_amount=D(amount),
        settlement_currency=currency,
    )


def cash_from(api, portfolio, day, **openings):
    opening = [{"currency": code, "amount": amount} for code, amount in openings.items()]
    return api.put(
        url(portfolio, "/cash-from"), {"cash_from": day and str(day), "opening": opening}
    )


def balances(api, portfolio):
    shown = answer(api.get(url(portfolio, "/cash")))
    return {one["currency"]: one["balance"] for one in shown["currencies"]}


def test_cash_follows_from_deposits_and_trades(api, portfolio, stock):
    money(portfolio, "deposit", "10000")
    trade(portfolio, stock, "buy", "10", "100", commission="29")
    before = answer(api.get(url(portfolio)))
    assert (before["cash"], before["cash_from"]) == (0, None)
    shown = answer(cash_from(api, portfolio, DAY))
    assert shown == {
        "cash_from": "2024-05-02",
        "cash": 8971,
        "used_credit": 0,
        "currencies": [{"currency": "NOK", "balance": 8971, "value": 8971}],
        "missing": [],
        "missing_why": {},
    }
    after = answer(api.get(url(portfolio)))
    assert (after["cash"], after["cash_from"]) == (8971, "2024-05-02")
    assert after["summary"]["net_value"] == before["summary"]["net_value"] + 8971
    dashboard = answer(api.get("/api/v1/dashboard"))
    assert (dashboard["cash"], dashboard["used_credit"]) == (8971, 0)


def test_the_brokers_amount_counts_and_the_formula_is_rounded(api, portfolio, stock):
    trade(portfolio, stock, "buy", "0.6242", "48.05", settlement_amount=D("-29.99"))
    assert balances(api, portfolio) == {"NOK": D("-29.99")}
    trade(portfolio, stock, "buy", "1", "0.125")
    trade(portfolio, stock, "buy", "1", "0.135")
    assert balances(api, portfolio) == {"NOK": D("-30.25")}  # 0.12 and 0.14: half-even


def test_currencies_below_zero_are_used_credit(api, portfolio):
    rate("EUR", "NOK", "11")
    rate("USD", "NOK", "10")
    money(portfolio, "deposit", "100", currency="EUR")
    money(portfolio, "withdrawal", "-7", currency="USD")
    money(portfolio, "deposit", "5", currency="SEK")
    money(portfolio, "withdrawal", "-5", currency="SEK")
    shown = answer(cash_from(api, portfolio, DAY))
    assert (shown["cash"], shown["used_credit"], shown["missing"]) == (1100, 70, [])
    assert [one["currency"] for one in shown["currencies"]] == ["EUR", "SEK", "USD"]
    today = str(timezone.localdate())
    points = answer(api.get(f"/api/v1/net-worth?start={today}"))["points"]
    assert (points[-1]["cash"], points[-1]["credit"], points[-1]["net_worth"]) == (1100, 70, 1030)


def test_a_currency_without_a_rate_is_left_out_and_named(api, portfolio, no_other_rates):
    money(portfolio, "deposit", "3", currency="VND")
    money(portfolio, "deposit", "4")
    shown = answer(cash_from(api, portfolio, DAY))
    assert (shown["cash"], shown["missing"]) == (4, ["VND"])
    assert shown["missing_why"] == {"VND": "no_rate"}
    assert shown["currencies"][1] == {"currency": "VND", "balance": 3, "value": None}
    summary = answer(api.get(url(portfolio)))["summary"]
    assert summary["missing_why"] == {"VND": "no_rate"}


def test_what_was_entered_counts_before_the_day(api, portfolio, stock):
    trade(portfolio, stock, "buy", "1", "10", on=DAY - timedelta(days=9))
    services.set_balance(portfolio=portfolio, kind="cash", amount=D(77), on=DAY - timedelta(days=5))
    money(portfolio, "deposit", "500", DAY)
    answer(cash_from(api, portfolio, DAY, NOK=20))
    start = DAY - timedelta(days=2)
    query = f"start={start}&end={DAY + timedelta(days=1)}"
    points = answer(api.get(f"/api/v1/net-worth?{query}"))["points"]
    assert [point["cash"] for point in points] == [77, 77, 520, 520]
    explained = answer(api.get(f"/api/v1/net-worth/explain?{query}"))
    shown = explained["inputs"]["portfolios"][0]["cash"]
    assert (shown["amount"], shown["currencies"][0]["balance"]) == (520, 520)
    response = api.put(url(portfolio, "/cash"), {"cash": 1, "date": str(DAY)})
    assert (response.status_code, codes(response)) == (409, [("cash_is_derived", "cash")])
    answer(api.put(url(portfolio, "/cash"), {"cash": 520, "date": str(DAY)}))
    answer(api.put(url(portfolio, "/cash"), {"cash": 70, "date": str(start)}))
    points = answer(api.get(f"/api/v1/net-worth?{query}"))["points"]
    assert [point["cash"] for point in points] == [70, 70, 520, 520]


@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        ("x", ("not_a_list", "opening")),
        ([5], ("invalid", "opening.0")),
        ([{"currency": "NOK"}], ("required", "opening.0.amount")),
    ],
)
def test_an_opening_that_cannot_be_read_is_named_by_its_place(api, portfolio, opening, expected):
    body = {"cash_from": str(DAY), "opening": opening}
    response = api.put(url(portfolio, "/cash-from"), body)
    assert (response.status_code, codes(response)) == (422, [expected])
    assert answer(api.get(url(portfolio)))["cash_from"] is None


def test_used_credit_is_a_field_of_the_answer_while_it_is_derived(api, portfolio):
    money(portfolio, "withdrawal", "-10")
    answer(cash_from(api, portfolio, DAY))
    back = answer(api.get(url(portfolio)))
    assert back["used_credit"] == 10
    assert answer(api.put(url(portfolio), {**back, "used_credit": 3}))["used_credit"] == 10
    response = api.patch(url(portfolio), {"used_credit": 3})
    assert (response.status_code, codes(response)) == (409, [("cash_is_derived", "used_credit")])
    assert answer(api.patch(url(portfolio), {"used_credit": 10}))["used_credit"] == 10


def test_an_opening_stays_true_whatever_changes_before(api, portfolio, stock):
    bought = trade(portfolio, stock, "buy", "1", "100", on=DAY - timedelta(days=3))
    answer(cash_from(api, portfolio, DAY, NOK=1000, EUR=5))
    opening = Transaction.objects.get(type="opening", settlement_currency="NOK")
    assert (opening.settlement_amount, opening.date) == (D(1100), DAY - timedelta(days=4))
    assert balances(api, portfolio) == {"EUR": 5, "NOK": 1000}
    services.update_transaction(row=bought, price=D(130))
    money(portfolio, "fee", "-7", DAY - timedelta(days=8))
    opening.refresh_from_db()
    assert (opening.settlement_amount, opening.date) == (D(1137), DAY - timedelta(days=9))
    money(portfolio, "deposit", "1", DAY)
    assert balances(api, portfolio) == {"EUR": 5, "NOK": 1001}
    services.delete_transaction(row=bought)
    assert balances(api, portfolio) == {"EUR": 5, "NOK": 1001}
    services.set_balance(portfolio=portfolio, kind="cash", amount=D(3), on=date(2020, 1, 1))
    for response in (
        api.patch(f"/api/v1/transactions/{opening.pk}", {"amount": 1}),
        api.delete(f"/api/v1/transactions/{opening.pk}"),
    ):
        assert (response.status_code, codes(response)) == (409, [("derived_row", None)])


def test_an_opening_of_what_the_rows_make_is_no_row(api, portfolio):
    money(portfolio, "deposit", "10", DAY - timedelta(days=1))
    answer(cash_from(api, portfolio, DAY, NOK=10))
    assert not Transaction.objects.filter(type="opening").exists()


def test_currencies_that_are_not_named_keep_what_their_rows_make(api, portfolio):
    money(portfolio, "deposit", "10", DAY)
    answer(cash_from(api, portfolio, DAY, NOK=5, EUR=7))
    answer(cash_from(api, portfolio, DAY + timedelta(days=1), EUR=8))
    assert balances(api, portfolio) == {"EUR": 8, "NOK": 15}


def test_taking_the_day_back_changes_no_other_row(api, portfolio, stock):
    services.set_balance(portfolio=portfolio, kind="cash", amount=D(42))
    trade(portfolio, stock, "buy", "1", "100", on=DAY - timedelta(days=3))
    money(portfolio, "deposit", "500")
    rows = list(Transaction.objects.order_by("sequence").values())
    answer(cash_from(api, portfolio, DAY, NOK=9))
    assert answer(api.get(url(portfolio)))["cash"] == 509
    shown = answer(cash_from(api, portfolio, None))
    assert (shown["cash_from"], shown["cash"]) == (None, 42)
    assert list(Transaction.objects.order_by("sequence").values()) == rows
    assert Portfolio.objects.get().cash_from_by == "manual"


def test_an_opening_next_to_a_recorded_one_is_a_conflict(api, portfolio):
    money(portfolio, "opening", "10", DAY - timedelta(days=1))
    response = cash_from(api, portfolio, DAY, NOK=9)
    assert (response.status_code, codes(response)) == (409, [("duplicate_opening", "currency")])
    answer(cash_from(api, portfolio, DAY, EUR=9))
    response = api.post(
        "/api/v1/transactions",
        {
            "portfolio_id": str(portfolio.pk),
            "type": "opening",
            "date": str(DAY),
            "amount": 1,
            "currency": "EUR",
        },
    )
    assert (response.status_code, codes(response)) == (409, [("duplicate_opening", "currency")])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("required", "cash_from")]),
        ({"cash_from": "2999-01-01"}, [("future_date", "cash_from")]),
        (
            {"cash_from": "2024-05-02", "opening": [{"currency": "XXX", "amount": 1}]},
            [("unknown_currency", "opening.0.currency")],
        ),
        (
            {"cash_from": None, "opening": [{"currency": "NOK", "amount": 1}]},
            [("invalid", "opening")],
        ),
        (
            {"cash_from": "2024-05-02", "opening": [{"currency": "NOK", "amount": 1}] * 2},
            [("duplicate_opening", "opening")],
        ),
    ],
)
def test_a_day_that_cannot_be_is_refused(api, portfolio, body, expected):
    response = api.put(url(portfolio, "/cash-from"), body)
    assert (response.status_code, codes(response)) == (422, expected)
    assert Portfolio.objects.get().cash_from is None


def test_another_user_has_no_cash_here(other_api, portfolio):
    assert other_api.get(url(portfolio, "/cash")).status_code == 404
    assert cash_from(other_api, portfolio, DAY).status_code == 404
    assert Portfolio.objects.get().cash_from is None


@pytest.mark.parametrize("seed", range(5))
def test_opening_and_rows_make_the_closing_balance_over_random_histories(
    api, portfolio, stock, seed
):
    random = Random(seed)
    answer(cash_from(api, portfolio, DAY, NOK=1000))
    for _ in range(25):
        on = DAY + timedelta(days=random.randrange(-20, 20))
        rows = list(Transaction.objects.exclude(source="derived"))
        chosen = random.random()
        if chosen < 0.2 and rows:
            row = random.choice(rows)
            if row.holding_id is None:
                services.delete_money(row=row)
            else:
                services.delete_transaction(row=row)
        elif chosen < 0.6:
            money(portfolio, "deposit", str(random.randrange(1, 10**6) / 100), on)
        else:
            price = str(random.randrange(1, 10**6) / 1000)
            trade(portfolio, stock, "buy", "3", price, on=on, commission="0.5")
    expected = D(1000)
    for row in Transaction.objects.filter(date__gte=DAY):
        amount = row.settlement_amount
        if amount is None:
            amount = (-3 * row.price - row.commission).quantize(D("0.01"))
        expected += amount
    assert balances(api, portfolio)["NOK"] == expected
