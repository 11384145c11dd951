"""The real yfinance against a local Yahoo."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from integrations.yahoo import YahooSource
from marketdata import sources
from tests.timing import SLACK

MONDAY_EVENING = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)  # after New York has closed


@pytest.fixture
def source(yahoo):
    return YahooSource()


@pytest.fixture
def monday():
    with time_machine.travel(MONDAY_EVENING):
        yield date(2026, 3, 2)


def test_closes_quote_and_description_come_in_one_request(yahoo, source, monday):
    yahoo.list("ACME", [100.5, 101.25, 189.3], name="Acme Corporation", exchange="NasdaqGS")
    answer = source.history("ACME", date(2026, 2, 1))
    assert answer.closes == [
        (date(2026, 2, 26), D("100.5")),
        (date(2026, 2, 27), D("101.25")),
        (date(2026, 3, 2), D("189.3")),  # Yahoo's 189.3000030517578
    ]
    assert answer.info == sources.InstrumentInfo(
        ticker="ACME",
        company_name="Acme Corporation",
        currency="USD",
        asset_type="stock",
        exchange="NasdaqGS",
        exchange_timezone="America/New_York",
    )
    assert answer.quote == sources.Quote(
        D("189.3"), D("101.25"), datetime(2026, 3, 2, 21, 0, tzinfo=UTC), date(2026, 3, 2)
    )
    assert yahoo.asked("chart") == 1


def test_a_split_is_undone_in_closes_and_dividends(yahoo, source, monday):
    days = [date(2026, 2, 25), date(2026, 2, 26), date(2026, 2, 27), monday]
    yahoo.list(
        "FOUR",
        dict(zip(days, [400.0, 404.0, 101.5, 102.0], strict=True)),
        splits={date(2026, 2, 27): (4, 1)},
        dividends={date(2026, 2, 25): 0.82, date(2026, 2, 27): 0.21},
    )
    answer = source.history("FOUR", date(2026, 2, 1))
    assert [close for _, close in answer.closes] == [D("400"), D("404"), D("101.5"), D("102")]
    assert answer.splits == [(date(2026, 2, 27), D(4))]
    assert answer.dividends == [(date(2026, 2, 25), D("0.82")), (date(2026, 2, 27), D("0.21"))]
    assert answer.quote.previous_close == D("101.5")


def test_a_split_on_a_day_without_a_bar_restates_the_close_before_it(yahoo, source, monday):
    closes = {date(2026, 2, 25): 400.0, date(2026, 2, 27): 101.0, monday: 102.0}
    yahoo.list("GAP", closes, splits={date(2026, 2, 26): (4, 1)})
    answer = source.history("GAP", date(2026, 2, 1))
    assert [close for _, close in answer.closes] == [D("400"), D("101"), D("102")]
    assert answer.splits == [(date(2026, 2, 26), D(4))]


def test_the_previous_close_before_a_split_is_in_the_new_shares(yahoo, source, monday):
    yahoo.list("FOUR", {date(2026, 2, 27): 404.0, monday: 102.0}, splits={monday: (4, 1)})
    assert source.history("FOUR", date(2026, 2, 1)).quote.previous_close == D("101")


@pytest.mark.parametrize(("quoted", "major"), [("GBp", "GBP"), ("ZAc", "ZAR"), ("ILA", "ILS")])
def test_hundredths_become_the_major_unit(yahoo, source, monday, quoted, major):
    yahoo.list("MINOR", [1234.5, 1250.0], currency=quoted, dividends={monday: 12.5})
    answer = source.history("MINOR", date(2026, 2, 1))
    assert answer.info.currency == major
    assert [close for _, close in answer.closes] == [D("12.345"), D("12.5")]
    assert (answer.quote.price, answer.quote.previous_close) == (D("12.5"), D("12.345"))
    assert answer.dividends == [(monday, D("0.125"))]


def test_tokyo_and_new_york_have_their_own_dates(yahoo, source):
    closes = {date(2026, 2, 27): 2000.0, date(2026, 3, 2): 2010.0}
    tokyo = {"currency": "JPY", "zone": "Asia/Tokyo", "opens": time(9, 0), "shuts": time(15, 30)}
    # Monday 02:00 in Tokyo's afternoon is still Sunday evening in New York.
    with time_machine.travel(datetime(2026, 3, 2, 7, 0, tzinfo=UTC)):
        yahoo.list("7203.T", closes, **tokyo)
        answer = source.history("7203.T", date(2026, 2, 1))
        assert [day for day, _ in answer.closes] == [date(2026, 2, 27), date(2026, 3, 2)]
        assert answer.quote.day == date(2026, 3, 2)
    with time_machine.travel(datetime(2026, 3, 3, 1, 0, tzinfo=UTC)):  # 20:00 on Monday
        yahoo.list("ACME", closes)
        answer = source.history("ACME", date(2026, 2, 1))
        assert [day for day, _ in answer.closes] == [date(2026, 2, 27), date(2026, 3, 2)]
        assert answer.quote.day == date(2026, 3, 2)


def test_the_day_is_not_final_before_the_exchange_has_closed(yahoo, source):
    with time_machine.travel(datetime(2026, 3, 2, 18, 0, tzinfo=UTC)):  # 13:00 in New York
        yahoo.list("ACME", [100.0, 101.0, 105.0])
        answer = source.history("ACME", date(2026, 2, 1))
    assert [day for day, _ in answer.closes] == [date(2026, 2, 26), date(2026, 2, 27)]
    assert (answer.quote.price, answer.quote.day) == (D("105"), date(2026, 3, 2))


def test_holes_are_left_out(yahoo, source, monday):
    yahoo.list("HOLE", {date(2026, 2, 26): 50.0, date(2026, 2, 27): None, monday: 51.0})
    answer = source.history("HOLE", date(2026, 2, 1))
    assert [day for day, _ in answer.closes] == [date(2026, 2, 26), monday]
    assert answer.quote.previous_close == D("50")


def test_only_what_was_asked_for_comes_back(yahoo, source, monday):
    yahoo.list("ACME", {monday - timedelta(days=number): 10.0 for number in range(30)})
    answer = source.history("ACME", date(2026, 2, 20))
    assert answer.closes[0][0] == date(2026, 2, 20)


def test_a_quiet_instrument_that_is_described_has_a_quote_and_no_new_closes(yahoo, source, monday):
    yahoo.list("QUIET", {date(2025, 6, 2): 7.5}, currency="EUR", zone="Europe/Berlin")
    answer = source.history("QUIET", date(2026, 2, 1))
    assert (answer.closes, answer.info.currency) == ([], "EUR")
    assert (answer.quote.price, answer.quote.day, answer.quote.previous_close) == (
        D("7.5"),
        date(2025, 6, 2),
        None,
    )


def test_without_a_market_price_the_last_bar_is_the_quote(yahoo, source, monday):
    yahoo.list("FUND", [10.0, 10.5], kind="MUTUALFUND", quoted=False)
    answer = source.history("FUND", date(2026, 2, 1))
    assert (answer.quote.price, answer.quote.day, answer.quote.previous_close) == (
        D("10.5"),
        monday,
        D(10),
    )
    assert answer.info.asset_type == "fund"


@pytest.mark.parametrize(("price", "expected"), [(400.0, D(400)), (100.0, D(400))])
def test_before_the_opening_on_the_day_of_a_split_yesterdays_price_is_as_it_was_traded(
    yahoo, source, price, expected
):
    """Yahoo has restated the closes by then; whether it has restated this price differs."""
    with time_machine.travel(datetime(2026, 3, 3, 13, 0, tzinfo=UTC)):  # 08:00 in New York
        yahoo.list(
            "FOUR",
            {date(2026, 2, 27): 396.0, date(2026, 3, 2): 400.0},
            splits={date(2026, 3, 3): (4, 1)},
        )
        yahoo.listed["FOUR"].price = price
        # The event's time is the opening, which is yet to come.
        yahoo.listed["FOUR"].opens = time(7, 0)
        answer = source.history("FOUR", date(2026, 2, 1))
    assert answer.splits == [(date(2026, 3, 3), D(4))]
    assert (answer.quote.price, answer.quote.previous_close) == (expected, D(396))
    assert [close for _, close in answer.closes] == [D(396), D(400)]


def test_dividends_in_another_currency_than_the_price_are_left_out(yahoo, source, monday):
    dividends = {date(2026, 2, 27): 0.5}
    yahoo.list("FOREIGN", [100.0, 101.0], dividends=dividends, dividend_currency="EUR")
    assert source.history("FOREIGN", date(2026, 2, 1)).dividends == []
    yahoo.list("HOME", [100.0, 101.0], dividends=dividends, dividend_currency="USD")
    assert source.history("HOME", date(2026, 2, 1)).dividends == [(date(2026, 2, 27), D("0.5"))]


def test_an_instrument_in_a_currency_that_does_not_exist_makes_no_sense(yahoo, source, monday):
    yahoo.list("ODD", [100.0], currency="QQQ")
    with pytest.raises(sources.BadAnswer, match="no currency"):
        source.history("ODD", date(2026, 2, 1))


@pytest.mark.parametrize("ticker", ["EQNR.OL", "BRK-B", "^GSPC", "NOK=X"])
def test_tickers_with_signs_reach_yahoo_as_they_are(yahoo, source, monday, ticker):
    yahoo.list(ticker, [250.0, 251.0], currency="NOK")
    assert source.history(ticker, date(2026, 2, 1)).quote.price == D("251")
    assert yahoo.asked("chart", ticker) == 1


def test_an_unknown_ticker_is_one_request_and_says_so(yahoo, source):
    with pytest.raises(sources.UnknownTicker):
        source.history("NOSUCH", date(2026, 2, 1))
    assert yahoo.asked("chart") == 1


def test_an_isin_is_not_a_ticker_and_causes_no_call(yahoo, source):
    with pytest.raises(sources.UnknownTicker):
        source.history("US0378331005", date(2026, 2, 1))
    assert yahoo.requests == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", sources.RateLimited),
        ("500", sources.SourceUnavailable),
        ("drop", sources.SourceUnavailable),
        ("garbage", sources.BadAnswer),
        ("empty", sources.BadAnswer),
        ("nulls", sources.BadAnswer),
    ],
)
def test_each_fault_is_one_error_after_one_request(yahoo, source, monday, fault, error):
    yahoo.list("ACME", [100.0, 101.0])
    yahoo.fault = fault
    with pytest.raises(sources.SourceError) as raised:
        source.history("ACME", date(2026, 2, 1))
    assert type(raised.value) is error
    assert yahoo.asked("chart") <= (
        2 if fault == "drop" else 1
    )  # libcurl itself repeats on a reused connection
    yahoo.fault = None
    assert source.history("ACME", date(2026, 2, 1)).quote.price == D("101")


@pytest.mark.parametrize("paths", ["data", "cookie", "both"])
def test_a_hanging_yahoo_ends_within_the_time_limit(yahoo, source, settings, paths):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 1
    yahoo.list("ACME", [100.0, 101.0])
    yahoo.fault = None if paths == "cookie" else "hang"
    yahoo.cookie_fault = None if paths == "data" else "hang"
    begun = datetime.now(UTC)
    if paths == "cookie":  # the data comes without one
        assert source.history("ACME", date(2026, 2, 1)).quote.price == D("101")
    else:
        with pytest.raises(sources.SourceTimeout):
            source.history("ACME", date(2026, 2, 1))
    assert (datetime.now(UTC) - begun).total_seconds() < 1 + 0.5 * SLACK


def test_retry_after_is_handed_on(yahoo, source):
    yahoo.list("ACME", [100.0])
    yahoo.fault, yahoo.retry_after = "429", "17"
    with pytest.raises(sources.RateLimited) as raised:
        source.history("ACME", date(2026, 2, 1))
    assert raised.value.retry_after_seconds == 17
    yahoo.retry_after = (datetime.now(UTC) + timedelta(seconds=90)).strftime(
        "%a, %d %b %Y %H:%M:%S GMT"
    )
    with pytest.raises(sources.RateLimited) as raised:
        source.history("ACME", date(2026, 2, 1))
    assert 80 < raised.value.retry_after_seconds <= 90


def test_a_limited_crumb_does_not_stop_the_request(yahoo, source, monday):
    yahoo.list("ACME", [100.0])
    yahoo.cookie_fault = "429"
    assert source.history("ACME", date(2026, 2, 1)).quote.price == D("100")


def test_rates_include_today_and_are_empty_for_an_unknown_pair(yahoo, source, monday):
    yahoo.list_rate("USD", "NOK", {date(2026, 2, 27): 10.1234, monday: 10.2345})
    assert source.rates("USD", "NOK", date(2026, 2, 1)) == [
        (date(2026, 2, 27), D("10.1234")),
        (monday, D("10.2345")),
    ]
    assert source.rates("USD", "XOF", date(2026, 2, 1)) == []


def test_each_search_asks_the_source_again(yahoo, source):
    assert source.search("acme", 5) == []
    yahoo.list("ACME", [1.0], name="Acme Corporation", kind="ETF", exchange="NYSE")
    yahoo.found = [
        {"symbol": "acme.l", "shortname": "Acme plc", "quoteType": "EQUITY", "sector": "Energy"}
    ]
    assert source.search("acme", 5) == [
        sources.InstrumentInfo(
            ticker="ACME.L", company_name="Acme plc", asset_type="stock", sector="Energy"
        ),
        sources.InstrumentInfo(
            ticker="ACME", company_name="Acme Corporation", asset_type="etf", exchange="NYSE"
        ),
    ]


def test_without_the_local_server_nothing_is_reached():
    with pytest.raises(sources.SourceUnavailable):
        YahooSource().history("AAPL", date(2026, 2, 1))


def test_a_forked_process_makes_its_own_session(yahoo, source, monday):
    """A child of a process that has used yfinance, as a Celery worker's are."""
    import os

    yahoo.list("ACME", [100.0, 101.0])
    source.history("ACME", date(2026, 2, 1))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(
                writer, str(YahooSource().history("ACME", date(2026, 2, 1)).quote.price).encode()
            )
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        assert answer.read() == "101.0"
    os.waitpid(child, 0)


def test_the_caches_of_yfinance_lie_in_a_folder_of_the_process(yahoo, source, monday, settings):
    import os

    from yfinance.cache import _TzDBManager

    yahoo.list("ACME", [100.0])
    source.history("ACME", date(2026, 2, 1))
    assert _TzDBManager.get_location() == str(settings.VAR_DIR / "yfinance" / str(os.getpid()))


def test_the_folders_of_dead_processes_are_removed(settings):
    import os
    import subprocess

    from integrations.yahoo.session import _forget_dead_processes

    with subprocess.Popen(["true"]) as process:
        process.wait()
    folder = settings.VAR_DIR / "yfinance"
    (folder / str(process.pid)).mkdir(parents=True, exist_ok=True)
    (folder / str(os.getpid())).mkdir(exist_ok=True)
    _forget_dead_processes(folder)
    assert not (folder / str(process.pid)).exists()
    assert (folder / str(os.getpid())).exists()
