"""Test automatic booking of splits: once, replaced by the user's own, remembered when deleted."""

from datetime import date
from decimal import Decimal as D
from importlib import import_module

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from financeproj.core.errors import DomainError
from financeproj.history.models import HistoryEntry
from marketdata.models import HeldBack, HistoricalStockPrice, StockMetadata, StockSplit
from marketdata.services import record_splits, save_price, save_split
from portfolios import services
from portfolios.models import Holding, Transaction, TransactionSource
from portfolios.services.ledger_check import contradicted_holdings
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
SPLIT_DAY = date(2024, 6, 10)


def learn(stock, *splits):
    record_splits(stock=stock, splits=splits or [(SPLIT_DAY, D(4))], source="simulated")


def splits():
    return list(
        Transaction.objects.filter(type="split")
        .order_by("date")
        .values_list("date", "effective_date", "quantity", "source")
    )


def test_a_split_of_the_source_is_booked_once_however_often_it_is_reported(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    learn(stock)
    learn(stock)
    services.book_splits(stock=stock)
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, 4, "market_data")]
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.average_cost_per_share, holding.cost_basis) == (
        40,
        25,
        1000,
    )


def test_a_holding_that_was_sold_before_the_split_is_untouched(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    trade(portfolio, stock, "sell", "10", "110", on=date(2024, 6, 7))
    learn(stock)
    assert splits() == []


def test_a_purchase_that_is_entered_later_for_before_the_split_gets_it(portfolio, stock):
    learn(stock)
    trade(portfolio, stock, "buy", "10", "25", on=date(2024, 7, 1))
    assert splits() == []
    trade(portfolio, stock, "buy", "1", "100", on=date(2024, 1, 2))
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, 4, "market_data")]
    assert Holding.objects.get().current_quantity == 14


def test_the_users_own_split_takes_effect_on_the_sources_day_and_replaces_the_booked_one(
    portfolio, stock
):
    trade(portfolio, stock, "buy", "10", "100")
    learn(stock)
    trade(portfolio, stock, "split", "4", on=date(2024, 6, 13))
    assert splits() == [(date(2024, 6, 13), SPLIT_DAY, 4, "manual")]
    assert Holding.objects.get().current_quantity == 40


def test_a_users_split_that_was_there_first_is_not_doubled(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    trade(portfolio, stock, "split", "4", on=date(2024, 6, 4))
    learn(stock)
    assert splits() == [(date(2024, 6, 4), SPLIT_DAY, 4, "manual")]


# As yfinance has it, a float.
THIRD = D(repr(1 / 3))


@pytest.mark.parametrize("written", ["0.333333333333333", "0.3333333", "0.333"])
def test_a_third_is_the_same_split_however_many_of_its_digits_the_broker_writes(
    portfolio, stock, written
):
    trade(portfolio, stock, "buy", "30", "100")
    learn(stock, (SPLIT_DAY, THIRD))
    assert Holding.objects.get().current_quantity == 10
    trade(portfolio, stock, "split", written, on=date(2024, 6, 11))
    assert splits() == [(date(2024, 6, 11), SPLIT_DAY, D(written), "manual")]


def test_after_a_reverse_split_of_three_for_one_all_shares_can_be_sold_and_the_holding_closes(
    portfolio, stock
):
    trade(portfolio, stock, "buy", "30", "100")
    learn(stock, (SPLIT_DAY, THIRD))
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, D("0.333333333333333"), "market_data")]
    trade(portfolio, stock, "sell", "10", "310", on=date(2024, 7, 1))
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.cost_basis, holding.realised_gain) == (0, 0, 100)


