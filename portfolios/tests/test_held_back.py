"""Test what is held back of splits and dividends, and the user's answers to it."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from financeproj.core.money import round_for_storage
from financeproj.history.models import HistoryEntry
from integrations.imports.pipeline import import_statement
from marketdata.models import HeldBack, StockDividend, StockSplit
from marketdata.services import record_history
from marketdata.sources import History, InstrumentInfo
from portfolios import services
from portfolios.models import Holding, Transaction
from portfolios.tests.conftest import quote, trade

pytestmark = pytest.mark.django_db
URL = "/api/v1/held-back"


def day(text):
    return date.fromisoformat(text)


def say(stock, *, splits=(), dividends=(), closes=(), whole=True):
    """Let the source answer about `stock`, with its whole history by default."""
    answer = History(
        info=InstrumentInfo(ticker=stock.ticker, currency=stock.currency),
        closes=[(day(on), D(str(close))) for on, close in closes],
        splits=[(day(on), D(str(ratio))) for on, ratio in splits],
        dividends=[(day(on), D(str(amount))) for on, amount in dividends],
        is_whole=whole,
    )
    record_history(stock=stock, answer=answer, source="simulated", full=True)
    stock.refresh_from_db()


def shares(portfolio):
    return portfolio.holdings.get().current_quantity


def held_back(api, **query):
    return api.get(URL, query).json()


FACTORS = [("2023-01-04", "1.281"), ("2024-04-02", "1.253")]


@pytest.fixture
def spun_off(portfolio, stock):
    """100 shares of an instrument whose source lists the factors of two spin-offs as splits."""
    quote(stock, "187.9")
    trade(portfolio, stock, "buy", "100", "187.9", on=day("2022-06-01"))
    say(stock, splits=FACTORS, closes=[("2022-06-01", "301.6"), ("2024-04-03", "187.9")])
    return portfolio


def test_price_factors_of_spin_offs_are_held_back_and_count_in_prices_alone(api, spun_off):
    assert shares(spun_off) == 100
    assert StockSplit.objects.count() == 2
    found = held_back(api)
    assert [(one["date"], one["value"], one["reason"], one["state"]) for one in found] == [
        ("2024-04-02", 1.253, "price_factor", "held_back"),
        ("2023-01-04", 1.281, "price_factor", "held_back"),
    ]
    assert found[1]["effect"].endswith("128.1 shares instead of 100.")
    summary = api.get(f"/api/v1/portfolios/{spun_off.pk}").json()["summary"]
    assert summary["missing_why"] == {"FJORD.DEMO": "split_held_back"}
    assert (summary["market_value"], summary["unrealised_gain"]) == (18790, 0)


def test_an_accepted_split_is_booked_for_the_holdings_of_that_user_alone(
    api, spun_off, stock, other_user
):
    theirs = services.create_portfolio(user=other_user, name="Theirs", currency="NOK")
    trade(theirs, stock, "buy", "10", "187.9", on=day("2022-06-01"))
    first = HeldBack.objects.get(date=day("2023-01-04"))
    answer = api.post(f"{URL}/{first.pk}", {"accept": True})
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
    assert (shares(spun_off), shares(theirs)) == (D("128.1"), 10)
    assert HistoryEntry.objects.filter(action="held_back_accepted").count() == 1
    assert api.post(f"{URL}/{first.pk}", {"accept": False}).json()["state"] == "dismissed"
    assert (shares(spun_off), shares(theirs)) == (100, 10)
    assert [one["date"] for one in held_back(api)] == ["2024-04-02"]
    assert [one["date"] for one in held_back(api, state="dismissed")] == ["2023-01-04"]


def test_all_of_one_instrument_are_answered_with_one_call(api, spun_off):
    body = {"ticker": "fjord.demo", "kind": "split", "accept": False}
    answered = api.post(URL, body).json()
    assert [one["state"] for one in answered] == ["dismissed", "dismissed"]
    assert held_back(api) == []
    assert api.post(URL, {**body, "ticker": "NONE"}).json()["errors"][0]["code"] == "unknown_ticker"


def test_a_split_that_was_believed_by_itself_can_be_dismissed_and_taken_back(api, portfolio, stock):
    trade(portfolio, stock, "buy", "10", "252", on=day("2024-05-02"))
    say(stock, splits=[("2024-06-10", 5)], closes=[("2024-06-07", 252), ("2024-06-10", 50.5)])
    assert shares(portfolio) == 50
    (believed,) = held_back(api, state="believed")
    api.post(f"{URL}/{believed['id']}", {"accept": False})
    assert shares(portfolio) == 10
    say(stock, splits=[("2024-06-10", 5)], closes=[("2024-06-07", 252), ("2024-06-10", 50.5)])
    assert shares(portfolio) == 10
    api.post(f"{URL}/{believed['id']}", {"accept": True})
    assert shares(portfolio) == 50


def test_a_split_that_moves_by_a_day_is_one_split(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "252", on=day("2024-05-02"))
    say(stock, splits=[("2024-06-10", 5)])
    say(stock, splits=[("2024-06-11", 5)])
    assert shares(portfolio) == 50
    rows = Transaction.objects.filter(type="split").values_list("date", "quantity")
    assert list(rows) == [(day("2024-06-11"), 5)]
    assert StockSplit.objects.get().date == day("2024-06-11")


def test_a_corrected_ratio_brings_all_closes_into_the_old_shares(api, portfolio, stock):
    trade(portfolio, stock, "buy", "240", "4", on=day("2023-05-02"))
    twelfth, twentieth = str(1 / 12), "0.05"
    before = [("2023-05-02", "4.356667"), ("2024-06-07", "4.356667"), ("2024-06-10", "52.28")]
    say(stock, splits=[("2024-06-10", twelfth)], closes=before)
    assert shares(portfolio) == 20
    after = [("2023-05-02", "2.614"), ("2024-06-07", "2.614"), ("2024-06-10", "52.28")]
    say(stock, splits=[("2024-06-10", twentieth)], closes=after)
    assert shares(portfolio) == 12
    closes = stock.prices.order_by("date").values_list("close", flat=True)
    assert list(closes) == [D("2.614"), D("2.614"), D("52.28")]
    points = api.get("/api/v1/stocks/FJORD.DEMO/history", {"end": "2024-06-10"}).json()["points"]
    assert {point["adjusted_close"] for point in points} == {52.28}


@pytest.mark.parametrize(
    ("held", "ratio", "written", "left"),
    [("105", "0.1", str(D(10) / D(105)), 10), ("130", "1.05", str(D(136) / D(130)), 136)],
)
def test_the_same_split_is_known_again_although_the_broker_rounded_the_shares(
    portfolio, stock, held, ratio, written, left
):
    trade(portfolio, stock, "buy", held, "10", on=day("2024-01-02"))
    say(stock, splits=[("2024-06-03", ratio)])
    trade(portfolio, stock, "split", str(round_for_storage(D(written))), on=day("2024-06-04"))
    holding = portfolio.holdings.get()
    assert round(holding.current_quantity, 9) == left
    assert holding.waiting_splits == {}
    assert Transaction.objects.filter(type="split").count() == 1


def test_a_split_that_one_answer_lacks_stays_and_goes_after_another_day(
    portfolio, stock, time_machine
):
    trade(portfolio, stock, "buy", "10", "252", on=day("2024-05-02"))
    say(stock, splits=[("2024-06-10", 5)], dividends=[("2024-06-20", 1)])
    say(stock)
    say(stock)
    assert (shares(portfolio), StockDividend.objects.count()) == (50, 1)
    say(stock, splits=[("2024-06-10", 5)], dividends=[("2024-06-20", 1)])
    time_machine.move_to(timezone.now() + timedelta(days=1))
    say(stock)
    assert (shares(portfolio), StockDividend.objects.count()) == (50, 1)
    time_machine.move_to(timezone.now() + timedelta(days=1))
    say(stock)
    assert (shares(portfolio), StockDividend.objects.count()) == (10, 0)
    assert HeldBack.objects.get().state == "withdrawn"


def test_a_withdrawn_split_that_a_sale_needs_is_kept_and_waits(api, portfolio, stock, time_machine):
    trade(portfolio, stock, "buy", "10", "252", on=day("2024-05-02"))
    say(stock, splits=[("2024-06-10", 5)])
    trade(portfolio, stock, "sell", "40", "50", on=day("2024-07-01"))
    say(stock)
    time_machine.move_to(timezone.now() + timedelta(days=1))
    say(stock)
    assert shares(portfolio) == 10
    assert [one["reason"] for one in held_back(api)] == ["needed"]


def test_a_deleted_split_stays_deleted_wherever_the_source_moves_it(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "252", on=day("2024-05-02"))
    say(stock, splits=[("2024-06-10", 5)])
    services.delete_transaction(row=Transaction.objects.get(type="split"))
    for on, ratio in (("2024-06-14", 5), ("2024-06-19", 5), ("2024-06-19", 4)):
        say(stock, splits=[(on, ratio)])
        assert shares(portfolio) == 10


def test_a_split_that_no_close_shows_waits_for_one(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "400", on=day("2024-05-02"))
    closes = [("2024-06-06", 400), ("2024-06-07", 404), ("2024-06-10", 400)]
    say(stock, splits=[("2024-06-10", 4)], closes=closes)
    assert (shares(portfolio), StockSplit.objects.count()) == (10, 0)
    assert HeldBack.objects.get(kind="split").reason == "not_shown"
    say(stock, splits=[("2024-06-10", 4)], closes=[*closes, ("2024-06-11", 101)])
    assert (shares(portfolio), StockSplit.objects.count()) == (40, 1)
    stored = stock.prices.order_by("date").values_list("close", flat=True)
    assert list(stored) == [400, 404, 101]
    assert HeldBack.objects.get(kind="price").value == 400


def test_a_users_second_split_of_the_same_ratio_is_refused_unless_forced(api, portfolio, stock):
    trade(portfolio, stock, "buy", "3", "100", on=day("2024-05-02"))
    first = trade(portfolio, stock, "split", "4", on=day("2024-06-10"))
    body = {"holding_id": str(first.holding_id), "type": "split", "date": "2024-06-11"}
    refused = api.post("/api/v1/transactions", {**body, "quantity": 4})
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["code"] == "duplicate_split"
    assert str(first.pk) in refused.json()["errors"][0]["detail"]
    assert shares(portfolio) == 12
    assert (
        api.post("/api/v1/transactions", {**body, "quantity": 4, "force": True}).status_code == 201
    )
    assert shares(portfolio) == 48


def test_the_same_split_of_another_file_is_a_duplicate(portfolio, stock):
    head = b"date,type,ticker,quantity,price,currency\n"
    rows = b"2024-05-02,buy,FJORD.DEMO,3,100,NOK\n2024-06-10,split,FJORD.DEMO,4,,NOK\n"
    import_statement(portfolio=portfolio, data=head + rows, file_name="one.csv")
    again = head + b"2024-06-11,split,FJORD.DEMO,4,,NOK\n"
    second = import_statement(portfolio=portfolio, data=again, file_name="two.csv").import_batch
    assert (second.created, second.duplicates, second.failed) == (0, 1, 0)
    assert shares(portfolio) == 12


def test_a_dividend_that_moves_by_a_day_is_one_dividend(stock):
    say(stock, dividends=[("2024-06-10", "1.5")])
    say(stock, dividends=[("2024-06-11", "1.5")])
    assert list(StockDividend.objects.values_list("date", "amount")) == [
        (day("2024-06-11"), D("1.5"))
    ]


def test_a_very_large_dividend_waits_for_staff(api, user, portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100", on=day("2024-05-02"))
    say(stock, dividends=[("2024-06-10", 25)], closes=[("2024-06-07", 100), ("2024-06-10", 99)])
    assert not StockDividend.objects.exists()
    (found,) = held_back(api)
    assert (found["kind"], found["reason"]) == ("dividend", "large_dividend")
    assert api.post(f"{URL}/{found['id']}", {"accept": True}).status_code == 403
    user.is_staff = user.is_superuser = True
    user.save()
    assert api.post(f"{URL}/{found['id']}", {"accept": True}).json()["state"] == "accepted"
    assert StockDividend.objects.get().amount == 25
    say(stock, dividends=[("2024-06-11", 25)], closes=[("2024-06-07", 100), ("2024-06-10", 99)])
    assert StockDividend.objects.get().date == day("2024-06-11")
    assert held_back(api) == []


def test_another_user_sees_nothing_of_it(other_api, spun_off):
    first = HeldBack.objects.get(date=day("2023-01-04"))
    assert other_api.get(URL).json() == []
    assert other_api.post(f"{URL}/{first.pk}", {"accept": True}).status_code == 404


def test_bad_answers_are_refused_and_change_nothing(api, spun_off):
    first = HeldBack.objects.get(date=day("2023-01-04"))
    assert api.get(URL, {"state": "odd"}).status_code == 400
    assert api.post(f"{URL}/{first.pk}", {"accept": "perhaps"}).status_code == 422
    assert api.post(f"{URL}/{first.pk}", {}).status_code == 422
    assert api.post(URL, {"ticker": "FJORD.DEMO", "kind": "odd", "accept": True}).status_code == 422
    assert (shares(spun_off), len(held_back(api))) == (100, 2)


def test_ratios_that_cannot_be_are_no_events(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100", on=day("2024-05-02"))
    odd = ["0", "-2", "1", "NaN", "Infinity", "100000", "0.00001"]
    splits = [(f"2024-06-{10 + number}", ratio) for number, ratio in enumerate(odd)]
    say(stock, splits=[*splits, ("2999-01-01", 2)], dividends=[("2024-06-10", "NaN")])
    assert (shares(portfolio), HeldBack.objects.count()) == (10, 0)
    assert Holding.objects.get().waiting_splits == {}


@pytest.mark.parametrize("accept", [0, 1, "yes", None])
def test_an_answer_is_true_or_false_and_nothing_like_it(api, accept):
    body = {"ticker": "ACME", "kind": "split", "accept": accept}
    answer = api.post("/api/v1/held-back", body)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["attr"]) == (422, "accept")


SMOOTH = [("2024-05-02", 50), ("2024-06-07", 50), ("2024-06-10", 50), ("2024-06-11", 51)]
UNDONE = [("2024-05-02", 100), ("2024-06-07", 100), ("2024-06-10", 50), ("2024-06-11", 51)]


def test_a_split_that_the_first_answer_lacked_counts_when_the_next_has_it(portfolio, stock):
    """The closes of an answer without its splits are in today's shares."""
    trade(portfolio, stock, "buy", "40", "100", on=day("2024-05-02"))
    say(stock, closes=SMOOTH)
    assert shares(portfolio) == 40
    say(stock, splits=[("2024-06-10", 2)], closes=UNDONE)
    assert (shares(portfolio), StockSplit.objects.get().ratio) == (80, 2)
    stored = stock.prices.order_by("date").values_list("close", flat=True)
    assert list(stored) == [100, 100, 50, 51]
    assert not HeldBack.objects.filter(state="held_back").exists()


