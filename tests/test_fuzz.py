"""`make fuzz`: 10,000 made-up requests and files to gunicorn as shipped, then four large dry runs.

Only the throttle is raised. One client sends one request after the other, to two web processes of
twelve threads, whose third parties are local servers.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import ignored_auth

from benchmarks.load import megabytes
from integrations.imports.tests.test_import_fuzz import CHOICES, MAPPINGS, mutated
from tests import made_up
from tests.made_up import Asked, make_real, send_all
from tests.openapi import operations
from tests.servers.processes import Installation, database_like
from tests.servers.yahoo import FakeYahoo
from tests.servers.ynab import KEY, ynab_server
from tests.timing import SLACK

pytestmark = [
    pytest.mark.untraced,
    pytest.mark.skipif(os.environ.get("FUZZ") != "1", reason="`make fuzz` runs it, for minutes"),
]

LEAST_REQUESTS = 10_000
EXAMPLES = 40  # random ones of each operation, next to the edges of its fields
EXAMPLES_OF_DELETE = 8  # after each of these, everything is made again
FILES = 6_000
MOST_SECONDS = 2.0 * SLACK  # without what a request waits for third parties
LEAST_SHARE = 0.8  # of the requests come past the token and the path
MOST_GROWTH = 150  # MB of each web process
DRY_RUNS = 4
DRY_RUN_BYTES = 18_000_000
HEALTH_SECONDS = 5  # as the health check of the Dockerfile

WORLD = """
import json
from django.core.cache import cache
from financeproj.users.models import User
from financeproj.users.services import issue_tokens
from tests.world import make_world

