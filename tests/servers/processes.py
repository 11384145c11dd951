"""Start the project's processes for a test, with a database and a folder of their own."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings

from tests.servers import emptying

ROOT = Path(settings.BASE_DIR)
PASSWORD = "correct horse battery"


class Installation:
    """One installation of the project; `environment` has additional variables for its processes."""

    def __init__(self, place: Path, database_url: str, **environment: str) -> None:
        self.place = place
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("COV_", "PYTEST_"))
            },
            "DJANGO_SETTINGS_MODULE": "tests.servers.settings",
            "TEST_PLACE": str(place),
            "DATABASE_URL": database_url,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "servers" / "site"), str(ROOT)]),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DEBUG": "false",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL": "false",
            "THROTTLE_USER": "1000000/min",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            **environment,
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.url = ""
        self._shell: subprocess.Popen[str] | None = None
        self._shell_environment: dict[str, str] = {}

    def manage(
        self, *args: str, check: bool = True, environment: dict[str, str] | None = None
    ) -> str:
        """Run a management command to its end. Return its output."""
        return self.python("manage.py", *args, check=check, environment=environment)

    def python(
        self, *args: str, check: bool = True, environment: dict[str, str] | None = None
    ) -> str:
        """Run a Python program to its end. Return its output."""
        done = subprocess.run(
            [sys.executable, *args],
            cwd=ROOT,
            env=environment or self.environment,
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise AssertionError(f"{args}: {done.stdout}{done.stderr}")
        return done.stdout

    def shell(self, code: str) -> str:
        """Run a piece of Python in one shared process (shell.py). Return its output."""
        if self._shell is None or self._shell_environment != self.environment:
            self._end_shell()
            self._shell_environment = dict(self.environment)
            with (self.place / "shell.log").open("ab") as log:
                self._shell = subprocess.Popen(
                    [sys.executable, "tests/servers/shell.py"],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(json.dumps(code) + "\n")
        self._shell.stdin.flush()
        answer = self._shell.stdout.readline()
        if not answer:
            raise AssertionError((self.place / "shell.log").read_text())
        printed, wrong = json.loads(answer)
        if wrong:
            raise AssertionError(wrong)
        return str(printed.strip())

    def _end_shell(self) -> None:
        if self._shell is not None:
            self._shell.kill()
            self._shell.communicate()
            self._shell = None

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process group; its output goes to a file in the installation's folder."""
        with (self.place / f"process-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def log(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self.place.glob("process-*.log")))

    def start_web(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.environment["PORT"] = str(port)
        self.url = f"http://127.0.0.1:{port}"
        self.start("-m", "gunicorn", "financeproj.wsgi")
        self.wait_for(lambda: requests.get(f"{self.url}/healthz", timeout=5).ok, "the web server")

    def start_worker(self, processes: int = 1) -> subprocess.Popen[bytes]:
        options = ["--concurrency", str(processes), "--loglevel", "INFO"]
        return self.start("-m", "celery", "-A", "financeproj", "worker", *options)

    def wait_for_worker(self) -> None:
        """Wait for a worker's heartbeat; then requests leave large files to it."""
        self.wait_for(lambda: " ready" in self.log(), "the worker")
        alive = "from integrations.heartbeat import worker_is_alive; print(worker_is_alive())"
        self.wait_for(lambda: self.shell(alive) == "True", "a worker's sign of life")

    def wait_for(self, condition: Any, what: str, seconds: float = 40) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if condition():
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise AssertionError(f"{what} was not there within {seconds} s.\n{self.log()[-5000:]}")

    def sign_in(self, username: str = "kari") -> requests.Session:
        """Create a user. Return a client with a token of that user."""
        account = f"{username!r}, {username + '@example.org'!r}, {PASSWORD!r}"
        self.shell(
            f"from financeproj.users.models import User; User.objects.create_superuser({account})"
        )
        session = requests.Session()
        body = {"username": username, "password": PASSWORD}
        answer = session.post(f"{self.url}/api/v1/auth/login", json=body, timeout=30)
        session.headers["Authorization"] = f"Bearer {answer.json()['access']}"
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=100))
        return session

    @staticmethod
    def kill(process: "subprocess.Popen[bytes]", how: int = signal.SIGKILL) -> None:
        """Kill a process and its children. A worker that is stopped finishes its task first."""
        if process.poll() is None:
            os.killpg(process.pid, how)
            process.wait(180)

    def stop(self) -> None:
        for process in self.processes:
            self.kill(process)
        self._end_shell()


