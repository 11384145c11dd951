"""What portfolios say while a price or rate of a holding is held back."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from marketdata import services as marketdata
from marketdata.models import HeldBack
from marketdata.services.rate_answers import record_rate_answer
from marketdata.sources import History, InstrumentInfo
from marketdata.tests.factories import with_rates
from portfolios import services
from portfolios.tests.conftest import trade
from portfolios.tests.test_cash import money


def on(back: int) -> date:
    return timezone.localdate() - timedelta(days=back)


def say(stock, closes):
    said = [(day, D(str(close))) for day, close in sorted(closes.items())]
    info = InstrumentInfo(stock.ticker, currency=stock.currency, company_name="Acme")
    answer = History(info=info, closes=said)
    marketdata.record_history(stock=stock, answer=answer, source="simulated", full=True)


@pytest.fixture
def held(portfolio, make_stock):
    stock = make_stock("ACME.DEMO")
    say(stock, {on(6): 100, on(5): 101})
    trade(portfolio, stock, "buy", "10", "100", on=on(6))
    return stock


def summary_of(api, portfolio):
    return api.get(f"/api/v1/portfolios/{portfolio.pk}").json()["summary"]


def test_a_price_held_back_later_than_the_last_one_is_named_and_the_sums_stand(
    api, portfolio, held
):
    assert summary_of(api, portfolio)["missing_why"] == {}
    say(held, {on(5): 101, on(4): "1.01"})
    summary = summary_of(api, portfolio)
    assert summary["missing_why"] == {"ACME.DEMO": "price_held_back"}
    assert summary["market_value"] == 1010
    say(held, {on(4): "1.01", on(3): 102})
    assert summary_of(api, portfolio)["missing_why"] == {}


@pytest.mark.parametrize("scope", ["one", "all"])
def test_a_series_names_it_on_its_day_alone(api, portfolio, held, scope):
    say(held, {on(5): 101, on(4): "1.01", on(3): 102})
    path = f"portfolios/{portfolio.pk}/timeline" if scope == "one" else "timeline"

    def missing_why(first, last):
        query = {"start": str(on(first)), "end": str(on(last))}
        return api.get(f"/api/v1/{path}", query).json()["missing_why"]

    assert missing_why(6, 0) == {"ACME.DEMO": "price_held_back"}
    assert missing_why(6, 5) == {}
    assert missing_why(3, 0) == {}
    # A day without a close is still the day of a doubt.
    say(held, {on(3): 102, on(2): "1.02"})
    assert missing_why(1, 0) == {"ACME.DEMO": "price_held_back"}


def test_a_day_said_again_far_off_is_not_later_than_what_stands(api, portfolio, held):
    say(held, {on(6): 100, on(5): 150})
    assert HeldBack.objects.get().reason == "restated"
    assert summary_of(api, portfolio)["missing_why"] == {}


def test_dismissing_a_price_ends_the_doubt(api, portfolio, held):
    say(held, {on(5): 101, on(4): "1.01"})
    marketdata.dismiss_held_back(row=HeldBack.objects.get())
    assert summary_of(api, portfolio)["missing_why"] == {}


def test_one_rate_of_a_hundredfold_leaves_the_value_and_is_named(api, portfolio, make_stock):
    stock = make_stock("EURO.DEMO", currency="EUR")
    say(stock, {on(6): 100, on(0): "138.17"})
    with_rates("EUR", "NOK", {on(1): "11.68"}, source="ecb")
    trade(portfolio, stock, "buy", "10", "100", on=on(6), exchange_rate="11.5")
    said = [(on(0), D(1168))]
    record_rate_answer(base="EUR", target="NOK", rates=said, source="yahoo")
    summary = summary_of(api, portfolio)
    assert summary["market_value"] == pytest.approx(16138.256)
    assert summary["missing_why"] == {"EURO.DEMO": "rate_held_back"}
    record_rate_answer(base="EUR", target="NOK", rates=[(on(0), D("11.7"))], source="yahoo")
    assert summary_of(api, portfolio)["missing_why"] == {}


@pytest.mark.parametrize("scope", ["one", "all"])
def test_a_series_names_a_rate_on_its_days_alone(api, portfolio, make_stock, scope):
    stock = make_stock("EURO.DEMO", currency="EUR")
    say(stock, {on(8): 100, on(0): "138.17"})
    with_rates("EUR", "NOK", {on(8): "11.6", on(6): "11.68"}, source="ecb")
    trade(portfolio, stock, "buy", "10", "100", on=on(8), exchange_rate="11.5")
    path = f"portfolios/{portfolio.pk}/timeline" if scope == "one" else "timeline"

    def missing_why(first, last):
        query = {"start": str(on(first)), "end": str(on(last))}
        return api.get(f"/api/v1/{path}", query).json()["missing_why"]

    assert missing_why(8, 0) == {}
    record_rate_answer(base="EUR", target="NOK", rates=[(on(5), D(1168))], source="yahoo")
    assert missing_why(8, 0) == {"EURO.DEMO": "rate_held_back"}
    with_rates("EUR", "NOK", {on(2): "11.7"}, source="ecb")
    assert missing_why(8, 0) == {"EURO.DEMO": "rate_held_back"}
    assert missing_why(8, 6) == {}
    assert missing_why(4, 3) == {"EURO.DEMO": "rate_held_back"}  # the days up to the next rate
    assert missing_why(2, 0) == {}
    marketdata.dismiss_held_back(row=HeldBack.objects.get())
    assert missing_why(8, 0) == {}


def test_a_rate_that_a_fresh_route_does_not_need_puts_nothing_in_doubt(api, portfolio, make_stock):
    stock = make_stock("DOLLAR.DEMO", currency="USD")
    say(stock, {on(8): 100, on(0): "138.17"})
    with_rates("EUR", "NOK", {on(8): "11.6", on(1): "11.7"}, source="ecb")
    with_rates("EUR", "USD", {on(8): "1.1", on(1): "1.1"}, source="ecb")
    with_rates("USD", "NOK", {on(400): "10.5"})
    trade(portfolio, stock, "buy", "10", "100", on=on(8), exchange_rate="10.5")
    record_rate_answer(base="USD", target="NOK", rates=[(on(3), D(1050))], source="yahoo")
    assert HeldBack.objects.get().state == "held_back"
    assert api.get(f"/api/v1/portfolios/{portfolio.pk}/timeline").json()["missing_why"] == {}


@pytest.fixture
def rate_in_doubt(user):
    """A rate of EUR in NOK that is held back: the one of the day before stands."""
    with_rates("EUR", "NOK", {on(8): "11.6", on(1): "11.68"}, source="ecb")
    said = [(on(0), D(1168))]
    record_rate_answer(base="EUR", target="NOK", rates=said, source="yahoo")


def test_a_rate_into_the_base_currency_is_named_over_all_portfolios(api, rate_in_doubt, make_stock):
    body = {"name": "Euro", "currency": "EUR"}
    portfolio = api.post("/api/v1/portfolios", body).json()["id"]
    stock = make_stock("BERLIN.DEMO", currency="EUR")
    say(stock, {on(8): 100, on(0): 110})
    bought = {"portfolio_id": portfolio, "ticker": "BERLIN.DEMO", "type": "buy", "date": str(on(8))}
    api.post("/api/v1/transactions", {**bought, "quantity": 10, "price": 100})
    why = {"BERLIN.DEMO": "rate_held_back"}
    own = api.get(f"/api/v1/portfolios/{portfolio}").json()["summary"]
    assert (own["market_value"], own["missing_why"]) == (1100, {})
    assert api.get(f"/api/v1/portfolios/{portfolio}/timeline").json()["missing_why"] == {}
    for path in ("timeline", "performance", "bridge", "net-worth"):
        answer = api.get(f"/api/v1/{path}").json()
        assert (answer["missing"], answer["missing_why"]) == (["BERLIN.DEMO"], why), path
    before = {"start": str(on(8)), "end": str(on(1))}
    assert api.get("/api/v1/timeline", before).json()["missing_why"] == {}
    dashboard = api.get("/api/v1/dashboard").json()
    assert dashboard["missing_why"] == {**why, "EUR/NOK": "rate_held_back"}
    assert dashboard["net_worth"] == 1100 * D("11.68")
    marketdata.dismiss_held_back(row=HeldBack.objects.get())
    for path in ("timeline", "performance", "bridge", "net-worth", "dashboard"):
        assert api.get(f"/api/v1/{path}").json()["missing_why"] == {}, path


def test_a_rate_in_doubt_of_cash_and_pensions_is_named_by_its_pair(api, rate_in_doubt):
    body = {"name": "Euro", "currency": "EUR"}
    portfolio = api.post("/api/v1/portfolios", body).json()["id"]
    why = {"EUR/NOK": "rate_held_back"}
    api.put(f"/api/v1/portfolios/{portfolio}/cash", {"cash": 50, "date": str(on(2))})
    assert api.get("/api/v1/net-worth").json()["missing_why"] == why
    api.delete(f"/api/v1/portfolios/{portfolio}")
    assert api.get("/api/v1/net-worth").json()["missing_why"] == {}
    account = api.post("/api/v1/pension/accounts", {"name": "Rente", "currency": "EUR"}).json()
    value = {"date": str(on(2)), "value": 100}
    api.post(f"/api/v1/pension/accounts/{account['id']}/values", value)
    assert api.get("/api/v1/net-worth").json()["missing_why"] == why
    dashboard = api.get("/api/v1/dashboard").json()
    assert (dashboard["missing_why"], dashboard["pensions_value"]) == (why, 1168)
    projection = api.get("/api/v1/pension/projection", {"years": 1}).json()
    assert (projection["missing_why"], projection["start_value"]) == (why, 1168)
    past = {"start": str(on(2)), "end": str(on(1))}
    assert api.get("/api/v1/net-worth", past).json()["missing_why"] == {}


def test_a_rate_of_money_that_is_held_back_is_named(api, portfolio):
    with_rates("EUR", "NOK", {on(8): "11.6", on(6): "11.68"}, source="ecb")
    money(portfolio, "deposit", "100", on(7), "EUR")
    money(portfolio, "withdrawal", "-40", on(7))
    services.set_cash_from(portfolio=portfolio, cash_from=on(7), openings={})
    record_rate_answer(base="EUR", target="NOK", rates=[(on(5), D(1168))], source="yahoo")
    url = f"/api/v1/portfolios/{portfolio.pk}"
    shown = api.get(f"{url}/cash").json()
    assert (shown["cash"], shown["missing"]) == (1168, ["EUR"])
    assert shown["missing_why"] == {"EUR": "rate_held_back"}
    assert summary_of(api, portfolio)["missing_why"] == {"EUR": "rate_held_back"}
    for path in (f"{url}/timeline", f"{url}/performance", f"{url}/bridge", "/api/v1/timeline"):
        query = {"start": str(on(7)), "end": str(on(0)), "include_cash": "true"}
        assert api.get(path, query).json()["missing_why"] == {"EUR": "rate_held_back"}
        before = query | {"end": str(on(6))}
        assert api.get(path, before).json()["missing_why"] == {}
        without = query | {"include_cash": "false"}
        assert api.get(path, without).json()["missing_why"] == {}
    period = {"start": str(on(7)), "end": str(on(0))}
    why = {"EUR/NOK": "rate_held_back"}
    assert api.get("/api/v1/net-worth", period).json()["missing_why"] == why
    period["end"] = str(on(6))
    assert api.get("/api/v1/net-worth", period).json()["missing_why"] == {}
