"""Runs each Celery task in children that kill themselves (SIGKILL) at one statement or commit, and
then to its end.

A program for an installation's environment: budget, account, points, task names. Its last line is
JSON: by task how many statements it has, how often it was killed, what the database holds after
that, and what after a run undisturbed.
"""

import hashlib
import json
import os
import shutil
import signal
import sys
import traceback
from datetime import date, timedelta
from decimal import Decimal

import django

django.setup()

import yfinance  # noqa: E402, F401  before the forks, so that it is imported once
from django.db import connection, connections  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken  # noqa: E402
from rest_framework_simplejwt.tokens import RefreshToken  # noqa: E402

from financeproj.celery import app  # noqa: E402
from financeproj.core.ops.doctor import orphans  # noqa: E402
from financeproj.users.models import User  # noqa: E402
from integrations import ecb  # noqa: E402
from integrations.imports import queue  # noqa: E402
from integrations.imports.options import ImportOptions  # noqa: E402
from integrations.imports.pipeline import read_file  # noqa: E402
from integrations.ynab.services import choose_budget  # noqa: E402
from marketdata import vectors  # noqa: E402
from marketdata.models import (  # noqa: E402
    HistoricalExchangeRate,
    HistoricalStockPrice,
    StockMetadata,
    StockQuote,
)
from pensions.models import PensionAccount, PensionValueEntry  # noqa: E402
from portfolios import services  # noqa: E402
from portfolios.models import Holding, ImportBatch, PendingImport, Transaction  # noqa: E402
from portfolios.services.ledger_check import ledger_faults  # noqa: E402
from tests.servers.cache import empty_cache  # noqa: E402

NIGHTLY = "portfolios.tasks.refresh_histories"


def prepare(budget, account):
    """Create work for every task. Return the arguments by task name."""
    user = User.objects.create_user("kari", base_currency="NOK")
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    stock = StockMetadata.objects.create(ticker="ACME", currency="USD", source="yahoo")
    services.record_transaction(
        portfolio=portfolio,
        stock=stock,
        type="buy",
        date=date(2024, 5, 2),
        quantity=Decimal(10),
        price=Decimal(100),
        exchange_rate=Decimal(10),
    )
    choose_budget(user=user, budget_id=budget, assign=True)
    PensionAccount.objects.create(
        user=user, name="Pension", currency="NOK", ynab_account_id=account
    )
    PensionAccount.objects.create(user=user, name="Abroad", currency="USD")
    RefreshToken.for_user(user)
    OutstandingToken.objects.update(expires_at=timezone.now() - timedelta(days=1))
    data = b"date,type,ticker,quantity,price,currency\n" + b"\n".join(
        b"2024-01-02,buy,T%d.DEMO,1,%d,NOK" % (row % 2, row + 1) for row in range(300)
    )
    options = ImportOptions()
    queued = queue.queue_import(
        portfolio=portfolio,
        data=data,
        file_name="big.csv",
        read=read_file(data, options, user),
        options=options,
    )
    pk = str(stock.pk)
    return {
        "financeproj.history.tasks.prune_history": (),
        "financeproj.users.tasks.flush_tokens": (),
        "integrations.tasks.back_up": (),
        "integrations.imports.tasks.resume_imports": (),
        "integrations.imports.tasks.run_import": (str(queued.pk),),
        "integrations.ynab.tasks.sync_pensions": (),
        "marketdata.tasks.fetch_history": (pk,),
        "marketdata.tasks.forget_old_look_ups": (),
        "marketdata.tasks.learn_isin": (pk, "NO0010096985"),
        "marketdata.tasks.look_up_instruments": (),
        "marketdata.tasks.refresh_pair": ("USD", "NOK"),
        "marketdata.tasks.refresh_stock": (pk,),
        "pensions.tasks.refresh_rates": (),
        "portfolios.tasks.learn_isins": (),
        "portfolios.tasks.refresh_histories": (),
        "portfolios.tasks.refresh_quotes": (),
        "portfolios.tasks.refresh_rates": (),
    }


def keep(name):
    """Save the database, to restore it later."""
    main = connection.settings_dict["NAME"]
    connections.close_all()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connections.close_all()
        shutil.copy(main, f"{main}-{name}")
    else:
        _copy_database(main, f"{main}_{name}")


