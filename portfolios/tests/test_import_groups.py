"""Test what companies do to their shares, in files."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.exports.transactions import export_transactions
from integrations.imports.pipeline import import_statement
from marketdata.tests.factories import with_closes, with_splits
from portfolios import services
from portfolios.models import Holding, Transaction, TransactionGroup

pytestmark = pytest.mark.django_db
HEADER = (
    "date,type,ticker,quantity,price,currency,settlement_amount,exchange_rate,"
    "group,group_kind,group_label,cost_share\n"
)
MERGER = (
    "2024-01-08,buy,T.DEMO,120,30,NOK,,,,,,\n"
    "2024-06-03,exchange_out,T.DEMO,,,NOK,1200,,m,exchange,Merger,0.166666666666667\n"
    "2024-06-03,exchange_in,A.DEMO,48,,NOK,,,m,exchange,,0.833333333333333\n"
    "2024-07-01,sell,A.DEMO,8,125,NOK,,,,,,\n"
)


def imported(portfolio, lines, **options):
    outcome = import_statement(
        portfolio=portfolio, data=(HEADER + lines).encode(), file_name="rows.csv", **options
    )
    return outcome


def figures(ticker):
    holding = Holding.objects.get(stock__ticker=ticker)
    return (holding.current_quantity, holding.cost_basis, holding.realised_gain)


def test_a_merger_in_a_file_carries_the_cost(portfolio, make_stock):
    make_stock("T.DEMO"), make_stock("A.DEMO")
    outcome = imported(portfolio, MERGER)
    batch = outcome.import_batch
    assert (batch.errors, batch.created, batch.groups_created) == ([], 4, 1)
    assert figures("T.DEMO") == (0, 0, 600)
    assert figures("A.DEMO") == (40, 2500, 500)
    out = Transaction.objects.get(type="exchange_out")
    assert (out.quantity, out.takes_all, out.group.label) == (120, True, "Merger")
    again = imported(portfolio, MERGER).import_batch
    assert (again.created, again.duplicates) == (0, 4)
    services.undo_import(import_batch=batch)
    assert not Transaction.objects.exists()
    assert not TransactionGroup.objects.exists()


def test_what_is_exported_is_imported_without_loss(user, portfolio, make_stock):
    for name in "TABC":
        make_stock(f"{name}.DEMO")
    lines = MERGER + (
        "2024-07-02,exchange_out,A.DEMO,0,,NOK,,,s,spin_off,Fjord,\n"
        "2024-07-02,exchange_in,B.DEMO,20,,NOK,,,s,spin_off,,0.25\n"
        "2024-07-03,exchange_out,B.DEMO,10,,NOK,-70,,x,exercise,,\n"
        "2024-07-03,exchange_in,C.DEMO,5,,NOK,,,x,exercise,,1\n"
    )
    assert imported(portfolio, lines).import_batch.errors == []
    text = "".join(export_transactions(user=user))
    copy = services.create_portfolio(user=user, name="Copy", currency="NOK")
    outcome = import_statement(portfolio=copy, data=text.encode(), file_name="copy.csv")
    assert outcome.import_batch.errors == []
    columns = ("stock__ticker", "current_quantity", "cost_basis", "realised_gain")
    first, second = (
        list(place.holdings.order_by("stock__ticker").values_list(*columns))
        for place in (portfolio, copy)
    )
    assert first == second
    assert first == [
        ("A.DEMO", 40, 1875, 500),
        ("B.DEMO", 10, D("312.5"), 0),
        ("C.DEMO", 5, D("382.5"), 0),
        ("T.DEMO", 0, 0, 600),
    ]
    assert list(services.contradicted_chains()) == []


def test_shares_without_their_other_side_come_at_no_cost(portfolio, make_stock):
    make_stock("R.DEMO")
    line = "2024-06-03,exchange_in,R.DEMO,100,,NOK,,,,,,\n"
    [seen] = imported(portfolio, line, dry_run=True).import_batch.warnings
    assert (seen["code"], "transaction_id" in seen) == ("unpaired_action", False)
    [warning] = imported(portfolio, line).import_batch.warnings
    came = Transaction.objects.get()
    assert (warning["code"], warning["row"]) == ("unpaired_action", 2)
    assert warning["transaction_id"] == str(came.pk)
    assert (came.type, figures("R.DEMO")) == ("exchange_in", (100, 0, 0))


def test_a_spin_off_without_a_share_says_so(portfolio, make_stock):
    make_stock("X.DEMO"), make_stock("Y.DEMO")
    outcome = imported(
        portfolio,
        "2024-01-08,buy,X.DEMO,10,30,NOK,,,,,,\n"
        "2024-06-03,exchange_out,X.DEMO,0,,NOK,,,s,spin_off,,\n"
        "2024-06-03,exchange_in,Y.DEMO,10,,NOK,,,s,spin_off,,\n",
    )
    [warning] = outcome.import_batch.warnings
    came = Transaction.objects.get(type="exchange_in")
    assert (warning["code"], warning["transaction_id"]) == ("cost_share_unknown", str(came.pk))
    assert came.group.kind == "spin_off"
    assert (figures("X.DEMO"), figures("Y.DEMO")) == ((10, 300, 0), (10, 0, 0))


@pytest.mark.parametrize(
    "lines",
    [
        "2024-06-03,exchange_out,T.DEMO,5,,NOK,,,m,exchange,,\n",
        "2024-06-03,exchange_in,A.DEMO,5,,NOK,,,m,exchange,,\n",
        "2024-06-03,exchange_out,T.DEMO,5,,NOK,,,,,,\n",
        "2024-06-03,exchange_out,T.DEMO,5,,NOK,,,m,exchange,,\n"
        "2024-06-04,exchange_in,A.DEMO,5,,NOK,,,m,exchange,,\n",
        "2024-06-03,exchange_out,T.DEMO,500,,NOK,,,m,exchange,,\n"
        "2024-06-03,exchange_in,A.DEMO,5,,NOK,,,m,exchange,,\n",
        "2024-06-03,exchange_out,T.DEMO,5,,NOK,,,m,exercise,,\n"
        "2024-06-03,exchange_in,A.DEMO,5,,NOK,,,m,exercise,,\n",
        "2024-06-03,exchange_out,T.DEMO,5,,NOK,,,m,exchange,,\n"
        "2024-06-03,exchange_in,A.DEMO,5,,NOK,,,m,exchange,,0.4\n",
    ],
)
def test_a_group_that_cannot_be_is_refused_whole(portfolio, make_stock, lines):
    make_stock("T.DEMO"), make_stock("A.DEMO")
    bought = "2024-01-08,buy,T.DEMO,120,30,NOK,,,,,,\n"
    batch = imported(portfolio, bought + lines, on_error="skip").import_batch
    assert (batch.created, batch.failed) == (1, lines.count("\n"))
    assert [row.type for row in Transaction.objects.all()] == ["buy"]
    assert not TransactionGroup.objects.exists()


def test_a_merger_whose_closes_are_known_divides_the_cost_by_value(portfolio, make_stock):
    """Case C2: 120 T at 30 become 48 A at 125 and 1,200 in cash."""
    make_stock("T.DEMO"), with_closes(make_stock("A.DEMO"), {date(2024, 6, 3): 125})
    lines = MERGER.replace("0.166666666666667", "").replace("0.833333333333333", "")
    batch = imported(portfolio, lines).import_batch
    assert (batch.errors, batch.warnings) == ([], [])
    assert figures("T.DEMO") == (0, 0, 600)
    assert figures("A.DEMO") == (40, 2500, 500)


@pytest.mark.parametrize("target_on", [date(2024, 6, 3), date(2024, 6, 6)])
def test_a_spin_off_whose_closes_are_known_moves_the_cost_by_value(
    portfolio, make_stock, target_on
):
    """Case C1: 100 X bought at 50 stand at 40 after giving 100 Y at 10; split and sold before."""
    with_closes(make_stock("X.DEMO"), {date(2024, 6, 3): 40})
    with_closes(make_stock("Y.DEMO"), {target_on: 10})
    lines = (
        "2024-01-08,buy,X.DEMO,55,100,NOK,,,,,,\n"
        "2024-02-08,split,X.DEMO,2,,,,,,,,\n"
        "2024-03-08,sell,X.DEMO,10,50,NOK,,,,,,\n"
        "2024-06-03,exchange_out,X.DEMO,0,,NOK,,,s,spin_off,,\n"
        "2024-06-03,exchange_in,Y.DEMO,100,,NOK,,,s,spin_off,,\n"
        "2024-07-03,sell,X.DEMO,40,50,NOK,,,,,,\n"
    )
    batch = imported(portfolio, lines).import_batch
    assert (batch.errors, batch.warnings) == ([], [])
    assert figures("X.DEMO") == (60, 2400, 400)
    assert figures("Y.DEMO") == (100, 1000, 0)


def test_shares_that_an_earlier_file_brought_count_in_a_spin_off(portfolio, make_stock):
    with_closes(make_stock("X.DEMO"), {date(2024, 6, 3): 40})
    with_closes(make_stock("Y.DEMO"), {date(2024, 6, 3): 10})
    imported(portfolio, "2024-01-08,buy,X.DEMO,100,50,NOK,,,,,,\n")
    imported(
        portfolio,
        "2024-06-03,exchange_out,X.DEMO,0,,NOK,,,s,spin_off,,\n"
        "2024-06-03,exchange_in,Y.DEMO,100,,NOK,,,s,spin_off,,\n",
    )
    assert (figures("X.DEMO")[1], figures("Y.DEMO")[1]) == (4000, 1000)


def test_a_split_that_is_no_row_leaves_the_part_of_the_cost_unknown(portfolio, make_stock):
    stock = with_closes(make_stock("X.DEMO"), {date(2024, 6, 3): 40})
    with_splits(stock, {date(2024, 3, 1): 2})
    with_closes(make_stock("Y.DEMO"), {date(2024, 6, 3): 10})
    batch = imported(
        portfolio,
        "2024-01-08,buy,X.DEMO,50,100,NOK,,,,,,\n"
        "2024-06-03,exchange_out,X.DEMO,0,,NOK,,,s,spin_off,,\n"
        "2024-06-03,exchange_in,Y.DEMO,100,,NOK,,,s,spin_off,,\n",
    ).import_batch
    assert "cost_share_unknown" in [one["code"] for one in batch.warnings]
    assert figures("Y.DEMO")[1] == 0
