"""Prices of a source that cannot be, as they are stored."""

from datetime import date, datetime, timedelta
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest
import time_machine

from marketdata import services
from marketdata.models import HeldBack, StockMetadata, StockQuote
from marketdata.selectors import prices_now
from marketdata.sources import History, InstrumentInfo, Quote
from marketdata.tests.factories import instrument

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 6)


def on(back: int) -> date:
    return TODAY - timedelta(days=back)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-03-06T22:00Z", tick=False) as traveller:
        yield traveller


def answer(
    stock: StockMetadata, closes: list, *, until: int = 0, name="Acme plc", currency="GBP", **rest
):
    """Store an answer whose closes are of consecutive days, the last one `until` days ago."""
    first = until + len(closes) - 1
    said = [(on(first - place), D(str(close))) for place, close in enumerate(closes)]
    quote = rest.pop("quote", None)
    if quote is not None:
        at = datetime(2026, 3, 6, 16, tzinfo=ZoneInfo("UTC"))
        quote = Quote(D(str(quote[1])), None, at, quote[0])
    info = InstrumentInfo("ACME.L", company_name=name, currency=currency)
    history = History(info=info, closes=said, quote=quote, **rest)
    services.record_history(stock=stock, answer=history, source="yahoo", full=True)
    stock.refresh_from_db()


def stored(stock):
    return [float(close) for close in stock.prices.order_by("date").values_list("close", flat=True)]


def held():
    rows = HeldBack.objects.filter(state="held_back").order_by("date")
    return [(float(row.value), row.reason) for row in rows]


@pytest.fixture
def stock():
    return instrument("ACME.L", currency="GBP")


def test_three_closes_in_pounds_are_held_back_and_the_right_ones_go_on(stock):
    answer(stock, [6, 6.01, 6], until=4)
    for closes, until in (([6, 0.06], 3), ([0.06, 0.0601], 2), ([0.06, 0.0601, 0.0602], 1)):
        answer(stock, closes, until=until, quote=(on(until), closes[-1]))
        assert stored(stock) == [6, 6.01, 6]
        assert prices_now([stock.pk])[stock.pk].price == D(6)
    answer(stock, [0.06, 0.0601, 0.0602, 6.02], quote=(on(0), 6.02))
    assert stored(stock) == [6, 6.01, 6, 6.02]
    assert prices_now([stock.pk])[stock.pk].price == D("6.02")
    assert held() == [(0.06, "unit_slip"), (0.0601, "unit_slip"), (0.0602, "unit_slip")]


def test_a_repeated_answer_moves_no_version(stock):
    answer(stock, [6, 6.01, 6], until=3)
    answer(stock, [6, 0.06, 0.0601])
    version, rows = stock.version, HeldBack.objects.count()
    answer(stock, [6, 0.06, 0.0601])
    assert (stock.version, HeldBack.objects.count()) == (version, rows)


def test_a_symbol_that_was_given_to_another_company_is_not_believed(stock):
    answer(stock, [6, 6.01], until=2)
    answer(stock, [6.01, 9, 9.1], name="Bolt Group", quote=(on(0), 9.1))
    assert stored(stock) == [6, 6.01]
    assert held() == [(9, "other_name"), (9.1, "other_name")]
    assert stock.believed_name == "Acme plc"
    # A new name of the same company.
    answer(stock, [6.01, 6.02, 6.03], name="ACME GROUP")
    assert stored(stock) == [6, 6.01, 6.02, 6.03]
    assert stock.believed_name == "ACME GROUP"
    assert held() == []


def test_an_accepted_close_stands_and_later_ones_follow_it(stock):
    answer(stock, [6, 6.01], until=2)
    answer(stock, [6.01, 0.06, 0.0601])
    services.accept_held_back(row=HeldBack.objects.get(date=on(1)))
    assert stored(stock) == [6, 6.01, 0.06]
    answer(stock, [6.01, 0.06, 0.0601])
    assert stored(stock) == [6, 6.01, 0.06, 0.0601]
    assert held() == []


