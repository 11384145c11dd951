"""Test the refresh tasks and commands: only missing days, one at a time, safe to repeat."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from io import StringIO
from itertools import pairwise

import pytest
import time_machine
from django.core.management import CommandError, call_command

from marketdata import services, tasks
from marketdata.models import (
    CurrencyPair,
    HistoricalStockPrice,
    StockMetadata,
    StockQuote,
    StockVector,
)
from marketdata.tests.factories import instrument, with_closes
from tests.timing import SLACK

pytestmark = pytest.mark.django_db

TUESDAY = date(2026, 3, 3)


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    with time_machine.travel(datetime(2026, 3, 3, 22, 0, tzinfo=UTC)) as clock:
        yahoo.clock = clock
        yahoo.list("ACME", [100.0 + n for n in range(50)])
        yahoo.list("OTHER", [10.0 + n for n in range(50)])
        yield yahoo


def test_a_history_is_fetched_once_and_then_completed(market):
    stock = instrument()
    tasks.fetch_history(str(stock.pk))
    assert (stock.prices.count(), market.asked("chart")) == (50, 1)
    tasks.fetch_history(str(stock.pk))  # still fresh
    assert market.asked("chart") == 1
    market.clock.shift(timedelta(days=1))
    market.listed["ACME"].closes[date(2026, 3, 4)] = 151.0
    tasks.fetch_history(str(stock.pk))
    assert (stock.prices.count(), market.asked("chart")) == (51, 2)
    assert StockVector.objects.get().version == StockMetadata.objects.get().version


def test_a_later_refresh_brings_the_sector_which_a_person_may_correct(market):
    market.found = [
        {"symbol": "ACME.L", "quoteType": "EQUITY", "sector": "Utilities"},
        {"symbol": "ACME", "quoteType": "EQUITY", "sector": "Technology"},
    ]
    stock, other = instrument(), instrument("OTHER", sector="Put right")
    for _ in range(2):
        services.refresh_history(stock.pk)
        services.refresh_history(other.pk)
    stock.refresh_from_db()
    other.refresh_from_db()
    assert (stock.sector, other.sector, market.asked("search")) == ("Technology", "Put right", 1)


def test_a_history_comes_without_the_sector_when_search_fails(market):
    stock = instrument()
    market.search_fault = "garbage"
    for _ in range(2):
        services.refresh_history(stock.pk)
    assert stock.prices.count() == 50


def test_a_quote_is_refreshed_in_the_second_half_of_its_time(market):
    stock = instrument()
    for shift, asked in ((0, 1), (5, 1), (5, 2)):
        market.clock.shift(timedelta(minutes=shift))
        tasks.refresh_stock(str(stock.pk))
        assert market.asked("chart") == asked
    assert StockQuote.objects.get().price == D(149)


def test_a_quote_after_weeks_without_a_server_leaves_no_gap_in_the_history(market):
    stock = instrument()
    tasks.fetch_history(str(stock.pk))
    market.clock.shift(timedelta(days=60))
    market.list("ACME", [100.0 + n for n in range(93)])
    tasks.refresh_stock(str(stock.pk))
    days = list(stock.prices.order_by("date").values_list("date", flat=True))
    assert max((later - earlier).days for earlier, later in pairwise(days)) <= 3


def test_a_symbol_that_fails_does_not_hold_up_the_rest(market):
    broken, other = instrument("BROKEN"), instrument("OTHER")
    market.list("BROKEN", [1.0])
    market.faults["BROKEN"] = "nulls"
    services.refresh_quotes([broken.pk, other.pk])
    assert StockQuote.objects.get().stock == other


def test_instruments_with_manual_prices_are_not_refreshed(market, user):
    stock = with_closes(instrument("ACME", owner=user), {TUESDAY: 5}, source="manual")
    tasks.refresh_stock(str(stock.pk))
    tasks.fetch_history(str(stock.pk))
    services.ensure_prices(stock_ids=[stock.pk])
    assert market.requests == []
    assert stock.prices.get().close == D(5)


def test_a_pair_is_refreshed_and_its_years_are_stored(market):
    market.list_rate("USD", "NOK", [10.0 + n / 1000 for n in range(400)])
    tasks.refresh_pair("USD", "NOK")
    pair = CurrencyPair.objects.get(base="USD", target="NOK")
    assert pair.rates.filter(source="yahoo").count() == 400
    market.clock.shift(timedelta(hours=1))
    market.forget_requests()
    tasks.refresh_pair("USD", "NOK")
    [(_, _, query)] = [request for request in market.requests if request[0] == "chart"]
    assert datetime.fromtimestamp(int(query["period1"]), UTC).date() >= TUESDAY - timedelta(days=7)


def test_a_task_for_what_is_gone_does_nothing(market):
    tasks.fetch_history("00000000-0000-0000-0000-000000000000")
    tasks.refresh_stock("00000000-0000-0000-0000-000000000000")
    assert market.requests == []


# --- what a page lacks ----------------------------------------------------------------------------


def test_a_page_fetches_what_has_no_price_at_all(market):
    known, new = with_closes(instrument("OTHER"), {TUESDAY: 1}), instrument()
    services.ensure_prices(stock_ids=[known.pk, new.pk])
    assert (market.asked("chart", "ACME"), market.asked("chart", "OTHER")) == (1, 0)
    services.ensure_prices(stock_ids=[known.pk, new.pk])
    assert market.asked("chart") == 1


def test_a_page_waits_once_a_minute_for_what_fails(market, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 0.5
    stocks = [instrument(f"S{number}") for number in range(12)]
    market.fault = "hang"
    begun = datetime.now(UTC)
    services.ensure_prices(stock_ids=[stock.pk for stock in stocks])
    assert (datetime.now(UTC) - begun).total_seconds() < 0.5 + 1 * SLACK
    asked = market.asked("chart")
    begun = datetime.now(UTC)
    services.ensure_prices(stock_ids=[stock.pk for stock in stocks])
    assert (datetime.now(UTC) - begun).total_seconds() < 0.4 * SLACK
    assert market.asked("chart") == asked


def test_a_page_fetches_histories_that_were_never_fetched(market):
    stock = instrument()
    services.refresh_quotes([stock.pk])
    services.ensure_history(stock_ids=[stock.pk])
    assert stock.prices.count() == 50
    market.forget_requests()
    services.ensure_history(stock_ids=[stock.pk])
    assert market.requests == []


# --- commands -------------------------------------------------------------------------------------


def run(command, *args, **options):
    out = StringIO()
    call_command(command, *args, stdout=out, stderr=StringIO(), **options)
    return out.getvalue().strip()


def test_refresh_prices_takes_all_instruments_or_those_named(market):
    instrument(), instrument("OTHER")
    assert run("refresh_prices", "acme") == "1 of 1 instruments are up to date."
    assert StockQuote.objects.count() == 1
    assert run("refresh_prices") == "2 of 2 instruments are up to date."
    with pytest.raises(CommandError, match="No source prices NOSUCH"):
        run("refresh_prices", "NOSUCH")


def test_refresh_prices_says_what_failed_and_does_the_rest(market):
    instrument(), instrument("GONE")
    with pytest.raises(CommandError, match="GONE: Yahoo does not know this ticker"):
        run("refresh_prices")
    assert StockQuote.objects.get().stock.ticker == "ACME"


def test_backfill_completes_histories_and_since_asks_again(market):
    stock = instrument()
    assert run("backfill_prices") == "1 of 1 histories are complete."
    assert stock.prices.count() == 50
    market.listed["ACME"].closes[date(2026, 2, 2)] = 123.25
    run("backfill_prices")
    assert stock.prices.get(date=date(2026, 2, 2)).close != D("123.25")
    run("backfill_prices", since=date(2026, 2, 1))
    assert stock.prices.get(date=date(2026, 2, 2)).close == D("123.25")


def test_backfill_says_what_failed(market):
    instrument("GONE")
    with pytest.raises(CommandError, match="GONE: Yahoo does not know"):
        run("backfill_prices")
    with pytest.raises(CommandError, match="No source prices NOSUCH"):
        run("backfill_prices", "NOSUCH")


def test_refresh_rates_says_what_failed(market):
    market.fault = "500"
    with pytest.raises(CommandError, match=r"USD/NOK: Yahoo is unavailable \(HTTP 500\)"):
        run("refresh_rates", "USD/NOK")


def test_refresh_rates_takes_the_pairs_in_use_or_those_named(market):
    market.list_rate("USD", "NOK", [10.0, 10.1])
    assert run("refresh_rates", "usd/nok") == "1 of 1 pairs are up to date."
    assert run("refresh_rates") == "1 of 1 pairs are up to date."
    with pytest.raises(CommandError, match="not a currency pair"):
        run("refresh_rates", "USD")


@pytest.fixture
def cabin(user):
    return instrument("CABIN", owner=user, currency="NOK")


def test_import_prices_stores_a_file_once(cabin, tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text("Ticker;Date;Close\ncabin;2024-01-31;1000000\nCABIN;2024-02-29;1010000.50\n")
    assert (
        run("import_prices", str(file), user="kari")
        == "2 prices of 1 instruments stored or changed."
    )
    assert (
        run("import_prices", str(file), user="kari")
        == "0 prices of 1 instruments stored or changed."
    )
    rows = list(cabin.prices.order_by("date").values_list("close", "source"))
    assert rows == [(D(1000000), "manual"), (D("1010000.50"), "manual")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ticker,date\nCABIN,2024-01-31\n", "lacks the column close"),
        ("ticker,date,close\nCABIN,31.01.2024,1\n", "line 2: '31.01.2024' is not a date"),
        ("ticker,date,close\nCABIN,2124-01-31,1\n", "line 2: 2124-01-31 is in the future"),
        (
            "ticker,date,close\nCABIN,2024-01-30,1\nCABIN,2024-01-31,x\n",
            "line 3: 'x' is not a price",
        ),
        ("ticker,date,close\nCABIN,2024-01-31,-1\n", "line 2: '-1' is below 0"),
        ("ticker,date,close\nCABIN,2024-01-31,NaN\n", "line 2: 'NaN'"),
        ("ticker,date,close\nACME,2024-01-31,1\n", "line 2: kari has no instrument ACME"),
    ],
)
def test_import_prices_stores_nothing_of_a_file_with_a_mistake(cabin, tmp_path, text, message):
    instrument("ACME")
    file = tmp_path / "prices.csv"
    file.write_text(text)
    with pytest.raises(CommandError) as raised:
        run("import_prices", str(file), user="kari")
    assert message in str(raised.value)
    assert not HistoricalStockPrice.objects.exists()


def test_import_prices_needs_a_user_and_a_file(db, tmp_path):
    with pytest.raises(CommandError, match="User missing not found"):
        run("import_prices", str(tmp_path / "none.csv"), user="missing")


def test_import_prices_needs_a_readable_file(cabin, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        run("import_prices", str(tmp_path / "none.csv"), user="kari")


def test_a_progress_bar_is_for_terminals_only():
    from marketdata.management.progress import progress

    class Terminal(StringIO):
        def isatty(self):
            return True

        def write(self, text, ending="\n"):
            return super().write(text + ending)

    out = Terminal()
    assert list(progress(["A", "B"], out=out)) == ["A", "B"]
    assert "1/2 B" in out.getvalue()
    assert "2/2" in out.getvalue()
    silent = StringIO()
    assert list(progress([1, 2], out=silent)) == [1, 2]
    assert silent.getvalue() == ""
