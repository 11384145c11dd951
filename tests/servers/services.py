"""Start PostgreSQL and Redis for a test, which may stop, kill or suspend them."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
import redis

WITHIN_SECONDS = 30
SERVICES = os.environ.get("TEST_SERVICES") == "1"
# Tests that start servers anyway are not run again with the embedded services.
with_services = pytest.mark.skipif(
    not SERVICES, reason="on PostgreSQL and Redis: TEST_SERVICES=1 make test"
)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def postgresql_programs() -> Path:
    """Return the folder with initdb and postgres of the newest installed version."""
    found = sorted(glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]))
    if not found and (program := shutil.which("postgres")):
        found = [str(Path(program).parent)]
    if not found:
        raise FileNotFoundError("no PostgreSQL to start was found")
    return Path(found[-1])


def lacking(what: str) -> None:
    """Skip with the reason, or fail where the services are required."""
    if SERVICES:
        pytest.fail(f"TEST_SERVICES=1, but {what}")
    pytest.skip(what)


class Server:
    """A process that answers once it is started."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def ask(self) -> Any:
        raise NotImplementedError

    def start(self) -> None:
        with (self.place / "server.log").open("ab") as log:
            owner = self.place.stat().st_uid
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                user=owner if os.getuid() == 0 else None,
                cwd=self.place,
            )
        until = time.monotonic() + WITHIN_SECONDS
        while True:
            try:
                self.ask()
                return
            except (psycopg.OperationalError, redis.RedisError) as error:
                if time.monotonic() > until:
                    raise AssertionError((self.place / "server.log").read_text()[-3000:]) from error
                time.sleep(0.05)

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def hang(self) -> None:
        self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.send(signal.SIGCONT)

    def stop(self, how: int = signal.SIGKILL) -> None:
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(how)
            self.process.wait(WITHIN_SECONDS)


class OwnRedis(Server):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]

    def client(self) -> Any:
        return redis.Redis.from_url(self.url, socket_timeout=1, retry=None)

    def ask(self) -> Any:
        return self.client().ping()

    def forget(self) -> None:
        """Remove all data, as after a restart."""
        self.client().flushdb()


class OwnPostgres(Server):
    """A PostgreSQL cluster. It runs as the user postgres if the tests run as root."""

    def __init__(self, place: Path, programs: Path) -> None:
        super().__init__(place)
        self.programs = programs
        user = "postgres" if os.getuid() == 0 else None
        if user:
            shutil.chown(place, user)
        arguments = [
            str(programs / "initdb"),
            "-D",
            str(place / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
        ]
        subprocess.run(
            [*arguments, "-E", "UTF8"], check=True, capture_output=True, user=user, cwd=place
        )

    @property
    def server(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.server}/postgres"

    def command(self) -> list[str]:
        settings = [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={self.place}",
        ]
        return [
            str(self.programs / "postgres"),
            "-D",
            str(self.place / "data"),
            "-p",
            str(self.port),
            *settings,
        ]

    def ask(self) -> Any:
        with psycopg.connect(self.url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone()

    def stop(self, how: int = signal.SIGQUIT) -> None:
        """Stop at once by default, so that PostgreSQL must recover from its log."""
        super().stop(how)


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    if shutil.which("redis-server") is None:
        lacking("no redis-server to start was found")
    made = OwnRedis(tmp_path_factory.mktemp("redis"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    try:
        programs = postgresql_programs()
    except FileNotFoundError as error:
        lacking(str(error))
    with TemporaryDirectory(
        prefix="pg-"
    ) as place:  # pytest's folders are closed to the user postgres
        made = OwnPostgres(Path(place), programs)
        made.start()
        yield made
        made.stop()
