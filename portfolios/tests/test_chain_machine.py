"""Test that no sequence of writes in three portfolios loses a share or a cost."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal as D
from decimal import localcontext
from itertools import chain
from typing import NamedTuple

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from financeproj.core.errors import DomainError
from financeproj.core.money import EXACT
from financeproj.users.models import User
from marketdata.models import StockMetadata
from marketdata.services import record_rates
from portfolios import services
from portfolios.calc.carried import Brought, Taken
from portfolios.calc.fifo import Lots, sales
from portfolios.calc.import_rows import ImportRow
from portfolios.calc.ledger import Position, apply, cash_effect, order
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction, TransactionGroup

FIRST = date(2024, 1, 1)
days = st.integers(0, 30).map(lambda n: FIRST + timedelta(days=n))
quantities = st.sampled_from([D(1), D(2), D("2.5"), D(5), D(10)])
prices = st.decimals(min_value="0.01", max_value="500", places=2)
places = st.integers(0, 2)
pick = st.integers(0, 1000)
shares = st.sampled_from([D("0"), D("0.2"), D("0.333333333333333"), D("0.7")])
NOISE = D("1e-35")
CURRENCIES = {
    "portfolios": [("P", "NOK"), ("Q", "NOK"), ("R", "USD")],
    "stocks": [("A", "NOK"), ("B", "NOK"), ("C", "USD")],
}


class Chains(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.user = User.objects.create_user(username="kari")
        # R and C are in dollars, whose rate is another one each day.
        self.portfolios = [
            services.create_portfolio(user=self.user, name=name, currency=currency)
            for name, currency in CURRENCIES["portfolios"]
        ]
        self.stocks = [
            StockMetadata.objects.create(
                ticker=f"{name}.DEMO",
                currency=currency,
                source="simulated",
                history_fetched_at=timezone.now(),
            )
            for name, currency in CURRENCIES["stocks"]
        ]
        rates = [(FIRST + timedelta(days=n), D(9) + D(n * 7 % 20) / 10) for n in range(31)]
        record_rates(base="USD", target="NOK", rates=rates, source="simulated")
        inverse = [(day, 1 / rate) for day, rate in rates]
        record_rates(base="NOK", target="USD", rates=inverse, source="simulated")

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize(price=prices)
    def buy_first(self, price):
        """Let most actions find shares."""
        for place, stock in ((0, 0), (0, 1), (1, 2), (2, 0), (2, 2)):
            services.record_transaction(
                portfolio=self.portfolios[place],
                stock=self.stocks[stock],
                type="buy",
                date=FIRST,
                quantity=D(20),
                price=price,
            )

    def dump(self):
        return (
            list(Transaction.objects.order_by("pk").values_list()),
            list(Holding.objects.order_by("pk").values_list()),
            list(TransactionGroup.objects.order_by("pk").values_list()),
            list(Portfolio.objects.order_by("pk").values_list("version", "is_linked")),
        )

    def attempt(self, write):
        before = self.dump()
        try:
            with transaction.atomic():
                write()
        except DomainError:
            assert self.dump() == before

    def any_of(self, rows, index):
        rows = list(rows)
        return rows[index % len(rows)]

    @rule(
        place=places,
        stock=places,
        kind=st.sampled_from(
            ["buy", "buy", "buy", "sell", "return_of_capital", "transfer_in", "transfer_out"]
        ),
        on=days,
        quantity=quantities,
        price=prices,
    )
    def record(self, place, stock, kind, on, quantity, price):
        self.attempt(
            lambda: services.record_transaction(
                portfolio=self.portfolios[place],
                stock=self.stocks[stock],
                type=kind,
                date=on,
                quantity=quantity,
                price=None if kind == "transfer_out" else price,
            )
        )

    @rule(
        place=places, stock=places, on=days, ratio=st.sampled_from([D(2), D("0.333333333333333")])
    )
    def split(self, place, stock, on, ratio):
        self.attempt(
            lambda: services.record_transaction(
                portfolio=self.portfolios[place],
                stock=self.stocks[stock],
                type="split",
                date=on,
                quantity=ratio,
            )
        )

    @precondition(lambda self: Holding.objects.exists())
    @rule(index=pick, on=days, quantity=quantities)
    def transfer(self, index, on, quantity):
        holding = self.any_of(
            Holding.objects.select_related("portfolio", "stock").order_by("created_at"), index
        )
        others = [one for one in self.portfolios if one.pk != holding.portfolio_id]

        def write():
            legs = services.transfer_of_shares(
                holding=holding, to_portfolio=others[index % 2], quantity=quantity, date=on
            )
            services.record_share_group(kind="transfer", legs=legs, date=on)

        self.attempt(write)

    @rule(
        ends=st.permutations([0, 1, 2]),
        stock=places,
        on=days,
        after=st.integers(0, 5),
        quantity=quantities,
    )
    def link(self, ends, stock, on, after, quantity):
        """Link two transactions that stand: shares out of one portfolio and into another."""

        def write():
            out = self.stand("transfer_out", ends[0], stock, on, quantity)
            arrives = self.stand(
                "transfer_in", ends[1], stock, on + timedelta(days=after), quantity
            )
            legs = services.link_of(out, arrives)
            services.record_share_group(kind="transfer", legs=legs, date=arrives.date)

        self.attempt(write)

    @rule(
        place=places,
        stocks=st.permutations([0, 1, 2]),
        kind=st.sampled_from(["exchange", "spin_off"]),
        on=days,
        quantity=quantities,
        share=shares,
        is_out_known=st.booleans(),
    )
    def complete(self, place, stocks, kind, on, quantity, share, is_out_known):
        """Make a group of shares that came, and of those that were taken out if they stand too."""

        def write():
            arrives = self.stand("transfer_in", place, stocks[0], on, quantity)
            holding = Holding.objects.select_related("portfolio", "stock").get(
                portfolio=self.portfolios[place], stock=self.stocks[stocks[1]]
            )
            out = None
            if is_out_known and kind == "exchange":
                out = self.stand("transfer_out", place, stocks[1], on, D(1))
            target = services.NewTarget(
                arrives.holding.stock,
                arrives.quantity,
                cost_share=share if kind == "spin_off" else None,
                row=arrives,
            )
            legs = services.action_legs(
                services.Action(
                    kind=kind,
                    holding=holding,
                    date=on,
                    targets=[target],
                    quantity_out=out and out.quantity,
                    out_row=out,
                )
            )
            services.record_share_group(kind=kind, legs=legs, date=on)

        if Holding.objects.filter(
            portfolio=self.portfolios[place], stock=self.stocks[stocks[1]]
        ).exists():
            self.attempt(write)

    def stand(self, kind, place, stock, on, quantity):
        row = services.record_transaction(
            portfolio=self.portfolios[place],
            stock=self.stocks[stock],
            type=kind,
            date=on,
            quantity=quantity,
            price=D(11) if kind == "transfer_in" else None,
        )
        return Transaction.objects.select_related("holding__stock", "portfolio").get(pk=row.pk)

    def any_leg(self, index):
        rows = Transaction.objects.filter(group__kind="transfer").order_by("created_at", "sequence")
        return self.any_of(
            rows.select_related("group", "holding__stock", "holding__portfolio", "portfolio"), index
        )

    @precondition(lambda self: Transaction.objects.filter(group__kind="transfer").exists())
    @rule(index=pick, on=days, quantity=quantities)
    def edit_leg(self, index, on, quantity):
        row = self.any_leg(index)
        self.attempt(lambda: services.update_share_leg(row=row, date=on, quantity=quantity))

    @precondition(lambda self: Transaction.objects.filter(group__kind="transfer").exists())
    @rule(index=pick)
    def delete_leg(self, index):
        row = self.any_leg(index)
        self.attempt(lambda: services.delete_share_leg(row=row))

    @precondition(lambda self: Holding.objects.count() > 7)
    @rule(index=pick)
    def delete_holding(self, index):
        holding = self.any_of(
            Holding.objects.select_related("portfolio", "stock").order_by("created_at"), index
        )
        self.attempt(lambda: services.delete_holding(holding=holding))

    def action(self, index, kind, on, stocks, quantity, share, cash, group=None):
        holding = self.any_of(
            Holding.objects.select_related("portfolio", "stock").order_by("created_at"), index
        )
        if group is not None:
            out = group.transactions.filter(type="exchange_out").first()
            holding = Holding.objects.select_related("portfolio", "stock").get(pk=out.holding_id)
        others = [stock for stock in self.stocks if stock.pk != holding.stock_id]
        targets = [services.NewTarget(others[stocks[0] % 2], D(3), cost_share=share)]
        if stocks[0] < stocks[1]:
            other = others[1 - stocks[0] % 2]
            targets.append(services.NewTarget(other, D("2.5"), cost_share=D("0.1")))
        if kind != "spin_off" and not cash:
            targets = [services.NewTarget(targets[0].stock, D(3))]
        amount = None
        if cash:
            amount = services.Cash("NOK", D(cash), cost_share=D("0.2") if cash > 0 else None)
            if kind != "spin_off":
                rest = D(1) if cash < 0 else D("0.8")
                targets = [services.NewTarget(targets[0].stock, D(3), cost_share=rest)]

        def write():
            legs = services.action_legs(
                services.Action(
                    kind=kind,
                    holding=holding,
                    date=on,
                    targets=targets,
                    quantity_out=None if kind == "spin_off" else quantity,
                    cash=amount,
                )
            )
            if group is None:
                services.record_share_group(kind=kind, legs=legs, date=on)
            else:
                services.update_share_group(group=group, legs=legs, date=on)

        self.attempt(write)

    @precondition(lambda self: Holding.objects.exists())
    @rule(
        index=pick,
        kind=st.sampled_from(["exchange", "spin_off", "exercise"]),
        on=days,
        stocks=st.tuples(places, places),
        quantity=st.one_of(st.none(), quantities),
        share=shares,
        cash=st.sampled_from([0, 100, -70]),
    )
    def act(self, index, kind, on, stocks, quantity, share, cash):
        self.action(index, kind, on, stocks, quantity, share, cash)

    @precondition(lambda self: TransactionGroup.objects.exclude(kind="transfer").exists())
    @rule(index=pick, on=days, stocks=st.tuples(places, places), quantity=quantities, share=shares)
    def change_action(self, index, on, stocks, quantity, share):
        groups = TransactionGroup.objects.exclude(kind="transfer").select_related("portfolio")
        group = self.any_of(groups.order_by("created_at"), index)
        cash = -50 if group.kind == "exercise" else 0
        self.action(0, group.kind, on, stocks, quantity, share, cash, group=group)

    @precondition(lambda self: TransactionGroup.objects.exists())
    @rule(index=pick)
    def delete_group(self, index):
        groups = TransactionGroup.objects.select_related("portfolio").order_by("created_at")
        group = self.any_of(groups, index)
        self.attempt(lambda: services.delete_group(group=group))

    @precondition(lambda self: Transaction.objects.filter(group=None).exists())
    @rule(index=pick, on=days, quantity=quantities)
    def edit(self, index, on, quantity):
        rows = Transaction.objects.filter(group=None).exclude(type="split")
        rows = rows.select_related("holding__stock", "portfolio", "group").order_by("created_at")
        if rows.exists():
            row = self.any_of(rows, index)
            self.attempt(lambda: services.update_transaction(row=row, date=on, quantity=quantity))

    @precondition(lambda self: Transaction.objects.filter(group=None).exists())
    @rule(index=pick)
    def delete(self, index):
        rows = Transaction.objects.filter(group=None).select_related("holding__stock", "portfolio")
        row = self.any_of(rows.order_by("created_at"), index)
        self.attempt(lambda: services.delete_transaction(row=row))

    @rule(
        place=places,
        rows=st.lists(
            st.tuples(places, st.sampled_from(["buy", "sell"]), days, quantities, prices),
            min_size=1,
            max_size=4,
        ),
    )
    def import_(self, place, rows):
        import_batch = ImportBatch(
            portfolio=self.portfolios[place], file_name="rows.csv", format="generic"
        )
        services.import_rows(
            import_batch=import_batch,
            rows=[
                ImportRow(row, kind, on, f"{'ABC'[at]}.DEMO", quantity, price)
                for row, (at, kind, on, quantity, price) in enumerate(rows, start=2)
            ],
            on_error="skip",
        )

    @rule(
        place=places,
        stocks=st.permutations([0, 1, 2]),
        kind=st.sampled_from(["exchange", "spin_off"]),
        on=days,
        quantity=quantities,
        share=shares,
    )
    def import_group(self, place, stocks, kind, on, quantity, share):
        bought, out, arrives = (f"{'ABC'[at]}.DEMO" for at in stocks)
        legs = {"group": "g", "group_kind": kind}
        taken = quantity if kind == "exchange" else D(0)
        import_batch = ImportBatch(
            portfolio=self.portfolios[place], file_name="group.csv", format="generic"
        )
        services.import_rows(
            import_batch=import_batch,
            rows=[
                ImportRow(2, "buy", on, bought, quantity, D(7)),
                ImportRow(3, "exchange_out", on, out, taken, **legs),
                ImportRow(
                    4,
                    "exchange_in",
                    on,
                    arrives,
                    D(3),
                    cost_share=share if kind == "spin_off" else D(1),
                    **legs,
                ),
            ],
            on_error="skip",
        )

    @precondition(lambda self: ImportBatch.objects.filter(state="done").exists())
    @rule(index=pick)
    def undo(self, index):
        done = ImportBatch.objects.filter(state="done").order_by("created_at")
        self.attempt(lambda: services.undo_import(import_batch=self.any_of(done, index)))

    @invariant()
    def what_is_stored_is_what_a_replay_from_nothing_gives(self):
        assert list(services.contradicted_holdings()) == []
        assert list(services.contradicted_chains()) == []
        assert not Holding.objects.filter(current_quantity__lt=0).exists()

    @invariant()
    def no_cost_is_lost(self):
        """Neither within a holding nor on the way to another, at average cost and by lots."""
        ledgers = defaultdict(list)
        for row in Transaction.objects.select_related("group"):
            ledgers[row.holding_id].append(row)
        left = {}
        with localcontext(EXACT):
            for rows in ledgers.values():
                left |= check_holding(sorted(rows, key=order))
            legs = defaultdict(list)
            for row in chain.from_iterable(ledgers.values()):
                if row.group is not None:
                    legs[row.group].append(row)
            for group, rows in legs.items():
                check_group(group, rows, left)


class Left(NamedTuple):
    """The cost that a leg took out, at average and of the lots.

    In the instrument's currency (`_c`) and in the portfolio's. `answered` is the part of it for
    which received cash answers.
    """

    cost_c: D
    cost_p: D
    lots_c: D
    lots_p: D
    answered: D
    answered_by_lots: D


def check_holding(rows):
    """Check that what came in is left, was sold or went out. Return what each leg took out."""
    position, lots = Position(), Lots()
    came = gone = came_by_lots = gone_by_lots = D(0)
    of_sales = {sale.entry.pk: sale.cost for sale in sales(rows)}
    left = {}
    for row in rows:
        before, lots_before = (position.cost_c, position.cost_p), costs_of(lots)
        _average, realised = apply(position, row)
        lots.apply(row)
        lots_c, lots_p = costs_of(lots)
        if isinstance(row.carried, Brought):
            came += row.carried.cost_p
            came_by_lots += sum(lot.cost_p for lot in row.carried.lots)
            assert_equal(row.quantity, sum(lot.quantity for lot in row.carried.lots))
        elif row.type in ("buy", "transfer_in"):
            cost = row.quantity * row.price * row.exchange_rate
            came += cost
            came_by_lots += cost
        elif row.type in ("transfer_out", "exchange_out"):
            left[row.pk] = Left(
                cost_c=before[0] - position.cost_c,
                cost_p=before[1] - position.cost_p,
                lots_c=lots_before[0] - lots_c,
                lots_p=lots_before[1] - lots_p,
                answered=cash_effect(row) - realised if realised else D(0),
                answered_by_lots=of_sales.get(row.pk, D(0)),
            )
            gone += left[row.pk].cost_p
            gone_by_lots += left[row.pk].lots_p
        elif realised is not None:
            gone += cash_effect(row) - realised
            gone_by_lots += of_sales[row.pk]
    assert_equal(came - gone, position.cost_p)
    assert_equal(came_by_lots - gone_by_lots, costs_of(lots)[1])
    assert_equal(position.quantity, sum(lot.quantity for lot in lots.lots))
    return left


def check_group(group, rows, left):
    """Check that what one leg took out is what the others brought in, and paid cash with it."""
    [out] = [row for row in rows if isinstance(row.carried, Taken)]
    targets = [row for row in rows if row is not out]
    taken = left[out.pk]
    rate_c, rate_p = targets[0].exchange_rate, D(1)
    if group.kind == "transfer":
        rate_c, rate_p = D(1), targets[0].exchange_rate
    paid = max(-out.carried.cash_p, D(0))
    lots = [lot for row in targets for lot in row.carried.lots]
    assert_equal(
        sum(row.carried.cost_p for row in targets), (taken.cost_p - taken.answered) * rate_p + paid
    )
    assert_equal(
        sum(lot.cost_p for lot in lots), (taken.lots_p - taken.answered_by_lots) * rate_p + paid
    )
    if not out.carried.cash_p and len(targets) == 1:
        assert_equal(targets[0].carried.cost_c, taken.cost_c * rate_c)
        assert_equal(sum(lot.cost_c for lot in lots), taken.lots_c * rate_c)


def costs_of(lots):
    """Return what the lots cost in the instrument's currency and in the portfolio's."""
    return sum(lot.cost_c for lot in lots.lots), sum(lot.cost for lot in lots.lots)


def assert_equal(one, other):
    assert abs(one - other) < NOISE, (one, other)


@pytest.mark.untraced
@pytest.mark.django_db
def test_no_sequence_of_writes_loses_a_share_or_a_cost():
    run_state_machine_as_test(
        Chains, settings=hypothesis_settings(max_examples=15, stateful_step_count=30, deadline=None)
    )