def test_ratios_that_were_stored_with_more_digits_are_rounded_by_the_migrations(
    portfolio, stock, monkeypatch
):
    trade(portfolio, stock, "buy", "30", "100")
    monkeypatch.setattr("marketdata.services.events.read_ratio", lambda ratio: ratio)
    learn(stock, (SPLIT_DAY, THIRD))
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, THIRD, "market_data")]
    version = Holding.objects.get().version
    apps = MigrationLoader(connection).project_state().apps
    for app, name in (("marketdata", "0004"), ("portfolios", "0005")):
        migration = import_module(f"{app}.migrations.{name}_split_ratios_of_fifteen_digits")
        migration.round_ratios(apps, None)
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, D("0.333333333333333"), "market_data")]
    assert StockSplit.objects.get().ratio == D("0.333333333333333")
    assert Holding.objects.get().version == version + 1
    assert list(contradicted_holdings()) == []


def test_a_ratio_that_rounds_to_one_is_not_a_split(portfolio, stock):
    trade(portfolio, stock, "buy", "30", "100")
    learn(stock, (SPLIT_DAY, D("1.0000000000000002")))
    assert splits() == []


def test_a_split_more_than_a_week_away_is_another_split(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    trade(portfolio, stock, "split", "4", on=date(2024, 6, 18))
    learn(stock)
    assert len(splits()) == 2


def test_next_to_the_users_split_of_another_ratio_that_of_the_source_waits(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    trade(portfolio, stock, "split", "3", on=SPLIT_DAY)
    learn(stock)
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, 3, "manual")]
    split = HeldBack.objects.get()
    assert Holding.objects.get().waiting_splits == {str(split.pk): "user_differs"}


def test_a_deleted_split_is_not_booked_again(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    learn(stock)
    services.delete_transaction(row=Transaction.objects.get(type="split"))
    learn(stock)
    trade(portfolio, stock, "buy", "1", "100", on=date(2024, 7, 1))
    assert splits() == []
    assert Holding.objects.get().current_quantity == 11


def test_an_edited_split_is_the_users_and_the_sources_does_not_come_back(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    learn(stock)
    services.update_transaction(row=Transaction.objects.get(type="split"), quantity=D(5))
    services.book_splits(stock=stock)
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, 5, TransactionSource.MANUAL)]


def test_a_booked_split_with_nothing_left_to_split_goes(portfolio, stock):
    bought = trade(portfolio, stock, "buy", "10", "100")
    learn(stock)
    services.delete_transaction(row=bought)
    assert splits() == []
    assert Holding.objects.get().current_quantity == 0


def test_a_split_that_would_make_a_later_sale_impossible_is_not_booked_and_the_holding_is_named(
    api, portfolio, stock
):
    trade(portfolio, stock, "buy", "10", "100")
    trade(portfolio, stock, "sell", "5", "100", on=date(2024, 7, 1))
    learn(stock, (SPLIT_DAY, D("0.1")))
    assert splits() == []
    assert Holding.objects.get().current_quantity == 5
    assert api.get(f"/api/v1/portfolios/{portfolio.pk}").json()["summary"]["missing"] == [
        stock.ticker
    ]


def test_a_users_split_keeps_its_day_if_an_earlier_sale_needs_it(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    trade(portfolio, stock, "split", "4", on=date(2024, 6, 7))
    trade(portfolio, stock, "sell", "20", "26", on=date(2024, 6, 7))
    learn(stock)
    assert splits() == [(date(2024, 6, 7), date(2024, 6, 7), 4, "manual")]
    assert Holding.objects.get().current_quantity == 20


def test_a_users_split_keeps_its_day_if_a_later_sale_was_of_old_shares(portfolio, stock):
    trade(portfolio, stock, "buy", "40", "100")
    trade(portfolio, stock, "split", "0.1", on=date(2024, 6, 13))
    sold = trade(portfolio, stock, "sell", "20", "100", on=date(2024, 6, 11))
    learn(stock, (SPLIT_DAY, D("0.1")))
    assert splits() == [(date(2024, 6, 13), date(2024, 6, 13), D("0.1"), "manual")]
    assert Holding.objects.get().current_quantity == 2
    services.delete_transaction(row=sold)
    assert splits() == [(date(2024, 6, 13), SPLIT_DAY, D("0.1"), "manual")]
    assert Holding.objects.get().current_quantity == 4


def test_a_corrected_ratio_does_not_replace_the_one_that_a_sale_needs(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    learn(stock)
    trade(portfolio, stock, "sell", "40", "26", on=date(2024, 7, 1))
    learn(stock, (SPLIT_DAY, D("3.8")))
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, 4, "market_data")]
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.unbooked_split_on) == (0, SPLIT_DAY)
    assert list(contradicted_holdings()) == []
    trade(portfolio, stock, "buy", "1", "100")
    holding.refresh_from_db()
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, D("3.8"), "market_data")]  # 41.8 shares are enough
    assert (holding.current_quantity, holding.unbooked_split_on) == (D("1.8"), None)


