"""Test the defences behind the first: headers, odd requests, a clock set back."""

import re
import socket
from pathlib import Path

import pytest
from django.contrib.auth.hashers import get_hasher
from django.test import Client
from rest_framework.test import APIClient
from rest_framework_simplejwt.settings import api_settings

from conftest import PASSWORD
from tests.servers.processes import installation  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(user):
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def tokens(**credentials):
    body = {"username": "kari", "password": PASSWORD, **credentials}
    return APIClient().post("/api/v1/auth/login", body)


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/login", "/dashboard", "/api/v1/users/me", "/healthz", "/nothing", "/api/v1/nothing"]
)
def test_every_answer_denies_features_that_no_page_uses(client, path):
    features = client.get(path)["Permissions-Policy"].split(", ")
    assert {"camera=()", "geolocation=()", "microphone=()", "payment=()"} <= set(features)
    assert all(feature.endswith("=()") for feature in features)


@pytest.mark.parametrize("path", ["/api/v1/export", "/api/v1/transactions/export.csv"])
def test_no_export_is_stored_on_its_way(visitor, user, path):
    user.portfolios.create(name="Mine", currency="NOK")
    response = visitor.get(path)
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")


def test_tokens_are_not_stored_on_their_way(user):
    signed_in = tokens()
    renewed = APIClient().post("/api/v1/auth/refresh", {"refresh": signed_in.json()["refresh"]})
    assert [signed_in.status_code, renewed.status_code] == [200, 200]
    assert [signed_in["Cache-Control"], renewed["Cache-Control"]] == ["no-store", "no-store"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/users/me", 200),
        ("/api/v1/portfolios", 200),
        ("/api/v1/portfolios/00000000-0000-4000-8000-000000000000", 404),
        ("/api/v1/transactions/export.csv?portfolio_id=mine", 400),
    ],
)
def test_other_answers_to_a_signed_in_person_are_private(visitor, user, path, status):
    bearer = {"Authorization": f"Bearer {tokens().json()['access']}"}
    for response in (visitor.get(path), APIClient().get(path, headers=bearer)):
        assert response.status_code == status
        assert response["Cache-Control"] == "private, no-cache"


def test_answers_to_anybody_have_no_such_header(client):
    assert "Cache-Control" not in client.get("/healthz")


# --- Requests that were 500 -----------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/login", "/login?next=/login", "/login?a=b#c"])
def test_signing_in_twice_leads_to_the_dashboard(visitor, address):
    response = visitor.get("/login", {"next": address})
    assert (response.status_code, response["Location"]) == (302, "/dashboard")
    assert visitor.get("/login", {"next": "/pension"})["Location"] == "/pension"


def test_a_sign_in_with_the_sign_in_page_as_target_leads_to_the_dashboard(client, user):
    body = {"username": "kari", "password": PASSWORD, "next": "/login"}
    response = client.post("/login", body)
    assert (response.status_code, response["Location"]) == (302, "/dashboard")


FIRST_CALLS = """
import threading
import django
django.setup()
from django.test import Client

statuses = []
start = threading.Barrier(6)

def call():
    client = Client(raise_request_exception=False, SERVER_NAME="127.0.0.1")
    start.wait()
    statuses.append(client.get("/api/schema").status_code)

threads = [threading.Thread(target=call) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(statuses)
"""


def test_parallel_first_calls_of_the_schema_all_get_it(installation):
    installation.environment["LOG_LEVEL"] = "CRITICAL"
    printed = installation.python("-c", FIRST_CALLS).strip().splitlines()[-1]
    assert printed == str([200] * 6)


# --- What a client may not choose -----------------------------------------------------------------


