"""Test that costly requests run a few at once, and leave the server to the others."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import requests
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from financeproj.core.shared import heavy_requests
from financeproj.core.shared.locks import change
from integrations import heartbeat
from integrations.imports import queue
from portfolios.models import ImportBatch, PendingImport, Transaction
from tests.servers.processes import installation  # noqa: F401  (a fixture)
from tests.timing import SLACK

API = "/api/v1"
IMPORT = f"{API}/transactions/import-csv"
FILE = b"date,type,ticker,quantity,price\n2024-01-02,buy,ATLAS.DEMO,10,5\n"

pytestmark = pytest.mark.django_db


@pytest.fixture
def portfolio(user):
    return user.portfolios.create(name="Mine", name_key="mine", currency="NOK")


@pytest.fixture
def held(user, portfolio, api):
    """A holding, bought before all leases are taken."""
    body = {"file": SimpleUploadedFile("a.csv", FILE), "portfolio_id": str(portfolio.pk)}
    assert api.post(IMPORT, body, format="multipart").status_code == 201
    return portfolio.holdings.get()


def take_leases(monkeypatch, *users):
    """Take a lease for each of `users`, as other requests that run for a minute."""
    monkeypatch.setattr(heavy_requests, "WAIT_SECONDS", 0)
    until = time.time() + heavy_requests.LEASE_SECONDS
    held = {f"token {number}": (str(user.pk), until) for number, user in enumerate(users)}
    change("heavy-requests", lambda _: held, timeout_seconds=60)
    monkeypatch.setattr(heavy_requests, "LEASE_SECONDS", 60)


def costly_paths(portfolio, holding):
    return [
        f"{API}/holdings/{holding.pk}/explain",
        f"{API}/portfolios/{portfolio.pk}/performance/explain",
        f"{API}/net-worth/explain",
        f"{API}/pension/projection?simulations=10",
        f"{API}/goal",
        f"{API}/export",
        f"{API}/transactions/export.csv",
    ]


def test_a_third_costly_request_of_a_user_is_429_with_the_time_to_wait(
    api, other_api, user, portfolio, held, monkeypatch
):
    take_leases(monkeypatch, user, user)
    for path in costly_paths(portfolio, held):
        response = api.get(path)
        assert response.status_code == 429, path
        assert response.json()["type"] == "client_error"
        assert response.json()["errors"] == [
            {
                "code": "too_many_at_once",
                "detail": "Too many costly requests are running. Try again in a few seconds.",
                "attr": None,
            }
        ]
        assert response["Retry-After"] == "5"
    assert other_api.get(f"{API}/goal").status_code == 200


def test_a_refused_import_writes_nothing(api, user, portfolio, held, monkeypatch):
    take_leases(monkeypatch, user, user)
    before = list(Transaction.objects.values()), list(ImportBatch.objects.values())
    for dry_run in ("true", "false"):
        body = {"file": SimpleUploadedFile("b.csv", FILE.replace(b"10,5", b"7,5"))}
        body |= {"portfolio_id": str(portfolio.pk), "dry_run": dry_run}
        response = api.post(IMPORT, body, format="multipart")
        assert response.status_code == 429
        assert response.json()["errors"][0]["code"] == "too_many_at_once"
    assert before == (list(Transaction.objects.values()), list(ImportBatch.objects.values()))
    assert PendingImport.objects.count() == 0


def test_requests_that_cost_little_need_no_lease(api, user, portfolio, held, monkeypatch):
    user.retirement_goal_amount, user.retirement_goal_year = Decimal(1_000_000), 2060
    user.save()
    take_leases(monkeypatch, user, user, user, user)
    for path in (
        "/dashboard",
        "/portfolios",
        f"/portfolios/{portfolio.pk}/performance",
        f"/holdings/{held.pk}/transactions",
        "/pension/projection",
        "/net-worth",
        "/timeline",
        "/users/me",
    ):
        assert api.get(API + path).status_code == 200, path


def test_a_lease_is_given_back_after_each_answer(api, portfolio, held, monkeypatch):
    monkeypatch.setattr(heavy_requests, "WAIT_SECONDS", 0)
    for path in costly_paths(portfolio, held):
        for _ in range(3):
            response = api.get(path)
            assert response.status_code == 200, path
    assert not change("heavy-requests", lambda held: held, timeout_seconds=60)


def test_an_export_whose_answer_is_not_read_yet_holds_no_lease(api, held, monkeypatch):
    """It goes to a file first: the lease has ended before the first byte is sent."""
    for path in ("/export", "/transactions/export.csv"):
        response = api.get(API + path)
        assert response.status_code == 200
        assert not change("heavy-requests", lambda held: held, timeout_seconds=60)
        assert len(response.getvalue()) == int(response["Content-Length"]) > 0


def test_the_admins_export_takes_a_lease_too(user, held, monkeypatch):
    user.is_staff = user.is_superuser = True
    user.save()
    admin = Client()
    admin.force_login(user)
    keys = [str(pk) for pk in Transaction.objects.values_list("pk", flat=True)]
    form = {"action": "export_csv", "_selected_action": keys}
    answer = admin.post("/admin/portfolios/transaction/", form)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert not change("heavy-requests", lambda held: held, timeout_seconds=60)

    take_leases(monkeypatch, user, user)
    answer = admin.post("/admin/portfolios/transaction/", form, follow=True)
    assert [str(message) for message in answer.context["messages"]] == [
        "Too many costly requests are running. Try again in a few seconds."
    ]


# --- The worker -----------------------------------------------------------------------------------


def test_an_import_that_gets_no_lease_goes_to_the_worker(
    api, user, portfolio, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(heartbeat, "worker_is_alive", lambda: True)
    monkeypatch.setattr("integrations.imports.tasks.enqueue_on_commit", lambda *args: None)
    take_leases(monkeypatch, user, user)
    body = {"file": SimpleUploadedFile("a.csv", FILE), "portfolio_id": str(portfolio.pk)}
    response = api.post(IMPORT, body, format="multipart")
    assert response.status_code == 202
    assert response.json()["state"] == "running"
    assert Transaction.objects.count() == 0

    [pk] = queue.waiting_imports()
    assert queue.run_import(pk).is_saved  # work in the worker takes no lease
    done = api.get(f"{API}/imports/{pk}").json()
    assert (done["state"], done["format"], done["encoding"], done["delimiter"]) == (
        "done", "generic", "utf-8", ",",
    )  # fmt: skip
    assert (done["rows"], done["created"]) == (1, 1)
    assert Transaction.objects.count() == 1


def test_a_file_that_the_worker_cannot_read_fails_there(api, user, portfolio, monkeypatch):
    monkeypatch.setattr(heartbeat, "worker_is_alive", lambda: True)
    monkeypatch.setattr("integrations.imports.tasks.enqueue_on_commit", lambda *args: None)
    take_leases(monkeypatch, user, user)
    body = {"file": SimpleUploadedFile("a.csv", b"nothing\n"), "portfolio_id": str(portfolio.pk)}
    assert api.post(IMPORT, body, format="multipart").status_code == 202
    [pk] = queue.waiting_imports()
    assert queue.run_import(pk) is None
    failed = api.get(f"{API}/imports/{pk}").json()
    assert failed["state"] == "failed"
    assert [error["code"] for error in failed["errors"]] == ["unknown_format"]
    assert queue.waiting_imports() == []


# --- On a real server -----------------------------------------------------------------------------


def test_sixteen_simulations_at_once_leave_the_server_to_others(installation):
    """They once took 85 seconds, without an answer to anything else."""
    installation.start_web()
    session = installation.sign_in()
    projection = f"{installation.url}{API}/pension/projection?years=100&simulations=10000"

    def simulate(_):
        begun = time.monotonic()
        answer = session.get(projection, timeout=120)
        return answer, time.monotonic() - begun

    health = []
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(simulate, number) for number in range(16)]
        while not all(one.done() for one in asked):
            begun = time.monotonic()
            assert requests.get(f"{installation.url}/healthz", timeout=60).ok
            health.append(time.monotonic() - begun)
            time.sleep(0.05)
    answers = [one.result() for one in asked]
    assert {answer.status_code for answer, _ in answers} <= {200, 429}
    served = [answer for answer, _ in answers if answer.status_code == 200]
    refused = [(answer, seconds) for answer, seconds in answers if answer.status_code == 429]
    assert len(served) >= 2
    assert len(refused) >= 10  # of the ten threads that may wait, a user has six
    for answer, seconds in refused:
        assert answer.json()["errors"][0]["code"] == "too_many_at_once"
        assert answer.headers["Retry-After"] == "5"
        assert seconds < 5 + 2 * SLACK
    assert max(health) < 1 * SLACK


def test_a_killed_process_gives_its_leases_back(installation):
    installation.start_web()
    session = installation.sign_in()
    code = (
        "import time;"
        "from financeproj.core.shared.locks import change;"
        "from financeproj.users.models import User;"
        "user = str(User.objects.get().pk);"
        "until = time.time() + 6;"
        "change('heavy-requests', lambda _: {'x': [user, until], 'y': [user, until]},"
        " timeout_seconds=6)"
    )
    installation.shell(code)  # as a process leaves them that is killed
    begun = time.monotonic()
    first = session.get(f"{installation.url}{API}/goal", timeout=30)
    assert first.status_code in (429, 200)
    while session.get(f"{installation.url}{API}/goal", timeout=30).status_code != 200:
        assert time.monotonic() - begun < 6 + 5 * SLACK