@contextlib.contextmanager
def database_like(template: str, place: Path) -> Iterator[str]:
    """Return the URL of a new database on the tested engine, copied from `template`."""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        shutil.copy(template, place / "db.sqlite3")
        yield f"sqlite:///{place / 'db.sqlite3'}"
        return
    import psycopg

    given = os.environ["DATABASE_URL"]
    name = f"installation_{secrets.token_hex(4)}"
    server = given.rsplit("/", 1)[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"')
    try:
        yield f"{server}/{name}"
    finally:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            for copy in (name, f"{name}_before"):  # the second is what killer.py comes back to
                connection.execute(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The test databases, and an unused copy of the main one, a file or a name: every installation
    starts as its copy.
    """
    from django.db import connection

    if connection.vendor == "sqlite":
        set_up = _migrated_file(tmp_path_factory)
    else:
        set_up = _migrated_database(tmp_path_factory)
    with django_db_blocker.unblock():
        stack = contextlib.ExitStack()
        copy = stack.enter_context(set_up)
        emptying.install()
    yield copy
    with django_db_blocker.unblock():
        stack.close()


def _folder_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the test processes of a run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@contextlib.contextmanager
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Migrate once for all test processes of a run: the first one does, the others copy its file.

    Migrations take several seconds of each process otherwise.
    """
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    folder = _folder_of_run(tmp_path_factory)
    copy = folder / "migrated.sqlite3"
    own = Path(connection.creation._get_test_db_name())
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_migrated = copy.exists()
        if is_migrated:
            shutil.copy(copy, own)
            connection.settings_dict["TEST"]["MIGRATE"] = False
        databases = setup_databases(
            verbosity=0, interactive=False, keepdb=is_migrated, serialized_aliases=set()
        )
        if not is_migrated:
            with contextlib.closing(sqlite3.connect(copy)) as other:
                connection.ensure_connection()
                connection.connection.backup(other)
    yield str(copy)
    teardown_databases(databases, verbosity=0)


@contextlib.contextmanager
def _migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Do the same on PostgreSQL. Each process keeps an unused copy of its own."""
    from django.db import connection, connections
    from django.test.utils import setup_databases, teardown_databases

    folder = _folder_of_run(tmp_path_factory)
    first = folder / "migrated.name"
    own = connection.creation._get_test_db_name()
    copy = f"{own}_migrated"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_migrated = first.exists()
        if is_migrated:
            _copy_database(first.read_text(), own)
            connection.settings_dict["TEST"]["MIGRATE"] = False
        databases = setup_databases(
            verbosity=0, interactive=False, keepdb=is_migrated, serialized_aliases=set()
        )
        connections.close_all()  # a template must not be in use
        _copy_database(own, copy)
        if not is_migrated:
            first.write_text(copy)
    yield copy
    connections.close_all()
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_migrated:
            first.unlink()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
            # A thread of the last live server may still hold the test database, which is dropped
            # next.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [own]
            )
    teardown_databases(databases, verbosity=0)


def _copy_database(template: str, name: str) -> None:
    from django.db import connection

    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


@contextlib.contextmanager
def filled(place: Path, empty: str, code: str) -> Iterator[str]:
    """Return a copy of the database `empty` in which a piece of Python was run."""
    with database_like(empty, place) as url:
        made = Installation(place, url)
        try:
            made.shell(code)
        finally:
            made.stop()
        yield str(place / "db.sqlite3") if url.startswith("sqlite") else url.rsplit("/", 1)[1]


@pytest.fixture(scope="module")
def first_database(django_db_setup: str) -> str:
    """Return the database that installations start with: empty and migrated."""
    return django_db_setup


@pytest.fixture
def installation(tmp_path: Path, yahoo: Any, first_database: str) -> Iterator[Installation]:
    """An installation whose processes only reach the test's Yahoo."""
    with database_like(first_database, tmp_path) as url:
        made = Installation(
            tmp_path,
            url,
            TEST_YAHOO_URL=yahoo.url,
            MARKET_DATA_TIMEOUT_SECONDS="2",
            WEB_CONCURRENCY="1",
        )
        yield made
        made.stop()
