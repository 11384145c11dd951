"""Test what becomes of instruments that only their user describes."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine

from conftest import api_client
from financeproj.history.models import HistoryEntry
from marketdata import services as marketdata
from marketdata.models import HistoricalStockPrice, StockMetadata, StockSplit
from marketdata.selectors import instruments_described_otherwise, unconfirmed_instruments
from marketdata.tests.factories import instrument, with_closes, with_splits
from portfolios.models import Checkpoint, Holding, ImportBatch
from portfolios.services import contradicted_holdings, create_portfolio, settle_instruments
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db

TRANSACTIONS = "/api/v1/transactions"


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    with time_machine.travel(datetime(2026, 3, 3, 22, 0, tzinfo=UTC)):
        yahoo.list("ACME", [100.0, 101.0], name="Acme Corporation", exchange="NYSE")
        yield yahoo


@pytest.fixture
def theirs(other_user):
    return create_portfolio(user=other_user, name="Theirs", currency="NOK")


def own(user, currency="USD", **fields):
    return instrument("ACME", owner=user, currency=currency, source="yahoo", **fields)


def test_a_currency_that_one_user_gives_is_not_fixed_for_another(
    user, other_user, portfolio, theirs, market
):
    market.fault = "429"
    body = {
        "type": "buy",
        "ticker": "ACME",
        "date": "2026-03-02",
        "quantity": 1,
        "price": 10,
        "exchange_rate": 1,
    }
    for who, where, currency in ((user, portfolio, "VND"), (other_user, theirs, "EUR")):
        fields = body | {"portfolio_id": str(where.pk), "currency": currency}
        assert api_client(who).post(TRANSACTIONS, fields).status_code == 201
    named = StockMetadata.objects.order_by("currency").values_list("currency", "owner")
    assert list(named) == [("EUR", other_user.pk), ("VND", user.pk)]


def test_described_in_the_users_currency_it_becomes_the_shared_one(user, portfolio, market):
    stock = own(user, company_name="Mine", isin="US0378331005")
    holding = trade(portfolio, stock, "buy", "2", "90").holding
    marketdata.refresh_stocks([stock])
    stock.refresh_from_db()
    assert (stock.owner, stock.source, stock.company_name, stock.isin) == (
        None,
        "yahoo",
        "Acme Corporation",
        "",
    )
    assert stock.quote.price == 101
    holding.refresh_from_db()
    assert holding.stock == stock
    [entry] = HistoryEntry.objects.filter(action="confirmed")
    assert (entry.object_label, entry.owner_id) == ("ACME", user.pk)


def test_described_in_another_currency_it_stays_the_users_priced_by_hand(user, portfolio, market):
    stock = own(user, currency="VND")
    trade(portfolio, stock, "buy", "2", "90", exchange_rate="0.0004")
    marketdata.refresh_stocks([stock])
    stock.refresh_from_db()
    assert (stock.owner, stock.source, stock.currency, stock.described_currency) == (
        user,
        "manual",
        "VND",
        "USD",
    )
    assert not stock.prices.exists()
    assert instruments_described_otherwise([stock.pk]) == {stock.pk}
    assert not unconfirmed_instruments().exists()


def test_what_the_source_does_not_know_stays_the_users_priced_by_hand(user, market):
    stock = instrument("NOSUCH", owner=user, source="yahoo")
    marketdata.refresh_stocks([stock])
    stock.refresh_from_db()
    assert (stock.owner, stock.source, stock.described_currency) == (user, "manual", "")


def test_while_the_source_is_busy_it_stays_unconfirmed(user, market):
    stock = own(user)
    market.fault = "500"
    marketdata.refresh_stocks([stock])
    stock.refresh_from_db()
    assert (stock.owner, stock.source) == (user, "yahoo")


def test_holdings_move_to_the_instrument_that_another_user_had_confirmed(user, portfolio, market):
    mine = own(user)
    holding = trade(portfolio, mine, "buy", "2", "90").holding
    shared = with_splits(
        with_closes(instrument("ACME"), {date(2024, 1, 2): 100}), {date(2025, 1, 2): 4}
    )
    settle_instruments()
    holding.refresh_from_db()
    assert (holding.stock, holding.current_quantity) == (shared, 8)
    assert list(contradicted_holdings()) == []
    assert list(StockMetadata.objects.all()) == [shared]
    assert HistoryEntry.objects.filter(action="moved_to_shared_instrument").count() == 1
    settle_instruments()
    assert Holding.objects.get().current_quantity == 8


def test_a_holding_of_both_becomes_one(user, portfolio, market):
    shared, mine = instrument("ACME"), own(user)
    trade(portfolio, shared, "buy", "3", "100")
    trade(portfolio, mine, "buy", "2", "90")
    settle_instruments()
    holding = Holding.objects.get()
    assert (holding.stock, holding.current_quantity) == (shared, 5)
    assert holding.transactions.count() == 2
    assert list(contradicted_holdings()) == []


def test_what_files_say_of_it_is_said_of_the_shared_one_once(user, portfolio, market):
    shared, mine = instrument("ACME"), own(user)
    batch = ImportBatch.objects.create(portfolio=portfolio, file_name="f.csv")
    figure = {"import_batch": batch, "decimals": 0, "row": 2, "rows_of_day": 1}
    for stock, number, amount in ((shared, 2, "3"), (mine, 2, "5"), (mine, 3, "6")):
        day = date(2024, 1, number)
        Checkpoint.objects.create(stock=stock, day=day, amount=D(amount), **figure)
    settle_instruments()
    kept = Checkpoint.objects.order_by("day").values_list("stock", "day", "amount")
    assert list(kept) == [(shared.pk, date(2024, 1, 2), 3), (shared.pk, date(2024, 1, 3), 6)]


def test_one_in_another_currency_than_the_shared_one_is_priced_by_hand(user, portfolio, market):
    instrument("ACME")
    mine = own(user, currency="VND")
    trade(portfolio, mine, "buy", "2", "90", exchange_rate="0.0004")
    settle_instruments()
    mine.refresh_from_db()
    assert (mine.source, mine.described_currency, mine.owner) == ("manual", "USD", user)
    assert Holding.objects.get().stock == mine


def test_prices_and_splits_that_a_user_brought_are_gone_once_the_source_describes_it(
    user, portfolio, market
):
    stock = with_splits(with_closes(own(user), {date(2024, 1, 2): 5}), {date(2025, 1, 2): 1000})
    holding = trade(portfolio, stock, "buy", "100", "1", on=date(2024, 1, 2)).holding
    holding.refresh_from_db()
    assert holding.current_quantity == 100_000
    marketdata.refresh_stocks([stock])
    stock.refresh_from_db()
    assert stock.owner is None
    assert not StockSplit.objects.exists()
    assert not HistoricalStockPrice.objects.filter(close=5).exists()
    holding.refresh_from_db()
    assert holding.current_quantity == 100
    assert list(contradicted_holdings()) == []


def test_the_summary_states_why_something_is_missing(user, portfolio, api, market):
    instrument("ACME")
    mine = own(user, currency="NOK")
    trade(portfolio, mine, "buy", "2", "90")
    cabin = instrument("CABIN", owner=user, currency="NOK")
    trade(portfolio, cabin, "buy", "1", "0", commission="5")
    settle_instruments()
    mine.refresh_from_db()
    marketdata.enter_price(stock=mine, day=date(2026, 3, 2), close=D(95))
    summary = api.get(f"/api/v1/portfolios/{portfolio.pk}").json()["summary"]
    assert summary["market_value"] == 190
    assert summary["missing"] == ["ACME", "CABIN"]
    assert summary["missing_why"] == {"ACME": "currency_differs", "CABIN": "no_price"}


def test_the_users_page_settles_what_it_has_no_price_of(user, portfolio, market, api):
    mine = own(user)
    trade(portfolio, mine, "buy", "2", "90")
    shared = with_closes(instrument("ACME"), {date(2026, 3, 2): 100})
    body = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    assert [(row["ticker"], D(str(row["price"]))) for row in body] == [("ACME", D(101))]
    assert Holding.objects.get().stock == shared