def test_a_holding_that_cannot_take_a_split_does_not_block_others(portfolio, stock, other_user):
    trade(portfolio, stock, "buy", "10", "100", on=date(2023, 1, 2))
    for month in range(1, 5):
        trade(portfolio, stock, "split", "100000000000000", on=date(2024, month, 10))
    theirs = services.create_portfolio(user=other_user, name="Theirs", currency="NOK")
    trade(theirs, stock, "buy", "10", "100")
    learn(stock, (SPLIT_DAY, D(10000)))
    mine, other = portfolio.holdings.get(), theirs.holdings.get()
    assert (mine.current_quantity, mine.unbooked_split_on) == (D("1E57"), SPLIT_DAY)
    assert (other.current_quantity, other.unbooked_split_on) == (100000, None)
    assert list(contradicted_holdings()) == []
    with pytest.raises(DomainError, match="quantity or cost above"):
        save_split(StockSplit(stock=stock, date=date(2024, 7, 1), ratio=D(10)))
    assert StockSplit.objects.get().date == SPLIT_DAY


def test_a_split_of_what_is_priced_by_hand_divides_the_price_until_there_is_one_in_new_shares(
    api, portfolio
):
    """Before, the shares counted at four times their value, and were named in `missing`."""
    fund = StockMetadata.objects.create(
        ticker="MYFUND", currency="NOK", source=StockMetadata.MANUAL, owner=portfolio.user
    )
    save_price(HistoricalStockPrice(stock=fund, date=date(2024, 1, 2), close=D(100)))
    holding = trade(portfolio, fund, "buy", "10", "100", on=date(2024, 1, 2)).holding_id
    address = f"/api/v1/portfolios/{portfolio.pk}"

    def named():
        summary = api.get(address).json()["summary"]
        performance = api.get(f"{address}/performance?start=2024-01-02").json()
        assert (performance["missing"], performance["twr"]) == ([], 0)
        return summary["missing"], summary["market_value"]

    assert named() == ([], 1000)
    split = {"holding_id": str(holding), "type": "split", "date": "2024-03-04", "quantity": 4}
    row = api.post("/api/v1/transactions", split).json()["id"]
    assert named() == ([], 1000)
    [shown] = api.get(f"{address}/holdings").json()
    assert (shown["price"], shown["current_quantity"]) == (25, 40)
    api.delete(f"/api/v1/transactions/{row}")
    assert named() == ([], 1000)
    api.post("/api/v1/transactions", split)
    assert (
        api.post("/api/v1/stocks/MYFUND/prices", {"date": "2024-03-04", "close": 25}).status_code
        == 201
    )
    assert named() == ([], 1000)


def test_a_repair_is_in_the_history_with_the_bookings_that_it_makes(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    learn(stock)
    Transaction.objects.filter(type="split").delete()
    before = set(HistoryEntry.objects.values_list("pk", flat=True))
    services.repair_holding(Holding.objects.get().pk)
    [entry] = HistoryEntry.objects.exclude(pk__in=before)
    assert (entry.action, entry.object_label, entry.counts) == (
        "replayed",
        stock.ticker,
        {"splits": 1},
    )
    assert splits() == [(SPLIT_DAY, SPLIT_DAY, 4, "market_data")]
