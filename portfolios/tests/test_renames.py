"""Test what is proposed where a source lists an instrument under another ticker."""

from datetime import UTC, datetime

import pytest
import time_machine

from financeproj.history.models import HistoryEntry
from marketdata.models import StockMetadata
from marketdata.services import refresh_quotes
from marketdata.tests.factories import instrument
from portfolios.models import Holding, Transaction, TransactionGroup
from portfolios.services import contradicted_chains, contradicted_holdings

pytestmark = pytest.mark.django_db

URL = "/api/v1"
OLD = f"{URL}/stocks/FB"


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    with time_machine.travel(datetime(2026, 3, 3, 22, 0, tzinfo=UTC)):
        for symbol in ("FB", "META"):
            yahoo.list(symbol, [100.0, 100.0, 110.0, 120.0], name="Meta Platforms")
        yahoo.listed["FB"].answers_as = "META"
        yield yahoo


@pytest.fixture
def place(api, market):
    return api.post(f"{URL}/portfolios", {"name": "Depot", "currency": "USD"}).json()["id"]


@pytest.fixture
def held(api, place):
    body = {"portfolio_id": place, "ticker": "FB", "type": "buy", "date": "2026-02-26"}
    answer = api.post(f"{URL}/transactions", body | {"quantity": 10, "price": 90, "commission": 5})
    assert answer.status_code == 201
    return f"{URL}/holdings/{answer.json()['holding_id']}"


def exchange(held):
    return {
        "kind": "exchange",
        "label": "Symbol change",
        "holding_id": held.rsplit("/", 1)[1],
        "date": "2026-03-03",
        "targets": [{"ticker": "META", "quantity": 10}],
    }


def codes(response):
    return [error["code"] for error in response.json()["errors"]]


def ask_again(*, day=4):
    with time_machine.travel(datetime(2026, 3, day, 22, 0, tzinfo=UTC)):
        refresh_quotes(StockMetadata.objects.values_list("pk", flat=True))


def test_a_ticker_that_answers_under_another_symbol_is_proposed_and_nothing_is_done(api, held):
    answer = api.get(OLD).json()
    assert answer["renamed_to"] == "META"
    assert [one["rename_dismissed"] for one in answer["holdings"]] == [False]
    holding = api.get(held).json()
    assert (holding["renamed_to"], holding["rename_dismissed"]) == ("META", False)
    assert (holding["ticker"], holding["current_quantity"]) == ("FB", 10)
    assert not StockMetadata.objects.filter(ticker="META").exists()
    assert not TransactionGroup.objects.exists()


def test_an_exchange_one_for_one_follows_the_rename_and_keeps_cost_days_and_returns(
    api, place, held
):
    before = api.get(f"{URL}/portfolios/{place}/performance").json()
    assert api.post(f"{URL}/transaction-groups", exchange(held)).status_code == 201
    closed = api.get(held).json()
    assert (closed["current_quantity"], closed["renamed_to"]) == (0, None)
    [taken] = api.get(f"{URL}/portfolios/{place}/holdings").json()
    assert (taken["ticker"], taken["current_quantity"], taken["cost_basis"]) == ("META", 10, 905)
    assert (taken["renamed_to"], taken["realised_gain"], taken["total_gain"]) == (None, 0, 295)
    after = api.get(f"{URL}/portfolios/{place}/performance").json()
    for name in ("twr", "gain", "end_value", "net_flow"):
        assert after[name] == before[name]
    sold = {"holding_id": taken["id"], "type": "sell", "date": "2026-03-03", "quantity": 10}
    assert api.post(f"{URL}/transactions", sold | {"price": 120}).status_code == 201
    [gain] = api.get(f"{URL}/portfolios/{place}/realised-gains?method=fifo").json()
    assert gain["gain"] == 295
    assert gain["lots"] == [{"bought_on": "2026-02-26", "quantity": 10, "cost": 905}]
    assert list(contradicted_holdings()) == []
    assert list(contradicted_chains()) == []