def test_a_dismissed_close_goes_with_those_that_followed_it(stock):
    answer(stock, [6, 6.01], until=4)
    answer(stock, [6.01, 2], until=3, quote=(on(3), 2))
    answer(stock, [6.01, 2, 2.1, 2.2], until=1, quote=(on(1), 2.2))
    assert stored(stock) == [6, 6.01, 2, 2.1, 2.2]
    services.dismiss_held_back(row=HeldBack.objects.get(state="believed"))
    assert stored(stock) == [6, 6.01]
    assert prices_now([stock.pk])[stock.pk].price == D("6.01")
    for _ in range(2):
        answer(stock, [6.01, 2, 2.1, 2.2, 5.9], quote=(on(0), 5.9))
        assert stored(stock) == [6, 6.01, 5.9]
        assert held() == [(2.1, "follows"), (2.2, "follows")]


def test_a_return_takes_back_what_was_believed_between(stock):
    answer(stock, [600, 601], until=4)
    answer(stock, [601, 20, 21], until=2, quote=(on(2), 21))
    assert stored(stock) == [600, 601, 20, 21]
    answer(stock, [601, 20, 21, 599], until=1, quote=(on(1), 599))
    assert stored(stock) == [600, 601, 599]
    assert held() == [(20, "returned"), (21, "returned")]
    assert StockQuote.objects.get().price == D(599)
    version = stock.version
    answer(stock, [601, 20, 21, 599], until=1, quote=(on(1), 599))
    assert (stored(stock), stock.version) == ([600, 601, 599], version)


def test_a_first_history_believes_its_latest_level_and_is_read_again(stock, clock):
    from marketdata.services.believing import is_due_again

    answer(stock, [6] * 5 + [600] * 15, is_whole=True)
    assert stored(stock) == [600] * 15
    assert not is_due_again(stock)
    clock.shift(timedelta(days=7))
    assert is_due_again(stock)
    # The source has mended it.
    answer(stock, [598] * 5 + [600] * 15, is_whole=True)
    assert stored(stock) == [598] * 5 + [600] * 15
    assert held() == []
    assert not is_due_again(stock)


def test_a_close_said_again_far_off_is_held_back_until_the_source_is_right_again(stock):
    answer(stock, [6, 6.01, 6.02])
    answer(stock, [6, 9, 6.02])
    assert stored(stock) == [6, 6.01, 6.02]
    assert held() == [(9, "restated")]
    answer(stock, [6, 6.01, 6.02])
    assert stored(stock) == [6, 6.01, 6.02]
    assert held() == []


@pytest.mark.parametrize("nonsense", ["NaN", "Infinity", "-1", "0", "1e300", "1e-300"])
def test_what_is_no_price_is_left_out(stock, nonsense):
    answer(stock, [6, nonsense, 6.01], quote=(on(0), nonsense))
    assert stored(stock) == [6, 6.01]
    assert prices_now([stock.pk])[stock.pk].price == D("6.01")


def test_an_endless_close_is_rounded_and_the_same_again_changes_nothing(stock):
    answer(stock, [D(20) / 3])
    assert stock.prices.get().close == D("6.66666666666667")
    version = stock.version
    answer(stock, [D(20) / 3])
    assert stock.version == version


def test_a_close_of_a_day_that_has_not_begun_is_left_out(stock):
    answer(stock, [6, 6.01], until=-3)
    assert stored(stock) == []


def test_a_source_that_changes_its_mind_daily_loses_and_doubles_nothing(stock):
    """Closes move, vanish, slip and return; the same last answer gives the same series."""
    answer(stock, [6, 6.1, 6.2, 6.3], until=4)
    for closes, until in (
        ([6.2, 0.063, 6.4], 2),
        ([6.2, 6.3, 1e9], 1),
        ([6.2, 6.3, 6.4, 1e9], 1),
        ([620, 630, 640, 650], 1),
        ([6.3, 6.4], 1),
    ):
        answer(stock, closes, until=until)
    answer(stock, [6, 6.1, 6.2, 6.3, 6.35, 6.4, 6.45, 6.5])
    assert stock.prices.count() == len(set(stock.prices.values_list("date", flat=True)))
    assert stored(stock)[-3:] == [6.4, 6.45, 6.5]
    assert all(5 < close < 8 for close in stored(stock))
