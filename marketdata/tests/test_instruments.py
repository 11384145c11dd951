"""Test finding and creating the instrument that a trade or an import names."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine

from financeproj.core.errors import Conflict, DomainError
from marketdata.models import StockMetadata
from marketdata.selectors import instrument_for, prices_now
from marketdata.services import (
    instrument_for_trade,
    instruments_for_import,
    keep_instruments,
    learn_isin,
    note_isin,
)
from marketdata.tests.factories import instrument
from tests.timing import SLACK

pytestmark = pytest.mark.django_db


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    with time_machine.travel(datetime(2026, 3, 3, 22, 0, tzinfo=UTC)):
        yahoo.list("ACME", [100.0, 101.0], name="Acme Corporation", exchange="NYSE")
        yahoo.list("VOD.L", [7345.0], currency="GBp", zone="Europe/London", kind="ETF")
        yield yahoo


def refused(user, ticker="ACME", currency=None):
    """Return why a trade is refused; of its instrument stays at most what the source says."""
    own = StockMetadata.objects.filter(owner__isnull=False)
    before = own.count()
    with pytest.raises(DomainError) as raised:
        instrument_for_trade(user=user, ticker=ticker, currency=currency)
    assert own.count() == before
    return raised.value.code, raised.value.attr


def test_a_new_ticker_becomes_a_shared_instrument_with_its_price(user, other_user, market):
    made = instrument_for_trade(user=user, ticker=" acme ", currency=None)
    assert (made.ticker, made.currency, made.source, made.owner) == ("ACME", "USD", "yahoo", None)
    assert (made.company_name, made.exchange, made.asset_type) == (
        "Acme Corporation",
        "NYSE",
        "stock",
    )
    assert prices_now([made.pk])[made.pk].price == D(101)
    assert instrument_for_trade(user=other_user, ticker="ACME", currency="USD") == made
    assert market.asked("chart") == 1


def test_hundredths_are_an_instrument_in_the_major_unit(user, market):
    made = instrument_for_trade(user=user, ticker="VOD.L", currency="GBP")
    assert (made.currency, made.asset_type) == ("GBP", "etf")


def test_a_currency_that_contradicts_the_instruments_is_refused(user, market):
    assert refused(user, "ACME", "NOK") == ("currency_mismatch", "currency")
    instrument("OTHER", currency="SEK")
    assert refused(user, "OTHER", "NOK") == ("currency_mismatch", "currency")


def test_an_unknown_ticker_needs_a_currency_and_is_then_priced_by_hand(user, other_user, market):
    assert refused(user, "CABIN") == ("unknown_ticker", "ticker")
    made = instrument_for_trade(user=user, ticker="CABIN", currency="NOK", company_name="Our cabin")
    assert (made.source, made.owner, made.currency, made.company_name) == (
        "manual",
        user,
        "NOK",
        "Our cabin",
    )
    assert instrument_for(user=user, ticker="cabin") is None  # stored with its first trade
    keep_instruments(stocks=[made])
    assert instrument_for(user=user, ticker="cabin") == made
    assert instrument_for(user=other_user, ticker="CABIN") is None
    theirs = instrument_for_trade(user=other_user, ticker="CABIN", currency="SEK")
    assert (theirs.pk != made.pk, theirs.owner) == (True, other_user)


@pytest.mark.parametrize("fault", ["429", "500", "hang", "drop", "garbage", "empty", "nulls"])
def test_while_the_source_cannot_be_asked_a_currency_is_required(user, market, settings, fault):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 0.4 if fault == "hang" else 5
    market.fault = fault
    assert refused(user) == ("currency_required", "currency")
    made = instrument_for_trade(user=user, ticker="ACME", currency="USD", company_name="Acme")
    assert (made.source, made.owner, made.currency) == ("yahoo", user, "USD")
    assert not StockMetadata.objects.exists()
    keep_instruments(stocks=[made])
    assert instrument_for(user=user, ticker="ACME") == made
    assert prices_now([made.pk]) == {}


def test_two_users_name_an_instrument_in_two_currencies_while_the_source_is_busy(
    user, other_user, market
):
    market.fault = "500"
    made = instrument_for_trade(user=user, ticker="ACME", currency="VND")
    theirs = instrument_for_trade(user=other_user, ticker="ACME", currency="EUR")
    for one in (made, theirs):
        keep_instruments(stocks=[one])
    assert instrument_for(user=user, ticker="ACME") == made
    assert instrument_for(user=other_user, ticker="ACME") == theirs
    assert (made.currency, theirs.currency) == ("VND", "EUR")


def test_an_instrument_that_a_user_enters_twice_at_once_is_one_if_the_entries_agree(user, market):
    market.fault = "500"
    made, same = (instrument_for_trade(user=user, ticker="ACME", currency="USD") for _ in range(2))
    other = instrument_for_trade(user=user, ticker="ACME", currency="NOK")
    for one in (made, same):
        keep_instruments(stocks=[one])
    assert StockMetadata.objects.get() == made == same
    with pytest.raises(Conflict, match="ACME is being added by another request"):
        keep_instruments(stocks=[other])
    assert StockMetadata.objects.get().currency == "USD"


@pytest.mark.parametrize("ticker", ["A B", "", "ÆØÅ", "X" * 41, "A;DROP", ".", "-", "^=_"])
def test_an_invalid_ticker_is_refused_without_a_call(user, market, ticker):
    assert refused(user, ticker, "NOK") == ("invalid", "ticker")
    assert market.requests == []


def test_the_users_own_instrument_comes_before_the_shared_one(user, other_user, market):
    shared = instrument("ACME")
    own = instrument("ACME", owner=user, currency="NOK")
    assert instrument_for_trade(user=user, ticker="ACME", currency=None) == own
    assert instrument_for_trade(user=other_user, ticker="ACME", currency=None) == shared


def test_an_import_asks_for_all_new_tickers_within_one_time_limit(user, market, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 1
    instrument("KNOWN", currency="SEK")
    market.list("SLOW", [1.0])
    market.faults["SLOW"] = "hang"
    begun = datetime.now(UTC)
    wanted = [
        ("acme", None, ""),
        ("KNOWN", None, ""),
        ("KNOWN", "SEK", ""),
        ("SLOW", None, ""),
        ("NOSUCH", None, ""),
    ]
    wanted += [("MINE", "NOK", "By hand"), ("VOD.L", "USD", ""), ("A B", "NOK", "")]
    found = instruments_for_import(user=user, wanted=wanted)
    assert (datetime.now(UTC) - begun).total_seconds() < 1 + 1 * SLACK
    candidates = {}
    for ticker, one in found.items():
        if isinstance(one, DomainError):
            candidates[ticker] = one.code
        else:
            candidates[ticker] = one.source
    assert candidates == {
        "acme": "yahoo",
        "KNOWN": "yahoo",
        "SLOW": "currency_required",
        "NOSUCH": "unknown_ticker",
        "MINE": "manual",
        "VOD.L": "currency_mismatch",
        "A B": "invalid",
    }


def test_a_file_that_contradicts_itself_is_reported(user, market):
    found = instruments_for_import(user=user, wanted=[("ACME", "USD", ""), ("ACME", "NOK", "")])
    assert found["ACME"].code == "currency_mismatch"


def test_a_dry_run_stores_what_a_source_describes_and_nothing_else(user, market):
    wanted = [("ACME", None, ""), ("CABIN", "NOK", "")]
    found = instruments_for_import(user=user, wanted=wanted, dry_run=True)
    assert (found["ACME"].currency, found["CABIN"].source) == ("USD", "manual")
    assert StockMetadata.objects.get().ticker == "ACME"
    market.forget_requests()
    again = instruments_for_import(user=user, wanted=wanted, dry_run=True)
    assert (again["ACME"].currency, again["CABIN"].source) == ("USD", "manual")
    assert market.requests == []


def test_known_instruments_cost_one_query_however_many(user, market, django_assert_num_queries):
    for number in range(30):
        instrument(f"S{number}")
    with django_assert_num_queries(1):
        instruments_for_import(user=user, wanted=[(f"S{number}", None, "") for number in range(30)])
    assert market.requests == []


def test_a_demo_instrument_needs_no_network(user, market):
    made = instrument_for_trade(user=user, ticker="fjord.eur.demo", currency=None)
    assert (made.source, made.currency) == ("simulated", "EUR")
    assert refused(user, "FJORD.XXX.DEMO") == ("unknown_ticker", "ticker")
    assert market.requests == []


def test_an_isin_brings_the_country_and_is_kept_once(user):
    stock = instrument("AAPL", owner=user)
    note_isin(stock_id=stock.pk, isin="US0378331006")  # the check digit is 5
    note_isin(stock_id=stock.pk, isin="AAPL")
    stock.refresh_from_db()
    assert (stock.isin, stock.country) == ("", "")
    note_isin(stock_id=stock.pk, isin="us0378331005 ")
    note_isin(stock_id=stock.pk, isin="NO0010096985")
    stock.refresh_from_db()
    assert (stock.isin, stock.country) == ("US0378331005", "United States")
    other = instrument("EQNR.OL", owner=user, country="Put right")
    note_isin(stock_id=other.pk, isin="NO0010096985")
    other.refresh_from_db()
    assert (other.isin, other.country) == ("NO0010096985", "Put right")


def test_an_isin_that_a_user_gives_is_not_written_to_a_shared_instrument(user):
    stock = instrument("MSFT")
    note_isin(stock_id=stock.pk, isin="US0378331005")
    stock.refresh_from_db()
    assert (stock.isin, stock.country, stock.version) == ("", "", 0)


def test_an_isin_by_which_the_source_finds_the_instrument_is_written(market):
    apple, microsoft = instrument("AAPL"), instrument("MSFT")
    market.list("AAPL", [1.0])
    market.found = [{"symbol": "AAPL", "quoteType": "EQUITY", "exchange": "X"}]
    for stock in (apple, microsoft):
        learn_isin(stock_id=stock.pk, isin="US0378331005")
        stock.refresh_from_db()
    assert (apple.isin, apple.country) == ("US0378331005", "United States")
    assert microsoft.isin == ""


def test_concurrent_requests_for_a_new_instrument_get_the_same_one(user, market):
    made = instrument_for_trade(user=user, ticker="ACME", currency=None)
    duplicate = StockMetadata(ticker="ACME", currency="USD", source="yahoo")
    from marketdata.services.learning import _stored

    assert _stored(duplicate) == made
    assert StockMetadata.objects.count() == 1
    assert made.created_at.date() == date(2026, 3, 3)
