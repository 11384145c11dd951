"""Compare an edit of the first purchase in a chain of 10 holdings with one in a plain holding."""

import itertools
import os
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portfolios.models import Transaction

LIMIT = 20
HOLDINGS = 10
PURCHASES = 20  # in each holding
FIRST = date(2020, 1, 2)


def main() -> bool:
    """Print the ratio. Return whether it is within its limit."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")
    django.setup()
    from benchmarks.measure import fastest_seconds
    from benchmarks.scratch import scratch_database
    from portfolios.services import update_transaction

    prices = itertools.count(100)

    def edit(row: "Transaction") -> None:
        row.refresh_from_db()
        update_transaction(row=row, price=Decimal(next(prices)))

    with scratch_database():
        plain, chained = first_purchases()
        chain, alone = fastest_seconds(lambda: edit(chained), lambda: edit(plain))
    print(f"chain_edit: {chain / alone:.2f} x an edit in a plain holding (limit {LIMIT})")
    return chain / alone <= LIMIT


def first_purchases() -> "tuple[Transaction, Transaction]":
    """Return the first purchase of a plain holding, and of a chain over ten portfolios."""
    from django.utils import timezone

    from financeproj.users.models import User
    from marketdata.models import StockMetadata
    from portfolios import services
    from portfolios.models import Holding, Portfolio, Transaction

    def bought(portfolio: Portfolio, stock: StockMetadata) -> Holding:
        for number in range(PURCHASES):
            services.record_transaction(
                portfolio=portfolio,
                stock=stock,
                type="buy",
                date=FIRST + timedelta(days=number),
                quantity=Decimal(10),
                price=Decimal(100),
            )
        held = Holding.objects.select_related("portfolio", "stock")
        return held.get(portfolio=portfolio, stock=stock)

    user = User.objects.create(username="bench")
    plain, chained = (
        StockMetadata.objects.create(
            ticker=ticker,
            currency="NOK",
            source="simulated",
            history_fetched_at=timezone.now(),
        )
        for ticker in ("PLAIN.DEMO", "CHAIN.DEMO")
    )
    places = [
        services.create_portfolio(user=user, name=f"P{number}", currency="NOK")
        for number in range(HOLDINGS)
    ]
    bought(services.create_portfolio(user=user, name="Plain", currency="NOK"), plain)
    for number, (place, following) in enumerate(itertools.pairwise(places)):
        held = bought(place, chained)
        day = FIRST + timedelta(days=100 + number)
        legs = services.transfer_of_shares(
            holding=held, to_portfolio=following, quantity=Decimal(100), date=day
        )
        services.record_share_group(kind="transfer", legs=legs, date=day)
    bought(places[-1], chained)
    first = Transaction.objects.filter(type="buy").order_by("date", "sequence")
    first = first.select_related("holding__stock", "portfolio", "group")
    of_plain = first.filter(holding__stock=plain)[0]
    return of_plain, first.filter(portfolio=places[0])[0]


if __name__ == "__main__":
    main()
