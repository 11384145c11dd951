"""Test SECURITY.md on real processes with production settings and in the test client."""

import base64
import hashlib
import hmac
import json
import socket
import time
from io import BytesIO, StringIO
from unittest.mock import patch

import pytest
import requests
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from conftest import PASSWORD
from financeproj.users.models import User
from tests.servers.processes import installation  # noqa: F401  (a fixture)

HOST = "finance.example.org"
HTTPS = {"Host": HOST, "X-Forwarded-Proto": "https"}


# --- HTTPS, headers, cookies: gunicorn with the settings of a server on the network ---------------


@pytest.fixture
def served(installation):
    """Start the installation with production settings. Return a function that sends requests."""

    def start(**environment):
        del installation.environment["SECURE_SSL"]  # its default is what is tested
        installation.environment.update({"ALLOWED_HOSTS": f"{HOST},127.0.0.1", **environment})
        installation.start_web()

        def ask(method, path, **options):
            options.setdefault("headers", HTTPS)
            return requests.request(
                method, installation.url + path, allow_redirects=False, timeout=30, **options
            )

        return ask

    return start


def test_behind_its_proxy_a_server_speaks_https_only_and_says_so_in_every_answer(
    served, installation
):
    ask = served(TRUSTED_PROXIES="1")
    installation.manage(
        "createsuperuser", "--noinput", "--username", "kari", "--email", "kari@example.org"
    )

    plain = ask("GET", "/login", headers={"Host": HOST, "X-Forwarded-Proto": "http"})
    assert (plain.status_code, plain.headers["Location"]) == (301, f"https://{HOST}/login")
    assert (
        ask("GET", "/healthz", headers={"Host": HOST}).status_code == 200
    )  # probes come without a proxy
    assert ask("GET", "/login", headers={**HTTPS, "Host": "evil.example"}).status_code == 400

    answers = {
        path: ask("GET", path)
        for path in ("/login", "/admin/login/", "/api/v1/users/me", "/api/docs", "/nothing")
    }
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/login": 200,
        "/admin/login/": 200,
        "/api/v1/users/me": 401,
        "/api/docs": 200,
        "/nothing": 404,
    }
    for answer in answers.values():
        assert (
            answer.headers["Strict-Transport-Security"]
            == "max-age=31536000; includeSubDomains; preload"
        )
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in answer.headers

    visitor = requests.Session()
    page = visitor.get(f"{installation.url}/login", headers=HTTPS, timeout=30)
    token = page.cookies["csrftoken"]
    form = {"username": "kari", "password": PASSWORD, "csrfmiddlewaretoken": token}
    cookies = {"csrftoken": token}
    signed_in = ask(
        "POST",
        "/login",
        data=form,
        cookies=cookies,
        headers={**HTTPS, "Referer": f"https://{HOST}/login"},
    )
    assert signed_in.status_code == 302
    for cookie in signed_in.raw.headers.getlist("Set-Cookie"):
        assert "Secure" in cookie
        assert "SameSite=Lax" in cookie
        assert "HttpOnly" in cookie or cookie.startswith("csrftoken=")
    without = ask(
        "POST", "/login", data=form, headers={**HTTPS, "Referer": f"https://{HOST}/login"}
    )
    assert without.status_code == 403


def test_forwarded_headers_are_ignored_without_a_proxy(served, installation):
    """The client is on this machine, whose headers gunicorn would believe by itself."""
    ask = served(TRUSTED_PROXIES="0", SECURE_SSL="true")
    for header in (
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Ssl": "on"},
        {"X-Forwarded-Protocol": "ssl"},
    ):
        assert ask("GET", "/login", headers={"Host": HOST, **header}).status_code == 301
    installation.manage(
        "createsuperuser", "--noinput", "--username", "kari", "--email", "kari@example.org"
    )
    installation.environment["SECURE_SSL"] = "false"
    installation.start_web()
    statuses = [
        requests.post(
            f"{installation.url}/api/v1/auth/login",
            json={"username": "kari", "password": "wrong"},
            headers={"X-Forwarded-For": f"10.0.0.{number}"},
            timeout=30,
        ).status_code
        for number in range(5)
    ]
    assert statuses == [401, 401, 401, 401, 429]


@pytest.mark.parametrize(
    ("announced", "least", "most"),
    [
        (300_000_000, 0, 10_000_000),  # refused for what it announces
        (20_990_000, 20_000_000, 21_000_000),  # for what has come in
    ],
)
def test_an_upload_is_cut_off_at_once_or_while_it_streams_in(installation, announced, least, most):
    """The server answers 413 as soon as it knows, and takes no more."""
    installation.start_web()
    token = installation.sign_in().headers["Authorization"]
    host, port = installation.url.removeprefix("http://").split(":")
    boundary = "edge"
    head = (
        f"POST /api/v1/transactions/import-csv HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {announced}\r\n\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    )
    sent, block = 0, b"x" * 1_000_000
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode())
        connection.settimeout(0.05)
        answer = b""
        until = time.monotonic() + 60
        while sent < announced and not answer and time.monotonic() < until:
            try:
                sent += connection.send(block)
            except TimeoutError:
                pass
            except OSError:
                break
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert least < sent <= most  # what was under way in the sockets comes on top


