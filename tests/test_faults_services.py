"""The fault table of docs/operations.md where a server is concerned: each is really stopped, killed
or made to hang.

One installation of real processes (two web processes, a worker) on a PostgreSQL and a Redis of its
own. What is in the database is counted before and after.
"""

import json
import re
import signal
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from integrations.conftest import csv
from tests.servers.processes import ROOT, Installation
from tests.servers.services import own_postgres, own_redis, with_services  # noqa: F401
from tests.servers.yahoo import FakeYahoo
from tests.servers.ynab import KEY, ynab_server
from tests.timing import SLACK

pytestmark = with_services
TABLES = (
    "portfolios_portfolio",
    "portfolios_holding",
    "portfolios_transaction",
    "portfolios_importbatch",
    "portfolios_pendingimport",
    "marketdata_historicalstockprice",
    "pensions_pensionvalueentry",
)
API = "/api/v1"


class Site:
    def __init__(self, installation, postgres, redis, yahoo, ynab):
        self.installation, self.postgres, self.redis = installation, postgres, redis
        self.yahoo, self.ynab = yahoo, ynab

    def sign_in(self):
        self.session = self.installation.sign_in()
        self.portfolio = self.post("/portfolios", {"name": "Nordic", "currency": "NOK"}).json()[
            "id"
        ]

    def get(self, path, base=API):
        return self.session.get(f"{self.installation.url}{base}{path}", timeout=30)

    def post(self, path, body=None, **more):
        return self.session.post(
            f"{self.installation.url}{API}{path}", json=body, timeout=60, **more
        )

    def buy(self, ticker, quantity=1):
        body = {"portfolio_id": self.portfolio, "ticker": ticker, "currency": "USD", "type": "buy"}
        return self.post(
            "/transactions", body | {"date": "2024-05-02", "quantity": quantity, "price": 100}
        )

    def import_rows(self, count, name, day):
        data = csv(*(f"{day},buy,T{row % 20}.DEMO,1,{row + 1}" for row in range(count)))
        files = {"file": (name, data)}
        form = {"portfolio_id": self.portfolio}
        return self.session.post(
            f"{self.installation.url}{API}/transactions/import-csv",
            data=form,
            files=files,
            timeout=120,
        )

    def sql(self, import_batch):
        with psycopg.connect(self.postgres.url) as database:
            return database.execute(import_batch)

    def counts(self):
        with psycopg.connect(self.postgres.url) as database:
            return {
                table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in TABLES
            }

    def is_ready(self):
        return self.get("/readyz", base="").status_code == 200

    def wait_for(self, condition, what, seconds=40):
        self.installation.wait_for(condition, what, seconds)


@pytest.fixture(scope="module")
def site(tmp_path_factory, own_postgres, own_redis):
    yahoo = FakeYahoo()
    for ticker in ("ACME", "GONE", "HANGS", "LATER"):
        yahoo.list(ticker, [100.0 + number for number in range(30)])
    yahoo.list_rate("USD", "NOK", [10.0] * 700)
    with ynab_server() as ynab:
        installation = Installation(
            tmp_path_factory.mktemp("site"),
            own_postgres.url,
            REDIS_URL=own_redis.url,
            TEST_YAHOO_URL=yahoo.url,
            YNAB_BASE_URL=ynab.url,
            YNAB_API_KEY=KEY,
            MARKET_DATA_TIMEOUT_SECONDS="2",
            WEB_CONCURRENCY="2",
        )
        try:
            installation.manage("migrate", "--verbosity", "0")
            installation.start_web()
            installation.start_worker()
            made = Site(installation, own_postgres, own_redis, yahoo, ynab)
            made.sign_in()
            assert made.buy("ACME", 10).status_code == 201
            made.wait_for(lambda: " ready." in installation.log(), "the worker")
            made.wait_for(
                lambda: installation.log().count("market_data_ready") >= 2, "both web processes"
            )
            yield made
        finally:
            installation.stop()
            yahoo.stop()


def timed(call):
    begun = time.perf_counter()
    answer = call()
    return answer.status_code, time.perf_counter() - begun


def waits_for_redis(site, ticker):
    """Return (status, extra seconds) of reads, a write and a probe, alone and in parallel."""
    reads = ["/portfolios", f"/portfolios/{site.portfolio}/holdings", "/dashboard"]
    usual = []
    for path in reads:
        waits = [timed(lambda: site.get(path))[1] for _ in range(5)]  # noqa: B023
        usual.append(statistics.median(waits))
    yield max(usual)
    found = [timed(lambda: site.get(path)) for path in reads for _ in range(3)]  # noqa: B023
    found += [timed(lambda: site.buy(ticker)), timed(lambda: site.get("/healthz", base=""))]
    with ThreadPoolExecutor(16) as pool:
        found += pool.map(lambda _: timed(lambda: site.get("/portfolios")), range(16))
    yield found


