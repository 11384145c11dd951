"""A user with one object of each kind, for the walk over the routes and the
made-up requests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib.admin.utils import NestedObjects
from django.db import DEFAULT_DB_ALIAS

from financeproj.core.db.rows import fields_of
from financeproj.users.models import SignIn, User
from financeproj.users.services import set_retirement_goal
from integrations.imports.pipeline import import_statement
from integrations.ynab.services import choose_budget
from marketdata.models import HeldBack
from marketdata.services import enter_price, instrument_for_trade
from pensions import services as pensions
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry
from portfolios import services as portfolios
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction, TransactionGroup
from tests.servers.simulated import shorten_histories
from tests.servers.yahoo import FakeYahoo
from tests.servers.ynab import KEY, ynab_server

SECRET = "solbakken"  # in every text of theirs, and nowhere else
STATEMENT = b"""date,type,ticker,quantity,price,currency,note
2024-02-01,buy,BREEN.DEMO,5,100,NOK,solbakken
2024-03-01,buy,BREEN.DEMO,5,110,NOK,solbakken
"""


@dataclass
class World:
    """The objects of `user`. Nothing depends on `transaction`, so that it can be deleted."""

    user: User
    portfolio: Portfolio
    holding: Holding
    transaction: Transaction
    import_batch: ImportBatch
    account: PensionAccount
    value: PensionValueEntry
    plan: ContributionPlan
    budget_id: str
    ynab_account: str
    held_back: HeldBack
    group: TransactionGroup

    ticker = "SOLBAKKEN-HYTTE"  # priced by hand: their own
    shared_ticker = "FJORD.DEMO"
    mapping = "scalable"  # the format whose word has a meaning

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows that would be deleted with the user, by model."""
        found = NestedObjects(using=DEFAULT_DB_ALIAS)
        found.collect([User.objects.get(pk=self.user.pk)])
        kept: dict[str, list[dict[str, Any]]] = {}
        for model, rows in found.model_objs.items():
            names = [field.attname for field in model._meta.concrete_fields]
            kept[model._meta.label] = sorted((fields_of(row, names) for row in rows), key=repr)
        return kept

    def values(self) -> dict[str, str]:
        """Return what requests name: the ids of the objects by their kind, and the user's."""
        objects = {
            "user": self.user,
            "portfolio": self.portfolio,
            "holding": self.holding,
            "transaction": self.transaction,
            "import": self.import_batch,
            "account": self.account,
            "value": self.value,
            "plan": self.plan,
            "held_back": self.held_back,
            "group": self.group,
        }
        found = {name: str(one.pk) for name, one in objects.items()}
        return found | {"budget": self.budget_id, "ynab_account": self.ynab_account}

    def ids(self) -> set[str]:
        return {
            str(row["id"])
            for rows in self.rows().values()
            for row in rows
            if len(str(row.get("id", ""))) == 36
        }


def make_world(user: User, budget_id: str, ynab_account: str) -> World:
    portfolio = portfolios.create_portfolio(
        user=user,
        name="Solbakken Nordic",
        brokerage_firm="Solbakken Bank",
        currency="NOK",
        used_credit=D(1000),
    )
    portfolios.set_balance(portfolio=portfolio, kind="cash", amount=D("2500.5"))

    def trade(ticker: str, kind: str, on: date, quantity: str, price: str) -> Transaction:
        stock = instrument_for_trade(
            user=user, ticker=ticker, currency="NOK", company_name=f"{ticker.title()} (Solbakken)"
        )
        return portfolios.record_transaction(
            portfolio=portfolio,
            stock=stock,
            type=kind,
            date=on,
            quantity=D(quantity),
            price=D(price),
            note=SECRET,
        )

    first = trade(World.shared_ticker, "buy", date(2024, 1, 10), "10", "150")
    trade(World.shared_ticker, "sell", date(2024, 6, 10), "4", "160")
    last = trade(World.shared_ticker, "dividend", date(2024, 7, 10), "6", "2.5")
    house = trade(World.ticker, "buy", date(2024, 5, 2), "1", "900000")
    enter_price(stock=house.holding.stock, day=date(2024, 6, 3), close=D(905_000))
    held_back = HeldBack.objects.create(
        kind=HeldBack.Kind.SPLIT,
        stock=house.holding.stock,
        date=date(2024, 5, 20),
        value=D("1.281"),
        reason=HeldBack.Reason.PRICE_FACTOR,
        source="yahoo",
    )
    group = portfolios.record_group(
        kind=TransactionGroup.Kind.CONVERSION,
        legs=portfolios.conversion_legs(
            portfolio=portfolio,
            currency="NOK",
            amount=D(1150),
            to_currency="EUR",
            to_amount=D(100),
        ),
        date=date(2024, 2, 1),
        note=SECRET,
    )
    outcome = import_statement(
        portfolio=portfolio,
        data=STATEMENT,
        file_name=f"{SECRET}.csv",
        dry_run=False,
        format_name="auto",
    )
    portfolios.save_mapping(
        user=user,
        name=World.mapping,
        format_name=World.mapping,
        mapping={"types": {"Treuebonus": "deposit"}},
    )
    choose_budget(user=user, budget_id=budget_id, assign=True)
    account = pensions.create_account(
        user=user, name="Solbakken Fripolise", currency="NOK", ynab_account_id=ynab_account
    )
    value = pensions.record_value(account=account, on=date(2024, 1, 31), value=D(100000))
    plan = pensions.create_contribution(account=account, amount=D(2000), start=date(2024, 1, 1))
    SignIn.objects.create(
        user=user,
        name_key="0",
        address="2001:db8::7",
        network="2001:db8::",
        agent="Solbakken Browser 1.0",
        success=True,
    )
    user = set_retirement_goal(user=user, amount=D(5_000_000), year=2055)
    return World(
        user,
        portfolio,
        first.holding,
        last,
        outcome.import_batch,
        account,
        value,
        plan,
        budget_id,
        ynab_account,
        held_back,
        group,
    )


@pytest.fixture
def world(
    user: User, yahoo: FakeYahoo, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Create a user with one object of each kind, a fake Yahoo and a fake YNAB."""
    shorten_histories(monkeypatch)
    yahoo.list("EQNR.OL", [290, 295, 301.5], currency="NOK", zone="Europe/Oslo", name="Equinor ASA")
    yahoo.list_rate("EUR", "NOK", [11.5, 11.6, 11.7])
    with ynab_server() as ynab:
        settings.YNAB_BASE_URL, settings.YNAB_API_KEY = ynab.url, KEY
        budget = ynab.plan("Household")
        account = budget.put(name="Pension", balance=250_000_120)
        yield make_world(user, budget.id, account)
