"""Test identifying instruments by ISIN or symbol, with a local Yahoo."""

import pytest

from conftest import api_client
from integrations.conftest import Upload
from integrations.statements.tests.support import text
from integrations.statements.tests.test_trading212 import T212
from marketdata.models import StockMetadata
from marketdata.services import learn_isin
from marketdata.tests.factories import instrument
from portfolios.models import Holding, InstrumentAlias
from portfolios.selectors import isins_to_learn
from portfolios.services import create_portfolio
from tests.servers.cache import empty_cache

pytestmark = pytest.mark.django_db

ISIN = "US0000000010"


def bought(currency="USD", symbol="ATL", isin=ISIN):
    rate, total = ("1", "500.00") if currency == "EUR" else ("1.25", "400.00")
    price = f"50.00,{currency},{rate}"
    return text(
        T212,
        f"Market buy,2024-03-04 14:30:00,{isin},{symbol},Atlas,10,{price},,EUR,{total},EUR,,,,T-1,,,,",
    )


def resolved(body):
    return [(one["ticker"], one["resolved_by"]) for one in body["instruments"]]


def found(yahoo, *symbols):
    yahoo.found = [
        {"symbol": symbol, "shortname": "Atlas", "quoteType": "EQUITY", "exchange": "X"}
        for symbol in symbols
    ]


def test_the_listing_in_the_currency_of_the_row_is_chosen_of_those_that_the_isin_finds(
    upload, yahoo
):
    yahoo.list("ATL.DE", [40.0, 41.0], currency="EUR")
    yahoo.list("ATL", [50.0, 51.0], currency="USD")
    found(yahoo, "ATL.DE", "ATL")
    body = upload.done(data=bought())
    assert resolved(body) == [("ATL", "isin search")]
    assert StockMetadata.objects.get().isin == ISIN
    assert InstrumentAlias.objects.get().ticker == "ATL"


def test_a_known_instrument_with_the_isin_needs_no_source(upload):
    instrument("ATLAS.USD.DEMO", currency="USD", source="simulated", isin=ISIN)
    instrument("ATLAS.EUR.DEMO", currency="EUR", source="simulated", isin=ISIN)
    assert resolved(upload.done(data=bought())) == [("ATLAS.USD.DEMO", "isin")]


def test_the_users_earlier_choice_comes_before_everything_but_the_request(upload, other_user, user):
    instrument("ATLAS.USD.DEMO", currency="USD", source="simulated", isin=ISIN)
    InstrumentAlias.objects.create(user=user, key=ISIN, ticker="MINE.USD.DEMO")
    InstrumentAlias.objects.create(user=other_user, key=ISIN, ticker="THEIRS.USD.DEMO")
    assert resolved(upload(data=bought(), dry_run="true").json()) == [
        ("MINE.USD.DEMO", "earlier choice")
    ]
    body = upload.done(data=bought(), instruments=f'{{"{ISIN}": "ATLAS.USD.DEMO"}}')
    assert resolved(body) == [("ATLAS.USD.DEMO", "request")]
    assert dict(InstrumentAlias.objects.values_list("user__username", "ticker")) == {
        "kari": "ATLAS.USD.DEMO",
        "ola": "THEIRS.USD.DEMO",
    }


def test_the_brokers_symbol_is_tried_last(upload, yahoo):
    yahoo.list("ATL", [50.0, 51.0], currency="USD")
    assert resolved(upload.done(data=bought())) == [("ATL", "symbol")]
    assert yahoo.asked("search") == 1


@pytest.mark.parametrize("fault", [None, "500"])
def test_an_unknown_instrument_is_unresolved_with_candidates(upload, yahoo, dump, fault):
    yahoo.list("ATL.DE", [40.0, 41.0], currency="EUR")
    found(yahoo, "ATL.DE")
    yahoo.fault = fault
    before = dump()
    response = upload(data=bought(symbol="ATLX"))
    body = response.json()
    assert response.status_code == 422
    assert [
        (error["row"], error["column"], error["value"], error["code"]) for error in body["errors"]
    ] == [(2, "isin", ISIN, "unresolved")]
    assert resolved(body) == [(None, None)]
    assert [one["ticker"] for one in body["instruments"][0]["candidates"]] == (
        [] if fault else ["ATL.DE"]
    )
    [problem] = body["problems"]
    assert (problem["instrument"], problem["rows"], problem["count"]) == (ISIN, [2], 1)
    assert problem.get("candidates", []) == body["instruments"][0]["candidates"]
    assert problem["sample"] == "2024-03-04 buy Atlas 10 50.00"
    assert problem["hint"] == "Choose its ticker, or have it priced by hand."
    assert dump() == before


def test_a_dry_run_remembers_nothing(upload):
    choice = f'{{"{ISIN}": "ATLAS.USD.DEMO"}}'
    assert upload(data=bought(), instruments=choice, dry_run="true").status_code == 200
    assert not InstrumentAlias.objects.exists()
    assert not Holding.objects.exists()


APPLE = "US0378331005"


def test_an_isin_that_one_user_maps_is_not_what_another_gets(upload, yahoo, other_user):
    yahoo.list("AAPL", [190.0, 191.0], currency="USD")
    yahoo.list("MSFT", [370.0, 371.0], currency="USD")
    found(yahoo, "AAPL")
    file = bought(isin=APPLE, symbol="AAPL")
    mine = upload.done(data=file, instruments=f'{{"{APPLE}": "MSFT"}}')
    assert resolved(mine) == [("MSFT", "request")]
    theirs = create_portfolio(user=other_user, name="Theirs", currency="NOK")
    body = Upload(api_client(other_user), theirs).done(data=file)
    assert resolved(body) == [("AAPL", "isin search")]
    isins = StockMetadata.objects.values_list("ticker", "isin")
    assert sorted(isins) == [("AAPL", APPLE), ("MSFT", "")]


def test_the_isins_that_users_named_are_asked_for_again(upload, yahoo):
    yahoo.list("AAPL", [190.0, 191.0], currency="USD")
    found(yahoo, "AAPL")
    upload.done(data=bought(isin=APPLE, symbol="AAPL"))
    StockMetadata.objects.update(isin="")
    [(stock_id, isin)] = isins_to_learn()
    empty_cache()
    learn_isin(stock_id=stock_id, isin=isin)
    assert StockMetadata.objects.get().isin == APPLE
    assert isins_to_learn() == set()


def test_an_instrument_that_the_request_prices_by_hand_is_the_users_own(upload, yahoo):
    """Whatever a source knows by the name that becomes its ticker."""
    yahoo.list("ATLAS", [50.0, 51.0], currency="USD")
    rows = bought(isin="", currency="EUR").replace(b"1.25,,EUR,400", b",,EUR,500")
    body = upload.done(data=rows, instruments='{"Atlas": "manual"}')
    assert resolved(body) == [("ATLAS", "manual")]
    stock = Holding.objects.get().stock
    assert (stock.source, stock.currency, stock.owner_id is not None) == ("manual", "EUR", True)
    assert not StockMetadata.objects.exclude(pk=stock.pk).exists()


def test_an_instrument_without_letters_cannot_be_named_after_itself(upload):
    rows = bought(isin="", symbol="株", currency="EUR").replace(b"1.25,,EUR,400", b",,EUR,500")
    rows = rows.replace(b"Atlas", "株".encode())
    response = upload(data=rows, instruments='{"株": "manual"}')
    assert response.json()["errors"][0]["code"] == "invalid"
    assert not Holding.objects.exists()
