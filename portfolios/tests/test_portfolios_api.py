"""Test portfolios over REST: create, list, change, order, cash and credit, delete."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from financeproj.core.db.names import FOLDED
from portfolios.models import Portfolio, PortfolioBalance
from portfolios.tests.conftest import quote, rate, trade

pytestmark = pytest.mark.django_db
URL = "/api/v1/portfolios"


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def test_a_new_portfolio_is_empty_and_knows_its_sums(api):
    response = api.post(URL, {"name": "Nordic", "currency": "nok", "brokerage_firm": "Nordnet"})
    assert response.status_code == 201
    body = response.json()
    assert (body["name"], body["currency"], body["brokerage_firm"]) == ("Nordic", "NOK", "Nordnet")
    assert (body["used_credit"], body["cash"], body["position"]) == (0, 0, 0)
    assert body["summary"] == {
        "market_value": 0,
        "net_value": 0,
        "cost_basis": 0,
        "unrealised_gain": 0,
        "unrealised_gain_pct": None,
        "realised_gain": 0,
        "income": 0,
        "charges": 0,
        "total_gain": 0,
        "day_change": None,
        "day_change_pct": None,
        "day_change_on": None,
        "day_change_missing": [],
        "as_of": None,
        "stale": False,
        "missing": [],
        "missing_why": {},
    }


@pytest.mark.parametrize("taken", ["Øre", "øre", " ØRE "])
def test_a_name_is_taken_whatever_its_case(api, taken):
    assert api.post(URL, {"name": "ØRE", "currency": "NOK"}).status_code == 201
    response = api.post(URL, {"name": taken, "currency": "USD"})
    assert response.status_code == 409
    assert codes(response) == [("duplicate_name", "name")]
    assert Portfolio.objects.count() == 1


@pytest.mark.parametrize("character", ["ΐ", "ﬃ", "ẞ", "𐐀"])
def test_a_name_of_letters_that_grow_when_folded_is_kept(api, character):
    """In the database that keeps to lengths: SQLite does not, so the column's is compared too."""
    made = api.post(URL, {"name": character * 100, "currency": "NOK"})
    assert (made.status_code, made.json()["name"]) == (201, character * 100)
    assert codes(api.post(URL, {"name": character * 100, "currency": "NOK"})) == [
        ("duplicate_name", "name")
    ]
    key = Portfolio.objects.get().name_key
    assert key == character.casefold() * 100
    assert len(key) <= Portfolio._meta.get_field("name_key").max_length == 300


def test_no_letter_grows_more_than_the_columns_of_folded_names_do():
    assert max(len(chr(number).casefold()) for number in range(0x110000)) == FOLDED == 3


def test_two_users_may_use_the_same_name(api, other_api):
    for client in (api, other_api):
        assert client.post(URL, {"name": "Nordic", "currency": "NOK"}).status_code == 201


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"currency": "NOK"}, ("required", "name")),
        ({"name": "  ", "currency": "NOK"}, ("blank", "name")),
        ({"name": "x" * 101, "currency": "NOK"}, ("max_length", "name")),
        ({"name": "A"}, ("required", "currency")),
        ({"name": "A", "currency": "NOKK"}, ("max_length", "currency")),
        ({"name": "A", "currency": "XTS"}, ("unknown_currency", "currency")),
        ({"name": "A", "currency": "NOK", "used_credit": -1}, ("too_small", "used_credit")),
        ({"name": "A", "currency": "NOK", "used_credit": "NaN"}, ("invalid", "used_credit")),
        ({"name": "A", "currency": "NOK", "used_credit": "1e400"}, ("out_of_range", "used_credit")),
        (
            {"name": "A", "currency": "NOK", "used_credit": 10**30 // 9},
            ("out_of_range", "used_credit"),
        ),
        (
            {"name": "A", "currency": "NOK", "used_credit": "0." + "1" * 30},
            ("too_precise", "used_credit"),
        ),
        ({"name": "A", "currency": "NOK", "used_credit": True}, ("invalid", "used_credit")),
        ({"name": "A", "currency": "NOK", "used_credit": [1]}, ("invalid", "used_credit")),
        ({"name": {"a": 1}, "currency": "NOK"}, ("invalid", "name")),
    ],
)
def test_invalid_input_is_named_and_nothing_is_written(api, body, expected):
    response = api.post(URL, body)
    assert response.status_code == 422
    assert response.json()["type"] == "validation_error"
    assert expected in codes(response)
    assert not Portfolio.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"[1", b'{"name": NaN}', b"\xff", b"[" * 100_000])
def test_unreadable_json_is_400(api, body):
    response = api.generic("POST", URL, body, content_type="application/json")
    assert response.status_code == 400
    assert codes(response) == [("parse_error", None)]