# --- Sign-in --------------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db


def sign_in(client, password=PASSWORD, **options):
    return client.post("/api/v1/auth/login", {"username": "kari", "password": password}, **options)


@pytest.mark.parametrize("where", ["api", "page", "admin", "password"])
def test_failures_count_together_wherever_they_happen(make_user, where):
    """Four failures elsewhere, the fifth here: locked everywhere for that address, also with the
    right password.
    """
    user = make_user(is_staff=True)
    inside = APIClient()
    inside.force_authenticate(user)
    body = {"current_password": "wrong", "new_password": "another long phrase"}
    wrong = {
        "api": lambda: sign_in(APIClient(), "wrong"),
        "page": lambda: Client().post("/login", {"username": "kari", "password": "wrong"}),
        "admin": lambda: Client().post("/admin/login/", {"username": "kari", "password": "wrong"}),
        "password": lambda: inside.put("/api/v1/users/me/password", body),
    }
    first = [wrong[name]().status_code for name in wrong if name != where]
    assert 429 not in first
    wrong["password" if where != "password" else "api"]()
    assert wrong[where]().status_code == 429

    right = {"username": "kari", "password": PASSWORD}
    for locked in (
        sign_in(APIClient()),
        Client().post("/login", right),
        Client().post("/admin/login/", right),
        inside.put("/api/v1/users/me/password", {**body, "current_password": PASSWORD}),
    ):
        assert locked.status_code == 429
        assert 1 <= int(locked["Retry-After"]) <= 900
        assert locked.cookies.get("sessionid") is None
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert sign_in(APIClient(REMOTE_ADDR="10.1.2.3")).status_code == 200


def test_the_lock_opens_after_fifteen_minutes(user, time_machine):
    time_machine.move_to("2026-03-02T10:00:00Z", tick=False)
    assert [sign_in(APIClient(), "wrong").status_code for _ in range(5)][-1] == 429
    time_machine.move_to("2026-03-02T10:14:59Z", tick=False)
    assert sign_in(APIClient()).status_code == 429
    time_machine.move_to("2026-03-02T10:15:01Z", tick=False)
    assert sign_in(APIClient()).status_code == 200


def test_tokens_are_not_kept_by_anybody_on_the_way(user, anonymous):
    assert sign_in(anonymous)["Cache-Control"] == "no-store"


def test_an_access_token_opens_the_api_for_fifteen_minutes(user, anonymous, time_machine):
    time_machine.move_to("2026-03-02T10:00:00Z", tick=False)
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {sign_in(anonymous).json()['access']}")
    time_machine.move_to("2026-03-02T10:14:59Z", tick=False)
    assert anonymous.get("/api/v1/users/me").status_code == 200
    time_machine.move_to("2026-03-02T10:15:01Z", tick=False)
    assert anonymous.get("/api/v1/users/me").status_code == 401


