"""Test taxes, the broker's own amount, and transactions of money alone."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portfolios import services
from portfolios.models import Holding, Transaction
from portfolios.tests.conftest import rate, trade

pytestmark = pytest.mark.django_db
URL = "/api/v1/transactions"


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def money(portfolio, **changes):
    body = {
        "portfolio_id": str(portfolio.pk),
        "type": "deposit",
        "date": "2024-05-02",
        "amount": 1000,
    }
    return {**body, **changes}


def answer(response, status=201):
    assert response.status_code == status, response.content
    return response.json(parse_float=D)


# --- Tax ------------------------------------------------------------------------------------------


def test_tax_and_commission_are_both_part_of_the_cost(portfolio, stock):
    bought = trade(portfolio, stock, "buy", "10", "100", commission="5", tax=D("3"))
    assert bought.average_cost_per_share_at_transaction == D("100.8")
    sold = trade(portfolio, stock, "sell", "10", "110", commission="5", tax=D("2"))
    assert sold.realised_gain == D("85")  # 1,100 - 7 - 1,008


def test_the_tax_of_a_dividend_is_no_income(api, portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    body = answer(
        api.post(
            URL,
            {
                "portfolio_id": str(portfolio.pk),
                "ticker": stock.ticker,
                "type": "dividend",
                "date": "2024-05-03",
                "quantity": 1,
                "price": 30,
                "tax": 7.69,
            },
        )
    )
    assert (body["tax"], body["amount"]) == (D("7.69"), D("22.31"))
    assert Holding.objects.get().income == D("22.31")


def test_a_tax_below_zero_is_refused(api, portfolio, stock):
    response = api.post(URL, money(portfolio, type="interest", tax=-1))
    assert (response.status_code, codes(response)) == (422, [("too_small", "tax")])
    assert not Transaction.objects.exists()


# --- The broker's own amount ----------------------------------------------------------------------


def reinvested(portfolio, stock, **fields):
    return trade(
        portfolio, stock, "buy", "0.6242", "48.05", settlement_amount=D("-29.99"), **fields
    )


def test_the_brokers_amount_is_the_cash_and_the_formula_the_cost(api, portfolio, stock):
    row = reinvested(portfolio, stock)
    body = answer(api.get(f"{URL}/{row.pk}"), 200)
    assert (body["amount"], body["settlement_amount"]) == (D("-29.99"), D("-29.99"))
    assert Holding.objects.get().cost_basis == D("29.99281")


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({"price": 48}, None),
        ({"quantity": 1}, None),
        ({"commission": 1}, None),
        ({"tax": 1}, None),
        ({"price": 48, "settlement_amount": -29.99}, None),
        ({"price": 48, "settlement_amount": -29.96}, D("-29.96")),
        ({"note": "of the dividend"}, D("-29.99")),
        ({"date": "2024-05-01"}, D("-29.99")),
        ({"price": 48.05}, D("-29.99")),
        ({"settlement_amount": None}, None),
    ],
)
def test_what_clears_the_brokers_amount(api, portfolio, stock, changes, amount):
    row = reinvested(portfolio, stock)
    body = answer(api.patch(f"{URL}/{row.pk}", changes), 200)
    assert body["settlement_amount"] == amount


def test_a_put_without_the_new_fields_leaves_them(api, portfolio, stock):
    row = reinvested(portfolio, stock, booked_on=date(2024, 5, 6))
    body = {"type": "buy", "date": "2024-05-02", "quantity": 0.6242, "price": 48.05}
    changed = answer(api.put(f"{URL}/{row.pk}", body), 200)
    assert changed["settlement_amount"] == D("-29.99")
    assert changed["booked_on"] == "2024-05-06"
    cleared = answer(api.patch(f"{URL}/{row.pk}", {"booked_on": None}), 200)
    assert cleared["booked_on"] is None


def test_a_third_currency_needs_the_amount(api, portfolio, stock):
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": stock.ticker,
        "type": "buy",
        "date": "2024-05-02",
        "quantity": 1,
        "price": 10,
        "settlement_currency": "EUR",
    }
    response = api.post(URL, body)
    assert (response.status_code, codes(response)) == (
        422,
        [("settlement_amount_required", "settlement_amount")],
    )
    assert not Transaction.objects.exists()
    made = answer(api.post(URL, {**body, "settlement_amount": -1}))
    assert (made["settlement_currency"], made["amount"]) == ("EUR", -10)


def test_a_purchase_brings_no_money(api, portfolio, stock):
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": stock.ticker,
        "type": "buy",
        "date": "2024-05-02",
        "quantity": 1,
        "price": 10,
        "settlement_amount": 10,
    }
    response = api.post(URL, body)
    assert codes(response) == [("wrong_sign", "settlement_amount")]


# --- Money alone ----------------------------------------------------------------------------------


def test_a_deposit_has_no_holding(api, portfolio):
    later = timezone.localdate() + timedelta(days=3)
    body = answer(api.post(URL, money(portfolio, booked_on=str(later), note="salary")))
    assert (body["holding_id"], body["ticker"], body["quantity"]) == (None, None, 1)
    assert (body["price"], body["currency"], body["amount"]) == (1000, "NOK", 1000)
    assert (body["settlement_currency"], body["settlement_amount"]) == ("NOK", 1000)
    assert body["booked_on"] == str(later)
    assert answer(api.get(f"{URL}/{body['id']}"), 200) == body


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": -1}, [("wrong_sign", "amount")]),
        ({"amount": 0}, [("wrong_sign", "amount")]),
        ({"type": "withdrawal"}, [("wrong_sign", "amount")]),
        ({"type": "fee", "amount": 0}, [("wrong_sign", "amount")]),
        ({"currency": "XXX"}, [("unknown_currency", "currency")]),
        ({"amount": None}, [("required", "amount")]),
        ({"type": "conversion"}, [("invalid_choice", "type")]),
        ({"tax": 1}, [("invalid", "tax")]),
        ({"portfolio_id": None}, [("null", "portfolio_id")]),
    ],
)
def test_money_that_cannot_be_is_refused(api, portfolio, changes, expected):
    response = api.post(URL, money(portfolio, **changes))
    assert (response.status_code, codes(response)) == (422, expected)
    assert not Transaction.objects.exists()


def test_money_in_the_future_is_refused(api, portfolio):
    tomorrow = timezone.localdate() + timedelta(days=1)
    response = api.post(URL, money(portfolio, date=str(tomorrow)))
    assert codes(response) == [("future_date", "date")]


def test_interest_without_an_instrument_is_the_net(api, portfolio):
    body = answer(api.post(URL, money(portfolio, type="interest", amount=0.8, tax=0.2)))
    assert (body["amount"], body["tax"], body["price"]) == (D("0.8"), D("0.2"), D("0.8"))


def test_money_in_another_currency_is_converted_where_a_rate_is_known(
    api, portfolio, no_other_rates
):
    body = answer(api.post(URL, money(portfolio, currency="EUR", amount=10)))
    assert (body["exchange_rate"], body["amount"]) == (None, None)
    rate("EUR", "NOK", "11.5", date(2024, 5, 2))
    body = answer(api.post(URL, money(portfolio, currency="EUR", amount=10)))
    assert (body["exchange_rate"], body["amount"]) == (D("11.5"), 115)
    assert body["settlement_amount"] == 10


def test_money_is_changed_by_its_amount(api, portfolio):
    made = answer(api.post(URL, money(portfolio)))
    url = f"{URL}/{made['id']}"
    assert answer(api.patch(url, {"amount": 900}), 200)["settlement_amount"] == 900
    # An answer that is sent back: its `amount` is the effect in the portfolio's currency.
    back = answer(api.get(url), 200) | {"settlement_amount": 800}
    changed = answer(api.put(url, back), 200)
    assert (changed["amount"], changed["price"]) == (800, 800)
    assert codes(api.patch(url, {"amount": -5})) == [("wrong_sign", "amount")]
    assert codes(api.patch(url, {"type": "buy"})) == [("invalid_choice", "type")]
    assert codes(api.patch(url, {"ticker": "FJORD.DEMO"})) == [("holding_fixed", "ticker")]
    assert Transaction.objects.get().settlement_amount == 800
    assert api.delete(url).status_code == 204
    assert not Transaction.objects.exists()


def test_a_second_opening_in_a_currency_is_a_conflict(api, portfolio):
    opening = money(portfolio, type="opening", amount=-5)
    answer(api.post(URL, opening))
    response = api.post(URL, opening)
    assert (response.status_code, codes(response)) == (409, [("duplicate_opening", "currency")])
    answer(api.post(URL, {**opening, "currency": "EUR"}))
    assert Transaction.objects.count() == 2


def test_a_repeated_external_id_is_a_conflict(api, portfolio, stock):
    trade(portfolio, stock, "buy", "1", "10", external_id="a")
    response = api.post(URL, money(portfolio, external_id="a"))
    assert (response.status_code, codes(response)) == (
        409,
        [("duplicate_external_id", "external_id")],
    )


def test_lists_show_trades_unless_money_is_asked_for(api, portfolio, stock):
    bought = trade(portfolio, stock, "buy", "1", "10")
    paid = services.record_money(
        portfolio=portfolio, type="fee", date=date(2024, 5, 3), settlement_amount=D(-1)
    )
    of_stock = trade(portfolio, stock, "fee", "1", "1")

    def shown(query):
        return {row["id"] for row in answer(api.get(f"{URL}{query}"), 200)["results"]}

    trades, every = {str(bought.pk), str(of_stock.pk)}, {str(bought.pk), str(of_stock.pk)}
    every.add(str(paid.pk))
    assert shown("") == trades == shown("?kind=trade")
    assert shown("?kind=money") == {str(paid.pk)}
    assert shown("?kind=all") == every
    assert shown("?type=fee") == {str(of_stock.pk)}
    assert api.get(f"{URL}?kind=shares").status_code == 400
    deposit = answer(api.post(URL, money(portfolio)))
    assert shown("?type=deposit") == {deposit["id"]}


def test_another_user_sees_no_money(api, other_api, portfolio):
    made = answer(api.post(URL, money(portfolio)))
    assert other_api.get(f"{URL}/{made['id']}").status_code == 404
    assert other_api.delete(f"{URL}/{made['id']}").status_code == 404
    response = other_api.post(URL, money(portfolio))
    assert codes(response) == [("unknown_portfolio", "portfolio_id")]
    assert Transaction.objects.count() == 1


def test_money_leaves_the_figures_of_holdings_alone(api, portfolio, stock):
    trade(portfolio, stock, "buy", "1", "10")
    urls = ("performance", "timeline", "bridge", "holdings", "realised-gains")
    base = f"/api/v1/portfolios/{portfolio.pk}"
    before = [answer(api.get(f"{base}/{name}"), 200) for name in urls]
    answer(api.post(URL, money(portfolio, date="2024-01-02")))
    answer(api.post(URL, money(portfolio, type="withdrawal", amount=-200)))
    assert [answer(api.get(f"{base}/{name}"), 200) for name in urls] == before


@pytest.mark.parametrize(
    "changes",
    [
        {"settlement_amount": D(0), "price": D(0)},
        {"settlement_amount": D(-5), "price": D(5)},
        {"price": D(7)},
        {"quantity": D(2)},
        {"settlement_currency": None},
        {"type": "buy"},
    ],
)
def test_the_database_refuses_money_that_cannot_be(portfolio, changes):
    made = services.record_money(
        portfolio=portfolio, type="deposit", date=date(2024, 5, 3), settlement_amount=D(9)
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Transaction.objects.filter(pk=made.pk).update(**changes)