def test_a_json_body_above_two_and_a_half_megabytes_is_413(api):
    response = api.generic(
        "POST", URL, b'{"name":"' + b"x" * 2_500_001 + b'"}', content_type="application/json"
    )
    assert response.status_code == 413


def test_a_body_that_is_not_an_object_is_422_and_another_media_type_415(api):
    assert api.post(URL, [1]).status_code == 422
    assert api.generic("POST", URL, b"name=A", content_type="text/csv").status_code == 415
    assert api.generic("PROPFIND", URL).status_code == 405


def test_null_for_an_optional_field_counts_as_left_out(api):
    response = api.post(
        URL, {"name": "A", "currency": "NOK", "brokerage_firm": None, "used_credit": None}
    )
    assert response.status_code == 201
    assert response.json()["brokerage_firm"] == ""


def test_the_list_is_in_the_users_order(api):
    ids = [api.post(URL, {"name": name, "currency": "NOK"}).json()["id"] for name in "ABC"]
    response = api.put(f"{URL}/order", {"ids": [ids[2], ids[0], ids[1]]})
    assert [portfolio["name"] for portfolio in response.json()] == ["C", "A", "B"]
    assert [portfolio["name"] for portfolio in api.get(URL).json()] == ["C", "A", "B"]
    for wrong in ([ids[0]], [ids[0]] * 3, [*ids[:2], "00000000-0000-0000-0000-000000000000"]):
        assert codes(api.put(f"{URL}/order", {"ids": wrong})) == [("invalid_order", "ids")]
    assert [portfolio["name"] for portfolio in api.get(URL).json()] == ["C", "A", "B"]


def test_patch_changes_what_is_given_and_put_needs_the_whole(api, portfolio):
    url = f"{URL}/{portfolio.pk}"
    assert api.patch(url, {"brokerage_firm": "DNB"}).json()["brokerage_firm"] == "DNB"
    assert codes(api.put(url, {"brokerage_firm": "X"})) == [
        ("required", "name"),
        ("required", "currency"),
    ]
    body = api.put(url, {"name": "Norden", "currency": "SEK"}).json()
    assert (body["name"], body["currency"]) == ("Norden", "SEK")


def test_the_currency_is_fixed_once_there_are_transactions(api, portfolio, stock):
    trade(portfolio, stock, "buy", "1", "100")
    response = api.patch(f"{URL}/{portfolio.pk}", {"currency": "USD"})
    assert response.status_code == 409
    assert codes(response) == [("currency_fixed", "currency")]
    portfolio.refresh_from_db()
    assert portfolio.currency == "NOK"


def test_credit_and_cash_are_kept_by_date_and_the_latest_counts(api, portfolio):
    url = f"{URL}/{portfolio.pk}"
    assert (
        api.put(f"{url}/used-credit", {"used_credit": 500.5, "date": "2024-03-01"}).json()[
            "used_credit"
        ]
        == 500.5
    )
    assert (
        api.put(f"{url}/used-credit", {"used_credit": "100", "date": "2024-01-01"}).json()[
            "used_credit"
        ]
        == 500.5
    )
    assert api.put(f"{url}/cash", {"cash": 1000}).json()["cash"] == 1000
    body = api.put(f"{url}/cash", {"cash": 900}).json()
    assert body["summary"]["net_value"] == 399.5
    assert PortfolioBalance.objects.filter(portfolio=portfolio).count() == 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"used_credit": -0.01}, ("too_small", "used_credit")),
        ({}, ("required", "used_credit")),
        ({"used_credit": None}, ("null", "used_credit")),
        ({"used_credit": 1, "date": "2999-01-01"}, ("future_date", "date")),
        ({"used_credit": 1, "date": "yesterday"}, ("invalid", "date")),
    ],
)
def test_credit_that_is_invalid_changes_nothing(api, portfolio, body, expected):
    response = api.put(f"{URL}/{portfolio.pk}/used-credit", body)
    assert response.status_code == 422
    assert expected in codes(response)
    assert not PortfolioBalance.objects.exists()


def test_deleting_a_portfolio_deletes_what_is_in_it(api, portfolio, stock):
    trade(portfolio, stock, "buy", "1", "100")
    assert api.delete(f"{URL}/{portfolio.pk}").status_code == 204
    assert api.get(f"{URL}/{portfolio.pk}").status_code == 404
    assert not Portfolio.objects.exists()


