"""Test concurrent imports over real HTTP."""

import importlib
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
import requests
from django.db import connections

from conftest import PASSWORD
from integrations.conftest import csv
from integrations.imports.pipeline import import_statement
from portfolios import services
from portfolios.models import Holding, Transaction
from tests.timing import SLACK

THREADS = 6


def test_one_file_sent_many_times_at_once_is_recorded_once(live_server, user):
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    signed_in = requests.post(
        f"{live_server}/api/v1/auth/login",
        json={"username": "kari", "password": PASSWORD},
        timeout=30,
    )
    headers = {"Authorization": f"Bearer {signed_in.json()['access']}"}
    data = csv(*(f"2024-01-02,buy,FJORD.DEMO,1,{price}" for price in range(1, 101)))
    barrier = Barrier(THREADS)

    def send(_):
        barrier.wait()
        return requests.post(
            f"{live_server}/api/v1/transactions/import-csv",
            data={"portfolio_id": str(portfolio.pk)},
            files={"file": ("trades.csv", data)},
            headers=headers,
            timeout=60,
        )

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(send, range(THREADS)))
    assert sorted(answer.status_code for answer in answers) == [200] * (THREADS - 1) + [201]
    assert sum(answer.json()["created"] for answer in answers) == Transaction.objects.count() == 100
    assert Holding.objects.get().current_quantity == 100


@pytest.fixture(autouse=True)
def _committed(transactional_db):
    """Commit rows, so that the server's threads see them."""


def test_a_dry_run_makes_no_writer_wait(user, monkeypatch):
    """On SQLite a dry run of 200,000 tickers once made others' writes wait 32 seconds."""
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    module = importlib.import_module("portfolios.services.import_rows")
    make_plan = module.make_plan
    waited = []

    def write():
        begun = time.monotonic()
        services.set_balance(portfolio=portfolio, kind="cash", amount=Decimal(7))
        waited.append(time.monotonic() - begun)
        connections.close_all()

    def plan_while_another_writes(*args):
        plan = make_plan(*args)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write).result(60)
        return plan

    monkeypatch.setattr(module, "make_plan", plan_while_another_writes)
    outcome = import_statement(
        portfolio=portfolio,
        data=csv("2024-01-02,buy,FJORD.DEMO,1,100", "2024-01-02,sell,FJORD.DEMO,2,100"),
        file_name="trades.csv",
        dry_run=True,
    )
    assert [problem.code for problem in outcome.problems] == ["insufficient_quantity"]
    assert waited
    assert max(waited) < 1 * SLACK
    portfolio.refresh_from_db()
    assert portfolio.cash == 7
    assert Transaction.objects.count() == 0
