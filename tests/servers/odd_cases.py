"""What rarely occurs, added to a user's data through the services: run in a process of the
installation.
"""

from datetime import date, timedelta
from decimal import Decimal as D

from django.utils import timezone

from financeproj.users.models import User
from financeproj.users.services import set_retirement_goal
from integrations.models import YnabBudget, YnabSettings
from marketdata import services as marketdata
from pensions import services as pensions
from portfolios import services
from portfolios.models import DismissedSplit, PortfolioBalance, Transaction
from tests.entries import statement, trade

Kind = PortfolioBalance.Kind


def fill(username, *, more_digits=False):
    """`more_digits`: a number that only PostgreSQL keeps."""
    user = User.objects.get(username=username)
    set_retirement_goal(user=user, amount=D("4500000.5"), year=timezone.localdate().year + 20)
    odd = services.create_portfolio(
        user=user, name='Ærlig & "Øvrig" 株, Oy', currency="SEK", brokerage_firm="=HYPERLINK(1)"
    )
    services.set_balance(portfolio=odd, kind=Kind.CASH, amount=D("-1234.56"), on=date(2021, 3, 4))
    services.set_balance(portfolio=odd, kind=Kind.CASH, amount=D("77.07"), on=date(2023, 3, 4))
    services.set_balance(portfolio=odd, kind=Kind.CREDIT, amount=D("5000"), on=date(2022, 2, 2))
    services.create_portfolio(user=user, name="-empty", currency="EUR")

    # Priced by hand, once split, with numbers of 15 digits; and one that has no price at all.
    trade(odd, "MYCO", "buy", "2021-01-04", "12345.6789012345", "0.00000123456789", currency="SEK")
    trade(odd, "MYCO", "split", "2021-06-01", "0.1")
    trade(odd, "MYCO", "fee", "2021-06-02", "1", "12.5", note="=1+1")
    trade(odd, "MYCO", "tax", "2021-06-02", "1", "3", note='\'@home\r\nnext "line",\t…')
    trade(odd, "MYCO", "sell", "2022-01-04", "234.5", "1.5", commission=D("9"), external_id="-17")
    myco = odd.holdings.get().stock
    for day, close in (
        (date(2021, 1, 4), "0.000001"),
        (date(2022, 1, 4), "1.5"),
        (date(2024, 1, 4), "2.25"),
    ):
        marketdata.enter_price(stock=myco, day=day, close=D(close))
    trade(odd, "NOPRICE", "buy", "2023-01-03", "3", "7", currency="DKK", exchange_rate=D("1.51"))

    # Splits of the source: one is booked, one was deleted and stays away.
    trade(odd, "SPLITVIK.DEMO", "buy", "2020-01-07", "10", "100", exchange_rate=D("1.02"))
    trade(odd, "SPLITPEAK.USD.DEMO", "buy", "2020-01-07", "10", "100", exchange_rate=D("9.3"))
    booked = Transaction.objects.get(
        portfolio=odd, holding__stock__ticker="SPLITPEAK.USD.DEMO", type="split"
    )
    services.delete_transaction(row=booked)
    assert DismissedSplit.objects.count() == 1
    assert odd.holdings.get(stock__ticker="SPLITVIK.DEMO").current_quantity == 40
    trade(odd, "SPLITVIK.DEMO", "transfer_in", "2023-02-01", "5", "90", exchange_rate=D("0.98"))
    trade(odd, "SPLITVIK.DEMO", "transfer_out", "2023-02-02", "45")  # closed again
    trade(odd, "SPLITVIK.DEMO", "interest", "2023-03-01", "1", "4.25", exchange_rate=D("1"))
    marketdata.save_price(
        _close(odd.holdings.get(stock__ticker="SPLITVIK.DEMO").stock, date(2023, 1, 3), "123.4")
    )

    # Money alone, in a group.
    legs = services.conversion_legs(
        portfolio=odd,
        currency="SEK",
        amount=D("1050.5"),
        to_currency="USD",
        to_amount=D("100.25"),
    )
    services.record_group(kind="conversion", legs=legs, date=date(2024, 1, 3), note="exchanged")

    # Of the source over the network.
    trade(odd, "ODDS", "buy", "2024-01-02", "2", "10.5", exchange_rate=D("10.4"))
    services.remember_aliases(
        user=user, tickers={"NO0010096985": "FJORD.DEMO", "+ødd näme": "ODDS"}
    )

    # Imports: one with rows that failed, one undone, one whose ids were adopted by a row that was
    # there before.
    trade(odd, "FJORD.DEMO", "buy", "2024-02-01", "1", "100", exchange_rate=D("1"))
    adopting = statement(
        odd,
        "=adopting.csv",
        "2024-02-01,buy,FJORD.DEMO,1,100,,,1,,ext-1",
        "2024-02-02,buy,FJORD.DEMO,2,101,1,,1,x,ext-2",
    )
    assert adopting.adopted
    failed = statement(
        odd,
        "half.csv",
        "2024-02-05,buy,FJORD.DEMO,1,-1,,,,,",
        "2024-02-06,buy,FJORD.DEMO,1,5,,,1,,",
        on_error="skip",
    )
    assert (failed.created, failed.failed) == (1, 1)
    undone = statement(
        odd,
        "undone.csv",
        "2024-03-01,buy,GONE.DEMO,1,100,,,1,,",
        "2024-03-02,buy,FJORD.DEMO,1,9,,,1,,",
    )
    services.undo_import(import_batch=undone)
    if more_digits:
        trade(odd, "MYCO", "fee", "2024-06-02", "1", "1.23456789012345678901")

    account = pensions.create_account(user=user, name="@Old scheme", currency="EUR")
    for days, value in ((900, "0"), (400, "10000.01"), (3, "12345.67")):
        pensions.record_value(
            account=account, on=timezone.localdate() - timedelta(days=days), value=D(value)
        )
    pensions.create_contribution(
        account=account,
        amount=D("250.5"),
        frequency="quarterly",
        start=date(2020, 1, 1),
        growth=D("0.015"),
    )
    pensions.create_contribution(
        account=account,
        amount=D("1"),
        frequency="yearly",
        start=date(2019, 1, 1),
        end=date(2030, 1, 1),
    )
    pensions.create_account(user=user, name="Without a value", currency="NOK")

    now = timezone.now()
    row = {
        "id": "checking",
        "name": "Brukskonto",
        "type": "checking",
        "balance": -1234560,
        "cleared_balance": 0,
        "uncleared_balance": -1234560,
        "closed": False,
        "deleted": False,
    }
    budget = YnabBudget.objects.create(
        id="plan-1",
        name="Hushold",
        verified=True,
        currency="NOK",
        currency_fetched_at=now,
        accounts={"checking": row},
        accounts_fetched_at=now,
        server_knowledge=12,
    )
    YnabSettings.objects.create(user=user, budget=budget)
    # What a page would have fetched, is stored: reading must not be the first to ask.
    from tests.servers.answers import walk

    walk(user)


def _close(stock, day, close):
    row = stock.prices.get(date=day)
    row.close = D(close)
    return row
