"""Test imports with real processes: a killed worker leaves nothing half done."""

import os

import pytest

from integrations.conftest import csv
from tests.servers.processes import installation  # noqa: F401

# The most that one file may have is 200,000: IMPORT_ROWS=200000 takes some minutes.
ROWS = int(os.environ.get("IMPORT_ROWS", "20000"))
PATIENCE = 60 + ROWS / 250  # seconds, on a busy machine


@pytest.fixture
def site(installation):
    installation.start_web()
    return installation


def test_a_killed_worker_is_followed_by_another_and_every_row_is_there_once(site):
    session = site.sign_in()
    portfolio = session.post(
        f"{site.url}/api/v1/portfolios", json={"name": "Nordic", "currency": "NOK"}, timeout=30
    ).json()
    worker = site.start_worker()
    site.wait_for_worker()
    # With the currency, no row depends on how many tickers the source answers for in time.
    data = csv(*(f"2024-01-02,buy,T{row % 50}.DEMO,1,{row + 1},,NOK" for row in range(ROWS)))
    answer = session.post(
        f"{site.url}/api/v1/transactions/import-csv",
        data={"portfolio_id": portfolio["id"]},
        files={"file": ("big.csv", data)},
        timeout=PATIENCE,
    )
    assert answer.status_code == 202
    url = f"{site.url}/api/v1/imports/{answer.json()['id']}"
    site.wait_for(
        lambda: session.get(url, timeout=30).json()["progress"] > 0.3, "some progress", PATIENCE
    )
    site.kill(worker)
    assert session.get(url, timeout=30).json()["state"] == "running"
    first = session.get(f"{site.url}/api/v1/transactions", timeout=30).json()
    assert first["results"] == []
    nothing = "from portfolios.models import Holding as H, Transaction as T; print(T.objects.count(), H.objects.count())"
    assert site.shell(nothing) == "0 0"
    site.shell(
        "from tests.servers.cache import empty_cache; empty_cache()"
    )  # the dead worker's lease ends
    site.start_worker()
    site.shell(
        "from integrations.imports.tasks import resume_imports; resume_imports()"
    )  # as beat does every minute
    site.wait_for(
        lambda: session.get(url, timeout=30).json()["state"] == "done", "the end", PATIENCE
    )
    assert session.get(url, timeout=30).json()["created"] == ROWS
    # Every row of the file has a price of its own.
    prices = "from portfolios.models import Transaction as T; p = T.objects.values_list('price', flat=True)"
    assert site.shell(f"{prices}; print(len(p), len(set(p)))") == f"{ROWS} {ROWS}"
    holdings = session.get(
        f"{site.url}/api/v1/portfolios/{portfolio['id']}/holdings", timeout=60
    ).json()
    assert [holding["current_quantity"] for holding in holdings] == [ROWS // 50] * 50
