"""Test that a broker takes back a group of an earlier file as a whole, or not at all."""

from decimal import Decimal as D

import pytest

from integrations.conftest import Upload
from integrations.imports.tests.test_reversals import everything, types, undo
from integrations.statements.tests.support import choices, held, text
from integrations.statements.tests.test_ibkr import ACTIONS, ACTIVITY, BOUGHT, ORDERS
from portfolios import services
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

ATL, HBR = "US0000000011", "GB0000000021"
KNOWN = choices(
    **{ATL: "ATLAS.USD.DEMO", HBR: "HARBOR.USD.DEMO"},
    ATL="ATLAS.USD.DEMO",
    HBR="HARBOR.USD.DEMO",
)
MERGED = f"ATL({ATL}) Merged(Acquisition) WITH {HBR} 1 for 2"
OUT = f"{MERGED} (ATL, ATLAS, {ATL})"
IN = f"{MERGED} (HBR, HARBOR, {HBR})"
SPUN = f"ATL({ATL}) Spinoff 1 for 5 (HBR, HARBOR, {HBR})"
ROW = 'Corporate Actions,Data,Stocks,USD,{day},{day} 20:25:00,"{words}",{quantity},0,0,0,{code}'
SOLD = 'Trades,Data,Order,Stocks,USD,HBR,"2026-06-01, 10:00:00",-50,9,9,450,-1,-400,0,0,C'


@pytest.fixture
def account(api, user):
    return Upload(api, services.create_portfolio(user=user, name="Broker", currency="USD"))


def action(words, quantity, code="", day="2026-03-02"):
    return ROW.format(words=words, quantity=quantity, code=code, day=day)


def merger(new, code="", day="2026-03-02"):
    sign = -1 if code else 1
    return [action(OUT, -100 * sign, code, day), action(IN, new * sign, code, day)]


def statement(*rows, trades=()):
    return text(ACTIVITY, ORDERS, *trades, ACTIONS, *rows)


FIRST = statement(*merger(50), trades=[BOUGHT])
CANCELLED = merger(50, "Ca")


def groups():
    return list(TransactionGroup.objects.values_list("kind", flat=True))


def test_a_merger_that_a_later_file_cancels_is_undone(account):
    account.done(data=FIRST, instruments=KNOWN)
    before = everything()
    assert held()["HARBOR.USD.DEMO"][0] == 50
    body = account.done(data=statement(*merger(50, "Ca", "2026-03-09")))
    assert (body["rows"], body["created"], body["failed"]) == (2, 2, 0)
    assert (types(), groups()) == (["buy"], [])
    assert (held()["ATLAS.USD.DEMO"][0], held()["HARBOR.USD.DEMO"][0]) == (100, 0)
    assert undo(account, body) == 204
    assert (everything(), groups()) == (before, ["exchange"])
    assert held()["HARBOR.USD.DEMO"][:3] == (50, D("10.02"), D(501))


def test_a_merger_that_is_booked_again_has_its_new_number_of_shares(account):
    account.done(data=FIRST, instruments=KNOWN)
    whole = statement(*merger(50), *CANCELLED, *merger(40), trades=[BOUGHT])
    body = account.done(data=whole)
    assert (body["rows"], body["created"], body["ignored"], body["duplicates"]) == (7, 2, 4, 1)
    assert types() == ["buy", "exchange_in", "exchange_out"]
    assert held()["HARBOR.USD.DEMO"][0] == 40
    for data in (whole, FIRST):
        after = everything()
        again = account(data=data).json()
        assert (again["created"], again["failed"]) == (0, 0)
        assert everything() == after


def test_undo_and_import_again_give_the_same(account):
    account.done(data=FIRST, instruments=KNOWN)
    before = everything()
    whole = statement(*merger(50), *CANCELLED, *merger(40), trades=[BOUGHT])
    body = account.done(data=whole)
    assert undo(account, body) == 204
    assert (everything(), groups()) == (before, ["exchange"])
    account.done(data=whole)
    assert held()["HARBOR.USD.DEMO"][0] == 40


