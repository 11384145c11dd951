"""Test that any sequence of writes leaves every holding equal to the replay of its rows."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from financeproj.core.errors import DomainError
from financeproj.core.money import round_for_storage
from financeproj.users.models import User
from marketdata.models import StockMetadata
from portfolios import services
from portfolios.calc.import_rows import ImportRow
from portfolios.calc.ledger import replay
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction
from portfolios.reports.vectors import TradeVector, packed, update_vector

FIRST = date(2024, 1, 1)
days = st.integers(0, 30).map(lambda n: FIRST + timedelta(days=n))
quantities = st.sampled_from([D(1), D(2), D("2.5"), D(5), D(10)])
prices = st.decimals(min_value="0.01", max_value="500", places=2)
fees = st.decimals(min_value=0, max_value=30, places=2)
kinds = st.sampled_from(
    [
        "buy",
        "buy",
        "buy",
        "sell",
        "sell",
        "dividend",
        "fee",
        "tax",
        "interest",
        "transfer_in",
        "transfer_out",
    ]
)
pick = st.integers(0, 1000)


class Ledger(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        user = User.objects.create_user(username="kari")
        self.vector: TradeVector | None = None
        self.portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
        self.stocks = [
            StockMetadata.objects.create(
                ticker=f"{name}.DEMO",
                currency="NOK",
                source="simulated",
                history_fetched_at=timezone.now(),
            )
            for name in "AB"
        ]

    def teardown(self):
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def dump(self):
        return (
            list(Transaction.objects.order_by("pk").values_list()),
            list(Holding.objects.order_by("pk").values_list()),
            Portfolio.objects.values_list("version").get(),
        )

    def attempt(self, write):
        before = self.dump()
        try:
            with transaction.atomic():
                write()
        except DomainError:
            assert self.dump() == before

    def any_row(self, index):
        rows = list(
            Transaction.objects.select_related("holding__stock", "portfolio").order_by("sequence")
        )
        return rows[index % len(rows)] if rows else None

    @rule(stock=st.integers(0, 1), kind=kinds, on=days, quantity=quantities, price=prices, fee=fees)
    def record(self, stock, kind, on, quantity, price, fee):
        self.attempt(
            lambda: services.record_transaction(
                portfolio=self.portfolio,
                stock=self.stocks[stock],
                type=kind,
                date=on,
                quantity=quantity,
                price=price,
                commission=fee,
            )
        )

    @rule(stock=st.integers(0, 1), on=days, ratio=st.sampled_from([D(2), D("0.5"), D(4)]))
    def split(self, stock, on, ratio):
        self.attempt(
            lambda: services.record_transaction(
                portfolio=self.portfolio,
                stock=self.stocks[stock],
                type="split",
                date=on,
                quantity=ratio,
            )
        )

    @precondition(lambda self: Transaction.objects.exists())
    @rule(index=pick, on=days, quantity=quantities, price=prices)
    def edit(self, index, on, quantity, price):
        row = self.any_row(index)
        if row.type == "split":
            self.attempt(lambda: services.update_transaction(row=row, date=on))
        else:
            self.attempt(
                lambda: services.update_transaction(
                    row=row, date=on, quantity=quantity, price=price
                )
            )

    @precondition(lambda self: Transaction.objects.exists())
    @rule(index=pick)
    def delete(self, index):
        row = self.any_row(index)
        self.attempt(lambda: services.delete_transaction(row=row))

    @rule(
        rows=st.lists(
            st.tuples(st.integers(0, 1), kinds, days, quantities, prices), min_size=1, max_size=4
        ),
        skip=st.booleans(),
    )
    def import_(self, rows, skip):
        import_batch = ImportBatch(portfolio=self.portfolio, file_name="rows.csv", format="generic")
        before = self.dump()
        outcome = services.import_rows(
            import_batch=import_batch,
            rows=[
                ImportRow(row, kind, on, f"{'AB'[at]}.DEMO", quantity, price)
                for row, (at, kind, on, quantity, price) in enumerate(rows, start=2)
            ],
            on_error="skip" if skip else "abort",
        )
        assert (
            import_batch.rows
            == len(rows)
            == import_batch.created + import_batch.duplicates + import_batch.failed
        )
        if not outcome.is_saved:
            assert self.dump() == before

    @precondition(lambda self: ImportBatch.objects.filter(state="done").exists())
    @rule(index=pick)
    def undo(self, index):
        done = list(ImportBatch.objects.filter(state="done").order_by("created_at"))
        self.attempt(lambda: services.undo_import(import_batch=done[index % len(done)]))

    @invariant()
    def what_is_stored_is_the_rounded_replay(self):
        for holding in Holding.objects.all():
            rows = list(holding.transactions.all())
            position, steps = replay(rows)
            average = position.average_c
            assert holding.current_quantity == round_for_storage(position.quantity)
            assert holding.average_cost_per_share == (
                None if average is None else round_for_storage(average)
            )
            assert holding.cost_basis == round_for_storage(position.cost_p)
            assert holding.realised_gain == round_for_storage(position.realised_p)
            assert holding.income == round_for_storage(position.income_p)
            assert holding.charges == round_for_storage(position.charges_p)
            for step in steps:
                average = None if step.average_c is None else round_for_storage(step.average_c)
                gain = None if step.realised_p is None else round_for_storage(step.realised_p)
                assert step.entry.average_cost_per_share_at_transaction == average
                assert step.entry.realised_gain == gain

    @invariant()
    def a_vector_that_follows_the_writes_is_the_one_made_anew(self):
        holdings = list(Holding.objects.select_related("stock").order_by("pk"))
        self.vector, _ = update_vector(self.vector, holdings)
        assert packed(self.vector) == packed(update_vector(None, holdings)[0])


@pytest.mark.untraced
@pytest.mark.django_db
def test_no_sequence_of_writes_breaks_the_ledger():
    run_state_machine_as_test(
        Ledger, settings=hypothesis_settings(max_examples=15, stateful_step_count=25, deadline=None)
    )
