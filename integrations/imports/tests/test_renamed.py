"""Test files that still name an instrument as it was called before it got a new ticker."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.imports.pipeline import import_statement
from integrations.statements.tests.test_nordnet import CHOICES, statement
from marketdata.tests.factories import instrument
from portfolios import services
from portfolios.models import Holding, Transaction
from portfolios.services.actions import Action, Cash, NewTarget, action_legs
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
HEADER = "date,type,ticker,quantity,price,currency\n"
EARLIER = "2024-01-08,buy,OLD.DEMO,10,100,NOK\n2024-02-05,dividend,OLD.DEMO,10,2,NOK\n"
LATER = "2024-07-01,dividend,OLD.DEMO,10,3,NOK\n2024-07-02,sell,OLD.DEMO,4,150,NOK\n"
JUNE, AUGUST = date(2024, 6, 3), date(2024, 8, 5)


@pytest.fixture(autouse=True)
def stocks(db):
    return {
        name: instrument(f"{name}.DEMO", currency="NOK", source="simulated", isin=isin)
        for name, isin in (("OLD", "NO0010063308"), ("NEW", ""), ("NEWER", ""))
    }


def imported(portfolio, lines, *, header=HEADER, **options):
    outcome = import_statement(
        portfolio=portfolio, data=(header + lines).encode(), file_name="rows.csv", **options
    )
    return outcome.import_batch


def exchange(portfolio, old, new, *, on=JUNE, came=None, **fields):
    held = Holding.objects.select_related("portfolio", "stock").get(portfolio=portfolio, stock=old)
    targets = [NewTarget(new, D(came or held.current_quantity))]
    action = Action(kind="exchange", holding=held, date=on, targets=targets, **fields)
    return services.record_share_group(kind="exchange", legs=action_legs(action), date=on)


def rows_of(portfolio):
    """Return (ticker, type, quantity) of all that is no leg of a group, by day."""
    rows = portfolio.transactions.filter(group=None).order_by("date", "sequence")
    return list(rows.values_list("holding__stock__ticker", "type", "quantity"))


def warned(batch):
    return [(one["code"], one["row"], one["detail"]) for one in batch.warnings]


def said(row, old="OLD.DEMO", new="NEW.DEMO"):
    return (
        "renamed",
        row,
        f"{old} became {new} in this portfolio, so this row is booked there. If it is another "
        "share, enter the transaction by hand.",
    )


def quantities():
    return dict(Holding.objects.values_list("stock__ticker", "current_quantity"))


def test_rows_since_a_rename_are_booked_on_the_new_ticker(portfolio, stocks):
    imported(portfolio, EARLIER)
    exchange(portfolio, stocks["OLD"], stocks["NEW"])
    seen = imported(portfolio, LATER, dry_run=True)
    batch = imported(portfolio, LATER)
    assert (batch.created, batch.errors) == (2, [])
    assert warned(batch) == warned(seen) == [said(2), said(3)]
    assert rows_of(portfolio) == [
        ("OLD.DEMO", "buy", 10),
        ("OLD.DEMO", "dividend", 10),
        ("NEW.DEMO", "dividend", 10),
        ("NEW.DEMO", "sell", 4),
    ]
    assert quantities() == {"OLD.DEMO": 0, "NEW.DEMO": 6}
    sold = Transaction.objects.get(type="sell")
    assert sold.realised_gain == 4 * (150 - 100)


@pytest.mark.parametrize("lines", [EARLIER, LATER, EARLIER + LATER, LATER + EARLIER])
def test_a_file_that_is_imported_again_is_known(portfolio, stocks, lines):
    imported(portfolio, EARLIER)
    exchange(portfolio, stocks["OLD"], stocks["NEW"])
    imported(portfolio, LATER)
    before = rows_of(portfolio)
    again = imported(portfolio, lines)
    assert (again.created, again.duplicates, again.failed) == (0, lines.count("\n"), 0)
    assert (again.warnings, rows_of(portfolio)) == ([], before)


def test_an_earlier_file_after_a_later_one_stays_on_the_former_ticker(portfolio, stocks):
    trade(portfolio, stocks["OLD"], "buy", "4", "90", on=date(2023, 5, 2))
    exchange(portfolio, stocks["OLD"], stocks["NEW"])
    imported(portfolio, LATER)
    batch = imported(portfolio, "2024-02-05,dividend,OLD.DEMO,4,2,NOK\n")
    assert (batch.created, batch.warnings) == (1, [])
    assert rows_of(portfolio)[1:] == [
        ("OLD.DEMO", "dividend", 4),
        ("NEW.DEMO", "dividend", 10),
        ("NEW.DEMO", "sell", 4),
    ]


def test_what_was_booked_before_the_rename_was_followed_is_known(portfolio, stocks):
    """The exchange is entered later, with a day before rows that stand."""
    imported(portfolio, EARLIER + LATER)
    exchange(portfolio, stocks["OLD"], stocks["NEW"], on=date(2024, 7, 2), came="6")
    trade(portfolio, stocks["OLD"], "dividend", "6", "1", on=AUGUST)
    before = rows_of(portfolio)
    again = imported(portfolio, EARLIER + LATER + "2024-08-05,dividend,OLD.DEMO,6,1,NOK\n")
    assert (again.created, again.duplicates, again.warnings) == (0, 5, [])
    more = imported(portfolio, "2024-07-02,buy,OLD.DEMO,1,150,NOK\n" + LATER)
    assert (more.created, more.duplicates, warned(more)) == (1, 2, [said(2)])
    assert sorted(rows_of(portfolio)) == sorted([*before, ("NEW.DEMO", "buy", 1)])
    assert quantities() == {"OLD.DEMO": 0, "NEW.DEMO": 7}


def test_a_second_rename_is_followed_too(portfolio, stocks):
    imported(portfolio, EARLIER)
    exchange(portfolio, stocks["OLD"], stocks["NEW"])
    exchange(portfolio, stocks["NEW"], stocks["NEWER"], on=AUGUST)
    batch = imported(portfolio, LATER.replace("07-02", "08-06"))
    assert warned(batch) == [said(2), said(3, new="NEWER.DEMO")]
    assert rows_of(portfolio)[2:] == [("NEW.DEMO", "dividend", 10), ("NEWER.DEMO", "sell", 4)]


def test_the_former_isin_leads_to_the_new_ticker_unless_the_request_names_another(
    portfolio, stocks
):
    imported(portfolio, EARLIER)
    exchange(portfolio, stocks["OLD"], stocks["NEW"])
    columns = ["date", "type", "isin", "quantity", "price", "currency"]
    mapped = {
        "header": ",".join(columns) + "\n",
        "format_name": "mapped",
        "mapping": {"columns": {name: name for name in columns}},
    }
    lines = "2024-07-01,buy,NO0010063308,1,150,NOK\n"
    batch = imported(portfolio, lines, **mapped)
    assert (batch.errors, warned(batch)) == ([], [said(2)])
    assert quantities() == {"OLD.DEMO": 0, "NEW.DEMO": 11}
    other = lines.replace(",1,150", ",2,150")
    batch = imported(portfolio, other, **mapped, instruments={"NO0010063308": "OLD.DEMO"})
    assert (batch.errors, batch.warnings) == ([], [])
    assert quantities() == {"OLD.DEMO": 2, "NEW.DEMO": 11}


@pytest.mark.parametrize(
    "case", ["merger", "cash", "part", "two", "bought again", "other portfolio"]
)
def test_what_is_not_a_rename_leaves_the_rows_where_they_are(user, portfolio, stocks, case):
    imported(portfolio, EARLIER)
    old, new = stocks["OLD"], stocks["NEW"]
    if case == "merger":
        exchange(portfolio, old, new, came="5")
    elif case == "cash":
        exchange(portfolio, old, new, cash=Cash("NOK", D(10), cost_share=D("0.1")))
    elif case == "part":
        exchange(portfolio, old, new, came="6", quantity_out=D(6))
    elif case == "two":
        exchange(portfolio, old, new, came="6", quantity_out=D(6))
        exchange(portfolio, old, stocks["NEWER"])
    else:
        exchange(portfolio, old, new)
    if case == "bought again":
        trade(portfolio, old, "buy", "3", "100", on=AUGUST)
        trade(portfolio, old, "sell", "3", "100", on=AUGUST)
    elif case == "other portfolio":
        portfolio = services.create_portfolio(user=user, name="Other", currency="NOK")
        trade(portfolio, old, "buy", "4", "90", on=date(2023, 5, 2))
    batch = imported(portfolio, "2024-09-02,dividend,OLD.DEMO,10,3,NOK\n")
    assert (batch.created, batch.warnings) == (1, [])
    assert rows_of(portfolio)[-1] == ("OLD.DEMO", "dividend", 10)


def test_a_file_with_the_exchange_itself_is_known_again(portfolio):
    header = HEADER.strip() + ",group,group_kind\n"
    lines = (
        "2024-01-08,buy,OLD.DEMO,10,100,NOK,,\n"
        "2024-06-03,exchange_out,OLD.DEMO,,,NOK,m,exchange\n"
        "2024-06-03,exchange_in,NEW.DEMO,10,,NOK,m,exchange\n"
        "2024-06-10,dividend,OLD.DEMO,10,3,NOK,,\n"
    )
    assert imported(portfolio, lines, header=header).created == 4
    again = imported(portfolio, lines, header=header)
    assert (again.created, again.duplicates, again.warnings) == (0, 4, [])


def test_what_a_broker_says_is_held_is_compared_with_the_new_ticker(upload, stocks):
    lake = "Fjordlaks|NO0000000101"
    bought = f"1|2025-01-14|2025-01-13|KJØPT|{lake}|100|200|0|-20 000|NOK|100|30 000|||"
    sold = f"2|2025-07-14|2025-07-13|SALG|{lake}|40|250|0|10 000|NOK|60|40 000|||"
    upload.done(data=statement([bought]), instruments=CHOICES)
    held = Holding.objects.get()
    exchange(upload.portfolio, held.stock, stocks["NEW"], on=date(2025, 6, 3))
    body = upload.done(data=statement([sold, bought]))
    assert (body["created"], body["duplicates"], body["reconciled"]) == (1, 1, True)
    assert ("renamed", 2) in [(one["code"], one.get("row")) for one in body["warnings"]]
    assert quantities() == {held.stock.ticker: 0, "NEW.DEMO": 60}
    page = upload.api.get(f"/api/v1/portfolios/{upload.portfolio.pk}").json()
    assert page["agrees_until"] == "2025-07-14"
