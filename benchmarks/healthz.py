"""Run a server with two workers and probe it idle and busy; `bench_healthz` starts this module."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

from benchmarks.generate import generate
from benchmarks.timeline import database_url

PROBES = 400
PAUSE_SECONDS = 0.005


def probe(port: int) -> float:
    """Return the seconds of one /healthz over a new connection, which either worker may accept."""
    start = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() is not None
    connection.close()
    return time.perf_counter() - start


def p99(port: int) -> float:
    seconds = []
    for _ in range(PROBES):
        seconds.append(probe(port))
        time.sleep(PAUSE_SECONDS)
    return sorted(seconds)[int(PROBES * 0.99)]


def ask_in_a_loop(port: int, path: str, token: str) -> None:
    """Request `path` in a loop until the process is ended."""
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        connection.close()


def measure() -> tuple[float, float]:
    """Return the p99 in seconds of an idle server, and while a client requests timelines of size
    L.
    """
    from benchmarks.scratch import scratch_database
    from benchmarks.stored import store
    from financeproj.users.models import User
    from financeproj.users.services import issue_tokens

    with scratch_database(), socket.socket() as free:
        user = User.objects.create(username="bench", base_currency="NOK")
        path = f"/api/v1/portfolios/{store(generate('L'), user).pk}/timeline"
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "PORT": str(port),
            "WEB_CONCURRENCY": "2",
        }
        command = [sys.executable, "-m", "gunicorn", "financeproj.wsgi"]
        server = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        client = None
        try:
            _wait_for(port)
            tokens = issue_tokens(user=user, address="127.0.0.1", agent="")
            token = str(tokens.access_token)
            asking = ["-m", "benchmarks.healthz", str(port), path, token]
            client = subprocess.Popen([sys.executable, *asking])
            time.sleep(5)  # both workers have answered once and cached the vectors
            client.send_signal(signal.SIGSTOP)
            time.sleep(1)
            idle = p99(port)
            client.send_signal(signal.SIGCONT)
            time.sleep(1)
            busy = p99(port)
            assert client.poll() is None, "the client stopped asking"
            return idle, busy
        finally:
            if client is not None:
                client.kill()
                client.wait()
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            probe(port)
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        ask_in_a_loop(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    else:
        import django

        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        django.setup()
        print(*measure())