def test_another_users_portfolio_does_not_exist(other_api, anonymous, portfolio):
    url = f"{URL}/{portfolio.pk}"
    for method, path in [
        ("get", url),
        ("put", url),
        ("patch", url),
        ("delete", url),
        ("put", f"{url}/cash"),
        ("put", f"{url}/used-credit"),
        ("get", f"{url}/holdings"),
    ]:
        assert getattr(other_api, method)(path, {}).status_code == 404, path
        assert getattr(anonymous, method)(path, {}).status_code == 401, path
    assert other_api.get(URL).json() == []
    assert Portfolio.objects.count() == 1


def test_the_sums_in_two_currencies(api, portfolio, make_stock):
    """10 NOK shares @ 100 now 150; 2 USD shares @ 50 at 10 NOK, now 60 at 11: 1500 + 1320."""
    fjord, acme = make_stock(price=None), make_stock("ACME.USD.DEMO", "USD")
    quote(fjord, "150", previous="148")
    quote(acme, "60", previous="61")
    rate("USD", "NOK", "11")
    trade(portfolio, fjord, "buy", "10", "100", commission="10")
    trade(portfolio, acme, "buy", "2", "50", exchange_rate="10")
    trade(portfolio, fjord, "dividend", "10", "2", on=date(2024, 6, 1))
    summary = api.get(f"{URL}/{portfolio.pk}").json(parse_float=D)["summary"]
    assert summary["market_value"] == 2820
    assert summary["cost_basis"] == 2010
    assert summary["unrealised_gain"] == 810
    assert summary["income"] == 20
    assert summary["total_gain"] == 830
    assert summary["day_change"] == 20 - 22
    assert summary["unrealised_gain_pct"] == D("0.402985074626866")
    usd = next(
        h
        for h in api.get(f"{URL}/{portfolio.pk}/holdings").json(parse_float=D)
        if h["currency"] == "USD"
    )
    assert (usd["price_effect"], usd["fx_effect"]) == (200, 120)  # 2 x 10 x 10; 2 x 60 x 1
    assert usd["market_value"] == 1320


def test_without_a_price_the_priced_numbers_are_null_and_the_ticker_is_named(
    api, portfolio, make_stock
):
    priced, unpriced = make_stock(price="150"), make_stock("SILENT.DEMO")
    unpriced.source, unpriced.owner = "manual", portfolio.user
    unpriced.save()
    trade(portfolio, priced, "buy", "1", "100")
    trade(portfolio, unpriced, "buy", "1", "0", commission="70")
    summary = api.get(f"{URL}/{portfolio.pk}").json()["summary"]
    assert summary["missing"] == ["SILENT.DEMO"]
    assert (summary["market_value"], summary["cost_basis"], summary["unrealised_gain"]) == (
        150,
        170,
        50,
    )
    assert summary["unrealised_gain_pct"] == 0.5
    silent = api.get(f"{URL}/{portfolio.pk}/holdings").json()[-1]
    assert silent["ticker"] == "SILENT.DEMO"
    for field in (
        "price",
        "market_value",
        "unrealised_gain",
        "price_effect",
        "total_gain",
        "day_change",
        "weight",
    ):
        assert silent[field] is None, field


def test_closed_holdings_are_shown_when_asked_for(api, portfolio, stock):
    trade(portfolio, stock, "buy", "2", "100")
    trade(portfolio, stock, "sell", "2", "130", on=date(2024, 6, 1))
    url = f"{URL}/{portfolio.pk}/holdings"
    assert api.get(url).json() == []
    (closed,) = api.get(f"{url}?include_closed=true").json()
    assert (closed["current_quantity"], closed["market_value"], closed["cost_basis"]) == (0, 0, 0)
    assert (closed["average_cost_per_share"], closed["realised_gain"], closed["total_gain"]) == (
        None,
        60,
        60,
    )
    response = api.get(f"{url}?include_closed=maybe")
    assert response.status_code == 400
    assert codes(response) == [("invalid", "include_closed")]


@pytest.mark.untraced
def test_the_number_of_queries_does_not_grow_with_holdings_or_transactions(
    api, portfolio, make_stock
):
    def queries(url):
        with CaptureQueriesContext(connection) as captured:
            assert api.get(url).status_code == 200
        return len(captured)

    urls = [f"{URL}/{portfolio.pk}/holdings", URL]
    rate("USD", "NOK", "10", date(2024, 5, 2))
    for ticker, currency in (("A.DEMO", "NOK"), ("B.USD.DEMO", "USD")):
        trade(portfolio, make_stock(ticker, currency, price="10"), "buy", "5", "10")
    for url in urls:
        queries(url)  # the first request fetches missing rates
    before = [queries(url) for url in urls]
    for index in range(8):
        stock = make_stock(f"M{index}.USD.DEMO", "USD", price="10")
        for _ in range(3):
            trade(portfolio, stock, "buy", "5", "10")
    assert [queries(url) for url in urls] == before
    assert max(before) <= 22
