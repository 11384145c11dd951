"""Test market data with several real processes and a failing Yahoo."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median

import pytest
from django.utils import timezone

from tests.servers.processes import installation  # noqa: F401
from tests.servers.yahoo import weekdays
from tests.timing import SLACK

TIMEOUT_SECONDS = 4  # long enough for a slow machine to answer ten others meanwhile


@pytest.fixture
def site(installation):
    installation.environment["WEB_CONCURRENCY"] = "2"
    installation.environment["MARKET_DATA_TIMEOUT_SECONDS"] = str(TIMEOUT_SECONDS)
    installation.start_web()
    return installation


def timed(session, url):
    begun = time.perf_counter()
    answer = session.get(url, timeout=60)
    return answer.status_code, time.perf_counter() - begun


def warmed_up(site, session, yahoo):
    """Wait until both processes have loaded their modules."""
    yahoo.list("WARM", [1.0, 2.0])
    site.wait_for(
        lambda: session.get(f"{site.url}/api/v1/stocks/WARM/price", timeout=30).ok, "a price"
    )
    site.wait_for(lambda: site.log().count("market_data_ready") >= 2, "both processes' market data")


def test_forty_requests_for_one_cold_ticker_over_two_processes_are_one_fetch(site, yahoo):
    session = site.sign_in()
    warmed_up(site, session, yahoo)
    yahoo.list("COLD", [100.0, 101.0])
    yahoo.delay = 0.7
    with ThreadPoolExecutor(40) as pool:
        answers = list(
            pool.map(lambda _: timed(session, f"{site.url}/api/v1/stocks/COLD/price"), range(40))
        )
    assert yahoo.asked("chart", "COLD") == 1
    statuses = Counter(status for status, _ in answers)
    # At most half of a process's threads wait; later requests get 503 with Retry-After.
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 4
    assert timed(session, f"{site.url}/api/v1/stocks/COLD/price")[0] == 200
    assert yahoo.asked("chart", "COLD") == 1


def test_while_yahoo_hangs_requests_keep_the_time_limit_and_others_are_answered(site, yahoo):
    session = site.sign_in()
    warmed_up(site, session, yahoo)
    urls = [f"{site.url}/healthz", f"{site.url}/api/v1/portfolios"]
    for url in urls * 20:
        timed(session, url)
    idle = {}
    for url in urls:
        idle[url] = [timed(session, url)[1] for _ in range(40)]
    yahoo.fault = yahoo.cookie_fault = "hang"
    with ThreadPoolExecutor(40) as pool:
        hanging = [
            pool.submit(timed, session, f"{site.url}/api/v1/stocks/HANGS{number % 20}/price")
            for number in range(40)
        ]
        site.wait_for(lambda: yahoo.open_now >= 4, "hanging calls", seconds=5)
        time.sleep(0.3)  # requests that may not wait have been answered
        busy = {url: [] for url in urls}
        while sum(not one.done() for one in hanging) >= 4 and len(busy[urls[0]]) < 100:
            for url in urls:
                status, seconds = timed(session, url)
                assert status == 200
                busy[url].append(seconds)
        answers = [one.result() for one in hanging]
    statuses = Counter(status for status, _ in answers)
    assert set(statuses) <= {503, 504}
    assert statuses[504] >= 4
    assert max(seconds for _, seconds in answers) <= TIMEOUT_SECONDS + 1 * SLACK
    for url in urls:
        assert len(busy[url]) >= 10
        assert median(busy[url]) <= 3 * median(idle[url]) * SLACK


def test_after_the_fault_the_next_answer_is_fresh_within_the_breakers_time(site, yahoo):
    session = site.sign_in()
    warmed_up(site, session, yahoo)
    yahoo.list("ACME", [100.0, 101.0])
    url = f"{site.url}/api/v1/stocks/ACME/price"
    yahoo.fault, yahoo.retry_after = (
        "429",
        "10",
    )  # longer than a slow machine takes for the hundred requests
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: timed(session, url)[0], range(100)))
    assert set(statuses) == {503}
    assert yahoo.asked("chart", "ACME") == 1
    yahoo.fault = None
    answer = session.get(url, timeout=60)
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    time.sleep(int(answer.headers["Retry-After"]) + 0.1)
    assert timed(session, url)[0] == 200


def test_a_worker_killed_in_the_middle_of_a_history_leaves_nothing_and_the_next_run_completes_it(
    installation, yahoo
):
    site = installation
    today = timezone.localdate()
    days = list(
        weekdays(today - timedelta(days=700), today - timedelta(days=2))
    )  # all of them closed
    yahoo.list("ACME", {day: 100.0 + number for number, day in enumerate(days)}, splits={})
    stock_id = site.shell(
        "from marketdata.models import StockMetadata as S;"
        "print(S.objects.create(ticker='ACME', currency='USD', source='yahoo').pk)"
    )
    send = f"from marketdata.tasks import fetch_history; fetch_history.delay('{stock_id}')"
    count = (
        "from marketdata.models import *;"
        "print(HistoricalStockPrice.objects.count(), HistoricalStockPrice.objects.values('date').distinct().count())"
    )
    yahoo.fault = "hang"
    worker = site.start_worker()
    site.shell(send)
    site.wait_for(lambda: yahoo.open_now, "the worker's call")
    site.kill(worker)
    assert site.shell(count) == "0 0"
    yahoo.fault = None
    yahoo.release()
    site.start_worker()
    site.shell(send)  # as beat does
    site.wait_for(lambda: site.shell(count) == f"{len(days)} {len(days)}", "the whole history")