def raw(url, head):
    """Send the lines of a request as they are. Return the whole answer."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer.decode()


@pytest.mark.parametrize(
    "header",
    ["SCRIPT_NAME: /dashboard", "PATH_INFO: /healthz", "SCRIPT-NAME: /x", "SCRIPT_URL: /x/login"],
)
def test_no_header_moves_the_application(installation, header):
    installation.start_web()
    head = ["GET /dashboard HTTP/1.1", "Host: 127.0.0.1", "Connection: close", header]
    answer = raw(installation.url, head)
    assert answer.startswith("HTTP/1.1 302 ")
    assert "\r\nLocation: /login?next=/dashboard\r\n" in answer


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "SCRIPT_URL", "REDIRECT_URL"])
def test_no_variable_of_a_server_moves_the_application(client, name):
    response = client.get("/dashboard", **{name: "/evil/dashboard"})
    assert response["Location"] == "/login?next=/dashboard"


# --- Passwords and keys ---------------------------------------------------------------------------


@pytest.mark.parametrize("username", ["kari", "unknown"])
def test_a_known_and_an_unknown_name_cost_one_hash(user, client, monkeypatch, username):
    hashed = []
    hasher = get_hasher()
    encode = type(hasher).encode

    def counted(self, password, salt, *args):
        hashed.append(password)
        return encode(self, password, salt, *args)

    monkeypatch.setattr(type(hasher), "encode", counted)
    answer = APIClient().post("/api/v1/auth/login", {"username": username, "password": "wrong"})
    assert answer.status_code == 401
    assert hashed == ["wrong"]


def test_a_new_secret_key_signs_out_everyone_and_changes_nothing_else(visitor, user, settings):
    portfolio = user.portfolios.create(name="Mine", currency="NOK")
    # Tokens of another key are refused (test_security.py).
    assert api_settings.SIGNING_KEY == settings.SECRET_KEY
    settings.SECRET_KEY = "another key of fifty characters, as the server needs"
    assert visitor.get("/dashboard").status_code == 302
    visitor.post("/login", {"username": "kari", "password": PASSWORD})
    [kept] = visitor.get("/api/v1/portfolios").json()
    assert kept["id"] == str(portfolio.pk)


def test_a_name_is_text_on_a_page(visitor, user):
    name = "<script>alert(1)</script>"
    portfolio = user.portfolios.create(name=name, currency="NOK")
    page = visitor.get(f"/portfolios/{portfolio.pk}").content.decode()
    assert name not in page
    user.username = name
    user.save()
    page = visitor.get("/settings").content.decode()
    assert name not in page
    assert "&lt;script&gt;alert(1)" in page


# --- Tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_bearer_is_understood_in_any_case(user, scheme):
    access = tokens().json()["access"]
    header = {"Authorization": f"{scheme} {access}"}
    assert APIClient().get("/api/v1/users/me", headers=header).status_code == 200
    for wrong in (scheme, f"{scheme} {access} more", f"{scheme} nothing", f"Token {access}"):
        header = {"Authorization": wrong}
        assert APIClient().get("/api/v1/users/me", headers=header).status_code == 401


def test_a_clock_set_back_refuses_no_token(user, time_machine):
    time_machine.move_to("2026-03-02T10:00:00Z", tick=False)
    issued = tokens().json()
    time_machine.move_to("2026-03-02T09:00:00Z", tick=False)
    header = {"Authorization": f"Bearer {issued['access']}"}
    assert APIClient().get("/api/v1/users/me", headers=header).status_code == 200
    renewed = APIClient().post("/api/v1/auth/refresh", {"refresh": issued["refresh"]})
    assert renewed.status_code == 200
    time_machine.move_to("2026-03-02T10:15:01Z", tick=False)
    assert APIClient().get("/api/v1/users/me", headers=header).status_code == 401


# --- What is documented and pinned ----------------------------------------------------------------

ROOT = Path(__file__).resolve().parent.parent


def test_every_action_of_the_workflows_is_pinned_by_its_hash():
    files = list((ROOT / ".github" / "workflows").glob("*.yml"))
    used = [line.split("uses:")[1] for file in files for line in uses(file)]
    assert used
    for action in used:
        assert re.fullmatch(r" [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+(\.\d+)*", action), action


def uses(file):
    return [line for line in file.read_text().splitlines() if "uses:" in line]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned_by_its_hash(name):
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    for line in lines:
        assert "==" in line, line
        assert "--hash=sha256:" in line, line


def test_known_holes_in_packages_and_our_own_code_are_looked_for():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert re.search(rf"pip-audit==[\d.]+ --require-hashes .*{name}\n", workflow)
    makefile = (ROOT / "Makefile").read_text()
    check = makefile[makefile.index("\ncheck:") : makefile.index("\n## make openapi")]
    apps = "financeproj marketdata portfolios pensions integrations"
    assert re.search(rf"bandit .*--recursive {apps}\n", check)
    assert "manage.py check --deploy --fail-level WARNING\n" in check


def test_every_defence_ends_with_the_test_that_holds_it():
    text = (ROOT / "SECURITY.md").read_text()
    table = text[text.index("| attacker |") : text.index("## What is not protected")]
    rows = [line for line in table.splitlines()[2:] if line]
    assert len(rows) > 20
    for row in rows:
        assert re.search(
            r"test_\w+\.py`\)(, the pages with both \(`tests/test_pages.py`\))?\. \|$", row
        ), row


def test_security_names_tests_that_exist():
    named = re.findall(r"`([\w/]+/test_\w+\.py)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []
