"""Simulate 50 concurrent users for four minutes, each with a portfolio of size M (`make load`).

Starts its own PostgreSQL, Redis and web server on this machine. Each user has sent requests before
the measurement. Clients wait a second between requests; four in five requests read, the others
record, correct and delete trades and import files. Passes if no request fails, if the p99 of each
kind is below 40 times the median of a single client, and if the memory of the server's processes
grows by less than 5 % in the second half.

    python -m benchmarks.load [--clients 50] [--seconds 240]
"""

import argparse
import json
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from datetime import date, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

MOST_TIMES_ALONE = 40
MOST_GROWTH = 0.05
THINK_SECONDS = 1.0
ALONE = 25  # requests of each kind by a single client
READS = (
    "dashboard",
    "portfolios",
    "holdings",
    "transactions",
    "timeline",
    "performance",
    "allocation",
    "net worth",
)
WRITES = ("record", "correct", "delete", "import")


class Client:
    """One user with a portfolio and a persistent connection."""

    def __init__(self, port: int, person: dict, seed: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self.person, self.dice = person, random.Random(seed)
        self.recorded: list[str] = []
        self.count = 0

    def send(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ):
        headers = {
            "Authorization": f"Bearer {self.person['token']}",
            "Accept-Encoding": "gzip",
            "Content-Type": kind,
        }
        try:
            self.connection.request(method, f"/api/v1{path}", body, headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as error:
            self.connection.close()
            return 0, repr(error).encode()

    def trade(self, **more) -> bytes:
        day = date(2024, 1, 2) + timedelta(days=self.dice.randrange(600))
        body = {
            "type": "buy",
            "date": day.isoformat(),
            "quantity": 1,
            "price": self.dice.randrange(50, 200),
        }
        return json.dumps(body | more).encode()

    def ask(self, kind: str):
        """Send one request of a kind. Return (status, body)."""
        portfolio = self.person["portfolio"]
        paths = {
            "dashboard": "/dashboard",
            "portfolios": "/portfolios",
            "holdings": f"/portfolios/{portfolio}/holdings",
            "transactions": "/transactions",
            "timeline": f"/portfolios/{portfolio}/timeline?interval=week",
            "performance": f"/portfolios/{portfolio}/performance",
            "allocation": f"/portfolios/{portfolio}/allocation?by=currency",
            "net worth": "/net-worth?interval=month",
        }
        if kind in paths:
            return self.send("GET", paths[kind])
        if kind == "import":
            return self.import_file()
        if kind == "record" or not self.recorded:
            return self.record()
        if kind == "correct":
            pk = self.dice.choice(self.recorded)
            return self.send(
                "PATCH",
                f"/transactions/{pk}",
                json.dumps({"price": self.dice.randrange(50, 200)}).encode(),
            )
        return self.send("DELETE", f"/transactions/{self.recorded.pop()}")

    def record(self):
        body = self.trade(holding_id=self.dice.choice(self.person["holdings"]), exchange_rate=1)
        status, answer = self.send("POST", "/transactions", body)
        if status == 201:
            self.recorded.append(json.loads(answer)["id"])
        return status, answer

    def import_file(self):
        self.count += 1
        lines = ["date,type,ticker,quantity,price,currency,exchange_rate,external_id"]
        for row in range(20):
            ticker, currency = self.dice.choice(self.person["instruments"])
            lines.append(
                f"2025-03-{row % 28 + 1:02},buy,{ticker},1,100,{currency},1,"
                f"{self.count}-{row}-{id(self)}"
            )
        edge = "edge-of-the-form"
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="portfolio_id"\r\n\r\n'
            f"{self.person['portfolio']}\r\n",
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="trades.csv"\r\n'
            f"Content-Type: text/csv\r\n\r\n{chr(10).join(lines)}\r\n--{edge}--\r\n",
        ]
        kind = f"multipart/form-data; boundary={edge}"
        return self.send("POST", "/transactions/import-csv", "".join(parts).encode(), kind)

    def next_kind(self) -> str:
        return self.dice.choice(READS if self.dice.random() < 0.8 else WRITES)


class Measured:
    """The seconds by kind, and the errors."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    def note(self, client: Client, kind: str) -> None:
        begun = time.perf_counter()
        status, answer = client.ask(kind)
        self.seconds[kind].append(time.perf_counter() - begun)
        if not 200 <= status < 300:
            self.errors.append(f"{kind}: {status} {answer[:300]!r}")


def alone(port: int, person: dict) -> Measured:
    client, found = Client(port, person, 0), Measured()
    for kind in (*READS, *WRITES) * 2:  # both processes have loaded their modules
        client.ask(kind)
    for _ in range(ALONE):
        for kind in (*READS, *WRITES):
            found.note(client, kind)
    return found


def sign_on(port: int, people: list[dict]) -> list[str]:
    """Send the first requests of all users, one after the other. Return the errors.

    Fifty users do not come back in the same second.
    """
    found = Measured()
    for person in people * 2:  # over new connections, so that most reach both processes
        client = Client(port, person, 0)
        for kind in READS:
            found.note(client, kind)
        client.connection.close()
    return found.errors


def together(port: int, people: list[dict], seconds: float) -> Measured:
    found, end = Measured(), time.monotonic() + seconds

    def live(person: dict, seed: int) -> None:
        client = Client(port, person, seed)
        time.sleep(client.dice.random() * THINK_SECONDS)
        while time.monotonic() < end:
            found.note(client, client.next_kind())
            time.sleep(THINK_SECONDS)

    threads = [
        threading.Thread(target=live, args=(person, seed))
        for seed, person in enumerate(people, start=1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def megabytes(session: int) -> float:
    """Return the memory of a session's processes in MB: private memory plus a part of shared
    memory.
    """
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                rollup = (folder / "smaps_rollup").read_text()
                total += int(
                    next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]
                )
        except (OSError, StopIteration):
            continue
    return total / 1024


def _access_token(user: object) -> str:
    from financeproj.users.services import issue_tokens

    tokens = issue_tokens(user=user, address="127.0.0.1", agent="")
    return str(tokens.access_token)


def prepare(count: int) -> list[dict]:
    """Create `count` users, each with a portfolio of size M: the same instruments, own trades."""
    from django.db import connection

    from benchmarks import stored
    from benchmarks.generate import CURRENCIES, generate
    from financeproj.users.models import User
    from portfolios.models import Holding, Portfolio

    data = generate("M")
    stocks = stored._store_instruments(data)
    stored._store_rates(data)
    people = []
    for number in range(count):
        user = User.objects.create(username=f"user{number}", base_currency=CURRENCIES[0])
        portfolio = Portfolio.objects.create(
            user=user, name="Size M", currency=CURRENCIES[0], version=1
        )
        stored._store_transactions(data, stocks, portfolio)
        held = Holding.objects.filter(portfolio=portfolio).select_related("stock")
        people.append(
            {
                "token": _access_token(user),
                "portfolio": str(portfolio.pk),
                "holdings": [str(one.pk) for one in held],
                "instruments": [(one.stock.ticker, one.stock.currency) for one in held],
            }
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "VACUUM ANALYZE"
        )  # PostgreSQL would do the same in the first minutes after so many new rows
    return people


def report(
    first: Measured, then: Measured, memory: list[tuple[float, float]], seconds: float
) -> bool:
    held = not (first.errors or then.errors)
    for error in (first.errors + then.errors)[:10]:
        print(f"error: {error}")
    count = sum(map(len, then.seconds.values()))
    print(
        f"{count} requests in {seconds:.0f} s ({count / seconds:.1f} a second), "
        f"{len(then.errors)} errors"
    )
    print(
        f"{'kind':14}{'alone p50':>12}{'p50':>10}{'p99':>10}{'p99 / alone':>14} "
        f"(limit {MOST_TIMES_ALONE})"
    )
    for kind in (*READS, *WRITES):
        found = sorted(then.seconds[kind])
        if not found:
            continue
        middle, p99 = statistics.median(first.seconds[kind]), found[int(len(found) * 0.99)]
        held &= p99 < MOST_TIMES_ALONE * middle
        times = [f"{1000 * one:.1f} ms" for one in (middle, statistics.median(found), p99)]
        print(f"{kind:14}{times[0]:>12}{times[1]:>10}{times[2]:>10}{p99 / middle:>13.1f}x")
    middle = _mean_memory(memory, 0.46 * seconds, 0.54 * seconds)
    end = _mean_memory(memory, 0.92 * seconds, seconds)
    held &= end < middle * (1 + MOST_GROWTH)
    print(
        f"memory of the server: {middle:.0f} MB half way, {end:.0f} MB at the end: "
        f"{end / middle - 1:+.1%}",
        end=" ",
    )
    print(f"(limit {MOST_GROWTH:+.0%})")
    return held


def _mean_memory(memory: list[tuple[float, float]], start: float, end: float) -> float:
    """Return the mean size in MB of the samples from `start` to `end`, in seconds."""
    if not memory:
        return 0
    return statistics.fmean(size for at, size in memory if start <= at <= end)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=240)
    wanted = parser.parse_args()

    from tests.servers.services import OwnPostgres, OwnRedis, free_port, postgresql_programs

    with (
        tempfile.TemporaryDirectory(prefix="load-pg-") as one,
        tempfile.TemporaryDirectory(prefix="load-") as other,
    ):
        postgres, redis = OwnPostgres(Path(one), postgresql_programs()), OwnRedis(Path(other))
        port = free_port()
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "financeproj.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DEBUG": "false",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            "PORT": str(port),
            "DATABASE_URL": postgres.url,
            "REDIS_URL": redis.url,
        }
        server = None
        try:
            postgres.start()
            redis.start()
            import django

            django.setup()
            from django.core.management import call_command
            from django.db import connections

            call_command("migrate", verbosity=0)
            people = prepare(wanted.clients)
            connections.close_all()
            print(f"{wanted.clients} users with 100 instruments and 5,000 trades each")
            serve = ["-m", "gunicorn", "financeproj.wsgi"]
            server = subprocess.Popen([sys.executable, *serve], start_new_session=True)
            _wait_for(port)
            first = alone(port, people[0])
            first.errors += sign_on(port, people)
            memory: list[tuple[float, float]] = []
            begun, done = time.monotonic(), threading.Event()

            def watch() -> None:
                while not done.wait(max(0.5, wanted.seconds / 80)):
                    memory.append((time.monotonic() - begun, megabytes(server.pid)))

            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            then = together(port, people, wanted.seconds)
            done.set()
            watcher.join()
            return 0 if report(first, then, memory, wanted.seconds) else 1
        finally:
            if server is not None:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(60)
            postgres.stop()
            redis.stop()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if time.monotonic() > until:
            raise TimeoutError("the web server does not answer")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