user = User.objects.create_user("kari{number}", password="correct horse battery")
ids = make_world(user, {budget!r}, {account!r}).values()
tokens = issue_tokens(user=user, address="127.0.0.1", agent="")
print(json.dumps({{**ids, "token": str(tokens.access_token)}}))
"""


@dataclass
class Server:
    """The server, and a user with one object of each kind; the slow requests."""

    installation: Installation
    budget: str
    account: str
    start_megabytes: float = 0
    made: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    asked: Asked = field(default_factory=Asked)
    slow: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.installation.url

    @property
    def web(self) -> int:
        return self.installation.processes[0].pid

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.ids['token']}"}

    def renew_world(self) -> None:
        self.made += 1
        code = WORLD.format(number=self.made, budget=self.budget, account=self.account)
        self.ids = json.loads(self.installation.shell(code))

    def note(self, status: int, seconds: float, request_id: str | None, what: str) -> None:
        self.asked.statuses[status] += 1
        assert status < 500 or status == 503, what
        if seconds > MOST_SECONDS:
            own = seconds - self.waited_seconds(request_id)
            if own > MOST_SECONDS:
                self.slow.append(f"{seconds:.1f} s, {own:.1f} s of them own: {what}")

    def waited_seconds(self, request_id: str | None) -> float:
        """Return how long a request waited for third parties, as its log line says."""
        for line in self.installation.log().splitlines():
            if f'"request_id": "{request_id}"' in line and "duration_ms" in line:
                return float(json.loads(line).get("waited_ms", 0)) / 1000
        return 0


@pytest.fixture(scope="module")
def server(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yahoo = FakeYahoo()
    yahoo.list("EQNR.OL", [290, 295, 301.5], currency="NOK", zone="Europe/Oslo", name="Equinor ASA")
    yahoo.list_rate("EUR", "NOK", [11.5, 11.6, 11.7])
    place = tmp_path_factory.mktemp("fuzz")
    with ynab_server() as ynab, database_like(django_db_setup, place) as url:
        budget = ynab.plan("Household")
        installation = Installation(
            place,
            url,
            TEST_YAHOO_URL=yahoo.url,
            YNAB_BASE_URL=ynab.url,
            YNAB_API_KEY=KEY,
            THROTTLE_ANON="1000000/min",
        )
        made = Server(installation, budget.id, budget.put(name="Pension", balance=250_000_120))
        try:
            installation.start_web()
            made.renew_world()
            for _ in range(20):  # both processes have loaded their modules
                requests.get(f"{made.url}/api/v1/dashboard", headers=made.authorization, timeout=60)
            made.start_megabytes = megabytes(made.web)
            yield made
        finally:
            installation.stop()
            yahoo.stop()


@pytest.fixture(scope="module")
def api_schema(server: Server) -> Any:
    loaded = made_up.api_schema()
    loaded.config.update(base_url=server.url)
    return loaded


@pytest.mark.parametrize("name", operations())
def test_every_request_gets_a_described_answer_in_time(
    name: str, api_schema: Any, server: Server
) -> None:
    server.renew_world()

    def send(case: Any) -> None:
        make_real(case, server.ids)
        response = case.call(headers=server.authorization)
        [request_id] = response.headers.get("x-request-id", [None])
        what = case.as_curl_command(headers={"Authorization": "Bearer …"})
        server.note(response.status_code, response.elapsed, request_id, what)
        if response.status_code == 503:
            assert response.headers["retry-after"], what
        # A name that failed to sign in too often; YNAB, which may be asked 60 times an hour.
        if response.status_code not in (429, 503):
            case.validate_response(
                response, headers=server.authorization, excluded_checks=[ignored_auth]
            )
        # What was deleted, and a token that no longer holds, is there for the next request.
        if response.status_code < 300 and (case.method == "DELETE" or "/auth/" in case.path):
            server.renew_world()

    examples = EXAMPLES_OF_DELETE if name.startswith("DELETE ") else EXAMPLES
    send_all(api_schema, name, send, examples=examples)


def test_every_file_is_imported_or_refused_in_time(server: Server) -> None:
    statuses: Counter[int] = Counter()
    portfolio = ""

    @hypothesis_settings(
        max_examples=FILES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(data=mutated(), fields=st.sampled_from([{}, {"dry_run": "true"}, CHOICES, *MAPPINGS]))
    def send(data: bytes, fields: dict[str, str]) -> None:
        nonlocal portfolio
        if statuses.total() % 500 == 0:
            server.renew_world()
        if not portfolio or statuses.total() % 500 == 0:
            portfolio = new_portfolio(server, f"Fuzz {statuses.total()}")
        answer = requests.post(
            f"{server.url}/api/v1/transactions/import-csv",
            data={"portfolio_id": portfolio, **fields},
            files={"file": ("fuzz.csv", data)},
            headers=server.authorization,
            timeout=60,
        )
        assert answer.status_code in (200, 201, 422, 503), (answer.text, data, fields)
        statuses[answer.status_code] += 1
        request_id = answer.headers["X-Request-ID"]
        server.note(answer.status_code, answer.elapsed.total_seconds(), request_id, repr(data))
        if answer.status_code == 201:
            portfolio = ""  # each file meets an empty portfolio

    send()
    print(f"\nfiles: {dict(statuses)}")  # noqa: T201


def new_portfolio(server: Server, name: str) -> str:
    answer = requests.post(
        f"{server.url}/api/v1/portfolios",
        json={"name": name, "currency": "NOK"},
        headers=server.authorization,
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_ten_thousand_requests_were_quick_and_left_no_memory_behind(server: Server) -> None:
    asked = server.asked
    growth = megabytes(server.web) - server.start_megabytes
    print(  # noqa: T201
        f"\n{asked.total} requests, {asked.past / asked.total:.1%} past token and path:"
        f" {dict(asked.statuses)}\nmemory of the web processes: {server.start_megabytes:.0f} MB"
        f" at the start, {growth:+.0f} MB"
    )
    assert asked.total >= LEAST_REQUESTS
    assert asked.past / asked.total >= LEAST_SHARE
    assert server.slow == []
    assert growth <= MOST_GROWTH * settings.WEB_CONCURRENCY


# --- Large requests -------------------------------------------------------------------------------


def large_file(size: int) -> bytes:
    lines = ["date,type,ticker,quantity,price,currency,note"]
    while size > 0:
        number = len(lines)
        day = f"20{10 + number // 20_000:02}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"
        lines.append(f"{day},buy,FJORD.DEMO,{number},150.25,NOK,{'Monthly savings plan ' * 3}")
        size -= len(lines[-1]) + 1
    return "\n".join(lines).encode()


def upload(server: Server, portfolio: str, data: bytes, **fields: str) -> requests.Response:
    return requests.post(
        f"{server.url}/api/v1/transactions/import-csv",
        data={"portfolio_id": portfolio, **fields},
        files={"file": ("large.csv", data)},
        headers=server.authorization,
        timeout=600,
    )


def all_answers(server: Server, calls: list[Callable[[], requests.Response]]) -> Any:
    """Make all calls at once, and health checks meanwhile, which must be answered."""
    health = []
    with ThreadPoolExecutor(len(calls)) as pool:
        asked = [pool.submit(call) for call in calls]
        while not all(one.done() for one in asked):
            answer = requests.get(f"{server.url}/healthz", timeout=HEALTH_SECONDS)
            assert answer.status_code == 200
            health.append(answer.elapsed.total_seconds())
            time.sleep(0.2)
    print(f"\n{len(health)} health checks, the slowest {max(health):.2f} s")  # noqa: T201
    return [one.result() for one in asked]


def peak_megabytes(session: int) -> float:
    """Return the most memory that the processes of a session ever used, added up, in MB."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) != session:
                continue
            status = (folder / "status").read_text()
        except OSError:
            continue
        total += int(status.split("VmHWM:")[1].split()[0])
    return total / 1024


