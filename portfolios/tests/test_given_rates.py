"""Test that a rate between equal currencies can only be 1."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.urls import reverse

from financeproj.core.errors import DomainError
from portfolios import services
from portfolios.models import Holding, Transaction
from portfolios.services.actions import Action, Cash, NewTarget, action_legs, transfer_of_shares
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
URL = "/api/v1/transactions"
DAY = date(2024, 5, 2)
MESSAGE = "Both amounts are in NOK, so the exchange rate must be 1. Leave it out."


def bought(portfolio, **fields):
    body = {"portfolio_id": str(portfolio.pk), "ticker": "FJORD.DEMO", "type": "buy"}
    return body | {"date": "2024-05-02", "quantity": 10, "price": 100} | fields


def refused(response, attr="exchange_rate"):
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"]) == (422, "same_currency_rate")
    assert (error["attr"], error["detail"]) == (attr, MESSAGE)


def test_another_rate_than_one_is_refused_where_nothing_is_converted(api, portfolio, stock):
    refused(api.post(URL, bought(portfolio, exchange_rate=1.05)))
    many = {"transactions": [bought(portfolio), bought(portfolio, exchange_rate=11)]}
    refused(api.post(f"{URL}/bulk", many), "transactions.1.exchange_rate")
    assert not Transaction.objects.exists()
    assert api.post(URL, bought(portfolio, exchange_rate=1)).status_code == 201


def test_an_edit_cannot_bring_another_rate(api, portfolio, stock):
    row = trade(portfolio, stock, "buy", "10", "100")
    refused(api.patch(f"{URL}/{row.pk}", {"exchange_rate": 1.05}))
    row.refresh_from_db()
    assert row.exchange_rate == 1


def test_a_rate_that_stood_before_stays_until_it_is_changed(api, portfolio, stock):
    row = trade(portfolio, stock, "buy", "10", "100")
    Transaction.objects.filter(pk=row.pk).update(exchange_rate=D("1.05"))
    answer = api.patch(f"{URL}/{row.pk}", {"note": "checked"}).json()
    assert (answer["note"], answer["exchange_rate"]) == ("checked", 1.05)
    refused(api.patch(f"{URL}/{row.pk}", {"exchange_rate": 1.06}))
    assert api.patch(f"{URL}/{row.pk}", {"exchange_rate": 1}).json()["exchange_rate"] == 1


def test_shares_that_are_moved_in_keep_the_rate_that_was_paid(api, portfolio, stock):
    moved = bought(portfolio, type="transfer_in", exchange_rate=1.05)
    assert api.post(URL, moved).status_code == 201
    holding = Holding.objects.get()
    assert holding.cost_basis == 1050


def test_the_admin_names_the_field(admin_client, portfolio, stock):
    holding = trade(portfolio, stock, "buy", "10", "100").holding
    form = {"holding": str(holding.pk), "type": "buy", "date": str(DAY), "quantity": "1"}
    form |= {"price": "100", "commission": "0", "tax": "0", "exchange_rate": "1.05"}
    response = admin_client.post(reverse("admin:portfolios_transaction_add"), form)
    assert response.context["adminform"].form.errors["exchange_rate"] == [MESSAGE]
    assert Transaction.objects.count() == 1


def test_the_rates_of_a_group_are_checked_too(portfolio, stock, make_stock):
    other = services.create_portfolio(user=portfolio.user, name="Other", currency="NOK")
    holding = trade(portfolio, stock, "buy", "10", "100").holding
    target = NewTarget(make_stock("NEW.DEMO"), D(5), rate=D("1.05"))
    action = Action(kind="exchange", holding=holding, date=DAY, targets=[target])
    with pytest.raises(DomainError) as caught:
        action_legs(action)
    assert (caught.value.code, caught.value.attr) == ("same_currency_rate", "targets.0.rate")
    cash = Cash("NOK", D(50), rate=D("1.05"))
    target = NewTarget(target.stock, D(5))
    action = Action(kind="exchange", holding=holding, date=DAY, targets=[target], cash=cash)
    with pytest.raises(DomainError) as caught:
        action_legs(action)
    assert (caught.value.code, caught.value.attr) == ("same_currency_rate", "cash.rate")
    with pytest.raises(DomainError) as caught:
        transfer_of_shares(
            holding=holding, to_portfolio=other, quantity=D(5), date=DAY, rate=D("1.05")
        )
    assert (caught.value.code, caught.value.attr) == ("same_currency_rate", "rate")
