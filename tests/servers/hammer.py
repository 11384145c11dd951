"""Writes several times a second, in a process of an installation: `python -m tests.servers.hammer
FILE`.

Each database transaction moves 1 of cash from one portfolio to the other and buys a share in each,
so that at every moment the cash is 0 in all and both hold as many shares as they have transactions.
FILE has, line by line, when a write was done and how many seconds it took. It ends when it is
killed.
"""

import sys
import time
from decimal import Decimal as D

import django


def main():
    django.setup()
    from django.db import transaction
    from django.utils import timezone

    from financeproj.users.models import User
    from marketdata import services as marketdata
    from portfolios import services

    user = User.objects.create_user(username="hammer")
    stock = marketdata.instrument_for_trade(user=user, ticker="HAMMER.DEMO", currency="NOK")
    first, second = (
        services.create_portfolio(user=user, name=name, currency="NOK")
        for name in ("First", "Second")
    )
    with open(sys.argv[1], "a", buffering=1) as log:
        for count in range(1, 1_000_000):
            began = time.time()
            with transaction.atomic():
                for portfolio, amount in ((first, count), (second, -count)):
                    services.set_balance(portfolio=portfolio, kind="cash", amount=D(amount))
                    services.record_transaction(
                        portfolio=portfolio,
                        stock=stock,
                        type="buy",
                        date=timezone.localdate(),
                        quantity=D(1),
                        price=D(1),
                    )
            log.write(f"{time.time()} {time.time() - began}\n")
            time.sleep(
                0.1
                # On SQLite, a waiting writer only retries now and then, and others need the processor
                # too
            )
            if count % 200 == 0:  # a holding of thousands would make each write slow
                for portfolio in (first, second):
                    services.delete_holding(holding=portfolio.holdings.get())


if __name__ == "__main__":
    main()
