"""Test one instrument over REST: what is known of it, its description, and its prices by hand."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from conftest import api_client
from financeproj.history.models import HistoryEntry
from financeproj.users.models import User
from marketdata.models import HistoricalStockPrice, StockMetadata
from marketdata.tests.factories import instrument, with_closes
from portfolios.models import Holding
from portfolios.services import create_portfolio
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db

URL = "/api/v1/stocks/HYTTE"
PRICES = f"{URL}/prices"


def codes(response):
    return [error["code"] for error in response.json()["errors"]]


@pytest.fixture
def cabin(user):
    return instrument("HYTTE", currency="NOK", source="manual", owner=user)


@pytest.fixture
def shared():
    return instrument("ACME", currency="USD", source="yahoo")


def test_an_instrument_is_shown_with_its_closes_events_and_holdings(api, user, cabin):
    portfolio = api.post("/api/v1/portfolios", {"name": "House", "currency": "NOK"}).json()
    body = {"portfolio_id": portfolio["id"], "ticker": "HYTTE", "type": "buy"}
    api.post("/api/v1/transactions", body | {"date": "2024-05-02", "quantity": 2, "price": 90})
    for day, close in (("2024-05-03", 91), ("2024-06-03", 92.5)):
        assert api.post(PRICES, {"date": day, "close": close}).status_code == 201
    assert api.get("/api/v1/stocks/hytte").json() == {
        "ticker": "HYTTE",
        "company_name": cabin.company_name,
        "isin": "",
        "currency": "NOK",
        "exchange": cabin.exchange,
        "asset_type": "stock",
        "sector": "",
        "country": "",
        "source": "manual",
        "first_close": {"date": "2024-05-03", "close": 91},
        "last_close": {"date": "2024-06-03", "close": 92.5},
        "splits": [],
        "dividends": [],
        "holdings": [
            {
                "id": str(Holding.objects.get().pk),
                "portfolio_id": portfolio["id"],
                "portfolio_name": "House",
                "current_quantity": 2,
                "rename_dismissed": False,
            }
        ],
        "held_back": 0,
        "renamed_to": None,
    }


def test_the_user_describes_an_instrument_of_their_own(api, cabin):
    body = {"company_name": "Hytta", "sector": "Real estate", "country": "Norway"}
    answer = api.patch(URL, body | {"asset_type": "other"})
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in body} == body
    cabin.refresh_from_db()
    assert (cabin.company_name, cabin.asset_type) == ("Hytta", "other")
    assert HistoryEntry.objects.filter(action="changed", object_id=str(cabin.pk)).count() == 1


def test_an_unknown_kind_of_instrument_is_refused(api, cabin):
    answer = api.patch(URL, {"asset_type": "house", "sector": "Real estate"})
    assert (answer.status_code, codes(answer)) == (422, ["invalid_choice"])
    cabin.refresh_from_db()
    assert (cabin.asset_type, cabin.sector) == ("stock", "")


def test_staff_alone_describe_an_instrument_that_all_share(api, user, shared):
    answer = api.patch("/api/v1/stocks/ACME", {"sector": "Technology"})
    assert answer.status_code == 403
    shared.refresh_from_db()
    assert shared.sector == ""
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="change_stockmetadata"))
    answer = api_client(User.objects.get(pk=user.pk)).patch(
        "/api/v1/stocks/ACME", {"sector": "Technology"}
    )
    assert (answer.status_code, answer.json()["sector"]) == (200, "Technology")


def test_an_instrument_of_another_user_is_not_found(other_api, cabin, yahoo):
    for answer in (
        other_api.get(URL),
        other_api.patch(URL, {"sector": "Real estate"}),
        other_api.get(PRICES),
        other_api.delete(f"{PRICES}/2024-05-03"),
    ):
        assert (answer.status_code, codes(answer)) == (404, ["unknown_ticker"])


def test_prices_by_hand_are_listed_newest_first_and_deleted(api, cabin):
    for day, close in (("2024-05-03", 91), ("2024-06-03", 92.5)):
        api.post(PRICES, {"date": day, "close": close})
    listed = api.get(PRICES).json()
    assert [(row["date"], row["close"], row["source"]) for row in listed] == [
        ("2024-06-03", 92.5, "manual"),
        ("2024-05-03", 91, "manual"),
    ]
    assert api.delete(f"{PRICES}/2024-06-03").status_code == 204
    assert [row["date"] for row in api.get(PRICES).json()] == ["2024-05-03"]
    assert api.get(f"{URL}/price").json()["price"] == 91
    assert HistoryEntry.objects.filter(action="price_deleted", object_id=str(cabin.pk)).count() == 1


@pytest.mark.parametrize("day", ["2024-06-03", "2024-6-3", "yesterday", "20240603"])
def test_a_day_without_a_price_by_hand_is_not_found_and_nothing_is_deleted(api, cabin, day):
    api.post(PRICES, {"date": "2024-05-03", "close": 91})
    assert api.delete(f"{PRICES}/{day}").status_code == 404
    assert HistoricalStockPrice.objects.count() == 1


def test_prices_of_a_source_are_neither_listed_nor_deleted(api, shared):
    with_closes(shared, {date(2024, 5, 3): "10"})
    for answer in (
        api.get("/api/v1/stocks/ACME/prices"),
        api.delete("/api/v1/stocks/ACME/prices/2024-05-03"),
    ):
        assert (answer.status_code, codes(answer)) == (409, ["not_manual"])
    assert shared.prices.count() == 1


def test_an_instrument_typed_while_the_source_was_down_can_be_priced_by_hand(api, yahoo):
    yahoo.fault = "500"
    portfolio = api.post("/api/v1/portfolios", {"name": "New", "currency": "USD"}).json()
    body = {"portfolio_id": portfolio["id"], "ticker": "NEWCO", "type": "buy", "currency": "USD"}
    bought = api.post(
        "/api/v1/transactions", body | {"date": "2024-05-02", "quantity": 2, "price": 90}
    )
    assert bought.status_code == 201
    assert StockMetadata.objects.get().is_unconfirmed
    answer = api.post("/api/v1/stocks/NEWCO/prices", {"date": "2024-05-03", "close": 95})
    assert answer.status_code == 201
    holding = api.get(f"/api/v1/holdings/{Holding.objects.get().pk}").json()
    assert (holding["price"], holding["price_source"], holding["market_value"]) == (
        95,
        "manual",
        190,
    )
    assert StockMetadata.objects.get().is_unconfirmed
    assert HistoricalStockPrice.objects.get().close == D("95")


# --- A shared instrument of which its source has no prices ---------------------------------------


@pytest.fixture
def idle(shared):
    """One that its source describes, was asked for, and has no prices of."""
    StockMetadata.objects.filter(pk=shared.pk).update(history_fetched_at=timezone.now())
    shared.refresh_from_db()
    return shared


def test_a_holder_prices_what_its_source_has_no_prices_of(api, user, other_user, portfolio, idle):
    theirs = create_portfolio(user=other_user, name="Theirs", currency="NOK")
    for where in (portfolio, theirs):
        trade(where, idle, "buy", "10", "100", exchange_rate="10")
    path = "/api/v1/stocks/acme/prices"
    assert api.get(path).json() == []
    answer = api.post(path, {"date": "2024-06-03", "close": 120})
    assert (answer.status_code, answer.json()["close"]) == (201, 120)
    own = StockMetadata.objects.get(owner=user)
    assert (own.ticker, own.currency, own.source) == ("ACME", "USD", "manual")
    assert Holding.objects.get(portfolio=portfolio).stock == own
    assert Holding.objects.get(portfolio=theirs).stock == idle
    assert HistoricalStockPrice.objects.get().stock == own
    [shown] = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    assert (shown["price"], shown["price_source"]) == (120, "manual")
    assert api.post(path, {"date": "2024-06-03", "close": 121}).status_code == 200
    assert len(api.get(path).json()) == 1
    moved = HistoryEntry.objects.get(action="moved_to_own_instrument")
    assert moved.portfolio_id == portfolio.pk


def test_who_does_not_hold_it_cannot_price_it(api, other_user, idle):
    theirs = create_portfolio(user=other_user, name="Theirs", currency="NOK")
    trade(theirs, idle, "buy", "10", "100", exchange_rate="10")
    answer = api.post("/api/v1/stocks/ACME/prices", {"date": "2024-06-03", "close": 120})
    assert (answer.status_code, codes(answer)) == (409, ["not_manual"])
    assert not StockMetadata.objects.filter(owner__isnull=False).exists()


def test_a_price_that_is_refused_leaves_the_shared_instrument(api, portfolio, idle):
    trade(portfolio, idle, "buy", "10", "100", exchange_rate="10")
    answer = api.post("/api/v1/stocks/ACME/prices", {"date": "2024-06-03", "close": -1})
    assert answer.status_code == 422
    assert Holding.objects.get().stock == idle
    assert StockMetadata.objects.count() == 1


@pytest.mark.parametrize("what", ["a close", "not asked yet"])
def test_what_its_source_prices_or_was_not_asked_for_stays_shared(api, portfolio, idle, what):
    trade(portfolio, idle, "buy", "10", "100", exchange_rate="10")
    if what == "a close":
        with_closes(idle, {date(2024, 6, 3): 100})
    else:
        StockMetadata.objects.update(history_fetched_at=None)
    answer = api.post("/api/v1/stocks/ACME/prices", {"date": "2024-06-04", "close": 120})
    assert (answer.status_code, codes(answer)) == (409, ["not_manual"])
    assert Holding.objects.get().stock == idle