def test_a_split_that_no_close_shows_waits_again_when_the_source_repeats_it(
    portfolio, stock, time_machine
):
    trade(portfolio, stock, "buy", "40", "50", on=day("2024-05-02"))
    for splits in ([("2024-06-10", 2)], [], [], [("2024-06-10", 2)]):
        say(stock, splits=splits, closes=SMOOTH)
        assert (shares(portfolio), StockSplit.objects.count()) == (40, 0)
        time_machine.move_to(timezone.now() + timedelta(days=1))
    [row] = HeldBack.objects.filter(kind="split")
    assert (row.state, row.reason) == ("held_back", "not_shown")


def test_a_price_factor_corrected_to_a_split_that_no_close_shows_is_not_booked(portfolio, stock):
    trade(portfolio, stock, "buy", "40", "50", on=day("2024-05-02"))
    say(stock, splits=[("2024-06-10", "1.281")], closes=SMOOTH)
    say(stock, splits=[("2024-06-10", 2)], closes=SMOOTH)
    assert shares(portfolio) == 40
    assert HeldBack.objects.get(kind="split").reason == "not_shown"


def test_a_split_of_today_is_compared_with_the_close_that_was_traded_before_it(portfolio, stock):
    """The source lists the split, and has not restated its closes yet."""
    today = timezone.localdate()
    before = str(today - timedelta(days=1))
    trade(portfolio, stock, "buy", "40", "100", on=day(before))
    say(stock, closes=[(before, 100)])
    say(stock, splits=[(str(today), 2)], closes=[(before, 200), (str(today), 100)])
    assert shares(portfolio) == 40
    assert HeldBack.objects.get(kind="split").reason == "not_shown"
    say(stock, splits=[(str(today), 2)], closes=[(before, 100), (str(today), 50)])
    assert shares(portfolio) == 80