def assert_below_the_limit_of_compose(server: Server, uploads: float = 0) -> None:
    compose = yaml.safe_load((Path(settings.BASE_DIR) / "compose.yaml").read_text())
    limit = int(compose["services"]["web"]["mem_limit"].removesuffix("m"))
    used = peak_megabytes(server.web) + uploads
    print(f"at most {used:.0f} of {limit} MB")  # noqa: T201
    assert used < limit


def test_four_dry_runs_of_18_mb_stay_below_the_memory_limit(server: Server) -> None:
    data = large_file(DRY_RUN_BYTES)
    calls = []
    for _ in range(DRY_RUNS):  # each of a user of its own
        server.renew_world()
        user = replace(server)
        calls.append(partial(upload, user, user.ids["portfolio"], data, dry_run="true"))
    answers = all_answers(server, calls)
    assert [answer.status_code for answer in answers] == [200] * DRY_RUNS
    assert {answer.json()["rows"] for answer in answers} == {data.count(b"\n")}
    # The uploads lie in a tmpfs, which counts.
    assert_below_the_limit_of_compose(server, uploads=DRY_RUNS * len(data) / 1024**2)


def test_sixteen_explanations_of_120_000_rows_stay_below_the_memory_limit(server: Server) -> None:
    """They once took 8.7 GB."""
    server.renew_world()
    portfolio = new_portfolio(server, "Large")
    data = b"\n".join(large_file(DRY_RUN_BYTES).splitlines()[:120_001])
    assert upload(server, portfolio, data).json()["created"] == 120_000
    [holding] = requests.get(
        f"{server.url}/api/v1/portfolios/{portfolio}/holdings",
        headers=server.authorization,
        timeout=60,
    ).json()
    paths = (f"portfolios/{portfolio}/performance/explain", f"holdings/{holding['id']}/explain")

    def explain(path: str) -> requests.Response:
        url = f"{server.url}/api/v1/{path}"
        return requests.get(url, headers=server.authorization, timeout=300)

    answers = all_answers(server, [partial(explain, path) for path in paths * 8])
    statuses = Counter(answer.status_code for answer in answers)
    print(f"explanations: {dict(statuses)}")  # noqa: T201
    assert set(statuses) <= {200, 429}
    assert statuses[200] >= 2
    assert_below_the_limit_of_compose(server)
