"""The project as real processes for a test: web, worker, commands, with a database and a place of their own."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PASSWORD = "correct horse battery"


class Installation:
    """One installation of the project; `environment` is what its processes see beside the usual."""

    def __init__(self, place: Path, database_url: str, **environment: str) -> None:
        self.place = place
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))},
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

    def manage(self, *args: str, check: bool = True, environment: dict[str, str] | None = None) -> str:
        """Run a management command to its end; what it wrote."""
        return self.python("manage.py", *args, check=check, environment=environment)

    def python(self, *args: str, check: bool = True, environment: dict[str, str] | None = None) -> str:
        """Run a Python program to its end; what it wrote."""
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
        return self.manage("shell", "--no-imports", "-c", code).strip()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process group of its own; its output goes to a file in the place."""
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

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start("-m", "celery", "-A", "financeproj", "worker", "--concurrency", "1", "--loglevel", "INFO")

    def wait_for_worker(self) -> None:
        """Until a worker shows signs of life: from then on requests leave big files to it."""
        self.wait_for(lambda: " ready" in self.log(), "the worker")
        alive = "from integrations.background import worker_is_alive; print(worker_is_alive())"
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
        """A client with a token of a user, who is made."""
        self.manage("createsuperuser", "--noinput", "--username", username, "--email", f"{username}@example.org")
        session = requests.Session()
        body = {"username": username, "password": PASSWORD}
        answer = session.post(f"{self.url}/api/v1/auth/login", json=body, timeout=30)
        session.headers["Authorization"] = f"Bearer {answer.json()['access']}"
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=100))
        return session

    @staticmethod
    def kill(process: "subprocess.Popen[bytes]", how: int = signal.SIGKILL) -> None:
        """End a process and all that it started."""
        if process.poll() is None:
            os.killpg(process.pid, how)
            process.wait(30)

    def stop(self) -> None:
        for process in self.processes:
            self.kill(process)


def _database(place: Path, template: Installation | None = None) -> Iterator[str]:
    """The URL of a database of the engine that is tested: empty, or as that of `template` is."""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        for file in template.place.glob("*.sqlite3") if template else ():
            shutil.copy(file, place)
        yield f"sqlite:///{place / 'db.sqlite3'}"
        return
    import psycopg

    given = os.environ["DATABASE_URL"]
    name = f"installation_{secrets.token_hex(4)}"
    server = given.rsplit("/", 1)[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        like = f"TEMPLATE {template.environment['DATABASE_URL'].rsplit('/', 1)[1]}" if template else ""
        connection.execute(f"CREATE DATABASE {name} {like}")
    yield f"{server}/{name}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        for copy in (name, f"{name}_before"):  # the second is what killer.py comes back to
            connection.execute(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that nobody uses: the others copy its database, which is quicker than to migrate."""
    place = tmp_path_factory.mktemp("migrated")
    databases = _database(place)
    made = Installation(place, next(databases))
    made.manage("migrate", "--verbosity", "0")
    yield made
    next(databases, None)


@pytest.fixture
def installation(tmp_path: Path, yahoo: Any, migrated: Installation) -> Iterator[Installation]:
    """An installation with an empty, migrated database, whose processes reach the test's Yahoo and nobody else."""
    databases = _database(tmp_path, migrated)
    made = Installation(
        tmp_path, next(databases), TEST_YAHOO_URL=yahoo.url, MARKET_DATA_TIMEOUT_SECONDS="2", WEB_CONCURRENCY="1"
    )
    yield made
    made.stop()
    next(databases, None)
