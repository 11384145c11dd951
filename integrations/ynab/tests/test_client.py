"""Test the YNAB client against a local server, and that server against YNAB's own client."""

import time
import traceback
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from email.utils import format_datetime

import pytest
import requests
import ynab as official

from integrations.ynab import client
from marketdata.sources import (
    BadAnswer,
    KeyRefused,
    RateLimited,
    Refusal,
    SourceTimeout,
    SourceUnavailable,
)
from tests.servers.ynab import KEY


@pytest.fixture
def household(plan):
    plan.put(
        name="Innskuddspensjon",
        balance=1_234_567_890,
        cleared_balance=1_234_000_000,
        uncleared_balance=567_890,
    )
    plan.put(name="Mortgage", type="mortgage", balance=-2_000_000_010, closed=True)
    return plan


def accounts(plan, knowledge=None, root="plans", seconds=5):
    return client.accounts(root, plan.id, knowledge=knowledge, seconds=seconds)


# --- The stand-in is what YNAB is -----------------------------------------------------------------


@pytest.fixture
def official_client(ynab):
    with official.ApiClient(official.Configuration(host=ynab.url, access_token=KEY)) as made:
        yield made


def test_the_official_client_reads_the_fake_server_and_sees_what_ours_sees(
    ynab, household, official_client
):
    theirs = official.AccountsApi(official_client).get_accounts(household.id).data
    ours = accounts(household)
    assert theirs.server_knowledge == ours.server_knowledge
    assert [
        (
            str(a.id),
            a.name,
            a.type.value,
            a.balance,
            a.cleared_balance,
            a.uncleared_balance,
            a.closed,
            a.deleted,
        )
        for a in theirs.accounts
    ] == [
        (
            a.id,
            a.name,
            a.type,
            a.balance,
            a.cleared_balance,
            a.uncleared_balance,
            a.closed,
            a.deleted,
        )
        for a in ours.accounts
    ]
    plans = official.PlansApi(official_client)
    assert (
        plans.get_plan_settings_by_id(household.id).data.settings.currency_format.iso_code == "NOK"
    )
    assert client.plan_currency("plans", household.id, seconds=5) == "NOK"
    assert [
        (str(plan.id), plan.name, plan.currency_format.iso_code)
        for plan in plans.get_plans().data.plans
    ] == [(plan.id, plan.name, plan.currency) for plan in client.plans("plans", seconds=5)]
    one = official.AccountsApi(official_client).get_account_by_id(
        household.id, theirs.accounts[0].id
    )
    assert one.data.account.balance == 1_234_567_890


def test_the_official_client_reads_the_fake_servers_deltas(ynab, household, official_client):
    api = official.AccountsApi(official_client)
    known = api.get_accounts(household.id).data.server_knowledge
    gone = next(iter(household.accounts))
    household.delete(gone)
    changed = api.get_accounts(household.id, last_knowledge_of_server=known).data.accounts
    assert [(str(account.id), account.deleted) for account in changed] == [(gone, True)]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_the_official_client_reads_the_fake_servers_errors(ynab, official_client, status):
    ynab.mode = status
    with pytest.raises(official.ApiException) as raised:
        official.PlansApi(official_client).get_plans()
    assert raised.value.status == status
    assert official.ErrorResponse.from_json(raised.value.body).error.name


# --- What is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("milliunits", "amount"),
    [
        (1, "0.001"),
        (1_234_500, "1234.500"),
        (-2_000_000_010, "-2000000.010"),
        (0, "0.000"),
        (10, "0.010"),
    ],
)
def test_milliunits_become_exact_decimals(milliunits, amount):
    assert str(client.from_milliunits(milliunits)) == amount
    assert client.from_milliunits(milliunits) * 1000 == D(milliunits)


def test_a_delta_request_sends_what_is_known_and_gets_what_changed(ynab, household):
    first = accounts(household)
    assert len(first.accounts) == 2
    gone = first.accounts[0].id
    household.delete(gone)
    changed = accounts(household, knowledge=first.server_knowledge)
    assert [(account.id, account.deleted) for account in changed.accounts] == [(gone, True)]
    assert ynab.requests[-1].endswith(
        f"/accounts?last_knowledge_of_server={first.server_knowledge}"
    )
    assert [account.id for account in accounts(household).accounts] == [
        account.id for account in first.accounts if account.id != gone
    ]