def without_redis(site, ticker, strike, end):
    """Check what works while Redis is down, and after it is back."""
    before = site.counts()
    steps = waits_for_redis(site, ticker)
    usual = next(steps)
    strike()
    found = next(steps)
    status, seconds = timed(lambda: site.get("/readyz", base=""))
    body = site.get("/readyz", base="").json()
    assert sorted({status for status, _ in found}) == [200, 201]
    # A request under load takes a few times as long as one alone, with Redis or without.
    assert max(seconds for _, seconds in found) < 1 * SLACK + 8 * usual
    assert (status, body) == (503, body | {"database": "ok", "cache": "failed", "broker": "failed"})
    assert seconds < 1 * SLACK + 8 * usual
    after = site.counts()
    assert after["portfolios_transaction"] == before["portfolios_transaction"] + 1
    end()
    site.wait_for(site.is_ready, "Redis again")
    # The message was lost; what it was for stands in the database, and beat asks for all of it.
    site.installation.shell("from portfolios.tasks import refresh_histories as r; r()")
    fetched = f"SELECT history_fetched_at FROM marketdata_stockmetadata WHERE ticker = '{ticker}'"
    site.wait_for(
        lambda: site.sql(fetched).fetchone()[0], "the history, by the worker that was there before"
    )
    assert site.counts()["portfolios_transaction"] == after["portfolios_transaction"]


def test_redis_killed_reads_and_writes_go_on_and_the_worker_makes_good_what_was_lost(site):
    without_redis(site, "GONE", site.redis.stop, site.redis.start)


def test_a_hanging_redis_delays_a_request_by_at_most_a_second(site):
    without_redis(site, "HANGS", site.redis.hang, site.redis.go_on)


def test_postgresql_restarted_the_next_request_works(site):
    before = site.counts()
    with ThreadPoolExecutor(16) as pool:
        assert {
            answer.status_code for answer in pool.map(lambda _: site.get("/dashboard"), range(64))
        } == {200}
    ours = site.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    ).fetchone()[0]
    assert ours > 6  # many connections are broken at once
    site.postgres.stop(signal.SIGINT)
    down = site.get("/portfolios")
    assert (down.status_code, down.json()["errors"][0]["code"]) == (503, "database_unavailable")
    assert "Retry-After" in down.headers
    assert site.buy("ACME").status_code == 503
    assert site.get("/healthz", base="").status_code == 200
    ready = site.get("/readyz", base="")
    assert (ready.status_code, ready.json()["database"]) == (503, "failed")
    site.postgres.start()
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: site.get("/portfolios").status_code, range(32)))
    assert statuses == [200] * 32
    assert site.counts() == before
    assert site.buy("ACME").status_code == 201


def test_postgresql_crashed_in_the_middle_of_an_import_leaves_nothing_of_it_and_it_is_done_once(
    site,
):
    before = site.counts()
    answer = site.import_rows(8000, "crash.csv", "2024-01-02")
    assert answer.status_code == 202
    url = f"/imports/{answer.json()['id']}"
    site.wait_for(lambda: site.get(url).json()["progress"] > 0.2, "some progress")
    site.postgres.stop()  # at once, as when the power fails
    site.postgres.start()
    torn = site.counts()
    assert torn["portfolios_transaction"] == before["portfolios_transaction"]
    assert torn["portfolios_pendingimport"] == 1
    site.redis.forget()  # the lease, which lasts a minute
    site.installation.shell(
        "from integrations.imports.tasks import resume_imports as r; r()"
    )  # as beat does every minute
    site.wait_for(lambda: site.get(url).json()["state"] == "done", "the end of the import", 90)
    after = site.counts()
    assert after["portfolios_transaction"] == before["portfolios_transaction"] + 8000
    assert after["portfolios_pendingimport"] == 0


