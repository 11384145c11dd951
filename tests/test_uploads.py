"""Test that refused uploads leave no file on the server."""

import os
import signal
import socket
import time
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

import pytest
import requests
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.http import HttpResponse
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from conftest import PASSWORD, api_client
from financeproj.core.ops.uploads import bounded_bodies
from tests.servers.processes import installation  # noqa: F401  (a fixture)

IMPORT = "/api/v1/transactions/import-csv"
FILE = b"date,type,ticker,quantity,price\n2024-01-02,buy,ATLAS.DEMO,10,5\n"
MULTIPART = "multipart/form-data; boundary=edge"
TOO_LARGE = "The request is too large. JSON is limited to 2.5 MB, a file to 20 MB."

pytestmark = pytest.mark.django_db


def file(data: bytes = FILE) -> SimpleUploadedFile:
    return SimpleUploadedFile("a.csv", data)


@pytest.fixture
def folder(settings, tmp_path) -> Path:
    """Where uploads go in this test."""
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    return tmp_path


@pytest.fixture
def written():
    """The names of all temporary files that are begun."""
    names = []
    begin = TemporaryUploadedFile.__init__

    def note(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        names.append(self.temporary_file_path())

    with patch.object(TemporaryUploadedFile, "__init__", note):
        yield names


@pytest.fixture
def portfolio(user):
    return user.portfolios.create(name="Mine", name_key="mine", currency="NOK")


# --- By the stated length, before anything is read ------------------------------------------------


class Unread:
    """A body that must not be read."""

    def read(self, *args):
        raise AssertionError("The body was read.")

    readline = __iter__ = read


@pytest.mark.parametrize(
    "path", ["/api/v1/portfolios", IMPORT, "/api/v1/auth/login", "/api/nothing"]
)
@pytest.mark.parametrize(
    ("content_type", "length"),
    [("application/json", 2_500_001), (MULTIPART, 21_000_001), ("text/plain", 10**12), ("", 2_500_001)],
)  # fmt: skip
def test_a_request_that_states_too_many_bytes_is_413_before_it_is_read(
    user, path, content_type, length
):
    body = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(length), "CONTENT_TYPE": content_type}
    for client in (APIClient(), api_client(user)):
        response = client.generic("POST", path, **body)
        assert response.status_code == 413
        answer = response.json()
        assert answer["type"] == "client_error"
        assert answer["errors"] == [{"code": "too_large", "detail": TOO_LARGE, "attr": None}]
        assert answer["request_id"] == response["X-Request-ID"]


@pytest.mark.parametrize("path", ["/login", "/admin/login/", "/admin/", "/nothing"])
def test_on_the_pages_and_in_the_admin_it_is_a_page(path):
    body = {"wsgi.input": Unread(), "CONTENT_LENGTH": "21000001", "CONTENT_TYPE": MULTIPART}
    response = Client().generic("POST", path, **body)
    assert response.status_code == 413
    assert TOO_LARGE in response.content.decode()


def test_a_refused_body_is_read_and_dropped_after_the_answer():
    body = BytesIO(b"x" * 2_600_000)
    request = RequestFactory().generic(
        "POST", "/api/v1/portfolios", content_type="application/json",
        **{"wsgi.input": body, "CONTENT_LENGTH": "2600000"},
    )  # fmt: skip
    response = bounded_bodies(lambda request: HttpResponse())(request)
    assert (response.status_code, body.tell()) == (413, 0)
    response.close()
    assert body.tell() == 2_600_000


def test_a_body_of_just_the_limit_is_read(api):
    for length, status in ((2_500_000, 422), (2_500_001, 413)):
        body = b'{"name": "' + b"x" * (length - 12) + b'"}'
        assert len(body) == length
        response = api.generic("POST", "/api/v1/portfolios", body, "application/json")
        assert response.status_code == status


def test_a_length_that_is_none_counts_as_nothing(api):
    response = api.generic(
        "POST", "/api/v1/portfolios", b"", "application/json", CONTENT_LENGTH="x"
    )
    assert response.status_code in (400, 422)


# --- Strangers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/login", "/admin/login/", "/admin/", IMPORT, "/api/v1/portfolios", "/api/v1/auth/login", "/nothing"]
)  # fmt: skip
@pytest.mark.parametrize("checked", [True, False])
def test_no_file_of_a_stranger_is_written(path, checked, folder, written):
    visitor = Client(enforce_csrf_checks=checked, raise_request_exception=False)
    response = visitor.post(path, {"username": "kari", "password": PASSWORD, "file": file()})
    assert response.status_code in (302, 401, 403, 404, 415)
    assert written == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("token", ["Bearer none", "Bearer ", "Basic a2FyaTpwdw=="])
def test_a_wrong_token_writes_no_file_either(token, folder, written):
    answer = Client().post(IMPORT, {"file": file()}, headers={"Authorization": token})
    assert answer.status_code == 401
    assert written == []


def test_a_form_without_a_file_signs_in_as_multipart_too(user, folder):
    visitor = Client()
    response = visitor.post("/login", {"username": user.username, "password": PASSWORD})
    assert response.status_code == 302
    assert "_auth_user_id" in visitor.session


# --- Users ----------------------------------------------------------------------------------------


def token_of(user) -> str:
    body = {"username": user.username, "password": PASSWORD}
    answer = APIClient().post("/api/v1/auth/login", body)
    return f"Bearer {answer.json()['access']}"