def test_a_plan_without_a_currency_format_has_no_known_currency(ynab):
    assert client.plan_currency("plans", ynab.plan("Bare", None).id, seconds=5) == ""


def test_every_request_carries_the_key_in_its_header_alone(ynab, household):
    accounts(household)
    assert ynab.keys == [f"Bearer {KEY}"]
    assert KEY not in "".join(ynab.requests)


def test_a_password_in_netrc_does_not_replace_the_key(ynab, household, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    accounts(household)
    assert ynab.keys == [f"Bearer {KEY}"]


# --- What goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected", "words"),
    [
        (401, KeyRefused, "wrong or has been revoked"),
        (403, KeyRefused, "subscription has lapsed"),
        ("echo", KeyRefused, "wrong or has been revoked"),
        (404, client.UnknownToYnab, "no such plan"),
        (429, RateLimited, "limit of requests"),
        (500, SourceUnavailable, "status 500"),
        (503, SourceUnavailable, "status 503"),
        (400, Refusal, "status 400"),
        (409, BadAnswer, "status 409"),
        ("redirect", BadAnswer, "status 302"),
        ("html", BadAnswer, "not JSON"),
        ("truncated", BadAnswer, "broke off"),
        ("cut", BadAnswer, "not JSON"),
        ("no_data", BadAnswer, "no data"),
        ("list", BadAnswer, "not JSON"),
    ],
)
def test_every_failure_has_its_error_and_never_the_key(ynab, household, mode, expected, words):
    ynab.mode = mode
    with pytest.raises(expected, match=words) as raised:
        accounts(household)
    assert KEY not in repr(raised.value)
    # What requests raises holds the request with its header: it must not hang on to the error.
    behind = raised.value.__context__
    while behind is not None:
        assert not isinstance(behind, requests.RequestException)
        behind = behind.__context__


@pytest.mark.parametrize(
    "broken",
    [
        {"balance": 12.5},
        {"balance": "1200"},
        {"balance": True},
        {"balance": None},
        {"balance": 10**18},
        {"cleared_balance": 0.5},
        {"uncleared_balance": []},
        {"name": None},
        {"closed": "no"},
        {"deleted": 0},
    ],
)
def test_an_account_that_makes_no_sense_is_rejected(ynab, household, broken):
    household.put(**broken)
    with pytest.raises(
        BadAnswer,
        match=f"{'impossible' if 10**18 in broken.values() else 'usable'} {next(iter(broken))}",
    ):
        accounts(household)


def test_a_refused_connection_is_unavailable(settings, ynab, household):
    settings.YNAB_BASE_URL = "http://127.0.0.1:9/v1"
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        accounts(household)


@pytest.mark.parametrize("key", ["with\nnewline-secret", "snow☃secret"])
def test_a_key_that_no_header_can_carry_is_not_quoted(settings, ynab, household, key):
    settings.YNAB_API_KEY = key
    with pytest.raises(SourceUnavailable, match="cannot be asked") as raised:
        accounts(household)
    assert "secret" not in "".join(traceback.format_exception(raised.value))
    assert ynab.requests == []


def test_a_slow_answer_is_too_late(ynab, household):
    ynab.mode = "slow"
    started = time.monotonic()
    with pytest.raises(SourceTimeout):
        accounts(household, seconds=0.2)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (None, None),
        ("soon", None),
        ("in 300 seconds", 300),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_the_wish_for_patience_is_read(ynab, household, header, seconds):
    if header == "in 300 seconds":
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    ynab.mode, ynab.retry_after = 429, header
    with pytest.raises(RateLimited) as raised:
        accounts(household)
    assert raised.value.retry_after_seconds == (
        None if seconds is None else pytest.approx(seconds, abs=5)
    )


def test_an_answer_of_many_megabytes_is_not_read_to_the_end(ynab, household, monkeypatch):
    monkeypatch.setattr(client, "LARGEST_ANSWER", 100)
    with pytest.raises(BadAnswer, match="too large"):
        accounts(household)
