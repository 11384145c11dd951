"""Test what a transaction or a group would be, without recording it."""

import pytest
from django.db import connection

from financeproj.history.models import HistoryEntry
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from portfolios.models import Holding, Portfolio, Transaction, TransactionGroup
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
URL = "/api/v1/transactions"
DRY = f"{URL}?dry_run=true"
GROUPS = "/api/v1/transaction-groups"
STORED = (Transaction, Holding, TransactionGroup, StockMetadata, HistoryEntry, Portfolio)


def dump():
    return [list(model.objects.order_by("pk").values_list()) for model in STORED]


def codes(response):
    return [error["code"] for error in response.json()["errors"]]


@pytest.fixture
def held(portfolio, stock):
    return trade(portfolio, stock, "buy", "100", "50").holding


def entered(held, **fields):
    return {"holding_id": str(held.pk), "date": "2024-06-03", **fields}


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"type": "split", "quantity": "1.05"}, (105, 5000, "47.6190476190476")),
        ({"type": "return_of_capital", "quantity": 100, "price": 20}, (100, 3000, "30")),
        ({"type": "sell", "quantity": 100, "price": 60}, (0, 0, None)),
        ({"type": "dividend", "quantity": 100, "price": 1}, (100, 5000, "50")),
    ],
)
def test_a_dry_run_shows_the_holding_before_and_after_and_writes_nothing(api, held, fields, after):
    before = dump()
    answer = api.post(DRY, entered(held, **fields))
    body = answer.json()
    assert (answer.status_code, body["id"], body["type"]) == (200, None, fields["type"])
    place = {"ticker": "FJORD.DEMO", "portfolio_id": str(held.portfolio_id)}
    quantity, cost, average = after
    assert body["before"] == [
        {**place, "quantity": 100, "cost_basis": 5000, "average_cost_per_share": 50}
    ]
    assert body["after"] == [
        {
            **place,
            "quantity": quantity,
            "cost_basis": cost,
            "average_cost_per_share": None if average is None else float(average),
        }
    ]
    assert dump() == before
    recorded = api.post(URL, entered(held, **fields)).json()
    assert "before" not in recorded
    assert recorded["realised_gain"] == body["realised_gain"]


def test_a_first_purchase_is_shown_against_nothing_and_leaves_no_instrument(api, portfolio):
    before = dump()
    body = {"portfolio_id": str(portfolio.pk), "ticker": "HYTTE", "currency": "NOK", "type": "buy"}
    answer = api.post(DRY, body | {"date": "2024-06-03", "quantity": 2, "price": 10})
    assert [one["quantity"] for one in answer.json()["before"]] == [0]
    assert [one["cost_basis"] for one in answer.json()["after"]] == [20]
    assert dump() == before


def test_a_dry_run_of_money_has_no_holding(api, portfolio):
    before = dump()
    body = {"portfolio_id": str(portfolio.pk), "type": "deposit", "date": "2024-06-03"}
    answer = api.post(DRY, body | {"amount": 100})
    assert (answer.status_code, answer.json()["id"]) == (200, None)
    assert answer.json()["settlement_amount"] == 100
    assert "before" not in answer.json()
    assert dump() == before


def test_a_dry_run_refuses_what_recording_would_refuse(api, held):
    before = dump()
    answer = api.post(DRY, entered(held, type="sell", quantity=101, price=60))
    assert (answer.status_code, codes(answer)) == (422, ["insufficient_quantity"])
    assert api.post(f"{URL}?dry_run=perhaps", entered(held)).status_code == 400
    assert dump() == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("dry_run", ["true", "false"])
def test_a_source_is_asked_for_splits_outside_of_the_transaction(
    api, held, make_stock, monkeypatch, dry_run
):
    make_stock("AAA.DEMO")
    asked = []

    def learn_splits(*, stock):
        asked.append((stock.ticker, connection.in_atomic_block))
        return False

    monkeypatch.setattr(marketdata, "learn_splits", learn_splits)
    body = entered(held, kind="exchange", quantity_out=101)
    body["targets"] = [{"ticker": "AAA.DEMO", "quantity": 1}]
    answer = api.post(f"{GROUPS}?dry_run={dry_run}", body)
    assert codes(answer) == ["insufficient_quantity"]
    answer = api.post(f"{URL}?dry_run={dry_run}", entered(held, type="sell", quantity=101, price=1))
    assert codes(answer) == ["insufficient_quantity"]
    assert asked == [("FJORD.DEMO", False)] * 2
