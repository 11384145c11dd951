"""Test concurrent requests for the same data: nothing is lost, none is a 500."""

from base64 import b64encode
from datetime import date

import pytest

from financeproj.core.errors import Conflict
from portfolios import services
from portfolios.models import Holding, Portfolio, Transaction
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db


def test_two_edits_of_different_fields_both_last(portfolio, stock):
    row = trade(portfolio, stock, "buy", "10", "100")
    one, other = (
        Transaction.objects.select_related("holding__stock", "portfolio").get(pk=row.pk)
        for _ in range(2)
    )
    services.update_transaction(row=one, note="first")
    services.update_transaction(row=other, commission=5)
    row.refresh_from_db()
    assert (row.note, row.commission) == ("first", 5)
    assert Holding.objects.get().cost_basis == 1005


def test_a_rate_is_not_kept_for_a_currency_that_the_portfolio_no_longer_has(portfolio, make_stock):
    stock = make_stock("ACME.USD.DEMO", "USD")
    services.update_portfolio(portfolio=Portfolio.objects.get(), currency="USD")
    with pytest.raises(Conflict, match="currency was changed"):
        trade(portfolio, stock, "buy", "10", "100", exchange_rate="10.5")
    assert not Transaction.objects.exists()


def test_an_object_deleted_in_the_meantime_is_not_found(api, portfolio, stock, monkeypatch):
    row = trade(portfolio, stock, "buy", "10", "100")
    lock = services.transactions.lock_portfolio

    def delete_first(locked):
        Portfolio.objects.filter(pk=portfolio.pk).delete()
        return lock(locked)

    monkeypatch.setattr(services.transactions, "lock_portfolio", delete_first)
    assert api.patch(f"/api/v1/transactions/{row.pk}", {"note": "late"}).status_code == 404


def test_a_refused_sale_of_something_new_leaves_nothing_of_the_users(api, portfolio, yahoo):
    body = {"portfolio_id": str(portfolio.pk), "ticker": "CABIN", "currency": "NOK", "type": "sell"}
    response = api.post(
        "/api/v1/transactions", {**body, "date": "2024-05-02", "quantity": 1, "price": 1}
    )
    assert response.status_code == 422
    assert not portfolio.user.instruments.exists()
    bought = api.post(
        "/api/v1/transactions",
        {**body, "type": "buy", "date": "2024-05-02", "quantity": 1, "price": 1},
    )
    assert bought.status_code == 201
    assert portfolio.user.instruments.get().ticker == "CABIN"


def test_a_new_portfolio_is_last_also_after_others_went(user):
    made = [services.create_portfolio(user=user, name=name, currency="NOK") for name in "ABCD"]
    for portfolio in made[:3]:
        services.delete_portfolio(portfolio=portfolio)
    services.create_portfolio(user=user, name="New", currency="NOK")
    assert [portfolio.name for portfolio in Portfolio.objects.all()] == ["D", "New"]


@pytest.mark.parametrize("tiny", ["1e-1000000000", "1e-21", "0.000000000000000000001"])
def test_a_number_too_close_to_zero_is_refused_and_not_rounded(api, portfolio, stock, tiny):
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": stock.ticker,
        "type": "buy",
        "date": "2024-05-02",
    }
    response = api.post("/api/v1/transactions", {**body, "quantity": tiny, "price": 1})
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "too_precise"


ID = "6f1c2d7e-0d3c-4a53-9f0a-0d8f5d0c2b11"
NO_CURSORS = [
    "p=abc",
    "o=9999999999999999999999",
    "o=5",
    "p=2024-01-02",
    "o=3&p=2024-01-02",
    f"p=2024-02-30 1 {ID}",
    f"p=2024-01-02 {10**20} {ID}",
    f"p=2024-01-02 -1 {ID}",
    "p=2024-01-02 1 6f1c2d7e",
    f"p=2024-01-02 1 {'-' * 36}",
    f"o=1&p=2024-01-02 1 {ID}",
    "r=x",
]


@pytest.mark.parametrize(
    "cursor", ["x", *(b64encode(text.encode()).decode() for text in NO_CURSORS)]
)
def test_a_cursor_made_by_hand_is_400(api, cursor):
    assert api.get("/api/v1/transactions", {"cursor": cursor}).status_code == 400


@pytest.mark.parametrize("day", ["20240301", "2024-W09-5", "01.03.2024", "2024-3-1"])
def test_a_date_is_year_month_day_and_nothing_else(api, portfolio, stock, day):
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": stock.ticker,
        "type": "buy",
        "quantity": 1,
        "price": 1,
    }
    assert api.post("/api/v1/transactions", {**body, "date": day}).status_code == 422
    if day != "2024-3-1":
        assert api.get(f"/api/v1/transactions?start={day}").status_code == 400


def test_the_day_change_of_a_portfolio_is_against_what_has_a_day_change(api, portfolio, make_stock):
    from portfolios.tests.conftest import quote

    moved, new = make_stock("A.DEMO"), make_stock("B.DEMO")
    quote(moved, "110", previous="100")
    quote(new, "100")
    for stock in (moved, new):
        trade(portfolio, stock, "buy", "1", "50", on=date(2024, 1, 2))
    summary = api.get(f"/api/v1/portfolios/{portfolio.pk}").json()["summary"]
    assert (summary["day_change"], summary["day_change_pct"]) == (10, 0.1)
    assert summary["day_change_missing"] == ["B.DEMO"]


def test_a_holding_in_the_portfolios_own_currency_has_no_currency_effect(
    api, portfolio, make_stock
):
    stock = make_stock(price="101.37")
    trade(portfolio, stock, "buy", "7", "33.33", commission="1.01", on=date(2024, 1, 2))
    trade(portfolio, stock, "sell", "3", "40", on=date(2024, 1, 3))
    (holding,) = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    assert holding["fx_effect"] == 0
    assert holding["price_effect"] == holding["unrealised_gain"]
