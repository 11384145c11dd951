"""Test the error envelope outside of serializers, the request id and log lines."""

import json
import logging

import pytest
import structlog
from django.db import OperationalError
from django.test import Client
from rest_framework.response import Response

from financeproj.core.errors import UpstreamError
from financeproj.core.ops import health
from financeproj.core.ops.logging import logging_config
from financeproj.users.api import views
from financeproj.users.services import issue_tokens

pytestmark = pytest.mark.django_db


def test_an_unknown_path_of_the_api_is_404_in_the_envelope(api):
    response = api.get("/api/v1/nothing")
    assert response.status_code == 404
    assert response.json() == {
        "type": "client_error",
        "errors": [{"code": "not_found", "detail": "This address does not exist.", "attr": None}],
        "request_id": response["X-Request-ID"],
    }


def test_an_unknown_page_is_404_with_a_way_back(client):
    response = client.get("/nothing")
    assert response.status_code == 404
    assert b'href="/">Go to the dashboard</a>' in response.content


@pytest.mark.parametrize(
    ("host", "detail"),
    [
        ("nas.local:8000", "This server does not answer to nas.local. Add it to ALLOWED_HOSTS."),
        ("nas local", "The host name of the request is invalid."),
    ],
)
def test_a_host_name_that_is_not_allowed_is_named(client, settings, host, detail):
    settings.ALLOWED_HOSTS = ["localhost"]
    answer = client.get("/api/v1/currencies", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"code": "bad_request", "detail": detail, "attr": None}]
    page = client.get("/login", headers={"Host": host})
    assert page.status_code == 400
    assert detail in page.content.decode()


@pytest.fixture
def api(api):
    api.raise_request_exception = False
    return api


def raising(monkeypatch, error):
    def fail(self, request):
        raise error

    monkeypatch.setattr(views.MeView, "get", fail)


def test_an_unexpected_error_is_500_without_any_detail(api, monkeypatch):
    raising(monkeypatch, RuntimeError("the password is hunter2"))
    response = api.get("/api/v1/users/me")
    assert response.status_code == 500
    assert response.json()["type"] == "server_error"
    assert b"hunter2" not in response.content
    assert response.json()["request_id"] == response["X-Request-ID"]


def test_a_database_that_stays_locked_is_503_busy(api, monkeypatch):
    raising(monkeypatch, OperationalError("database is locked"))
    response = api.get("/api/v1/users/me")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (503, "busy")
    assert int(response["Retry-After"]) > 0


def test_a_third_party_that_fails_says_when_to_come_back(api, monkeypatch):
    raising(monkeypatch, UpstreamError("The source is closed for now.", retry_after=42))
    response = api.get("/api/v1/users/me")
    assert (response.status_code, response["Retry-After"]) == (503, "42")


