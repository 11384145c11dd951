"""Test prices, histories, search and manual prices over REST."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from urllib.parse import quote

import pytest
import time_machine
from django.contrib.auth.models import Permission

from conftest import api_client
from financeproj.users.models import User
from marketdata.models import HistoricalStockPrice, StockMetadata
from marketdata.tests.factories import instrument, with_closes, with_quote, with_splits

pytestmark = pytest.mark.django_db

TUESDAY = date(2026, 3, 3)
EVENING = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)


@pytest.fixture
def evening():
    with time_machine.travel(EVENING) as clock:
        yield clock


def code_of(answer):
    return answer.json()["errors"][0]["code"]


# --- price ----------------------------------------------------------------------------------------


def test_a_price_carries_its_change_and_where_it_is_from(api, yahoo, evening):
    yahoo.list("ACME", [100.0, 125.0], name="Acme")
    answer = api.get("/api/v1/stocks/acme/price")
    assert answer.status_code == 200
    body = answer.json()
    assert datetime.fromisoformat(body.pop("fetched_at")) - EVENING < timedelta(seconds=10)
    assert body == {
        "ticker": "ACME",
        "price": 125,
        "previous_close": 100,
        "change": 25,
        "change_pct": 0.25,
        "currency": "USD",
        "as_of": "2026-03-03T21:00:00Z",
        "source": "yahoo",
        "stale": False,
    }


@pytest.mark.parametrize("ticker", ["EQNR.OL", "BRK-B", "^GSPC", "NOK=X"])
def test_tickers_with_signs_go_through_the_urls(api, yahoo, evening, ticker):
    yahoo.list(ticker, [10.0, 11.0], currency="NOK")
    for path in (quote(ticker), quote(ticker.lower(), safe="")):
        answer = api.get(f"/api/v1/stocks/{path}/price")
        assert (answer.status_code, answer.json()["ticker"], answer.json()["price"]) == (
            200,
            ticker,
            11,
        )
    assert api.get(f"/api/v1/stocks/{quote(ticker)}/history").json()["ticker"] == ticker
    assert StockMetadata.objects.count() == 1


@pytest.mark.parametrize(
    ("quoted", "currency", "zone"),
    [
        ("GBp", "GBP", "Europe/London"),
        ("ZAc", "ZAR", "Africa/Johannesburg"),
        ("ILA", "ILS", "Asia/Jerusalem"),
    ],
)
def test_prices_in_minor_units_are_converted(api, yahoo, evening, quoted, currency, zone):
    evening.move_to("2026-03-03T17:30Z")
    yahoo.list("PENNY", [7345.0, 7351.5], currency=quoted, zone=zone, dividends={TUESDAY: 25.0})
    price = api.get("/api/v1/stocks/PENNY/price").json()
    assert (price["price"], price["previous_close"], price["currency"]) == (73.515, 73.45, currency)
    history = api.get("/api/v1/stocks/PENNY/history").json()
    assert [point["close"] for point in history["points"]] == [73.45, 73.515]
    assert history["dividends"] == [{"date": "2026-03-03", "amount": 0.25}]


@pytest.mark.parametrize("ticker", ["NOSUCH", "US0378331005", "a b", "x" * 41, "ÆØÅ", "<script>"])
def test_an_unknown_ticker_is_404(api, yahoo, ticker):
    for call in ("price", "history"):
        answer = api.get(f"/api/v1/stocks/{quote(ticker, safe='')}/{call}")
        assert (answer.status_code, code_of(answer)) == (404, "unknown_ticker")
    assert not StockMetadata.objects.exists()


@pytest.mark.parametrize(
    "path",
    [
        "stocks/ACME/price",
        "stocks/ACME/history",
        "stocks/search?q=a",
        "exchange-rates/USD/NOK",
        "currencies",
    ],
)
def test_nothing_is_shown_without_a_sign_in(anonymous, db, path):
    assert anonymous.get(f"/api/v1/{path}").status_code == 401


def test_on_a_sunday_fridays_price_that_was_just_fetched_is_not_stale(api, yahoo):
    with time_machine.travel("2026-03-08T12:00Z"):
        yahoo.list("ACME", [100.0, 101.0])
        body = api.get("/api/v1/stocks/ACME/price").json()
    assert (body["as_of"], body["stale"]) == ("2026-03-06T21:00:00Z", False)


def test_a_price_from_before_todays_split_is_converted_to_todays_shares(api, evening):
    stock = with_closes(instrument(), {date(2026, 3, 2): 400})
    with_quote(stock, 404, date(2026, 3, 2))
    with_splits(stock, {TUESDAY: 4})
    body = api.get("/api/v1/stocks/ACME/price").json()
    assert (body["price"], body["previous_close"], body["stale"]) == (101, None, False)


def test_the_previous_close_is_of_the_day_before_the_price_and_in_its_shares(api, evening):
    stock = with_closes(instrument(), {date(2026, 2, 27): 380, date(2026, 3, 2): 400})
    with_quote(with_splits(stock, {TUESDAY: 4}), 101, TUESDAY)
    body = api.get("/api/v1/stocks/ACME/price").json()
    assert (body["price"], body["previous_close"], body["change"], body["change_pct"]) == (
        101,
        100,
        1,
        0.01,
    )


def test_a_demo_price_needs_no_network(api, evening):
    first = api.get("/api/v1/stocks/FJORD.USD.DEMO/price").json()
    assert (first["currency"], first["source"], first["stale"]) == ("USD", "simulated", False)
    assert 5 <= first["price"] <= 500


# --- history --------------------------------------------------------------------------------------


@pytest.fixture
def split_history(api, yahoo, evening):
    """Ten weekdays with a 4:1 split in the middle and two dividends."""
    days = [date(2026, 2, 18) + timedelta(days=n) for n in (0, 1, 2, 5, 6, 7, 8, 9, 12, 13)]
    closes = [400.0, 404.0, 408.0, 412.0, 416.0, 104.5, 105.0, 105.5, 106.0, 107.0]
    yahoo.list(
        "FOUR",
        dict(zip(days, closes, strict=True)),
        splits={date(2026, 2, 25): (4, 1)},
        dividends={date(2026, 2, 19): 0.8, date(2026, 3, 2): 0.25},
    )
    return yahoo


def test_a_history_has_closes_as_traded_and_in_todays_shares(api, split_history):
    body = api.get("/api/v1/stocks/FOUR/history").json()
    assert body["points"][4:6] == [
        {"date": "2026-02-24", "close": 416, "adjusted_close": 104},
        {"date": "2026-02-25", "close": 104.5, "adjusted_close": 104.5},
    ]
    assert len(body["points"]) == 10
    assert body["splits"] == [{"date": "2026-02-25", "ratio": 4}]
    assert body["dividends"] == [
        {"date": "2026-02-19", "amount": 0.8},
        {"date": "2026-03-02", "amount": 0.25},
    ]
    assert (body["ticker"], body["currency"], body["stale"]) == ("FOUR", "USD", False)


def test_a_period_cuts_points_and_events(api, split_history):
    body = api.get("/api/v1/stocks/FOUR/history?start=2026-02-20&end=2026-02-25").json()
    assert [point["date"] for point in body["points"]] == [
        "2026-02-20",
        "2026-02-23",
        "2026-02-24",
        "2026-02-25",
    ]
    assert body["points"][0]["adjusted_close"] == 102
    assert body["dividends"] == []


@pytest.mark.parametrize(
    ("interval", "days"),
    [("week", ["2026-02-20", "2026-02-27", "2026-03-03"]), ("month", ["2026-02-27", "2026-03-03"])],
)
def test_intervals_show_the_last_point_of_each(api, split_history, interval, days):
    body = api.get(f"/api/v1/stocks/FOUR/history?interval={interval}").json()
    assert [point["date"] for point in body["points"]] == days


@pytest.mark.parametrize(
    ("query", "status", "code", "attr"),
    [
        ("start=yesterday", 400, "invalid", "start"),
        ("end=2026-13-01", 400, "invalid", "end"),
        ("interval=year", 400, "invalid", "interval"),
        ("start=2026-03-01&end=2026-02-01", 422, "start_after_end", "start"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(api, split_history, query, status, code, attr):
    answer = api.get(f"/api/v1/stocks/FOUR/history?{query}")
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["attr"]) == (status, code, attr)


def test_today_is_a_point_before_the_exchange_has_closed_but_no_stored_close(api, yahoo):
    with time_machine.travel("2026-03-03T18:00Z"):
        yahoo.list("ACME", [100.0, 101.0, 102.5])
        points = api.get("/api/v1/stocks/ACME/history").json()["points"]
    assert points[-1] == {"date": "2026-03-03", "close": 102.5, "adjusted_close": 102.5}
    assert HistoricalStockPrice.objects.order_by("-date").first().date == date(2026, 3, 2)


def test_the_first_history_is_complete_and_the_next_fetches_missing_days(api, yahoo, evening):
    yahoo.list("ACME", [100.0 + n for n in range(300)])
    api.get("/api/v1/stocks/ACME/price")  # a short window first
    assert HistoricalStockPrice.objects.count() < 10
    api.get("/api/v1/stocks/ACME/history")
    assert HistoricalStockPrice.objects.count() == 300
    evening.shift(timedelta(days=1))
    yahoo.listed["ACME"].closes[date(2026, 3, 4)] = 400.0
    yahoo.listed["ACME"].closes[TUESDAY] = 398.5  # the latest bar was put right
    yahoo.forget_requests()
    api.get("/api/v1/stocks/ACME/history")
    [(_, _, query)] = [request for request in yahoo.requests if request[0] == "chart"]
    asked_from = datetime.fromtimestamp(int(query["period1"]), UTC).date()
    assert date(2026, 2, 20) <= asked_from <= date(2026, 2, 26)
    assert HistoricalStockPrice.objects.count() == 301
    assert HistoricalStockPrice.objects.get(date=TUESDAY).close == D("398.5")


def test_a_split_that_arrives_rewrites_no_stored_price(api, yahoo, evening):
    yahoo.list("ACME", [400.0 + n for n in range(100)])
    api.get("/api/v1/stocks/ACME/history")
    before = dict(HistoricalStockPrice.objects.values_list("date", "close"))
    evening.shift(timedelta(days=1))
    yahoo.listed["ACME"].closes[date(2026, 3, 4)] = 125.0
    yahoo.listed["ACME"].splits[date(2026, 3, 4)] = (4, 1)
    body = api.get("/api/v1/stocks/ACME/history").json()
    after = dict(HistoricalStockPrice.objects.values_list("date", "close"))
    assert after == {**before, date(2026, 3, 4): D(125)}
    assert [point["adjusted_close"] for point in body["points"][-2:]] == [124.75, 125]


# --- search ---------------------------------------------------------------------------------------


def test_search_lists_known_instruments_first_then_the_sources(api, yahoo):
    instrument("ACMX", company_name="Other Acme", currency="SEK", exchange="Nordic")
    instrument("ACME", company_name="Acme Corporation", isin="US0000000001")
    yahoo.list("ACME", [1.0], name="Acme Corporation")
    yahoo.list("ACMEF", [1.0], name="Acme Funds", kind="ETF", exchange="NYSE")
    body = api.get("/api/v1/stocks/search?q=acme").json()
    assert [hit["ticker"] for hit in body] == ["ACME", "ACMX", "ACMEF"]
    assert body[2] == {
        "ticker": "ACMEF",
        "company_name": "Acme Funds",
        "exchange": "NYSE",
        "asset_type": "etf",
        "currency": None,
        "source": "yahoo",
    }
    assert [hit["ticker"] for hit in api.get("/api/v1/stocks/search?q=US0000000001").json()] == [
        "ACME"
    ]
    assert len(api.get("/api/v1/stocks/search?q=acme&limit=2").json()) == 2


def test_search_keeps_an_answer_for_the_cache_time(api, yahoo):
    for _ in range(3):
        api.get("/api/v1/stocks/search?q=Acme")
    assert yahoo.asked("search") == 1


def test_search_shows_a_users_own_instruments_but_not_others(api, other_api, user, yahoo):
    instrument("CABIN", owner=user, company_name="Our cabin", currency="NOK")
    assert [hit["source"] for hit in api.get("/api/v1/stocks/search?q=cab").json()] == ["manual"]
    assert other_api.get("/api/v1/stocks/search?q=cab").json() == []


def test_a_search_for_a_null_character_cannot_be_read(api, yahoo):
    answer = api.get("/api/v1/stocks/search?q=a%00b")
    error = {"code": "invalid", "detail": "`q` must not contain a null character.", "attr": "q"}
    assert (answer.status_code, answer.json()["errors"]) == (400, [error])
    assert yahoo.asked("search") == 0


@pytest.mark.parametrize(
    ("query", "status"), [("", 422), ("?q=", 422), ("?q=a&limit=x", 400), ("?q=a&limit=0", 422)]
)
def test_a_search_that_makes_no_sense_is_refused(api, query, status):
    assert api.get(f"/api/v1/stocks/search{query}").status_code == status


def test_searching_costs_a_constant_number_of_queries(api, yahoo, django_assert_max_num_queries):
    for number in range(30):
        instrument(f"ACME{number}")
    with django_assert_max_num_queries(4):
        assert len(api.get("/api/v1/stocks/search?q=acme&limit=20").json()) == 20


# --- prices by hand -------------------------------------------------------------------------------


@pytest.fixture
def cabin(user):
    return instrument("CABIN", owner=user, currency="NOK")


def enter(client, day="2026-03-02", close="1250000.50", ticker="CABIN"):
    return client.post(
        f"/api/v1/stocks/{ticker}/prices", {"date": day, "close": close}, format="json"
    )


def test_a_price_by_hand_is_the_instruments_price(api, cabin, evening):
    assert api.get("/api/v1/stocks/CABIN/price").status_code == 404
    answer = enter(api)
    assert answer.status_code == 201
    assert answer.json() == {
        "ticker": "CABIN", "date": "2026-03-02", "close": 1250000.5, "currency": "NOK", "source": "manual"
    }  # fmt: skip
    enter(api, "2026-02-02", 1000000)
    body = api.get("/api/v1/stocks/CABIN/price").json()
    assert (body["price"], body["previous_close"], body["change_pct"]) == (
        1250000.5,
        1000000,
        0.2500005,
    )
    assert (body["source"], body["stale"], body["fetched_at"]) == ("manual", False, None)
    assert [point["close"] for point in api.get("/api/v1/stocks/CABIN/history").json()["points"]] == [
        1000000, 1250000.5
    ]  # fmt: skip


def test_a_second_price_on_a_date_replaces_the_first(api, cabin, evening):
    enter(api)
    answer = enter(api, close=1300000)
    assert answer.status_code == 200
    assert HistoricalStockPrice.objects.get().close == D(1300000)


@pytest.mark.parametrize(
    ("day", "close", "code", "attr"),
    [
        ("2026-03-04", 1, "future_date", "date"),
        ("yesterday", 1, "invalid", "date"),
        ("2026-03-02", -1, "too_small", "close"),
        ("2026-03-02", "NaN", "invalid", "close"),
        ("2026-03-02", "1e400", "out_of_range", "close"),
        ("2026-03-02", None, "null", "close"),
    ],
)
def test_a_price_by_hand_that_makes_no_sense_stores_nothing(
    api, cabin, evening, day, close, code, attr
):
    answer = enter(api, day, close)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["attr"]) == (422, code, attr)
    assert not HistoricalStockPrice.objects.exists()


def test_instruments_of_a_source_have_no_manual_prices(api, evening):
    instrument("ACME")
    answer = enter(api, ticker="ACME")
    assert (answer.status_code, code_of(answer)) == (409, "not_manual")
    assert not HistoricalStockPrice.objects.exists()


def test_another_users_instrument_is_not_there(other_api, cabin, evening, yahoo):
    assert enter(other_api).status_code == 404
    assert other_api.get("/api/v1/stocks/CABIN/price").status_code == 404


@pytest.fixture
def staff(make_user):
    member = make_user("staff", is_staff=True)
    right = Permission.objects.get(codename="change_historicalstockprice")
    member.user_permissions.add(right)
    return api_client(member)


@pytest.mark.parametrize(
    ("is_staff", "right"),
    [
        (True, None),
        (True, "view_historicalstockprice"),
        (True, "change_stockmetadata"),
        (False, "change_historicalstockprice"),
    ],
)
def test_another_users_price_needs_staff_with_the_right_to_change_closes(
    make_user, cabin, evening, is_staff, right
):
    member = make_user("berit", is_staff=is_staff)
    member.user_permissions.set(Permission.objects.filter(codename=right))
    answer = enter(api_client(member), ticker="CABIN")
    assert (answer.status_code, code_of(answer)) == (404, "unknown_ticker")
    assert not HistoricalStockPrice.objects.exists()


def test_staff_price_another_users_instrument_by_hand(api, staff, cabin, evening):
    answer = enter(staff, ticker="cabin")
    assert (answer.status_code, answer.json()["currency"]) == (201, "NOK")
    assert enter(staff, close=1300000).status_code == 200
    assert HistoricalStockPrice.objects.get().stock == cabin
    assert api.get("/api/v1/stocks/CABIN/price").json()["price"] == 1300000


def test_staff_price_their_own_instrument_before_another_users(staff, cabin, evening):
    own = instrument("CABIN", owner=User.objects.get(username="staff"), currency="SEK")
    assert enter(staff).json()["currency"] == "SEK"
    assert HistoricalStockPrice.objects.get().stock == own


def test_staff_price_the_manual_instrument_of_a_ticker_that_a_source_has_too(staff, cabin, evening):
    instrument("CABIN")
    assert enter(staff).status_code == 201
    assert HistoricalStockPrice.objects.get().stock == cabin


def test_staff_get_409_when_several_users_have_the_ticker(staff, other_user, cabin, evening):
    instrument("CABIN", owner=other_user, currency="SEK")
    answer = enter(staff)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["attr"]) == (409, "ambiguous_ticker", "ticker")
    assert error["detail"] == ("Several users price a CABIN by hand. Enter the price in the admin.")
    assert not HistoricalStockPrice.objects.exists()


def test_staff_cannot_price_instruments_of_a_source_or_unknown_ones(staff, evening):
    instrument("ACME")
    assert [(enter(staff, ticker=one).status_code) for one in ("ACME", "UNKNOWN")] == [409, 404]
    assert not HistoricalStockPrice.objects.exists()


def test_two_users_may_have_instruments_of_one_ticker(api, other_api, other_user, cabin, evening):
    instrument("CABIN", owner=other_user, currency="SEK")
    enter(api, close=1)
    enter(other_api, close=2)
    assert api.get("/api/v1/stocks/CABIN/price").json()["price"] == 1
    body = other_api.get("/api/v1/stocks/CABIN/price").json()
    assert (body["price"], body["currency"]) == (2, "SEK")


# --- currencies and queries -----------------------------------------------------------------------


def test_currencies_are_those_in_circulation_with_the_users_marked(api, user, cabin):
    instrument("OWN", owner=user, currency="SEK")
    body = api.get("/api/v1/currencies").json()
    codes = [one["code"] for one in body]
    assert codes == sorted(codes)
    assert {"NOK", "USD", "JPY"} <= set(codes)
    assert not {"XAU", "XTS", "XXX"} & set(codes)
    assert [one["code"] for one in body if one["in_use"]] == ["NOK", "SEK"]
    user.portfolios.create(name="Broker", currency="USD")
    user.pension_accounts.create(name="Pension", currency="DKK")
    body = api.get("/api/v1/currencies").json()
    assert [one["code"] for one in body if one["in_use"]] == ["DKK", "NOK", "SEK", "USD"]
    assert next(one for one in body if one["code"] == "JPY") == {
        "code": "JPY", "name": "Yen", "symbol": "¥", "decimal_places": 0, "in_use": False
    }  # fmt: skip


def test_a_known_price_costs_few_queries(api, evening, django_assert_max_num_queries):
    stock = with_closes(instrument(), {date(2026, 2, 27): 380, date(2026, 3, 2): 400})
    with_quote(stock, 404, TUESDAY)
    with django_assert_max_num_queries(4):
        assert api.get("/api/v1/stocks/ACME/price").status_code == 200


def test_prices_of_many_instruments_cost_three_queries(evening, django_assert_num_queries):
    from marketdata.selectors import prices_now

    ids = []
    for number in range(20):
        stock = with_closes(
            instrument(f"S{number}"), {date(2026, 2, 27): 10, date(2026, 3, 2): 11 + number}
        )
        ids.append(with_quote(stock, 12 + number, TUESDAY).pk if number % 2 else stock.pk)
    with django_assert_num_queries(3):
        found = prices_now(ids)
    assert [found[pk].price for pk in ids[:3]] == [D(11), D(13), D(13)]
    assert [found[pk].previous_close for pk in ids[:3]] == [D(10), D(12), D(10)]
