"""Test large files in the worker: queued, done by one worker, finished or given up."""

import time

import pytest

from integrations import heartbeat
from integrations.conftest import csv
from integrations.imports import queue
from integrations.imports.tasks import resume_imports, run_import
from portfolios.models import Holding, ImportBatch, PendingImport, Transaction

pytestmark = pytest.mark.django_db

MANY = csv(
    *(f"2024-01-02,buy,FJORD.DEMO,1,{price}" for price in range(1, queue.ROWS_IN_A_REQUEST + 2))
)
BAD = MANY + b"\n2024-01-03,sell,FJORD.DEMO,999999,1,,,,,"


@pytest.fixture
def woken(monkeypatch):
    """Collect the imports sent to a worker, in place of a broker."""
    sent = []
    monkeypatch.setattr(run_import, "delay", sent.append)
    return sent


@pytest.fixture
def queued(upload, woken, django_capture_on_commit_callbacks):
    """Send a large file while a worker is running."""

    def send(data=MANY, **fields):
        heartbeat.note_worker()
        with django_capture_on_commit_callbacks(execute=True):
            response = upload(data=data, **fields)
        assert response.status_code == 202
        return response.json()

    return send


@pytest.mark.untraced
def test_without_a_worker_a_big_file_is_done_in_the_request(upload, woken):
    body = upload.done(data=MANY)
    assert (body["state"], body["created"], woken) == ("done", 5001, [])


@pytest.mark.untraced
def test_a_file_of_5000_rows_is_done_in_the_request(upload, woken):
    heartbeat.note_worker()
    assert upload.done(data=MANY.rsplit(b"\n", 1)[0])["created"] == 5000
    assert woken == []


def test_rows_that_are_not_recorded_count_among_the_5000_too(queued, woken):
    lines = MANY.split(b"\n")
    lines[1] = b"2024-01-02,buy,FJORD.DEMO,nothing,1,,,,,"
    body = queued(b"\n".join(lines), on_error="skip")
    assert woken == [body["id"]]


def test_a_big_file_waits_for_the_worker_and_is_done_once(queued, api, woken):
    body = queued()
    assert (body["state"], body["progress"], body["created"], body["file_name"]) == (
        "running",
        0,
        0,
        "trades.csv",
    )
    assert woken == [body["id"]]
    assert not Transaction.objects.exists()
    run_import(body["id"])
    run_import(body["id"])
    done = api.get(f"/api/v1/imports/{body['id']}").json()
    assert (done["state"], done["progress"], done["rows"], done["created"]) == (
        "done",
        1,
        5001,
        5001,
    )
    assert Transaction.objects.filter(import_batch=body["id"]).count() == 5001
    assert Holding.objects.get().current_quantity == 5001
    assert not PendingImport.objects.exists()


@pytest.mark.untraced
def test_row_errors_of_a_worker_are_in_the_language_of_the_reader(queued, api):
    body = queued(BAD, on_error="skip")
    run_import(body["id"])
    path = f"/api/v1/imports/{body['id']}"
    [english] = api.get(path).json()["errors"]
    [norwegian] = api.get(path, headers={"accept-language": "nb"}).json()["errors"]
    assert english["detail"] == "FJORD.DEMO: 999999 requested, 5001 held on 2024-01-03."
    assert norwegian["detail"] == "FJORD.DEMO: 999999 kreves, men bare 5001 eies 2024-01-03."
    assert {**norwegian, "detail": ""} == {**english, "detail": ""}


@pytest.mark.untraced
def test_options_of_the_request_are_stored_with_the_file(queued):
    data = MANY.replace(b"2024-01-02", b"01/02/2024")
    body = queued(data, date_format="mdy", on_error="skip")
    run_import(body["id"])
    assert set(Transaction.objects.values_list("date__month", flat=True)) == {1}


@pytest.mark.untraced
def test_a_bad_row_refuses_the_whole_file_in_the_background_too(queued, api):
    body = queued(BAD)
    run_import(body["id"])
    failed = api.get(f"/api/v1/imports/{body['id']}").json()
    assert (failed["state"], [error["code"] for error in failed["errors"]]) == (
        "failed",
        ["insufficient_quantity"],
    )
    assert not Transaction.objects.exists()
    assert not PendingImport.objects.exists()


def test_a_file_that_cannot_be_used_is_refused_at_once(upload, woken):
    heartbeat.note_worker()
    response = upload(data=MANY.replace(b"ticker", b"paper", 1))
    assert response.status_code == 422
    assert not ImportBatch.objects.exists()


def test_a_dry_run_never_waits(upload, woken):
    heartbeat.note_worker()
    response = upload(data=MANY, dry_run="true")
    assert (response.status_code, response.json()["created"], woken) == (200, 5001, [])


@pytest.mark.untraced
def test_a_lease_is_respected_until_its_holder_dies(queued, woken, monkeypatch):
    body = queued()
    assert queue._hold(body["id"], "another worker")
    run_import(body["id"])
    assert not Transaction.objects.exists()
    assert PendingImport.objects.get().attempts == 0
    with monkeypatch.context() as soon:
        soon.setattr(queue, "LEASE_SECONDS", 0.01)
        assert queue._hold(body["id"], "another worker")  # its last sign of life
    time.sleep(0.05)
    resume_imports()
    assert woken == [body["id"]] * 2
    run_import(body["id"])
    assert ImportBatch.objects.get().state == "done"


def test_the_progress_of_a_worker_is_shown(queued, api):
    body = queued()
    queue._note_progress(body["id"], "a worker", 0.4)
    assert api.get(f"/api/v1/imports/{body['id']}").json()["progress"] == 0.4


def test_after_three_attempts_without_an_end_it_is_given_up(queued, api):
    body = queued()
    PendingImport.objects.update(attempts=3)
    run_import(body["id"])
    failed = api.get(f"/api/v1/imports/{body['id']}").json()
    assert (failed["state"], [error["code"] for error in failed["errors"]]) == (
        "failed",
        ["gave_up"],
    )
    assert not PendingImport.objects.exists()


def test_a_running_import_cannot_be_undone(queued, api):
    body = queued()
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 409
    assert PendingImport.objects.exists()


def test_a_portfolio_deleted_meanwhile_takes_its_import_along(queued, api, portfolio):
    body = queued()
    assert api.delete(f"/api/v1/portfolios/{portfolio.pk}").status_code == 204
    run_import(body["id"])
    assert not PendingImport.objects.exists()
