"""Test that identifying a file's instruments comes to an end, and that nothing found is lost."""

import json
import time

import pytest
from django.core.management import call_command

from conftest import api_client
from integrations.conftest import Upload, csv
from integrations.imports.tests.test_resolving import bought, found, resolved
from integrations.statements.tests.support import text
from integrations.statements.tests.test_trading212 import T212
from marketdata import gateway
from marketdata.models import LookUp, LookUpAnswer, StockMetadata
from marketdata.services import look_ups
from marketdata.services.look_ups import Wanted
from portfolios.models import InstrumentAlias, Transaction
from portfolios.services import create_portfolio
from tests.servers.cache import empty_cache

pytestmark = pytest.mark.django_db

FILE = 60


@pytest.fixture
def source(yahoo, monkeypatch, settings):
    """Yahoo with its limit of calls, at a speed for tests: 20 at once, then one every 20 ms."""
    monkeypatch.setitem(
        gateway.parties, "yahoo", gateway.Party("yahoo", calls_per_second=50, burst=20)
    )
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    return yahoo


def isin_of(number):
    return f"NO{number:09d}0"


def listed_in_oslo(yahoo, count=FILE):
    for number in range(count):
        yahoo.found_for[isin_of(number)] = [
            {"symbol": f"S{number}.OL", "shortname": f"Share {number}", "quoteType": "EQUITY"}
        ]


def lines(count=FILE, currency="NOK"):
    """Return a file of Trading 212 with a purchase of each of `count` shares."""
    rows = [
        f"Market buy,2024-03-04 14:30:00,{isin_of(number)},,Share {number},10,50.00,{currency},1,,"
        f"EUR,500.00,{currency},,,,T-{number},,,,"
        for number in range(count)
    ]
    return text(T212, *rows)


def most_searches(yahoo):
    """Return how often the most wanted ISIN was searched for."""
    return max((yahoo.asked("search", isin_of(number)) for number in range(FILE)), default=0)


def test_of_sixty_instruments_each_is_asked_for_once_and_none_about_its_currency(
    upload, source, settings
):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 60  # no call is cut short, however busy the machine is
    listed_in_oslo(source)
    source.delay = 0.02
    body = upload(data=lines(), dry_run="true").json()
    while body["looking_up"] is not None:
        assert body["looking_up"]["of"] == FILE
        look_ups.answer_waiting(seconds=5)
        body = upload(data=lines(), dry_run="true").json()
    assert resolved(body) == [(f"S{number}.OL", "isin search") for number in range(FILE)]
    assert {one["currency"] for one in body["instruments"]} == {"NOK"}
    assert (body["created"], body["failed"]) == (FILE, 0)
    assert [symbol for kind, symbol, _ in source.requests if kind == "chart"] == []
    assert source.asked("search") == FILE


def test_what_one_request_does_not_learn_the_next_one_does_without_a_worker(
    upload, source, settings
):
    listed_in_oslo(source)
    settings.MARKET_DATA_TIMEOUT_SECONDS = 1
    source.delay = 0.1
    done = []
    for _ in range(20):
        body = upload(data=lines(), dry_run="true").json()
        if body["looking_up"] is None:
            break
        done.append(body["looking_up"]["done"])
    assert body["looking_up"] is None
    assert done == sorted(set(done))
    assert len(done) > 0
    assert source.asked("search") <= FILE + 4 * len(done)  # those cut off by the deadline, again


def test_a_dry_run_keeps_what_was_found_and_forgets_what_was_chosen(upload, source):
    source.list("ATL", [50.0, 51.0], currency="USD")
    found(source, "ATL")
    assert resolved(upload(data=bought(), dry_run="true").json()) == [("ATL", "isin search")]
    source.fault = "500"
    source.forget_requests()
    chosen = upload(data=bought(), dry_run="true", instruments='{"US0000000010": "MINE"}').json()
    assert resolved(chosen) == [("MINE", "request")]
    again = upload(data=bought(), dry_run="true").json()
    assert resolved(again) == [("ATL", "isin search")]
    assert again["looking_up"] is None
    assert source.asked("search") == 0
    assert not InstrumentAlias.objects.exists()
    assert not Transaction.objects.exists()


def test_the_worker_goes_on_with_what_a_dry_run_could_not_learn(upload, source, monkeypatch):
    listed_in_oslo(source, 3)
    source.search_fault = "500"
    body = upload(data=lines(3), dry_run="true").json()
    assert body["looking_up"] == {"done": 0, "of": 3}
    assert {error["code"] for error in body["errors"]} == {"unresolved"}
    assert "(NO0000000000) yet. Choose its ticker" in body["errors"][0]["detail"]
    assert LookUp.objects.count() == 3
    empty_cache()  # the circuit
    source.search_fault = None
    assert not look_ups.answer_waiting(seconds=5)
    assert not LookUp.objects.exists()
    source.forget_requests()
    body = upload(data=lines(3), dry_run="true").json()
    assert [ticker for ticker, _ in resolved(body)] == ["S0.OL", "S1.OL", "S2.OL"]
    assert (body["looking_up"], source.asked("search")) == (None, 0)


