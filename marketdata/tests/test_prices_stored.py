"""Test storing a source's answers: events before prices, once, plausible, manual prices kept."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import transaction

from financeproj.core.errors import Conflict
from marketdata import services
from marketdata.calc.sanity import split_factor
from marketdata.models import (
    HeldBack,
    HistoricalStockPrice,
    StockDividend,
    StockQuote,
    StockSplit,
)
from marketdata.selectors import prices_now
from marketdata.signals import splits_recorded
from marketdata.sources import History, InstrumentInfo, Quote
from marketdata.tests.factories import decimals, instrument, with_closes, with_quote, with_splits

DAYS = [
    date(2026, 2, 23) + timedelta(days=n) for n in (0, 1, 2, 3, 4, 7, 8, 9)
]  # Monday to Friday, Monday …
NOW = datetime(2026, 3, 4, 22, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(NOW):
        yield


def history(closes=(), *, splits=(), dividends=(), quote=None, currency="USD"):
    return History(
        info=InstrumentInfo("ACME", currency=currency, company_name="Acme"),
        closes=decimals(zip(DAYS, closes, strict=False))
        if isinstance(closes, list)
        else decimals(closes.items()),
        splits=decimals(splits),
        dividends=decimals(dividends),
        quote=quote and Quote(D(str(quote[1])), None, NOW, quote[0]),
    )


def record(stock, answer, full=True):
    services.record_history(stock=stock, answer=answer, source="yahoo", full=full)
    stock.refresh_from_db()


def stored(stock):
    return [float(close) for close in stock.prices.order_by("date").values_list("close", flat=True)]


# --- once, and in the right order -----------------------------------------------------------------


@pytest.mark.django_db
def test_an_answer_stored_twice_is_stored_once_and_moves_the_version_once():
    stock = instrument()
    answer = history(
        [20, 11, 12], splits=[(DAYS[1], 2)], dividends=[(DAYS[2], "0.5")], quote=(DAYS[2], 12)
    )
    record(stock, answer)
    version = stock.version
    record(stock, answer)
    assert (stock.prices.count(), stock.splits.count(), stock.dividends.count()) == (3, 1, 1)
    assert stock.version == version > 0
    assert stock.history_fetched_at == NOW or stock.history_fetched_at > NOW


@pytest.mark.django_db
def test_splits_are_announced_in_the_transaction_that_stores_them_and_before_the_prices():
    stock, seen = instrument(), []

    def listener(sender, stock, **kwargs):
        seen.append(
            (
                transaction.get_connection().in_atomic_block,
                stock.splits.count(),
                stock.prices.count(),
                stock.ticker,
            )
        )

    splits_recorded.connect(listener)
    try:
        record(stock, history([10, 5], splits=[(DAYS[1], 2)]))
        record(stock, history([10, 5], splits=[(DAYS[1], 2)]))
    finally:
        splits_recorded.disconnect(listener)
    assert seen == [(True, 1, 0, "ACME")]


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_when_the_split_cannot_be_booked_nothing_of_the_answer_is_stored():
    stock = instrument()

    def listener(sender, stock, **kwargs):
        raise RuntimeError("not now")

    splits_recorded.connect(listener)
    try:
        with pytest.raises(RuntimeError):
            record(stock, history([10, 5], splits=[(DAYS[1], 2)], quote=(DAYS[1], 5)))
    finally:
        splits_recorded.disconnect(listener)
    stock.refresh_from_db()
    assert (stock.prices.count(), stock.splits.count(), stock.version) == (0, 0, 0)
    assert not StockQuote.objects.exists()


@pytest.mark.django_db
def test_an_answer_in_another_currency_is_believed_in_nothing():
    stock = instrument(currency="GBP")
    answer = history([10, 11], splits=[(DAYS[0], 2)], quote=(DAYS[1], 11))
    record(stock, answer)
    record(stock, answer)
    assert stored(stock) == []
    assert not (stock.splits.exists())
    assert not (StockQuote.objects.exists())
    held = HeldBack.objects.get()
    assert (held.date, held.value, held.reason) == (DAYS[1], D(11), "other_currency")
    with pytest.raises(Conflict, match="in another currency"):
        services.accept_held_back(row=held)
    assert stored(stock) == []


@pytest.mark.django_db
def test_manual_values_are_not_overwritten():
    stock = with_closes(instrument(), {DAYS[0]: 10, DAYS[1]: 11})
    row = HistoricalStockPrice.objects.get(stock=stock, date=DAYS[1])
    row.close = D("11.5")
    services.save_price(row)
    record(stock, history([10, 11, 12]))
    assert stored(stock) == [10, 11.5, 12]
    split = StockSplit(stock=stock, date=DAYS[1], ratio=D(3))
    services.save_split(split)
    record(stock, history([10, 11, 12], splits=[(DAYS[1], 2)]))
    assert stock.splits.get().ratio == D(3)


@pytest.mark.django_db
def test_a_description_fills_what_is_empty_and_leaves_what_a_person_corrected():
    stock = instrument(company_name="Acme, put right")
    info = InstrumentInfo(
        "ACME", currency="USD", company_name="ACME CORP", exchange="NYSE", sector="Energy"
    )
    record(stock, History(info=info, closes=[(DAYS[0], D(10))]))
    assert (stock.company_name, stock.exchange, stock.sector) == (
        "Acme, put right",
        "NYSE",
        "Energy",
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "save", "delete", "value"),
    [
        (HistoricalStockPrice, services.save_price, services.delete_price, {"close": D(10)}),
        (StockSplit, services.save_split, services.delete_split, {"ratio": D(2)}),
        (StockDividend, services.save_dividend, services.delete_dividend, {"amount": D("0.5")}),
    ],
)
def test_single_rows_move_the_version_and_are_marked_as_a_persons(model, save, delete, value):
    stock = instrument()
    row = model(stock=stock, date=DAYS[0], **value)
    save(row)
    stock.refresh_from_db()
    assert (model.objects.get().source, stock.version) == ("manual", 1)
    delete(row)
    stock.refresh_from_db()
    assert (model.objects.count(), stock.version) == (0, 2)


@pytest.mark.django_db
def test_a_row_moved_to_another_instrument_moves_both_versions():
    one, other = with_closes(instrument("ONE"), {DAYS[0]: 1}), instrument("OTHER")
    row = HistoricalStockPrice.objects.get()
    row.stock = other
    services.save_price(row)
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.version, other.version) == (2, 1)


@pytest.mark.django_db
def test_a_second_close_of_a_day_is_refused_by_hand():
    stock = with_closes(instrument(), {DAYS[0]: 1})
    with pytest.raises(ValidationError):
        services.save_price(HistoricalStockPrice(stock=stock, date=DAYS[0], close=D(2)))
    assert stored(stock) == [1]


def waiting():
    return HeldBack.objects.filter(state="held_back")


# --- prices that are not believed yet -------------------------------------------------------------


@pytest.mark.django_db
def test_a_spike_is_held_back_and_the_series_goes_on():
    stock = instrument()
    record(stock, history([100, 101, 1010, 102, 103]))
    assert stored(stock) == [100, 101, 102, 103]
    held = HeldBack.objects.get()
    assert (held.date, held.value, held.reason, held.before) == (DAYS[2], D(1010), "jump", D(101))


@pytest.mark.django_db
def test_a_crash_waits_for_the_next_days_close_and_is_then_accepted():
    stock = instrument()
    record(stock, history([100, 101]))
    record(stock, history([100, 101, 30]))
    assert stored(stock) == [100, 101]
    assert HeldBack.objects.get().value == D(30)
    record(stock, history([100, 101, 30, 29]))
    assert stored(stock) == [100, 101, 30, 29]
    assert not waiting()


@pytest.mark.django_db
def test_the_next_days_close_far_away_confirms_nothing():
    stock = instrument()
    record(stock, history([100, 101, 30, 60]))
    assert stored(stock) == [100, 101, 60]
    assert HeldBack.objects.get().date == DAYS[2]


@pytest.mark.django_db
def test_a_source_that_restates_half_way_rewrites_nothing_that_was_traded():
    stock = instrument()
    record(stock, history([400, 404, 408]))
    # The split is reported but the closes are not restated yet: undoing it makes them four times
    # too large.
    record(stock, history([1600, 1616, 1632, 103], splits=[(DAYS[3], 4)], quote=(DAYS[3], 103)))
    assert stored(stock) == [400, 404, 408, 103]
    # The reverse: restated closes without the split.
    record(stock, history([100, 101, 102, 103]))
    assert stored(stock) == [400, 404, 408, 103]
    assert waiting().count() == 3
    record(stock, history([400, 404, 408, 103], splits=[(DAYS[3], 4)]))
    assert stored(stock) == [400, 404, 408, 103]


@pytest.mark.django_db
@pytest.mark.parametrize("close", [0, -5])
def test_a_close_that_is_not_above_0_is_left_out(close):
    stock = instrument()
    record(stock, history([100, close, 101]))
    assert stored(stock) == [100, 101]
    assert not HeldBack.objects.exists()


@pytest.mark.django_db
def test_a_fall_caused_by_a_split_is_accepted():
    stock = instrument()
    record(stock, history([400, 404, 40.5, 41], splits=[(DAYS[2], 10)]))
    assert stored(stock) == [400, 404, 40.5, 41]
    assert not waiting()


@pytest.mark.django_db
def test_a_doubtful_quote_leaves_the_old_one_which_grows_stale():
    stock = instrument()
    record(stock, history([100, 101], quote=(DAYS[1], 101)))
    StockQuote.objects.update(fetched_at=NOW - timedelta(hours=1))
    record(stock, history([100, 101], quote=(DAYS[2], 1.01)))
    assert StockQuote.objects.get().price == D(101)
    assert prices_now([stock.pk])[stock.pk].stale
    held = HeldBack.objects.get()
    assert (held.date, held.value, held.reason) == (DAYS[2], D("1.01"), "unit_slip")


@pytest.mark.django_db
def test_a_quote_after_a_real_crash_is_accepted_once_the_closes_are():
    stock = instrument()
    record(stock, history([100, 101], quote=(DAYS[1], 101)))
    record(stock, history([100, 101], quote=(DAYS[2], 30)))  # the day of the crash
    record(stock, history([100, 101, 30], quote=(DAYS[3], 29)))  # the next: its close will decide
    assert StockQuote.objects.get().price == D(101)
    record(stock, history([100, 101, 30, 29], quote=(DAYS[4], 31)))
    assert (stored(stock), StockQuote.objects.get().price) == ([100, 101, 30, 29], D(31))
    assert not waiting().filter(date__lte=DAYS[3])


@pytest.mark.django_db
def test_a_person_can_accept_a_price_and_the_source_may_repeat_it():
    stock = instrument()
    record(stock, history([100, 101], quote=(DAYS[1], 101)))
    record(stock, history([100, 101, 30], quote=(DAYS[2], 30)))
    services.accept_held_back(row=HeldBack.objects.get())
    assert (stored(stock), StockQuote.objects.get().price) == ([100, 101, 30], D(30))
    assert not waiting()
    record(stock, history([100, 101, 30.5], quote=(DAYS[2], 30.5)))
    assert (stored(stock), StockQuote.objects.get().price) == ([100, 101, 30.5], D("30.5"))
    assert not waiting()


@pytest.mark.django_db
def test_a_price_below_0_cannot_be_accepted():
    stock = instrument()
    record(stock, history([100], quote=(DAYS[1], -1)))
    with pytest.raises(Conflict):
        services.accept_held_back(row=HeldBack.objects.get())
    assert stored(stock) == [100]


@pytest.mark.django_db
def test_a_dismissed_price_changes_nothing():
    stock = instrument()
    record(stock, history([100, 101, 1010]))
    services.dismiss_held_back(row=HeldBack.objects.get())
    assert stored(stock) == [100, 101]
    assert HeldBack.objects.get().state == "dismissed"


@pytest.mark.django_db
def test_a_price_by_hand_may_jump(user):
    stock = instrument("CABIN", owner=user)
    services.enter_price(stock=stock, day=DAYS[0], close=D(1))
    services.enter_price(stock=stock, day=DAYS[1], close=D(1000))
    assert stored(stock) == [1, 1000]


# --- the rule alone -------------------------------------------------------------------------------


def test_splits_count_after_their_first_day_up_to_their_last():
    splits = decimals([(DAYS[1], 2), (DAYS[2], 3)])
    assert [split_factor(splits, after, until) for after, until in [
        (DAYS[0], DAYS[1]), (DAYS[1], DAYS[2]), (DAYS[0], DAYS[2]), (DAYS[2], DAYS[7]), (DAYS[0], DAYS[0])
    ]] == [D(2), D(3), D(6), D(1), D(1)]  # fmt: skip


@pytest.mark.django_db
def test_a_split_with_the_price_of_before_values_in_the_new_shares():
    stock = with_quote(with_closes(instrument(), {DAYS[6]: 400}), 404, DAYS[6])
    with_splits(stock, {DAYS[7]: 4})
    price = prices_now([stock.pk])[stock.pk]
    assert (price.price, price.day) == (D(101), DAYS[6])


@pytest.mark.django_db
def test_a_price_of_a_day_that_has_not_started_anywhere_is_refused():
    tomorrow, in_years = date(2026, 3, 5), date(2040, 1, 2)  # it is tomorrow in Auckland
    stock = with_closes(instrument(), {DAYS[7]: 40, tomorrow: 41, in_years: 999})
    price = prices_now([stock.pk])[stock.pk]
    assert (price.price, price.previous_close, price.day) == (D(41), D(40), tomorrow)
    with_quote(stock, 998, in_years)
    assert prices_now([stock.pk])[stock.pk].price == D(41)
    with time_machine.travel("2026-03-04T08:00Z"):  # 22:00 on the easternmost islands
        assert prices_now([stock.pk])[stock.pk].price == D(40)