def test_a_page_posted_without_csrf_token_is_403(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    response = client.patch(
        "/api/v1/users/me", {"email": "a@example.org"}, content_type="application/json"
    )
    assert response.status_code == 403
    user.refresh_from_db()
    assert user.email == ""


def test_a_session_opens_the_api_too(client, user):
    client.force_login(user)
    assert client.get("/api/v1/users/me").json()["username"] == "kari"


def test_allowed_origins_are_sent_to_the_browser(client, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    allowed = client.get("/api/v1/users/me", headers={"Origin": "https://app.example.org"})
    assert allowed["Access-Control-Allow-Origin"] == "https://app.example.org"
    other = client.get("/api/v1/users/me", headers={"Origin": "https://evil.example.org"})
    assert "Access-Control-Allow-Origin" not in other


@pytest.fixture
def lines():
    """Return what the JSON formatter writes for a record."""
    formatter = logging_config(log_format="json", level="INFO")["formatters"]["line"]
    from structlog.stdlib import ProcessorFormatter

    made = ProcessorFormatter(
        foreign_pre_chain=formatter["foreign_pre_chain"], processors=formatter["processors"]
    )
    written = []

    class Collect(logging.Handler):
        def emit(self, record):
            written.append(json.loads(made.format(record)))

    handler = Collect()
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def test_a_request_is_one_line_with_who_what_and_how_long(client, user, lines):
    client.force_login(user)
    response = client.get("/api/v1/transactions?kind=all")
    (line,) = [line for line in lines if line["event"] == "request_finished"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/transactions", 200)
    assert line["request_id"] == response["X-Request-ID"]
    assert line["user_id"] == str(user.pk)
    assert line["duration_ms"] >= 0
    assert {"time", "level"} <= set(line)


@pytest.mark.parametrize("by", ["token", "session"])
def test_every_line_of_a_request_to_the_api_says_who_asked(client, user, lines, monkeypatch, by):
    def get(self, request):
        structlog.get_logger("test").warning("on_the_way")
        return Response()

    monkeypatch.setattr(views.MeView, "get", get)
    tokens = issue_tokens(user=user, address="127.0.0.1", agent="")
    headers = {"Authorization": f"Bearer {tokens.access_token}"} if by == "token" else {}
    if by == "session":
        client.force_login(user)
    client.get("/api/v1/users/me", headers=headers)
    client.get("/healthz")
    written = {line["event"] + line.get("path", ""): line.get("user_id") for line in lines}
    assert written["on_the_way"] == written["request_finished/api/v1/users/me"] == str(user.pk)
    assert written["request_finished/healthz"] is None


def test_the_line_of_a_portfolio_names_it(client, user, lines):
    client.force_login(user)
    made = client.post(
        "/api/v1/portfolios", {"name": "A", "currency": "NOK"}, content_type="application/json"
    ).json()
    client.get(f"/api/v1/portfolios/{made['id']}")
    assert [line for line in lines if line["event"] == "request_finished"][-1][
        "portfolio_id"
    ] == made["id"]


def test_passwords_tokens_and_keys_never_reach_the_log(client, user, lines, monkeypatch):
    log = structlog.get_logger("test")
    log.warning(
        "careless",
        password="hunter2",
        api_key="k3y",
        header="Bearer abc.def.ghi",
        refresh="r3fresh",
    )

    def fail(*args, **kwargs):
        local_password = "hunter2"
        raise RuntimeError(f"failed with {len(local_password)} characters, Bearer abc.def.ghi")

    monkeypatch.setattr(views, "authenticate", fail)
    client.raise_request_exception = False
    client.post(
        "/api/v1/auth/login",
        {"username": "kari", "password": "hunter2"},
        content_type="application/json",
    )
    text = json.dumps(lines)
    assert "failed with 7 characters" in text
    for secret in ("hunter2", "k3y", "abc.def.ghi", "r3fresh"):
        assert secret not in text


def test_the_process_lives_and_says_what_is_ready(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    response = client.get("/readyz")
    assert response.status_code == 200
    assert {"database": "ok", "cache": "ok", "broker": "ok"}.items() <= response.json().items()


def test_readyz_says_which_part_failed(client, monkeypatch):
    def fail():
        raise OSError("no answer")

    monkeypatch.setitem(health.CHECKS, "broker", fail)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["broker"] == "failed"
    assert response.json()["database"] == "ok"


@pytest.mark.parametrize(
    "path", ["portfolios/", "portfolios/x", "nothing/at/all", "stocks/a%2Fb/price"]
)
def test_an_unknown_path_is_json_also_while_developing(api, anonymous, settings, path):
    settings.DEBUG = True
    for client in (api, anonymous):
        response = client.get(f"/api/v1/{path}")
        assert (response.status_code, response.json()["errors"][0]["code"]) == (404, "not_found")


@pytest.mark.parametrize("header", ["Bearer x.y.z", "Bearer", "Bearer a b c"])
def test_a_bad_token_is_one_error_without_a_field(anonymous, header):
    response = anonymous.get("/api/v1/users/me", headers={"Authorization": header})
    assert response.status_code == 401
    (error,) = response.json()["errors"]
    assert error["attr"] is None


def test_too_many_fields_are_400(api):
    fields = {f"field{number}": "x" for number in range(1500)}
    assert (
        api.post("/api/v1/transactions/import-csv", fields, format="multipart").status_code == 400
    )
