"""Test concurrent imports over real HTTP."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import requests

from conftest import PASSWORD
from integrations.conftest import csv
from portfolios import services
from portfolios.models import Holding, Transaction

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