def test_a_user_with_a_token_or_a_session_uploads_and_nothing_stays(
    user, portfolio, folder, written
):
    body = {"portfolio_id": str(portfolio.pk), "dry_run": "true"}
    by_token = Client(headers={"Authorization": token_of(user)})
    by_session = Client()
    by_session.force_login(user)
    for client in (by_token, by_session):
        response = client.post(IMPORT, {**body, "file": file()})
        assert response.status_code == 200, response.json()
        assert response.json()["created"] == 1
    assert len(written) == 2
    assert list(folder.iterdir()) == []


def test_files_that_are_too_large_together_are_refused_and_deleted_at_once(
    user, portfolio, folder, written, settings
):
    settings.MAX_UPLOAD_BYTES = 250_000
    body = {"file": file(b"x" * 100_000), "b": file(b"x" * 100_000), "c": file(b"x" * 100_000)}
    client = Client(headers={"Authorization": token_of(user)}, raise_request_exception=False)
    response = client.post(IMPORT, {"portfolio_id": str(portfolio.pk), **body})
    assert response.status_code == 413
    assert response.json()["errors"][0]["code"] == "too_large"
    assert len(written) == 3
    assert list(folder.iterdir()) == []


def test_an_upload_that_breaks_off_or_fails_leaves_nothing(user, folder, written):
    """Whatever goes wrong while a file comes in, it is deleted with the request."""
    client = Client(headers={"Authorization": token_of(user)}, raise_request_exception=False)
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    for data in (
        head + b"x" * 200_000,
        head + b"x" * 200_000 + b"\r\n--edge\r\nContent-Disposition",
    ):
        client.generic("POST", IMPORT, data, MULTIPART)

    class Broken:
        def __init__(self):
            self.parts = [head + b"x" * 100_000, b"x" * 100_000]

        def read(self, size=None):
            if not self.parts:
                raise OSError("The client went away.")
            return self.parts.pop(0)

        readline = read

    client.generic(
        "POST", IMPORT, **{"wsgi.input": Broken(), "CONTENT_LENGTH": "900000", "CONTENT_TYPE": MULTIPART}
    )  # fmt: skip
    assert len(written) == 3
    assert list(folder.iterdir()) == []


# --- On a real server -----------------------------------------------------------------------------


def begin_upload(url: str, path: str, length: int, *headers: str) -> socket.socket:
    """Send the head of a multipart request and the first 500,000 bytes of its file."""
    host, port = url.removeprefix("http://").split(":")
    part = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    lines = [
        f"POST {path} HTTP/1.1", f"Host: {host}:{port}", f"Content-Type: {MULTIPART}", f"Content-Length: {length}",
        *headers, "", "",
    ]  # fmt: skip
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall("\r\n".join(lines).encode() + part + b"x" * 500_000)
    return connection


def status_of(connection: socket.socket) -> int:
    """The status of the answer; 0 if the server closed without one that could be read."""
    try:
        line = connection.recv(65_536).split(b"\r\n")[0]
    except ConnectionError:
        return 0
    finally:
        connection.close()
    return int(line.split()[1]) if line else 0


def test_the_server_keeps_nothing_of_what_it_refuses(installation):
    installation.start_web()
    folder = installation.place / "uploads"
    authorization = f"Authorization: {installation.sign_in().headers['Authorization']}"

    # Announced as too large: refused at once, though the rest of the body never comes.
    start = time.monotonic()
    for path in ("/login", "/admin/login/", IMPORT):
        connection = begin_upload(installation.url, path, 21_000_001, authorization)
        assert status_of(connection) in (413, 0)
    assert time.monotonic() - start < 10
    large = requests.post(
        installation.url + IMPORT, data=b"", headers={"Content-Length": "2500001"}, timeout=30
    )
    assert large.status_code == 413
    assert large.json()["errors"][0]["code"] == "too_large"

    # 60 strangers with 20.5 MB each, as once filled the disk.
    seen = []
    connections = []
    for number in range(60):
        path = ("/login", "/admin/login/", IMPORT)[number % 3]
        connections.append(begin_upload(installation.url, path, 20_500_000))
        seen += folder.iterdir()
    statuses = [status_of(connection) for connection in connections]
    seen += folder.iterdir()
    assert set(statuses) <= {401, 403, 429, 0}  # the forms of sign-in are throttled too
    assert seen == []

    # A user's is written while it comes in, and goes with the connection.
    connection = begin_upload(installation.url, IMPORT, 20_500_000, authorization)
    installation.wait_for(lambda: list(folder.iterdir()), "the file of the upload")
    connection.close()
    installation.wait_for(lambda: not list(folder.iterdir()), "the end of the upload")


def test_uploads_of_a_killed_server_go_when_it_starts_and_never_with_a_renewed_worker(installation):
    folder = installation.place / "uploads"
    folder.mkdir()
    left = folder / "tmpleft.upload.csv"
    left.write_bytes(FILE)
    installation.start_web()
    assert not left.exists()

    left.write_bytes(FILE)  # of an upload that another worker receives
    master = installation.processes[-1]
    children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
    workers = set(children.read_text().split())
    for worker in workers:
        os.kill(int(worker), signal.SIGKILL)
    installation.wait_for(lambda: set(children.read_text().split()) - workers, "another worker")
    installation.wait_for(
        lambda: requests.get(f"{installation.url}/healthz", timeout=5).ok, "the renewed worker"
    )
    assert left.read_bytes() == FILE

    installation.kill(master)
    installation.start_web()
    assert not left.exists()