def test_a_dismissed_rename_stays_dismissed_until_another_comes(api, market, held):
    answer = api.patch(held, {"rename_dismissed": True})
    assert (answer.status_code, answer.json()["rename_dismissed"]) == (200, True)
    assert api.get(OLD).json()["holdings"][0]["rename_dismissed"] is True
    ask_again()
    assert api.get(held).json()["rename_dismissed"] is True
    entry = HistoryEntry.objects.filter(action="changed", object_type="holding").get()
    assert entry.changes == {"rename_dismissed": [False, True]}
    market.listed["FB"].answers_as = "NEWER"
    ask_again(day=5)
    holding = api.get(held).json()
    assert (holding["renamed_to"], holding["rename_dismissed"]) == ("NEWER", False)
    assert Transaction.objects.count() == 1


def test_a_dismissed_rename_can_be_proposed_again(api, held):
    api.patch(held, {"rename_dismissed": True})
    assert api.patch(held, {"rename_dismissed": False}).json()["rename_dismissed"] is False
    sent_back = api.patch(held, api.get(held).json())
    assert (sent_back.status_code, sent_back.json()["renamed_to"]) == (200, "META")


def test_one_users_answer_is_not_anothers(api, other_api, held):
    theirs = other_api.post(f"{URL}/portfolios", {"name": "Theirs", "currency": "USD"}).json()
    body = {"portfolio_id": theirs["id"], "ticker": "FB", "type": "buy", "date": "2026-03-02"}
    other_api.post(f"{URL}/transactions", body | {"quantity": 1, "price": 110})
    api.patch(held, {"rename_dismissed": True})
    [holding] = other_api.get(OLD).json()["holdings"]
    assert holding["rename_dismissed"] is False
    assert other_api.patch(held, {"rename_dismissed": True}).status_code == 404
    assert Holding.objects.exclude(dismissed_rename="").count() == 1


def test_the_proposal_goes_when_the_source_lists_the_ticker_again(api, market, held):
    market.listed["FB"].answers_as = ""
    ask_again()
    assert api.get(OLD).json()["renamed_to"] is None
    assert api.get(held).json()["renamed_to"] is None


def test_a_source_that_cannot_be_asked_leaves_the_proposal(api, market, held):
    market.fault = "500"
    ask_again()
    assert api.get(OLD).json()["renamed_to"] == "META"


@pytest.mark.parametrize("symbol", ["fb", "FB", "not a ticker", "<b>"])
def test_another_spelling_or_no_ticker_at_all_is_no_rename(api, market, held, symbol):
    market.listed["FB"].answers_as = symbol
    ask_again()
    assert api.get(OLD).json()["renamed_to"] is None


def test_a_pair_of_currencies_that_yahoo_shortens_is_no_rename(api, market, place):
    market.list("USDNOK=X", [10.0, 11.0], kind="CURRENCY", currency="NOK", answers_as="NOK=X")
    assert api.get(f"{URL}/stocks/USDNOK=X").json()["renamed_to"] is None


def test_dismissing_what_was_not_renamed_is_refused_and_changes_nothing(api, place):
    instrument("ACME", currency="USD")
    body = {"portfolio_id": place, "ticker": "ACME", "type": "buy", "date": "2026-03-02"}
    holding_id = api.post(f"{URL}/transactions", body | {"quantity": 1, "price": 9}).json()
    answer = api.patch(
        f"{URL}/holdings/{holding_id['holding_id']}",
        {"rename_dismissed": True, "company_name": "Acme"},
    )
    assert (answer.status_code, codes(answer)) == (422, ["not_renamed"])
    holding = Holding.objects.get()
    assert (holding.company_name, holding.dismissed_rename) == ("", "")


def test_a_change_of_nothing_is_refused(api, held):
    answer = api.patch(held, {})
    assert (answer.status_code, codes(answer)) == (422, ["required"])