def come_back(name):
    main = connection.settings_dict["NAME"]
    connections.close_all()
    if connection.vendor == "sqlite":
        for rest in ("-wal", "-shm"):
            if os.path.exists(main + rest):
                os.unlink(main + rest)
        shutil.copy(f"{main}-{name}", main)
    else:
        _copy_database(f"{main}_{name}", main)
    end_leases()


def end_leases():
    """End the leases of killed processes, which would expire later."""
    empty_cache()
    connections.close_all()


def _copy_database(source, target):
    import psycopg

    at = connection.settings_dict
    with psycopg.connect(
        host=at["HOST"], port=at["PORT"], user=at["USER"], dbname="postgres", autocommit=True
    ) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')


class Points:
    """Count statements and commits, and kill this process at number `at`."""

    def __init__(self, at):
        self.at, self.count = at, 0

    def reach(self):
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def __call__(self, execute, sql, params, many, context):
        self.reach()
        return execute(sql, params, many, context)


def run(name, arguments, at=None):
    """Run a task in a child process. Return (whether it ended by itself, number of points)."""
    connections.close_all()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            app.conf.task_always_eager = app.conf.task_eager_propagates = True
            points = Points(at)
            commit = connection._commit

            def counted_commit():
                points.reach()
                commit()
                points.reach()

            connection._commit = counted_commit
            with connection.execute_wrapper(points):
                app.tasks[name](*arguments)
            os.write(writing, str(points.count).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    written = os.read(reading, 100)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    assert at or status == 0, f"{name} failed"
    return os.WIFEXITED(status), int(written or 0)


def facts():
    """Return what must not depend on a kill: everything but times, versions and records of runs."""
    rows = {
        "prices": HistoricalStockPrice.objects.values_list("stock__ticker", "date", "close"),
        "rates": HistoricalExchangeRate.objects.values_list(
            "pair__base", "pair__target", "date", "rate"
        ),
        "quotes": StockQuote.objects.values_list("stock__ticker", "day", "price"),
        "holdings": Holding.objects.values_list("stock__ticker", "current_quantity", "cost_basis"),
        "transactions": Transaction.objects.values_list(
            "holding__stock__ticker", "date", "type", "quantity", "price"
        ),
        "imports": ImportBatch.objects.values_list("file_name", "state", "created"),
        "waiting": PendingImport.objects.values_list("import_batch__file_name"),
        "pensions": PensionValueEntry.objects.values_list("account__name", "date", "value"),
        "tokens": OutstandingToken.objects.values_list("jti"),
    }
    lines = {name: sorted(map(repr, found.order_by())) for name, found in rows.items()}
    return {
        name: [len(one), hashlib.sha256("".join(one).encode()).hexdigest()[:12]]
        for name, one in lines.items()
    }


def faults():
    found = [
        *ledger_faults(),
        *(fault for _, fault in vectors.faulty_vectors()),
        *(one.says for one in orphans()),
    ]
    return found


def main(budget, account, points, *names):
    app.loader.import_default_modules()
    ecb._read()  # before the forks, as yfinance is imported
    arguments = prepare(budget, account)
    keep("before")
    done = {}
    for name in names:
        come_back("before")
        _, statements = run(name, arguments[name])
        undisturbed, kills, after, wrong = facts(), 0, None, []
        # Not the very last: a run may have a few statements less than the first, which has warmed
        # things up.
        far, spread = int(0.9 * statements), int(points) - 1
        for at in sorted(
            {1 + max(far - 1, 0) * step // spread for step in range(int(points))}
            if statements
            else ()
        ):
            come_back("before")
            ended, _ = run(name, arguments[name], at)
            kills += not ended
            wrong += faults()
            end_leases()
            run(name, arguments[name])
            after = facts()
            if (
                after != undisturbed
            ):  # a message of a dead task is lost; what it was for is asked for by the night
                run(NIGHTLY, ())
                after = facts()
                come_back("before")
                run(name, arguments[name])
                run(NIGHTLY, ())
                undisturbed = facts()
            wrong += faults()
            if after != undisturbed:
                break
        done[name] = {
            "statements": statements,
            "kills": kills,
            "undisturbed": undisturbed,
            "after kills": after or undisturbed,
            "faults": wrong,
        }
    print(json.dumps(done))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
