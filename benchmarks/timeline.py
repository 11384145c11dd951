"""Measure requests against one database, from middleware to bytes; `bench_timeline` starts this."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.floor import arrays, floor
from benchmarks.generate import generate
from benchmarks.measure import fastest_seconds, peak_megabytes


def client_of(user: Any) -> Any:
    """Return a function that sends GET requests as `user` and checks that they answer 200.

    They use a token and accept gzip, as a browser does.
    """
    from django.test import Client

    from financeproj.users.services import issue_tokens

    client = Client(SERVER_NAME="localhost", headers={"accept-encoding": "gzip"})
    tokens = issue_tokens(user=user, address="127.0.0.1", agent="")
    headers = {"authorization": f"Bearer {tokens.access_token}"}

    def get(path: str) -> Any:
        response = client.get(path, headers=headers)
        assert response.status_code == 200, (path, response.status_code, response.content[:500])
        return response

    return get


def forget() -> None:
    """Clear the vectors that this process has cached, as in a new process."""
    from marketdata import vectors as market_vectors
    from marketdata.selectors import forget_legs
    from portfolios.reports import histories, money_rows, vectors
    from portfolios.valuation import holdings_and_prices

    market_vectors.vector_cache.clear()
    vectors.vector_cache.clear()
    histories.instruments_cache.clear()
    money_rows.money_rows_cache.clear()
    holdings_and_prices.holdings_cache.clear()
    holdings_and_prices.prices_cache.clear()
    forget_legs()


def measure(size: str) -> dict[str, float]:
    """Return seconds and multiples of the floor for a portfolio of `size` in a new database."""
    from django.conf import settings

    from benchmarks.scratch import scratch_database
    from benchmarks.stored import add_money, store
    from financeproj.users.models import User

    settings.ROOT_URLCONF = "benchmarks.urls"
    data, found = generate(size), {}
    bare = arrays(data)
    with scratch_database():
        user = User.objects.create(username="bench", base_currency="NOK")
        get, portfolio = client_of(user), store(data, user)
        path = f"/api/v1/portfolios/{portfolio.pk}/timeline"
        get(path)  # stores the vector of the transactions
        seconds, lowest = fastest_seconds(lambda: get(path), lambda: floor(bare))
        found["seconds"], found["warm"] = seconds, seconds / lowest
        cold, lowest = fastest_seconds(lambda: (forget(), get(path)), lambda: floor(bare))
        found["cold"] = cold / lowest
        holdings, empty = fastest_seconds(
            lambda: get(f"/api/v1/portfolios/{portfolio.pk}/holdings"), lambda: get("/empty")
        )
        found["holdings"] = holdings / empty
        add_money(data, portfolio)
        get(f"{path}?include_cash=true")  # reads the money into this process
        with_cash, without = fastest_seconds(
            lambda: get(f"{path}?include_cash=true"), lambda: get(path)
        )
        found["with_cash"] = with_cash / without
        found["megabytes"] = float(_in_a_new_process("rss", str(user.pk), path))
    return found


def database_url() -> str:
    """Return the address of this process's database."""
    from django.db import connection

    settings = connection.settings_dict
    name = settings["NAME"]
    if connection.vendor == "postgresql":
        account = f"{settings['USER']}:{settings['PASSWORD']}"
        return f"postgres://{account}@{settings['HOST']}:{settings['PORT'] or 5432}/{name}"
    return f"sqlite:///{name}"


def _in_a_new_process(*arguments: str) -> str:
    """Run this module with `arguments` on this process's database. Return its last line."""
    command = [sys.executable, "-m", "benchmarks.timeline", *arguments]
    environment = {**os.environ, "DATABASE_URL": database_url()}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout.split()[-1]


def peak_of_one_answer(user_id: str, path: str) -> float:
    """Return the peak memory in MB of a new process that has answered one timeline."""
    from financeproj.users.models import User

    client_of(User.objects.get(pk=user_id))(path)
    return peak_megabytes()


if __name__ == "__main__":
    import django

    django.setup()
    print(
        peak_of_one_answer(*sys.argv[2:])
        if sys.argv[1] == "rss"
        else json.dumps(measure(sys.argv[1]))
    )
