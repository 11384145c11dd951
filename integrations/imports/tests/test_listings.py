"""Test instruments that a file trades under one ISIN in several currencies."""

import json
from datetime import date

import pytest

from integrations.conftest import Upload
from integrations.imports.tests.test_resolving import found
from integrations.statements.tests.support import held, text
from marketdata.models import StockMetadata
from marketdata.tests.factories import with_rates
from portfolios import services
from portfolios.models import InstrumentAlias

pytestmark = pytest.mark.django_db

DEGIRO = "Date,Heure,Date de,Produit,ISIN,Description,FX,Mouvements,,Solde,,ID Ordre"
FUND = "ACWI,IE0000000041"
EURO = f'01-02-2025,10:02,01-02-2025,{FUND},"Achat 10 ACWI@100,00 EUR (IE0000000041)",,EUR,"-1000,00",EUR,"0,00",o2'
FRANCS = f'31-01-2025,10:02,31-01-2025,{FUND},"Achat 4 ACWI@95,00 CHF (IE0000000041)",,CHF,"-380,00",CHF,"0,00",o1'
DIVIDEND = f'10-02-2025,07:00,10-02-2025,{FUND},Dividende,,CHF,"3,00",CHF,"3,00",'
IN_EURO, IN_FRANCS = "IE0000000041:EUR", "IE0000000041:CHF"


@pytest.fixture
def upload(api, user):
    return Upload(api, services.create_portfolio(user=user, name="Swiss", currency="CHF"))


def with_rate():
    with_rates("EUR", "CHF", {date(2025, 2, 1): "0.94"})


def test_each_listing_of_an_isin_is_an_instrument_of_its_own(upload):
    with_rate()
    chosen = {IN_EURO: "FUND.EUR.DEMO", IN_FRANCS: "FUND.CHF.DEMO"}
    data = text(DEGIRO, DIVIDEND, EURO, FRANCS)
    body = upload.done(data=data, instruments=json.dumps(chosen))
    listed = sorted((one["isin"], one["currency"], one["ticker"]) for one in body["instruments"])
    assert listed == [
        ("IE0000000041", "CHF", "FUND.CHF.DEMO"),
        ("IE0000000041", "EUR", "FUND.EUR.DEMO"),
    ]
    assert held()["FUND.EUR.DEMO"][0] == 10
    assert held()["FUND.CHF.DEMO"][0] == 4
    # The dividend belongs to the listing in its currency.
    assert held()["FUND.CHF.DEMO"][4] == 3


def test_the_choice_is_remembered_by_listing(upload):
    with_rate()
    chosen = {IN_EURO: "FUND.EUR.DEMO", IN_FRANCS: "FUND.CHF.DEMO"}
    upload.done(data=text(DEGIRO, EURO, FRANCS), instruments=json.dumps(chosen))
    assert InstrumentAlias.objects.count() == 2
    later = FRANCS.replace("31-01-2025", "03-02-2025").replace("o1", "o3")
    body = upload.done(data=text(DEGIRO, later))
    assert [one["ticker"] for one in body["instruments"]] == ["FUND.CHF.DEMO"]
    assert held()["FUND.CHF.DEMO"][0] == 8


def test_one_listing_can_be_named_by_its_currency_where_the_file_has_no_other(upload):
    chosen = {IN_FRANCS: "FUND.CHF.DEMO", IN_EURO: "FUND.EUR.DEMO"}
    upload.done(data=text(DEGIRO, FRANCS), instruments=json.dumps(chosen))
    assert list(held()) == ["FUND.CHF.DEMO"]


def test_each_listing_that_is_not_identified_is_a_problem_with_its_own_name(upload, yahoo):
    with_rate()
    found(yahoo, "ATL.OL")
    body = upload(data=text(DEGIRO, FRANCS, EURO)).json()
    problems = body["problems"]
    assert [one["instrument"] for one in problems] == [IN_FRANCS, IN_EURO]
    assert [one["rows"] for one in problems] == [[2], [3]]
    for problem in problems:
        assert [one["ticker"] for one in problem["candidates"]] == ["ATL.OL"]
    assert held() == {}
    chosen = {problems[0]["instrument"]: "F.CHF.DEMO", problems[1]["instrument"]: "F.EUR.DEMO"}
    upload.done(data=text(DEGIRO, FRANCS, EURO), instruments=json.dumps(chosen))
    assert (held()["F.CHF.DEMO"][0], held()["F.EUR.DEMO"][0]) == (4, 10)


def test_a_symbol_that_is_traded_in_two_currencies_is_two_instruments(upload):
    with_rate()
    data = text(
        "Date,Ticker,Type,Quantity,Price per share,Total Amount,Currency,FX Rate",
        "2025-02-01T10:00:00.000Z,ATL,BUY - MARKET,2,EUR 10.00,EUR 20.00,EUR,1",
        "2025-02-01T11:00:00.000Z,ATL,BUY - MARKET,3,CHF 11.00,CHF 33.00,CHF,1",
    )
    chosen = {"ATL:EUR": "ATLAS.EUR.DEMO", "ATL:CHF": "ATLAS.CHF.DEMO"}
    upload.done(data=data, instruments=json.dumps(chosen))
    assert (held()["ATLAS.EUR.DEMO"][0], held()["ATLAS.CHF.DEMO"][0]) == (2, 3)


def test_both_listings_priced_by_hand_are_two_instruments(upload):
    with_rate()
    chosen = json.dumps({IN_FRANCS: "manual", IN_EURO: "manual"})
    dry = upload(data=text(DEGIRO, FRANCS, EURO), instruments=chosen, dry_run="true").json()
    done = upload.done(data=text(DEGIRO, DIVIDEND, FRANCS, EURO), instruments=chosen)
    for body in (dry, done):
        tickers = sorted((one["ticker"], one["currency"]) for one in body["instruments"])
        assert tickers == [("IE0000000041-CHF", "CHF"), ("IE0000000041-EUR", "EUR")]
    assert (held()["IE0000000041-CHF"][0], held()["IE0000000041-EUR"][0]) == (4, 10)
    stocks = StockMetadata.objects.order_by("ticker").values_list("currency", "source")
    assert list(stocks) == [("CHF", "manual"), ("EUR", "manual")]
    later = EURO.replace("01-02-2025", "03-02-2025").replace("o2", "o4")
    with_rates("EUR", "CHF", {date(2025, 2, 3): "0.94"})
    upload.done(data=text(DEGIRO, later), instruments=json.dumps({IN_EURO: "manual"}))
    assert held()["IE0000000041-EUR"][0] == 20


def test_a_second_listing_priced_by_hand_leaves_the_first_its_ticker(upload):
    with_rate()
    chosen = json.dumps({"IE0000000041": "manual"})
    upload.done(data=text(DEGIRO, FRANCS), instruments=chosen)
    assert list(held()) == ["IE0000000041"]
    upload.done(data=text(DEGIRO, EURO), instruments=chosen)
    upload.done(data=text(DEGIRO, DIVIDEND), instruments=chosen)
    assert (held()["IE0000000041"][0], held()["IE0000000041-EUR"][0]) == (4, 10)
    assert held()["IE0000000041"][4] == 3
    both = upload(data=text(DEGIRO, FRANCS, EURO), instruments=chosen).json()
    assert (both["created"], both["duplicates"]) == (0, 2)
