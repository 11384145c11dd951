"""Test rows of sign-ins, the limits, token families and idle sessions."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from conftest import PASSWORD
from financeproj.core.api.throttling import AnonThrottle
from financeproj.history.models import HistoryEntry
from financeproj.users.models import SignIn, TokenFamily
from financeproj.users.tasks import flush_tokens

pytestmark = pytest.mark.django_db
NOON = "2026-03-02T12:00:00Z"


@pytest.fixture(autouse=True)
def _unthrottled(monkeypatch):
    monkeypatch.setattr(AnonThrottle, "rate", "1000/min", raising=False)


def sign_in(client, password=PASSWORD, username="kari", **headers):
    body = {"username": username, "password": password}
    return client.post("/api/v1/auth/login", body, **headers)


def refresh(client, token):
    return client.post("/api/v1/auth/refresh", {"refresh": token})


def me(access):
    headers = {"Authorization": f"Bearer {access}"}
    return APIClient().get("/api/v1/users/me", headers=headers).status_code


def guess(count, *, username="kari", start=0):
    """Send wrong passwords, each from an address of its own; return the statuses."""
    addresses = [f"10.{start}.{number // 250}.{number % 250}" for number in range(count)]
    return [
        sign_in(APIClient(REMOTE_ADDR=address), "wrong", username).status_code
        for address in addresses
    ]


# --- Addresses ------------------------------------------------------------------------------------


def test_forty_addresses_of_one_network_are_one_guesser(user):
    statuses = [
        sign_in(APIClient(REMOTE_ADDR=f"2001:db8:0:1::{number:x}"), "wrong").status_code
        for number in range(1, 41)
    ]
    assert statuses == [401] * 4 + [429] * 36
    assert sign_in(APIClient(REMOTE_ADDR="2001:db8:0:1:ffff::1")).status_code == 429
    assert sign_in(APIClient(REMOTE_ADDR="2001:db8:0:2::1")).status_code == 200


def test_an_ipv4_address_written_as_ipv6_is_that_address(user):
    for number in range(5):
        address = "10.1.2.3" if number % 2 else "::ffff:10.1.2.3"
        last = sign_in(APIClient(REMOTE_ADDR=address), "wrong")
    assert last.status_code == 429
    assert sign_in(APIClient(REMOTE_ADDR="::ffff:10.1.2.4")).status_code == 200
    assert SignIn.objects.get(success=True).address == "10.1.2.4"


def test_a_network_shares_one_allowance_of_anonymous_requests(db, monkeypatch):
    monkeypatch.setattr(AnonThrottle, "rate", "3/min", raising=False)
    statuses = [
        refresh(APIClient(REMOTE_ADDR=f"2001:db8:0:1::{number}"), "x").status_code
        for number in range(1, 5)
    ]
    assert statuses == [401, 401, 401, 429]
    assert refresh(APIClient(REMOTE_ADDR="2001:db8:0:2::1"), "x").status_code == 401


@pytest.mark.parametrize("path", ["/login", "/admin/login/"])
def test_the_forms_are_throttled_per_address_also_for_signed_in_users(user, monkeypatch, path):
    monkeypatch.setattr(AnonThrottle, "rate", "3/min", raising=False)
    client = Client()
    client.force_login(user)
    form = {"username": "ola", "password": "wrong"}
    answers = [client.post(path, form) for _ in range(4)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, False, True]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert client.get(path).status_code != 429
    assert Client(REMOTE_ADDR="10.1.2.3").post(path, form).status_code == 200


# --- The limit per account ------------------------------------------------------------------------


@pytest.mark.parametrize("username", ["kari", "unknown"])
def test_fifty_failures_an_hour_from_wherever_lock_an_account(user, time_machine, username):
    time_machine.move_to(NOON, tick=False)
    assert guess(50, username=username) == [401] * 49 + [429]
    stored = SignIn.objects.count()
    locked = sign_in(APIClient(REMOTE_ADDR="10.9.9.9"), username=username)
    assert (locked.status_code, locked["Retry-After"]) == (429, "3600")
    assert locked.json()["errors"][0]["code"] == "locked_out"
    page = Client(REMOTE_ADDR="10.9.9.8")
    form = {"username": username, "password": PASSWORD}
    assert page.post("/login", form).status_code == 429
    assert SignIn.objects.count() == stored
    time_machine.move_to("2026-03-02T13:00:01Z", tick=False)
    expected = 200 if username == "kari" else 401
    after = sign_in(APIClient(REMOTE_ADDR="10.9.9.9"), username=username)
    assert after.status_code == expected


def test_a_stranger_does_not_lock_out_known_addresses_and_browsers(user, other_user, time_machine):
    time_machine.move_to(NOON, tick=False)
    assert sign_in(APIClient(REMOTE_ADDR="2001:db8:0:1::5")).status_code == 200
    browser = Client(REMOTE_ADDR="10.1.1.1")
    form = {"username": "kari", "password": PASSWORD}
    assert browser.post("/login", form).status_code == 302
    cookie = browser.cookies["known_browser"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    browser.post("/logout")
    of_ola = Client(REMOTE_ADDR="10.1.1.2")
    of_ola.post("/login", {"username": "ola", "password": PASSWORD})
    of_ola.post("/logout")

    time_machine.move_to("2026-05-30T12:00:00Z", tick=False)
    guess(50)
    assert sign_in(APIClient(REMOTE_ADDR="2001:db8:0:1::6")).status_code == 200
    browser.defaults["REMOTE_ADDR"] = "10.7.7.7"
    assert browser.post("/login", form).status_code == 302
    of_ola.defaults["REMOTE_ADDR"] = "10.7.7.8"
    assert of_ola.post("/login", form).status_code == 429
    assert sign_in(APIClient(REMOTE_ADDR="10.7.7.9")).status_code == 429


def test_a_browser_and_an_address_are_forgotten_after_ninety_days(user, time_machine):
    time_machine.move_to(NOON, tick=False)
    browser = Client(REMOTE_ADDR="10.1.1.1")
    form = {"username": "kari", "password": PASSWORD}
    browser.post("/login", form)
    kept = browser.cookies["known_browser"].value
    time_machine.move_to("2026-05-31T12:00:01Z", tick=False)
    guess(50)
    again = Client(REMOTE_ADDR="10.1.1.1")
    again.cookies["known_browser"] = kept
    assert again.post("/login", form).status_code == 429


# --- Rows and log lines ---------------------------------------------------------------------------


def lines(caplog, event):
    logged = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in logged if line["event"] == event]


def test_a_sign_in_and_a_failure_leave_a_row_and_a_log_line(user, other_user, caplog):
    browser = {"REMOTE_ADDR": "2001:db8::7", "HTTP_USER_AGENT": "Firefox/140"}
    sign_in(APIClient(**browser), "wrong")
    tokens = sign_in(APIClient(**browser)).json()
    sign_in(APIClient(), "wrong", "ola")
    headers = {"Authorization": f"Bearer {tokens['access']}"}
    rows = APIClient().get("/api/v1/sign-ins", headers=headers).json()
    assert [(row["address"], row["agent"], row["success"]) for row in rows] == [
        ("2001:db8::7", "Firefox/140", True),
        ("2001:db8::7", "Firefox/140", False),
    ]
    assert set(rows[0]) == {"at", "address", "agent", "success"}
    [line] = lines(caplog, "signed_in")
    assert (line["user_id"], line["address"], line["agent"]) == (
        str(user.pk),
        "2001:db8::7",
        "Firefox/140",
    )
    assert [line["user_id"] for line in lines(caplog, "sign_in_failed")] == [
        str(user.pk),
        str(other_user.pk),
    ]


def test_the_name_as_typed_is_not_stored(db, caplog):
    sign_in(APIClient(), "x", "my secret password")
    row = SignIn.objects.get()
    assert (row.user, row.success) == (None, False)
    assert "secret" not in row.name_key
    [line] = lines(caplog, "sign_in_failed")
    assert "secret" not in str(line)


def test_rows_are_kept_for_ninety_days_and_those_of_unknown_names_for_one(user):
    now = timezone.now()
    common = {"name_key": "0", "address": "10.1.1.1", "network": "10.1.1.1", "success": True}
    for owner, days in ((user, 89), (user, 91), (None, 0), (None, 2)):
        at = now - timedelta(days=days, minutes=1)
        SignIn.objects.create(user=owner, at=at, agent=f"{owner}{days}", **common)
    flush_tokens()
    assert set(SignIn.objects.values_list("agent", flat=True)) == {"kari89", "None0"}


# --- Families of tokens ---------------------------------------------------------------------------


def test_a_refresh_token_used_again_ends_its_family(user, anonymous, time_machine):
    time_machine.move_to(NOON, tick=False)
    first = sign_in(anonymous).json()["refresh"]
    elsewhere = sign_in(anonymous).json()["refresh"]
    second = refresh(anonymous, first).json()
    time_machine.move_to("2026-03-02T12:00:20Z", tick=False)
    assert me(second["access"]) == 200
    assert refresh(anonymous, first).status_code == 401
    assert refresh(anonymous, second["refresh"]).status_code == 401
    assert me(second["access"]) == 401
    assert refresh(anonymous, elsewhere).status_code == 200
    entry = HistoryEntry.objects.get(action="token_reused")
    assert (entry.owner, entry.actor, entry.door) == (user, None, "api")


def test_a_double_call_within_ten_seconds_is_only_refused(user, anonymous, time_machine):
    time_machine.move_to(NOON, tick=False)
    first = sign_in(anonymous).json()["refresh"]
    second = refresh(anonymous, first).json()["refresh"]
    time_machine.move_to("2026-03-02T12:00:10Z", tick=False)
    assert refresh(anonymous, first).status_code == 401
    assert refresh(anonymous, second).status_code == 200
    assert not HistoryEntry.objects.filter(action="token_reused").exists()


def test_a_family_ends_ninety_days_after_its_sign_in(user, anonymous, time_machine):
    start = timezone.datetime(2026, 3, 2, 12, tzinfo=timezone.get_default_timezone())
    time_machine.move_to(start, tick=False)
    tokens = sign_in(anonymous).json()
    for days in range(10, 90, 10):
        time_machine.move_to(start + timedelta(days=days), tick=False)
        tokens = refresh(anonymous, tokens["refresh"]).json()
    time_machine.move_to(start + timedelta(days=89, hours=23, minutes=59), tick=False)
    last = refresh(anonymous, tokens["refresh"]).json()
    assert me(last["access"]) == 200
    time_machine.move_to(start + timedelta(days=90, seconds=1), tick=False)
    assert me(last["access"]) == 401
    assert refresh(anonymous, last["refresh"]).status_code == 401
    flush_tokens()
    assert not TokenFamily.objects.exists()


def test_a_new_password_ends_access_tokens_too_the_asking_one_included(user, anonymous):
    asking, other = (sign_in(anonymous).json() for _ in range(2))
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {asking['access']}")
    body = {"current_password": PASSWORD, "new_password": "another long phrase"}
    assert client.put("/api/v1/users/me/password", body).status_code == 204
    assert [me(tokens["access"]) for tokens in (asking, other)] == [401, 401]
    assert refresh(anonymous, asking["refresh"]).status_code == 401


def test_a_new_password_keeps_the_session_that_set_it(user):
    setting, other = Client(), Client()
    setting.force_login(user)
    other.force_login(user)
    body = {"current_password": PASSWORD, "new_password": "another long phrase"}
    answer = setting.put("/api/v1/users/me/password", body, content_type="application/json")
    assert answer.status_code == 204
    assert setting.get("/api/v1/users/me").status_code == 200
    assert other.get("/api/v1/users/me").status_code == 401


def test_signing_out_ends_the_access_tokens_of_that_sign_in(user, anonymous):
    tokens, other = (sign_in(anonymous).json() for _ in range(2))
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    assert client.post("/api/v1/auth/logout", {"refresh": tokens["refresh"]}).status_code == 204
    assert [me(one["access"]) for one in (tokens, other)] == [401, 200]


def test_a_token_of_a_release_without_families_starts_one(user, anonymous, time_machine):
    time_machine.move_to(NOON, tick=False)
    old = RefreshToken.for_user(user)
    assert me(old.access_token) == 401
    tokens = refresh(anonymous, str(old)).json()
    assert me(tokens["access"]) == 200
    time_machine.move_to("2026-03-02T12:01:00Z", tick=False)
    assert refresh(anonymous, str(old)).status_code == 401
    assert me(tokens["access"]) == 401


def test_no_text_of_a_token_is_stored(user, anonymous):
    tokens = sign_in(anonymous).json()
    refresh(anonymous, tokens["refresh"])
    assert set(OutstandingToken.objects.values_list("token", flat=True)) == {""}


# --- Sessions of staff ----------------------------------------------------------------------------


def test_a_session_of_staff_ends_after_eight_idle_hours(make_user, time_machine):
    member = make_user(is_staff=True)
    member.user_permissions.set(Permission.objects.filter(codename="view_portfolio"))
    client = Client()
    time_machine.move_to("2026-03-02T06:00:00Z", tick=False)
    client.post("/login", {"username": "kari", "password": PASSWORD})
    for moment in ("13:59:00", "21:58:00"):
        time_machine.move_to(f"2026-03-02T{moment}Z", tick=False)
        assert client.get("/admin/").status_code == 200
    time_machine.move_to("2026-03-03T05:58:01Z", tick=False)
    assert client.get("/api/v1/users/me").status_code == 401
    assert client.get("/admin/").status_code == 302


def test_a_session_of_others_does_not_end_after_eight_hours(user, time_machine):
    client = Client()
    time_machine.move_to("2026-03-02T06:00:00Z", tick=False)
    client.post("/login", {"username": "kari", "password": PASSWORD})
    time_machine.move_to("2026-03-04T06:00:00Z", tick=False)
    assert client.get("/dashboard").status_code == 200