def test_a_merger_that_is_booked_again_as_it_was_stays(account):
    account.done(data=FIRST, instruments=KNOWN)
    before = everything()
    whole = statement(*merger(50), *CANCELLED, *merger(50), trades=[BOUGHT])
    again = account(data=whole).json()
    assert (again["created"], again["duplicates"], again["ignored"]) == (0, 3, 4)
    assert everything() == before


def test_one_leg_alone_is_not_taken_back(account):
    """The ids of Flex queries say which leg is meant."""
    header = (
        "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,Description,ISIN,Report Date,"
        "ActionDescription,Proceeds,Quantity,Code,Type,TransactionID,ActionID"
    )
    out = f'U1,USD,STK,ATL,ATLAS,{ATL},20260302,"{OUT}",0,-100,,TC,11,5'
    into = f'U1,USD,STK,HBR,HARBOR,{HBR},20260302,"{IN}",0,50,,TC,12,5'
    back = f'U1,USD,STK,HBR,HARBOR,{HBR},20260309,"{IN}",0,-50,Ca,TC,13,5'
    account.done(data=statement(trades=[BOUGHT]), instruments=KNOWN)
    account.done(data=text(header, out, into), instruments=KNOWN)
    before = everything()
    for on_error, status in (("abort", 422), ("skip", 200)):
        response = account(data=text(header, into, back), on_error=on_error, instruments=KNOWN)
        body = response.json()
        found = [(one["row"], one["code"]) for one in body["errors"]]
        assert (response.status_code, found) == (status, [(2, "part_of_group")])
        assert (body["rows"], body["failed"], body["ignored"]) == (2, 1, 1)
        assert (everything(), groups()) == (before, ["exchange"])


def test_a_refused_file_shows_the_groups_that_would_be(account):
    unknown = 'Trades,Data,Order,Stocks,USD,WHO,"2026-06-01, 10:00:00",5,9,9,45,-1,-400,0,0,O'
    data = statement(*merger(50), trades=[BOUGHT, unknown])
    for dry_run, status in (("true", 200), ("false", 422)):
        response = account(data=data, instruments=KNOWN, dry_run=dry_run)
        shown = [(one["type"], one["group_kind"]) for one in response.json()["preview"]]
        assert (response.status_code, shown) == (
            status,
            [("buy", None), ("exchange_out", "exchange"), ("exchange_in", "exchange")],
        )
        assert not Transaction.objects.exists()


def test_shares_that_were_sold_since_keep_the_group(account):
    account.done(data=statement(*merger(50), trades=[BOUGHT, SOLD]), instruments=KNOWN)
    before = everything()
    whole = statement(*merger(50), *CANCELLED, trades=[BOUGHT, SOLD])
    for data, rows in ((whole, 6), (statement(*CANCELLED), 2)):
        response = account(data=data)
        body = response.json()
        assert (response.status_code, body["rows"], body["failed"]) == (422, rows, 2)
        assert {one["code"] for one in body["errors"]} == {"insufficient_quantity"}
        assert (everything(), groups()) == (before, ["exchange"])


def test_a_spin_off_goes_with_what_it_took_of_the_cost(account):
    account.done(data=statement(action(SPUN, 20), trades=[BOUGHT]), instruments=KNOWN)
    before = everything()
    assert groups() == ["spin_off"]
    body = account.done(data=statement(action(SPUN, -20, "Ca")))
    assert (body["created"], types(), groups()) == (1, ["buy"], [])
    assert undo(account, body) == 204
    assert (everything(), groups()) == (before, ["spin_off"])


def test_a_leg_that_was_entered_by_hand_keeps_its_group(account):
    account.done(data=FIRST, instruments=KNOWN)
    Transaction.objects.filter(type="exchange_in").update(imported_as="")
    response = account(data=statement(*merger(50), *CANCELLED, trades=[BOUGHT]))
    assert {one["code"] for one in response.json()["errors"]} == {"part_of_group"}
    assert groups() == ["exchange"]
