"""Test exchange rates: the lookup rule, the sources, and the rate of a trade."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata import services
from marketdata.calc.rates import FRESH_DAYS, Leg, find_rate, pairs_needed
from marketdata.models import CurrencyPair, HistoricalExchangeRate
from marketdata.queries import exchange_rate_for_trade, exchange_rates_for_import
from marketdata.selectors import rate_on, rates_now, rates_on, rates_on_days
from marketdata.sources import registry
from marketdata.tests.factories import with_rates

FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2026, 2, 27) + timedelta(days=n) for n in range(4))


def known(**rates):
    return {
        (name[:3], name[3:]): Leg(day, D(rate), source)
        for name, (day, rate, source) in rates.items()
    }


# --- the rule -------------------------------------------------------------------------------------


def test_the_same_currency_is_1():
    assert find_rate("NOK", "NOK", FRIDAY, {}).rate == 1


def test_the_pair_comes_before_its_inverse_before_euro_before_dollar():
    rates = known(
        GBPNOK=(FRIDAY, "13", "yahoo"),
        NOKGBP=(FRIDAY, "0.08", "yahoo"),
        EURGBP=(FRIDAY, "0.8", "ecb"),
        EURNOK=(FRIDAY, "12", "ecb"),
        USDGBP=(FRIDAY, "0.7", "yahoo"),
        USDNOK=(FRIDAY, "10.5", "yahoo"),
    )
    answers = []
    for gone in ("", "GBPNOK", "NOKGBP", "EURGBP"):
        rates.pop((gone[:3], gone[3:]), None)
        found = find_rate("GBP", "NOK", MONDAY, rates)
        answers.append((found.rate, found.source, found.date, found.stale))
    assert answers == [
        (D(13), "yahoo", FRIDAY, False),
        (D("12.5"), "yahoo", FRIDAY, False),
        (D(15), "ecb", FRIDAY, False),
        (D(15), "yahoo", FRIDAY, False),
    ]
    rates.pop(("USD", "GBP"))
    assert find_rate("GBP", "NOK", MONDAY, rates) is None


def test_a_route_with_an_old_leg_gives_way_to_a_fresh_one():
    eighth = FRIDAY - timedelta(days=8)
    rates = known(
        GBPNOK=(eighth, "13", "yahoo"),
        EURGBP=(FRIDAY, "0.8", "ecb"),
        EURNOK=(FRIDAY - timedelta(days=7), "12", "yahoo"),
    )
    found = find_rate("GBP", "NOK", FRIDAY, rates)
    assert (found.rate, found.source, found.date, found.stale) == (
        D("15"), "mixed", FRIDAY - timedelta(days=7), False
    )  # fmt: skip


def test_if_all_rates_are_old_the_most_recent_route_is_used_as_stale():
    rates = known(
        GBPNOK=(date(2026, 1, 1), "13", "yahoo"),
        EURGBP=(date(2026, 2, 1), "0.8", "ecb"),
        EURNOK=(date(2026, 1, 15), "12", "ecb"),
    )
    found = find_rate("GBP", "NOK", FRIDAY, rates)
    assert (found.rate, found.date, found.stale) == (D(15), date(2026, 1, 15), True)


def test_a_leg_to_the_euro_may_be_stored_either_way():
    rates = known(GBPEUR=(FRIDAY, "1.25", "yahoo"), EURNOK=(FRIDAY, "12", "ecb"))
    assert find_rate("GBP", "NOK", FRIDAY, rates).rate == D(15)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(set(pairs_needed("GBP", "NOK")))),
        st.tuples(st.integers(0, 20), st.decimals("0.01", "99", places=4)),
        max_size=8,
    )
)
def test_a_found_rate_is_fresh_exactly_when_some_route_is(legs):
    rates = {
        pair: Leg(FRIDAY - timedelta(days=age), rate, "yahoo") for pair, (age, rate) in legs.items()
    }

    def age(base, target):
        return min(
            (legs[pair][0] for pair in ((base, target), (target, base)) if pair in legs),
            default=None,
        )

    crosses = [(age("GBP", via), age(via, "NOK")) for via in ("EUR", "USD")]
    ages = [a for a in [age("GBP", "NOK")] if a is not None]
    ages += [max(one, other) for one, other in crosses if one is not None and other is not None]
    found = find_rate("GBP", "NOK", FRIDAY, rates)
    if not ages:
        assert found is None
    else:
        assert found.stale == (min(ages) > FRESH_DAYS)
        if found.stale:
            assert (FRIDAY - found.date).days == min(ages)


# --- what is stored -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_weekends_carry_fridays_rate_and_days_before_the_first_have_none():
    with_rates("USD", "NOK", {FRIDAY: "10.1234", MONDAY: "10.2"})
    assert rate_on(base="USD", target="NOK", day=SUNDAY).rate == D("10.1234")
    assert rate_on(base="USD", target="NOK", day=SUNDAY).date == FRIDAY
    assert rate_on(base="NOK", target="USD", day=MONDAY).rate == D("0.0980392156862745")
    assert rate_on(base="USD", target="NOK", day=FRIDAY - timedelta(days=1)) is None


@pytest.mark.django_db
def test_the_ecb_fills_and_is_replaced_and_a_persons_rate_stays():
    with_rates("EUR", "NOK", {FRIDAY: "11", MONDAY: "12"}, source="ecb")
    with_rates("EUR", "NOK", {MONDAY: "12.5"}, source="yahoo")
    with_rates("EUR", "NOK", {MONDAY: "13"}, source="ecb")
    rows = HistoricalExchangeRate.objects.order_by("date")
    assert list(rows.values_list("rate", "source")) == [(D(11), "ecb"), (D("12.5"), "yahoo")]
    row = rows.first()
    row.rate = D("11.1")
    services.save_rate(row)
    with_rates("EUR", "NOK", {FRIDAY: "99"}, source="yahoo")
    assert rows.first().rate == D("11.1")


class Museum:
    """Another offline source: the rules apply to all offline sources, not only to the ECB."""

    name = "museum"
    offline = True

    def rates(self, base, target, start):
        return [(FRIDAY, D("11"))] if (base, target) == ("EUR", "NOK") and start <= FRIDAY else []


@pytest.fixture
def museum(settings):
    settings.EXCHANGE_RATE_SOURCES = ["integrations.yahoo.YahooSource", f"{__name__}.Museum"]
    registry.cache_clear()
    yield
    registry.cache_clear()


@pytest.mark.django_db
def test_any_offline_source_fills_and_is_replaced(museum):
    with_rates("EUR", "NOK", {FRIDAY: "12"}, source="museum")
    assert CurrencyPair.objects.get().fetched_at is None  # no source was asked
    with_rates("EUR", "NOK", {FRIDAY: "12.5"}, source="yahoo")
    with_rates("EUR", "NOK", {FRIDAY: "13", MONDAY: "13"}, source="museum")
    rows = HistoricalExchangeRate.objects.order_by("date")
    assert list(rows.values_list("rate", "source")) == [(D("12.5"), "yahoo"), (D(13), "museum")]


@pytest.mark.django_db
def test_an_offline_sources_rate_is_not_stale_without_network(api, market, museum):
    market.fault = "500"
    for path in ("EUR/NOK", "EUR/NOK/history"):
        body = api.get(f"/api/v1/exchange-rates/{path}").json()
        assert (body["source"], body["stale"]) == ("museum", False)
    with_rates("EUR", "NOK", {FRIDAY: "12.5"}, source="yahoo")
    CurrencyPair.objects.update(fetched_at=None)
    body = api.get("/api/v1/exchange-rates/EUR/NOK").json()
    assert (body["source"], body["rate"], body["stale"]) == ("yahoo", 12.5, True)


@pytest.mark.django_db
def test_rates_stored_twice_move_the_version_once():
    for _ in range(2):
        with_rates("EUR", "NOK", {FRIDAY: "11", MONDAY: "12"})
    assert (CurrencyPair.objects.get().version, HistoricalExchangeRate.objects.count()) == (1, 2)
    services.delete_rate(HistoricalExchangeRate.objects.first())
    assert (CurrencyPair.objects.get().version, HistoricalExchangeRate.objects.count()) == (2, 1)


@pytest.mark.django_db
def test_rates_that_make_no_sense_are_not_stored():
    with_rates("EUR", "NOK", {FRIDAY: "0", MONDAY: "-1"})
    assert not HistoricalExchangeRate.objects.exists()


@pytest.mark.django_db
def test_many_pairs_cost_one_query(django_assert_num_queries):
    for base in ("EUR", "USD", "GBP", "SEK"):
        with_rates(base, "NOK", {FRIDAY: "11"})
    pairs = [
        (a, b) for a in ("EUR", "USD", "GBP", "SEK", "NOK") for b in ("EUR", "USD", "NOK", "DKK")
    ]
    with django_assert_num_queries(1):
        found = rates_on(pairs, MONDAY)
    assert found["GBP", "NOK"].rate == 11
    assert not {("NOK", "DKK"), ("GBP", "USD")} & set(found)


# --- asking ---------------------------------------------------------------------------------------


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    with time_machine.travel(datetime(2026, 3, 2, 22, 0, tzinfo=UTC)) as clock:
        yahoo.clock = clock
        yahoo.list_rate("USD", "NOK", {date(2024, 5, 2): 11.1234, FRIDAY: 10.4, MONDAY: 10.5})
        yield yahoo


@pytest.mark.django_db
def test_a_trade_gets_the_rate_of_its_day_from_the_source(market):
    assert exchange_rate_for_trade(base="USD", target="NOK", day=date(2024, 5, 2)) == D("11.1234")
    assert exchange_rate_for_trade(base="USD", target="NOK", day=date(2024, 5, 5)) == D("11.1234")
    assert exchange_rate_for_trade(base="NOK", target="NOK", day=FRIDAY) == 1
    assert market.asked("chart") == 1


@pytest.mark.django_db
def test_the_ecb_fills_in_when_the_source_has_no_rate_or_is_down(market):
    market.fault = "500"
    rate = exchange_rate_for_trade(base="USD", target="NOK", day=date(2020, 5, 4))
    assert rate == D(
        "10.3527691464083"
    )  # 11.328 / 1.0942: the euro in NOK and in USD that day, by the ECB
    assert set(HistoricalExchangeRate.objects.values_list("source", flat=True)) == {"ecb"}


@pytest.mark.django_db
def test_a_failing_source_is_not_asked_again_for_each_trade(market):
    market.fault = "500"
    for _ in range(4):
        exchange_rate_for_trade(base="USD", target="NOK", day=date(2020, 5, 4))
    assert market.asked("chart") == 1


@pytest.mark.django_db
def test_an_unknown_pair_has_no_rate(market):
    assert exchange_rate_for_trade(base="KWD", target="BHD", day=FRIDAY) is None


@pytest.mark.django_db
def test_a_rate_older_than_a_week_is_none_for_a_trade(market):
    market.list_rate("KWD", "BHD", {FRIDAY: 1.2})
    market.clock.shift(timedelta(days=30))
    assert exchange_rate_for_trade(base="KWD", target="BHD", day=FRIDAY + timedelta(days=7)) == D(
        "1.2"
    )
    assert exchange_rate_for_trade(base="KWD", target="BHD", day=FRIDAY + timedelta(days=8)) is None
    assert rate_on(base="KWD", target="BHD", day=FRIDAY + timedelta(days=8)).stale


@pytest.mark.django_db
def test_an_import_looks_up_any_number_of_rates_in_a_few_queries(
    market, django_assert_max_num_queries
):
    wanted = [("USD", "NOK", FRIDAY), ("USD", "NOK", date(2024, 6, 2)), ("NOK", "NOK", FRIDAY)]
    exchange_rates_for_import(wanted)
    wanted += [("USD", "NOK", date(2024, 5, 2) + timedelta(days=n)) for n in range(300)]
    with django_assert_max_num_queries(5):
        found = exchange_rates_for_import(wanted)
    assert found["USD", "NOK", FRIDAY] == D("10.4")
    assert found["NOK", "NOK", FRIDAY] == 1
    assert found["USD", "NOK", date(2024, 5, 9)] == D("11.1234")


@pytest.mark.django_db
def test_rates_of_many_days_are_those_of_each_day():
    with_rates("USD", "NOK", {date(2014, 3, 3): "6", date(2024, 5, 6): "11"})
    with_rates("EUR", "NOK", {date(2024, 5, 2): "11.5", date(2024, 5, 14): "11.6"})
    with_rates("EUR", "USD", {date(2024, 5, 3): "1.25", date(2024, 5, 8): "1.2"})
    days = [date(2014, 3, 2), date(2014, 3, 3), date(2023, 1, 1)]
    days += [date(2024, 5, 1) + timedelta(days=number) for number in range(20)]
    pairs = [("USD", "NOK"), ("NOK", "USD"), ("NOK", "EUR"), ("NOK", "NOK"), ("SEK", "NOK")]
    wanted = [(base, target, day) for base, target in pairs for day in days]
    expected = {}
    for base, target, day in wanted:
        rate = rate_on(base=base, target=target, day=day)
        if rate is not None:
            expected[base, target, day] = rate
    assert rates_on_days(wanted) == expected
    assert rates_on_days(wanted[:1]) == {}
    for one in expected:
        assert rates_on_days([one]) == {one: expected[one]}
    assert rates_on_days([]) == {}


@pytest.mark.django_db
def test_a_page_fetches_a_missing_rate_once(market):
    services.ensure_rates(pairs=[("KWD", "BHD")])
    assert market.asked("chart") == 1
    services.ensure_rates(
        pairs=[("KWD", "BHD")]
    )  # unknown: asked again only once the answer has grown old
    with_rates("USD", "NOK", {MONDAY: "10.5"})
    market.forget_requests()
    services.ensure_rates(pairs=[("USD", "NOK"), ("NOK", "USD"), ("NOK", "NOK")])
    assert market.asked("chart") == 0
    assert rates_now([("NOK", "USD")])["NOK", "USD"].rate == D("0.0952380952380952")


# --- through REST ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_rate_and_its_history(api, market):
    body = api.get("/api/v1/exchange-rates/usd/nok").json()
    assert body == {
        "base": "USD", "target": "NOK", "rate": 10.5, "date": "2026-03-02", "source": "yahoo", "stale": False
    }  # fmt: skip
    body = api.get("/api/v1/exchange-rates/USD/NOK/history?start=2026-02-20").json()
    assert body["points"][-2:] == [
        {"date": "2026-02-27", "rate": 10.4},
        {"date": "2026-03-02", "rate": 10.5},
    ]
    assert (body["base"], body["target"], body["stale"]) == ("USD", "NOK", False)


@pytest.mark.django_db
def test_a_history_of_both_sources_is_mixed(api, market):
    body = api.get("/api/v1/exchange-rates/USD/NOK/history?start=2024-05-02&end=2024-05-14").json()
    assert body["source"] == "mixed"
    assert body["points"][0] == {"date": "2024-05-02", "rate": 11.1234}
    # The stored rate serves for a week; after that the ECB's of the day.
    assert [point["date"] for point in body["points"][1:]] == [
        "2024-05-10",
        "2024-05-13",
        "2024-05-14",
    ]


@pytest.mark.django_db
def test_the_same_currency_needs_no_source(api, market):
    body = api.get("/api/v1/exchange-rates/NOK/NOK").json()
    assert (body["rate"], body["date"], body["stale"]) == (1, "2026-03-02", False)
    assert len(api.get("/api/v1/exchange-rates/NOK/NOK/history").json()["points"]) == 1
    assert market.requests == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("pair", "code"),
    [
        ("XXX/NOK", "unknown_currency"),
        ("NOK/krone", "unknown_currency"),
        ("KWD/BHD", "unknown_rate"),
    ],
)
def test_a_pair_without_a_rate_is_404(api, market, pair, code):
    for path in ("", "/history"):
        answer = api.get(f"/api/v1/exchange-rates/{pair}{path}")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, code)