def test_two_beats_by_mistake_do_nothing_twice(site):
    fetched = "SELECT count(*) FROM marketdata_stockmetadata WHERE history_fetched_at IS NOT NULL"
    site.wait_for(
        lambda: site.sql(fetched).fetchone()[0], "the history of the first trade"
    )  # or its quote is new
    site.sql("UPDATE marketdata_stockquote SET fetched_at = fetched_at - interval '1 day'")
    backups = site.installation.place / "backups"
    site.installation.environment |= {"TEST_BEAT_SECONDS": "2", "BACKUP_DIR": str(backups)}
    worker = site.installation.start_worker()  # one that knows where backups go
    site.installation.wait_for_worker()
    before = site.counts()
    site.yahoo.forget_requests()
    answer = site.import_rows(6000, "beats.csv", "2024-01-03")
    assert answer.status_code == 202
    beats = [
        site.installation.start(
            "-m",
            "celery",
            "-A",
            "financeproj",
            "beat",
            "--pidfile=",
            "--schedule",
            str(site.installation.place / name),
        )
        for name in ("one", "two")
    ]
    url = f"/imports/{answer.json()['id']}"
    site.wait_for(lambda: site.get(url).json()["state"] == "done", "the import", 90)
    site.wait_for(lambda: site.yahoo.asked("chart", "ACME"), "a refresh")
    site.wait_for(lambda: list(backups.glob("*.zip")), "the backup")
    time.sleep(5)  # two more rounds of each
    for process in [*beats, worker]:
        site.installation.kill(process, signal.SIGTERM)
    assert site.counts()["portfolios_transaction"] == before["portfolios_transaction"] + 6000
    assert site.yahoo.asked("chart", "ACME") == 1
    assert len(list(backups.glob("*.zip"))) == 1
    assert (
        site.installation.shell(
            "from portfolios.services.ledger_check import ledger_faults as f; print(f())"
        )
        == "[]"
    )


def test_without_worker_and_beat_everything_is_answered(site):
    before = site.counts()
    for process in site.installation.processes[1:]:
        site.installation.kill(process)
    assert site.buy("LATER").status_code == 201
    holdings = site.get(f"/portfolios/{site.portfolio}/holdings").json()
    [held] = [one for one in holdings if one["ticker"] == "LATER"]
    assert held["price"] == 129
    site.redis.forget()  # the worker's last sign of life, which lasts half a minute
    done = site.import_rows(5001, "no-worker.csv", "2024-01-04")
    assert (done.status_code, done.json().get("created")) == (201, 5001), done.text[:2000]
    assert site.counts()["portfolios_transaction"] == before["portfolios_transaction"] + 5002
    output = site.installation.manage("doctor", check=False)
    assert "worker: No worker is running" in output


def test_ynab_gone_the_last_balance_is_given_and_said_to_be_stale(site):
    plan = site.ynab.plan()
    account = plan.put(name="Pension", balance=500_000_500)
    assert site.post("/settings/ynab", {"budget_id": plan.id}).json()["verified"] is True
    url = f"/ynab/accounts/{account}/balance"
    assert (site.get(url).json()["balance"], site.get(url).json()["stale"]) == (500000.5, False)
    site.sql(
        "UPDATE integrations_ynabbudget SET accounts_fetched_at = accounts_fetched_at - interval '1 hour'"
    )
    site.ynab.close()
    answer = site.get(url)
    assert (answer.status_code, answer.json()["balance"], answer.json()["stale"]) == (
        200,
        500000.5,
        True,
    )


def test_the_log_follows_docs_operations(site):
    """Check every line of web, worker and beat, except Celery's banners."""
    schema = (
        (ROOT / "docs" / "operations.md").read_text().split("## Log lines")[1].split("\n## ")[0]
    )
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|", schema, re.MULTILINE)
    fields = {where: set(re.findall(r"`(\w+)`", names)) for names, where in rows}
    always, finished = fields["every line"], fields["`request_finished`, `request_failed`"]
    lines = [
        json.loads(line) for line in site.installation.log().splitlines() if line.startswith("{")
    ]
    assert [line for line in lines if not always <= set(line)] == []
    requests = [line for line in lines if line["event"] in ("request_finished", "request_failed")]
    assert len(requests) > 20
    allowed = set().union(*fields.values())
    for line in requests:
        assert finished <= set(line) <= allowed, line
    tasks = [line for line in lines if line["event"] == "task_succeeded"]
    assert tasks
    assert [line for line in tasks if not fields["tasks"] <= set(line)] == []
    assert [
        line
        for line in lines
        if line["level"] not in ("debug", "info", "warning", "error", "critical")
    ] == []
    assert re.search(r"Bearer (?!\*\*\*)", site.installation.log()) is None
    assert KEY not in site.installation.log()


def test_yahoo_gone_the_last_price_is_given_and_said_to_be_stale(site):
    before = site.counts()
    site.sql("UPDATE marketdata_stockquote SET fetched_at = fetched_at - interval '1 day'")
    site.yahoo.stop()
    answer = site.get("/stocks/ACME/price")
    assert (answer.status_code, answer.json()["price"], answer.json()["stale"]) == (200, 129, True)
    assert site.get("/dashboard").status_code == 200
    assert site.get("/stocks/NEVERSEEN/price").status_code == 503
    assert site.counts() == before