def test_a_request_leaves_to_a_living_worker_what_waits_for_it(upload, source, monkeypatch):
    listed_in_oslo(source, 3)
    source.search_fault = "500"
    upload(data=lines(3), dry_run="true")
    empty_cache()
    source.search_fault = None
    source.forget_requests()
    monkeypatch.setattr("integrations.heartbeat.worker_is_alive", lambda: True)
    body = upload(data=lines(3), dry_run="true").json()
    assert body["looking_up"] == {"done": 0, "of": 3}
    assert source.asked("search") == 0


def test_only_listings_of_london_and_of_unknown_exchanges_are_asked_for_their_currency(
    upload, source
):
    source.list("ATL.L", [5000.0, 5100.0], currency="GBp", zone="Europe/London")
    source.list("ATL.XX", [50.0, 51.0], currency="EUR")
    found(source, "ATL.OL", "ATL.L", "ATL.XX", "ATL.ST")
    assert resolved(upload(data=bought("NOK", symbol=""), dry_run="true").json()) == [
        ("ATL.OL", "isin search")
    ]
    assert source.asked("chart") == 0
    assert resolved(upload(data=bought("EUR", symbol=""), dry_run="true").json()) == [
        ("ATL.XX", "isin search")
    ]
    asked = {symbol for kind, symbol, _ in source.requests if kind == "chart"}
    assert asked - {"EURNOK=X"} == {"ATL.L", "ATL.XX"}


def test_a_single_listing_is_taken_though_its_currency_stays_unknown(upload, source):
    source.list("ATL.XX", {}, is_delisted=True)
    found(source, "ATL.XX")
    body = upload(data=bought(symbol=""), dry_run="true").json()
    assert resolved(body) == [("ATL.XX", "isin search")]
    assert (body["failed"], body["looking_up"]) == (0, None)


def test_another_order_and_other_names_of_a_source_change_nothing(upload, source):
    source.list("ATL", [50.0, 51.0], currency="USD")
    source.list("ATLX", [50.0, 51.0], currency="USD")
    found(source, "ATL", "ATLX")
    first = upload(data=bought(), dry_run="true").json()
    found(source, "ATLX", "OTHER", "ATL")
    empty_cache()
    second = upload(data=bought(), dry_run="true").json()
    assert second["instruments"] == first["instruments"]
    assert resolved(upload.done(data=bought())) == [("ATL", "isin search")]
    assert Transaction.objects.count() == 1


def test_nonsense_from_a_source_is_no_candidate(upload, source):
    source.found_for["US0000000010"] = [
        {"symbol": 7},
        {"symbol": "A" * 60, "quoteType": None, "exchange": 5},
        {"symbol": "not a ticker", "shortname": "x" * 500},
        {},
    ]
    body = upload(data=bought(symbol=""), dry_run="true").json()
    assert (resolved(body), body["looking_up"]) == ([(None, None)], None)
    assert body["instruments"][0]["candidates"] == []


@pytest.mark.parametrize("fault", ["429", "500", "drop", "garbage"])
def test_a_fault_in_the_middle_loses_and_doubles_nothing(upload, source, fault):
    listed_in_oslo(source, 10)
    for number in range(4, 10):
        source.search_faults[isin_of(number)] = fault
    body = upload(data=lines(10), dry_run="true").json()
    known = {one["ticker"] for one in body["instruments"]} - {None}
    assert known <= {f"S{number}.OL" for number in range(4)}
    assert body["looking_up"] == {"done": len(known), "of": 10}
    source.search_faults.clear()
    answered = list(LookUpAnswer.objects.values_list("text", flat=True))
    source.forget_requests()
    empty_cache()  # the circuit closes
    body = upload(data=lines(10), dry_run="true").json()
    assert (body["looking_up"], body["created"]) == (None, 10)
    assert [isin for isin in answered if source.asked("search", isin)] == []
    assert upload.done(data=lines(10))["created"] == 10
    assert Transaction.objects.count() == 10