def segment(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_only_access_tokens_signed_by_this_server_are_accepted(user, anonymous):
    tokens = sign_in(anonymous).json()
    header, claims, signature = tokens["access"].split(".")
    unsigned = f"{segment({'alg': 'none', 'typ': 'JWT'})}.{claims}."
    signed = f"{header}.{claims}"
    other_key = hmac.new(b"another key", signed.encode(), hashlib.sha256).digest()
    forged = f"{signed}.{base64.urlsafe_b64encode(other_key).rstrip(b'=').decode()}"
    for token in (tokens["refresh"], unsigned, forged, f"{signed}.{signature[::-1]}"):
        response = anonymous.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 401
    assert anonymous.post("/api/v1/auth/refresh", {"refresh": tokens["access"]}).status_code == 401


def by_the_user(user):
    client = APIClient()
    client.force_authenticate(user)
    body = {"current_password": PASSWORD, "new_password": "another long phrase"}
    assert client.put("/api/v1/users/me/password", body).status_code == 204


def in_the_admin(user):
    client = Client()
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    form = {
        "password1": "another long phrase",
        "password2": "another long phrase",
        "usable_password": "true",
    }
    assert client.post(f"/admin/users/user/{user.pk}/password/", form).status_code == 302


def on_the_command_line(user):
    with patch("getpass.getpass", return_value="another long phrase"):
        call_command("changepassword", "kari", stdout=StringIO())


@pytest.mark.parametrize("way", [by_the_user, in_the_admin, on_the_command_line])
def test_a_new_password_ends_the_users_sessions_only(user, other_user, way):
    phone, browser, other = APIClient(), Client(), APIClient()
    refresh = sign_in(phone).json()["refresh"]
    browser.force_login(user)
    body = {"username": "ola", "password": PASSWORD}
    of_other = other.post("/api/v1/auth/login", body).json()["refresh"]
    way(user)
    user.refresh_from_db()
    assert user.check_password("another long phrase")
    assert phone.post("/api/v1/auth/refresh", {"refresh": refresh}).status_code == 401
    assert browser.get("/api/v1/users/me").status_code == 401
    assert other.post("/api/v1/auth/refresh", {"refresh": of_other}).status_code == 200


def test_renewing_a_password_hash_at_sign_in_keeps_sessions(user, anonymous, settings):
    settings.PASSWORD_HASHERS = [
        *settings.PASSWORD_HASHERS,
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
    refresh = sign_in(anonymous).json()["refresh"]
    User.objects.filter(pk=user.pk).update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
    assert sign_in(anonymous).status_code == 200
    user.refresh_from_db()
    assert user.password.startswith("md5")  # the tests' preferred hasher: the hash was renewed
    assert anonymous.post("/api/v1/auth/refresh", {"refresh": refresh}).status_code == 200


def test_deactivating_a_user_takes_effect_at_once(user, anonymous):
    tokens = sign_in(anonymous).json()
    User.objects.filter(pk=user.pk).update(is_active=False)
    bearer = {"Authorization": f"Bearer {tokens['access']}"}
    assert anonymous.get("/api/v1/users/me", headers=bearer).status_code == 401
    assert anonymous.post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401
    assert sign_in(anonymous).status_code == 401


# --- What browsers may do -------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://localhost:3000", "null"])
def test_no_other_origin_may_call_unless_it_is_named(client, origin):
    asked = client.options(
        "/api/v1/users/me",
        headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
    )
    answered = client.get("/api/v1/users/me", headers={"Origin": origin})
    for response in (asked, answered):
        assert not [name for name in response.headers if name.startswith("Access-Control-Allow")]


def test_a_named_origin_may_call_the_api_but_never_with_the_cookies_of_the_pages(
    client, user, settings
):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    client.force_login(user)
    headers = {"Origin": "https://app.example.org"}
    response = client.get("/api/v1/users/me", headers=headers)
    assert response["Access-Control-Allow-Origin"] == "https://app.example.org"
    exposed = response["Access-Control-Expose-Headers"].split(", ")
    assert set(exposed) == {"Link", "Retry-After", "Source-Status", "ETag", "X-Request-ID"}
    assert "Access-Control-Allow-Credentials" not in response
    assert "Access-Control-Allow-Origin" not in client.get("/dashboard", headers=headers)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_session_writes_nothing_without_the_pages_token(user, method):
    visitor = Client(enforce_csrf_checks=True)
    visitor.force_login(user)
    path = {
        "post": "/api/v1/portfolios",
        "delete": "/api/v1/portfolios/00000000-0000-4000-8000-000000000000",
    }
    body = json.dumps(
        {
            "name": "Mine",
            "currency": "NOK",
            "retirement_goal_amount": 1,
            "retirement_goal_year": 2050,
        }
    )
    response = getattr(visitor, method)(
        path.get(
            method, "/api/v1/users/me/retirement-goal" if method == "put" else "/api/v1/users/me"
        ),
        body,
        content_type="application/json",
    )
    assert (response.status_code, response.json()["errors"][0]["code"]) == (
        403,
        "permission_denied",
    )
    assert user.portfolios.count() == 0


@pytest.mark.parametrize("path", ["/login", "/admin/login/", "/logout"])
def test_the_forms_of_the_pages_need_their_token(user, path):
    visitor = Client(enforce_csrf_checks=True)
    visitor.force_login(user)
    assert visitor.post(path, {"username": "kari", "password": PASSWORD}).status_code == 403
    assert "_auth_user_id" in visitor.session


def test_a_file_that_is_too_large_is_413_in_the_admin_too(make_user, settings):
    settings.MAX_UPLOAD_BYTES = 1000
    root = make_user("root", is_staff=True, is_superuser=True)
    visitor = Client(raise_request_exception=False)
    visitor.force_login(root)
    portfolio = root.portfolios.create(name="Mine", name_key="mine", currency="NOK")
    file = BytesIO(b"x" * 100_000)
    file.name = "a.csv"
    response = visitor.post(
        f"/admin/portfolios/portfolio/{portfolio.pk}/import/", {"file": file, "format": "auto"}
    )
    assert response.status_code == 413
