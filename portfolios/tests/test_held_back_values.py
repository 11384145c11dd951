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
from portfolios.tests.conftest import trade


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
