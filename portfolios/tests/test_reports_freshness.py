"""Test reports over REST: conditional requests, size, query counts, concurrent changes."""

import gzip
from datetime import date, timedelta
from decimal import Decimal as D
from itertools import pairwise

import msgspec
import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketdata import services as market
from marketdata.models import StockMetadata
from marketdata.selectors import Conversion
from marketdata.sources import History, InstrumentInfo, Quote
from portfolios import queries, services
from portfolios.models import Portfolio, TransactionVector
from portfolios.reports import vectors
from portfolios.reports.histories import read_histories
from portfolios.tests.conftest import trade
from portfolios.tests.test_reports_api import (
    MONDAY,
    PATHS,
    TODAY,
    _today,
    closes,
    held,
    rates,
    url,
    values,
)

__all__ = ["_today", "held"]

pytestmark = pytest.mark.django_db


def test_an_unchanged_timeline_is_not_sent_again(api, portfolio, held):
    first = api.get(url(portfolio, "timeline"))
    again = api.get(url(portfolio, "timeline"), headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert (
        api.get(
            url(portfolio, "timeline?interval=week"), headers={"if-none-match": first["ETag"]}
        ).status_code
        == 200
    )


@pytest.mark.untraced
@pytest.mark.parametrize(
    "change", ["price", "quote", "transaction", "edit", "split", "rate", "day", "base", "stale"]
)
def test_whatever_changes_a_timeline_changes_its_tag(api, user, portfolio, held, change):
    trade(portfolio, held, "sell", "1", "100")
    before = api.get("/api/v1/timeline")["ETag"]
    assert api.get("/api/v1/timeline")["ETag"] == before
    if change == "price":
        closes(held, "98.5")
    elif change == "quote":
        market.record_quote(stock=held, quote=_quote("111"), source="simulated")
    elif change == "transaction":
        trade(portfolio, held, "dividend", "10", "1")
    elif change == "edit":
        services.update_transaction(row=portfolio.transactions.get(type="sell"), quantity=D(2))
    elif change == "split":
        market.record_splits(stock=held, splits=[(TODAY, D(2))], source="simulated")
    elif change == "rate":
        user.base_currency = "USD"
        user.save()
        rates("USD", "NOK", "10")
        before = api.get("/api/v1/timeline")["ETag"]
        rates("USD", "NOK", "11")
    elif change == "base":
        user.base_currency = "USD"
        user.save()
    elif change == "day":
        with time_machine.travel("2024-05-09T12:00:00Z", tick=False):
            assert api.get("/api/v1/timeline")["ETag"] != before
        return
    elif change == "stale":
        with time_machine.travel("2024-05-08T23:00:00Z", tick=False):
            body = api.get("/api/v1/timeline")
            assert body["ETag"] != before
            assert body.json()["stale"] is True
        return
    assert api.get("/api/v1/timeline")["ETag"] != before


def _quote(price):
    return Quote(price=D(price), previous_close=None, as_of=timezone.now(), day=TODAY)


def test_a_long_answer_is_compressed_for_who_takes_it(api, portfolio, held):
    path = url(portfolio, "timeline?start=2023-01-01")
    plain = api.get(path)
    assert "Content-Encoding" not in plain
    packed = api.get(path, headers={"accept-encoding": "gzip, br"})
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 5
    assert gzip.decompress(packed.content) == plain.content
    assert packed["ETag"] == plain["ETag"]
    assert "Accept-Encoding" in packed["Vary"]


def test_an_edit_shows_at_once(api, portfolio, held):
    assert values(api, portfolio)[-1] == 1100
    row = portfolio.transactions.get()
    services.update_transaction(row=row, quantity=D(20))
    assert values(api, portfolio)[-1] == 2200
    services.delete_transaction(row=row)
    assert values(api, portfolio) == [0]


@pytest.mark.untraced
@pytest.mark.parametrize("what", PATHS)
def test_reports_take_a_fixed_number_of_queries(
    api, portfolio, make_stock, what, django_assert_max_num_queries
):
    def queries():
        with CaptureQueriesContext(connection) as queried:
            assert api.get(url(portfolio, what)).status_code == 200
        return len(queried)

    stock = make_stock("A0.DEMO", price="5")
    closes(stock, "4")
    trade(portfolio, stock, "buy", "3", "4", on=MONDAY)
    queries()
    few = queries()
    for number in range(1, 6):
        stock = make_stock(f"A{number}.DEMO", price="5")
        closes(stock, "4")
        trade(portfolio, stock, "buy", "3", "4", on=MONDAY)
        trade(portfolio, stock, "sell", "1", "4", on=MONDAY + timedelta(1))
    queries()
    assert queries() == few


@pytest.mark.django_db(transaction=True)
def test_a_warm_timeline_reads_no_transactions_and_no_prices(api, portfolio, held):
    api.get(url(portfolio, "timeline"))
    with CaptureQueriesContext(connection) as queried:
        assert values(api, portfolio)[-1] == 1100
    read = " ".join(query["sql"] for query in queried)
    assert "portfolios_transaction" not in read
    assert "marketdata_stockvector" not in read
    vectors.vector_cache.clear()
    with CaptureQueriesContext(connection) as queried:
        assert values(api, portfolio)[-1] == 1100
    read = " ".join(query["sql"] for query in queried)
    assert "portfolios_transactionvector" in read
    assert 'FROM "portfolios_transaction"' not in read


@pytest.mark.django_db(transaction=True)
def test_an_outdated_vector_is_rebuilt(api, portfolio, held):
    assert values(api, portfolio)[-1] == 1100
    trade(portfolio, held, "buy", "1", "100", on=TODAY)
    assert TransactionVector.objects.get().version < Portfolio.objects.get().version
    vectors.vector_cache.clear()
    assert values(api, portfolio)[-1] == 1210
    assert TransactionVector.objects.get().version == Portfolio.objects.get().version


@pytest.mark.django_db(transaction=True)
def test_after_a_write_only_its_holding_is_read_again(api, portfolio, held, make_stock):
    other = make_stock("B.DEMO", price="1")
    closes(other, "1")
    for _ in range(20):
        trade(portfolio, other, "buy", "1", "1", on=MONDAY)
    assert values(api, portfolio)[-1] == 1120
    stored = bytes(TransactionVector.objects.get().data)
    row = portfolio.transactions.get(holding__stock=held)
    services.update_transaction(row=row, quantity=D(11))
    with CaptureQueriesContext(connection) as queried:
        assert values(api, portfolio)[-1] == 1230
    (_own_splits, read) = [
        query["sql"] for query in queried if 'FROM "portfolios_transaction"' in query["sql"]
    ]
    is_read = {one.stock: one.pk.hex in read.replace("-", "") for one in portfolio.holdings.all()}
    assert is_read == {held: True, other: False}
    # So little was read that the stored vector was left as it is; a process that begins with it
    # says the same.
    assert bytes(TransactionVector.objects.get().data) == stored
    vectors.vector_cache.clear()
    assert values(api, portfolio)[-1] == 1230


def test_a_vector_of_an_earlier_release_is_rebuilt(api, portfolio, held):
    assert values(api, portfolio)[-1] == 1100
    TransactionVector.objects.update(data=msgspec.msgpack.encode({"holdings": [], "day": b""}))
    assert list(vectors.faulty_vectors()) == []
    assert values(api, portfolio)[-1] == 1100
    assert "versions" in msgspec.msgpack.decode(bytes(TransactionVector.objects.get().data))


@pytest.mark.django_db(transaction=True)
def test_a_split_that_comes_with_the_history_counts_in_the_first_answer(api, portfolio, make_stock):
    stock = make_stock(
        "SPLITFJELL.DEMO"
    )  # the simulated source splits it 4 for 1 in the autumn of 2022
    StockMetadata.objects.update(history_fetched_at=None)
    trade(portfolio, stock, "buy", "10", "100", on=date(2022, 1, 3))
    first = api.get(url(portfolio, "timeline?start=2022-06-01&end=2023-02-01"))
    moves = [
        after["market_value"] / before["market_value"]
        for before, after in pairwise(first.json()["points"])
    ]
    assert len(moves) == 245
    assert 0.8 < min(moves) <= max(moves) < 1.25
    assert portfolio.transactions.filter(type="split").count() == 1
    assert (
        api.get(url(portfolio, "timeline?start=2022-06-01&end=2023-02-01")).content == first.content
    )


def test_a_split_that_could_not_be_booked_is_named_as_missing(api, portfolio, held):
    trade(portfolio, held, "sell", "10", "105", on=MONDAY + timedelta(3))
    market.record_splits(stock=held, splits=[(MONDAY + timedelta(2), D("0.1"))], source="simulated")
    assert portfolio.holdings.get().unbooked_split_on == MONDAY + timedelta(2)
    for what in ("timeline", "performance", "bridge", "performance/explain"):
        assert api.get(url(portfolio, what)).json()["missing"] == ["FJORD.DEMO"]
    assert api.get(url(portfolio, "timeline?end=2024-04-30")).json()["missing"] == []


@pytest.mark.django_db(transaction=True)
def test_a_holding_that_is_deleted_between_two_reads_is_not_an_error(portfolio, held, make_stock):
    trade(portfolio, make_stock("B.DEMO", price="1"), "buy", "1", "1")
    before = Portfolio.objects.get()
    read_histories([before])
    services.delete_holding(holding=portfolio.holdings.get(stock=held))
    (book,) = read_histories([before]).of_each
    assert [one.ticker for one in book.instruments] == ["B.DEMO"]
    services.delete_portfolio(portfolio=portfolio)
    assert read_histories([before]).of_each == []


@pytest.mark.parametrize("price", [D("37.5"), None])
@time_machine.travel("2026-03-03 22:00Z", tick=False)
def test_a_split_of_a_day_that_has_started_elsewhere_alone_changes_no_value(
    api, portfolio, make_stock, price
):
    stock = make_stock("FJORD.DEMO")
    trade(portfolio, stock, "buy", "10", "100", on=date(2026, 2, 26))
    tomorrow = date(2026, 3, 4)
    market.record_history(
        stock=stock,
        answer=History(
            InstrumentInfo("FJORD.DEMO", currency="NOK"),
            closes=[(date(2026, 3, 2), D(150))],
            splits=[(tomorrow, D(4))],
            quote=Quote(price, D("37.5"), timezone.now(), tomorrow) if price else None,
        ),
        source="simulated",
    )
    summary = api.get(f"/api/v1/portfolios/{portfolio.pk}").json()["summary"]
    assert summary["market_value"] == 1500
    assert summary["day_change"] == (None if price is None else 0)  # two closes are needed
    assert values(api, portfolio)[-2:] == [1500, 1500]
    [holding] = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    assert (holding["current_quantity"], holding["price"], holding["market_value"]) == (
        40,
        37.5,
        1500,
    )
    with time_machine.travel("2026-03-04 08:00Z", tick=False):
        assert values(api, portfolio)[-2:] == [1500, 1500]


def test_an_allocation_leaves_out_what_is_deleted_while_it_is_made(
    api, portfolio, held, monkeypatch
):
    assert len(api.get(url(portfolio, "allocation")).json()) == 1

    def rates_after_the_deletion(currencies, target):
        services.delete_holding(holding=portfolio.holdings.get())
        return Conversion(currencies, target)

    monkeypatch.setattr("portfolios.reports.allocation.Conversion", rates_after_the_deletion)
    answer = api.get(url(portfolio, "allocation"))
    assert (answer.status_code, answer.json()) == (200, [])


def test_the_explanation_of_a_holding_that_is_deleted_meanwhile_is_404(
    api, portfolio, held, monkeypatch
):
    address = f"/api/v1/holdings/{portfolio.holdings.get().pk}/explain"
    assert api.get(address).status_code == 200
    valued_now = queries.valued_now

    def valued_after_the_deletion(portfolios):
        services.delete_holding(holding=portfolio.holdings.get())
        return valued_now(portfolios)

    monkeypatch.setattr(queries, "valued_now", valued_after_the_deletion)
    assert api.get(address).status_code == 404