def test_a_hanging_question_does_not_keep_the_others_from_being_answered(upload, source, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 1.5
    listed_in_oslo(source, 6)
    source.search_faults[isin_of(2)] = "hang"
    body = upload(data=lines(6), dry_run="true").json()
    assert body["looking_up"] == {"done": 5, "of": 6}
    assert [ticker for ticker, _ in resolved(body)].index(None) == 2
    source.release()


def test_a_worker_that_is_killed_keeps_its_answers_and_another_goes_on(upload, source, monkeypatch):
    listed_in_oslo(source, 12)
    source.search_fault = "500"
    upload(data=lines(12), dry_run="true")
    empty_cache()
    source.search_fault = None
    source.forget_requests()
    keep, kept = look_ups.search_isins, []

    def killed_after_the_first(*, isins, seconds):
        keep(isins=isins[:5], seconds=seconds)
        kept.extend(isins[:5])
        raise KeyboardInterrupt

    monkeypatch.setattr(look_ups, "search_isins", killed_after_the_first)
    with pytest.raises(KeyboardInterrupt):
        look_ups.answer_waiting(seconds=5)
    assert LookUp.objects.count() == 12
    assert LookUpAnswer.objects.count() == 5
    monkeypatch.undo()
    empty_cache()  # the lease of a process that was killed ends
    look_ups.answer_waiting(seconds=5)
    assert not LookUp.objects.exists()
    assert source.asked("search") == 12
    assert most_searches(source) == 1


def test_a_source_that_answers_nothing_ends_the_workers_turn(user, source):
    source.search_fault = "500"
    look_ups.leave_to_worker([Wanted(isin_of(1), "", "NOK")], user=user)
    assert not look_ups.answer_waiting(seconds=60)
    assert LookUp.objects.get().attempts == 1


def test_a_long_list_of_one_user_lets_another_have_turns(user, other_user):
    many = [Wanted(isin_of(number), "", "NOK") for number in range(1500)]
    look_ups.leave_to_worker(many, user=user)
    look_ups.leave_to_worker(many[:30], user=other_user)
    look_ups.leave_to_worker(many, user=user)
    assert LookUp.objects.filter(user=user).count() == look_ups.WAITING_PER_USER
    first = list(LookUp.objects.all()[:40])
    assert {row.user_id for row in first} == {user.pk, other_user.pk}
    assert len([row for row in first if row.user_id == other_user.pk]) == 20


def test_what_one_user_maps_or_waits_for_is_not_what_another_gets(upload, source, other_user):
    source.list("AAPL", [190.0, 191.0], currency="USD")
    source.list("MSFT", [370.0, 371.0], currency="USD")
    found(source, "AAPL")
    source.search_fault = "500"
    mapping = json.dumps({"US0000000010": "MSFT"})
    assert resolved(upload.done(data=bought(symbol="AAPL"), instruments=mapping)) == [
        ("MSFT", "request")
    ]
    empty_cache()
    source.search_fault = None
    theirs = Upload(
        api_client(other_user), create_portfolio(user=other_user, name="Theirs", currency="NOK")
    )
    for dry_run in ("true", "false"):
        body = theirs(data=bought(symbol="AAPL"), dry_run=dry_run).json()
        assert resolved(body) == [("AAPL", "isin search")]
    mine = upload(data=bought(symbol="AAPL"), dry_run="true").json()
    assert resolved(mine) == [("MSFT", "earlier choice")]


def test_a_dry_run_of_many_made_up_tickers_looks_at_some_and_keeps_the_rest_open(upload, source):
    count = 1200
    data = csv(*(f"2024-01-02,buy,QX{row},1,{row + 1},,NOK" for row in range(count)))
    body = upload(data=data, dry_run="true").json()
    assert body["rows"] == count
    assert body["created"] + body["failed"] == count
    assert {error["code"] for error in body["errors"]} == {"looking_up"}
    assert body["looking_up"]["of"] == count
    asked = source.asked("chart")
    assert asked <= 200
    # Those that the source does not know are not asked about again.
    answered = LookUpAnswer.objects.filter(found=[]).count()
    assert body["looking_up"]["done"] == answered > 0
    source.forget_requests()
    again = upload(data=data, dry_run="true").json()
    assert again["looking_up"]["done"] > body["looking_up"]["done"]
    assert source.asked("chart", "QX0") == 0
    assert not StockMetadata.objects.exists()


def test_the_command_looks_up_to_the_end(
    user, portfolio, source, monkeypatch, settings, tmp_path, capsys
):
    """The limit of calls spreads 45 of them over 2.5 s. One request would stop after 2 s, which is
    far more than one call takes, also on a busy machine.
    """
    slow = gateway.Party("yahoo", calls_per_second=10, burst=20)
    monkeypatch.setitem(gateway.parties, "yahoo", slow)
    settings.MARKET_DATA_TIMEOUT_SECONDS = 2
    listed_in_oslo(source, 45)
    file = tmp_path / "trades.csv"
    file.write_bytes(lines(45))
    arguments = [str(file), "--user", "kari", "--portfolio", "Nordic", "--dry-run"]
    begun = time.monotonic()
    call_command("import_transactions", *arguments, "--json")
    assert time.monotonic() - begun > settings.MARKET_DATA_TIMEOUT_SECONDS
    body = json.loads(capsys.readouterr().out)
    assert (body["created"], body["looking_up"]) == (45, None)


def test_the_command_says_what_is_still_looked_up(user, portfolio, source, tmp_path, capsys):
    source.search_fault = "500"
    file = tmp_path / "trades.csv"
    file.write_bytes(lines(2))
    with pytest.raises(SystemExit):
        call_command(
            "import_transactions", str(file), "--user", "kari", "--portfolio", "Nordic", "--dry-run"
        )
    assert "0 of 2 instruments identified. Run the command again" in capsys.readouterr().out
