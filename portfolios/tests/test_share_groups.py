"""Test what companies do to their shares, and shares that move between portfolios."""

from datetime import date
from decimal import Decimal as D

import pytest

from marketdata.models import HistoricalStockPrice, StockMetadata
from portfolios import services
from portfolios.calc.import_rows import ImportRow
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction, TransactionGroup
from portfolios.reports.gains import realised_gains
from portfolios.services.actions import Action, Cash, NewTarget, action_legs, transfer_of_shares
from portfolios.services.share_groups import (
    delete_share_group,
    record_share_group,
)
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
JANUARY, MARCH, JUNE = date(2024, 1, 8), date(2024, 3, 4), date(2024, 6, 3)


def holding_of(portfolio, stock):
    return Holding.objects.select_related("portfolio", "stock").get(
        portfolio=portfolio, stock=stock
    )


def figures(holding):
    holding.refresh_from_db()
    return (holding.current_quantity, holding.cost_basis, holding.realised_gain)


def act(kind, holding, day, targets, cash=None, **fields):
    legs = action_legs(
        Action(kind=kind, holding=holding, date=day, targets=targets, cash=cash, **fields)
    )
    return record_share_group(kind=kind, legs=legs, date=day)


@pytest.fixture
def other(user):
    return services.create_portfolio(user=user, name="Other", currency="NOK")


def test_shares_that_moved_keep_their_cost_and_their_lots(portfolio, other, stock):
    trade(portfolio, stock, "buy", "10", "100", on=JANUARY)
    trade(portfolio, stock, "buy", "10", "200", on=MARCH)
    legs = transfer_of_shares(
        holding=holding_of(portfolio, stock), to_portfolio=other, quantity=D(10), date=JUNE
    )
    record_share_group(kind="transfer", legs=legs, date=JUNE)
    portfolio.refresh_from_db()
    assert portfolio.is_linked
    assert figures(holding_of(portfolio, stock)) == (10, 1500, 0)
    assert figures(holding_of(other, stock)) == (10, 1500, 0)
    for place in (portfolio, other):
        trade(place, stock, "sell", "10", "300", on=date(2024, 7, 1))
    gains = {}
    for method in ("average", "fifo"):
        rows = []
        for place in (portfolio, other):
            rows += services_gains(place, method)
        gains[method] = sum(row.gain for row in rows)
    assert gains == {"average": 3000, "fifo": 3000}
    [moved] = services_gains(other, "fifo")
    assert [(lot.bought_on, lot.cost) for lot in moved.lots] == [(JANUARY, 1000)]


def services_gains(portfolio, method):
    return realised_gains(portfolio, year=None, method=method)


def test_a_merger_for_shares_and_cash(portfolio, make_stock):
    t, a = make_stock("T.DEMO"), make_stock("A.DEMO")
    trade(portfolio, t, "buy", "120", "30", on=JANUARY)
    trade(portfolio, a, "buy", "1", "125", on=JANUARY)
    cash = Cash("NOK", D(1200), cost_share=D("0.166666666666667"))
    group = act("exchange", holding_of(portfolio, t), JUNE, [NewTarget(a, D(48))], cash)
    assert figures(holding_of(portfolio, t)) == (0, 0, 600)
    assert figures(holding_of(portfolio, a)) == (49, 3125, 0)
    delete_share_group(group=group)
    assert figures(holding_of(portfolio, t)) == (120, 3600, 0)
    assert figures(holding_of(portfolio, a)) == (1, 125, 0)
    assert Transaction.objects.count() == 2


def test_a_spin_off_moves_a_part_of_the_cost(portfolio, make_stock):
    x, y = make_stock("X.DEMO"), make_stock("Y.DEMO")
    trade(portfolio, x, "buy", "100", "50", on=JANUARY)
    act("spin_off", holding_of(portfolio, x), JUNE, [NewTarget(y, D(100), cost_share=D("0.2"))])
    assert figures(holding_of(portfolio, x)) == (100, 4000, 0)
    assert figures(holding_of(portfolio, y)) == (100, 1000, 0)
    row = Transaction.objects.get(holding__stock=x, type="buy")
    services.update_transaction(row=row, price=D(100))
    assert figures(holding_of(portfolio, y)) == (100, 2000, 0)


URL = "/api/v1/transaction-groups"
ROWS = "/api/v1/transactions"


def answer(response, status=200):
    assert response.status_code == status, response.content
    return response.json(parse_float=D)


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def merger(holding, **changes):
    body = {
        "kind": "exchange",
        "holding_id": str(holding.pk),
        "date": "2024-06-03",
        "label": "Merger",
        "targets": [{"ticker": "A.DEMO", "quantity": 48}],
    }
    return {**body, **changes}


@pytest.fixture
def t(portfolio, make_stock):
    stock = make_stock("T.DEMO")
    trade(portfolio, stock, "buy", "120", "30", on=JANUARY)
    return holding_of(portfolio, stock)


@pytest.fixture
def a(make_stock):
    return make_stock("A.DEMO")


def close(stock, day, price):
    HistoricalStockPrice.objects.as_service().create(
        stock=stock, date=day, close=D(price), source="test"
    )


def test_a_merger_by_api_shows_the_holdings_before_and_after(api, portfolio, t, a):
    close(a, JUNE, 125)
    cash = {"currency": "NOK", "amount": 1200}
    dry = answer(api.post(f"{URL}?dry_run=true", merger(t, cash=cash)))
    assert dry["id"] is None
    assert Transaction.objects.count() == 1
    body = answer(api.post(URL, merger(t, cash=cash)), 201)
    assert (dry["before"], dry["after"]) == (body["before"], body["after"])
    place = str(portfolio.pk)
    assert body["before"] == [
        state("T.DEMO", place, 120, 3600, 30),
        state("A.DEMO", place, 0, 0, None),
    ]
    assert body["after"] == [
        state("T.DEMO", place, 0, 0, None),
        state("A.DEMO", place, 48, 3000, D("62.5")),
    ]
    assert (body["label"], body["cost_moved"], body["warnings"]) == ("Merger", 3000, [])
    out, arrives = body["transactions"]
    assert (out["type"], out["quantity"], out["realised_gain"]) == ("exchange_out", 120, 600)
    assert (out["amount"], out["settlement_amount"]) == (1200, 1200)
    assert (arrives["type"], arrives["quantity"], arrives["price"]) == (
        "exchange_in",
        48,
        D("62.5"),
    )
    assert body["quantity_out"] is None
    assert answer(api.get(f"{URL}/{body['id']}")) == body
    assert without_times(answer(api.put(f"{URL}/{body['id']}", body))) == without_times(body)
    gains = answer(api.get(f"/api/v1/portfolios/{portfolio.pk}/realised-gains?method=fifo"))
    [gain] = gains
    assert (gain["kind"], gain["proceeds"], gain["cost"], gain["gain"]) == (
        "action",
        1200,
        600,
        600,
    )


def state(ticker, portfolio_id, quantity, cost, average):
    return {
        "ticker": ticker,
        "portfolio_id": portfolio_id,
        "quantity": quantity,
        "cost_basis": cost,
        "average_cost_per_share": average,
    }


def without_times(body):
    for row in body["transactions"]:
        row.pop("updated_at")
    return body


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({"targets": []}, 422, [("required", "targets")]),
        ({"targets": [{"ticker": "T.DEMO", "quantity": 1}]}, 422,
         [("circular_transfer", "targets.0.ticker")]),
        ({"targets": [{"ticker": "A.DEMO"}]}, 422, [("required", "targets.0.quantity")]),
        ({"targets": [{"ticker": "A.DEMO", "quantity": 1, "cost_share": 0.5}]}, 422,
         [("cost_shares", "targets")]),
        ({"quantity_out": 121}, 422, [("insufficient_quantity", "quantity_out")]),
        ({"quantity_out": 0}, 422, [("not_above", "quantity_out")]),
        ({"date": "2023-01-02"}, 422, [("insufficient_quantity", "quantity_out")]),
        ({"date": "2999-01-02"}, 422, [("future_date", "date")]),
        ({"kind": "exercise"}, 422, [("required", "cash")]),
        ({"kind": "exercise", "cash": {"currency": "NOK", "amount": 5}}, 422,
         [("wrong_sign", "cash")]),
        ({"kind": "spin_off", "date": "2024-01-07"}, 422,
         [("insufficient_quantity", "holding_id")]),
        ({"kind": "spin_off", "quantity_out": 5}, 422, [("invalid", "quantity_out")]),
        ({"cash": {"currency": "NOK", "amount": 0}}, 422, [("wrong_sign", "cash.amount")]),
        ({"holding_id": "00000000-0000-4000-8000-000000000000"}, 422,
         [("unknown_holding", "holding_id")]),
        ({"holding_id": None}, 422, [("required", "holding_id")]),
        ({"fee": 5}, 422, [("unknown_field", "fee")]),
    ],
)  # fmt: skip
def test_an_action_that_cannot_be_is_refused(api, t, a, changes, status, expected):
    response = api.post(URL, merger(t, **changes))
    assert (response.status_code, codes(response)) == (status, expected)
    assert Transaction.objects.count() == 1


def test_a_dry_run_or_a_refusal_leaves_no_instrument_behind(api, t, a):
    new = {"ticker": "NEWCO", "company_name": "New", "currency": "NOK", "quantity": 5}
    before = set(StockMetadata.objects.values_list("ticker", flat=True))
    answer(api.post(f"{URL}?dry_run=true", merger(t, targets=[new])))
    answer(api.post(URL, merger(t, targets=[new], quantity_out=121)), 422)
    assert set(StockMetadata.objects.values_list("ticker", flat=True)) == before
    assert Transaction.objects.count() == Holding.objects.count() == 1


def test_an_action_changes_and_goes_as_one(api, portfolio, t, a):
    body = answer(api.post(URL, merger(t)), 201)
    url = f"{URL}/{body['id']}"
    row = f"{ROWS}/{body['transactions'][1]['id']}"
    for response in (api.patch(row, {"quantity": 5}), api.delete(row)):
        assert (response.status_code, codes(response)) == (409, [("part_of_group", None)])
    for holding in Holding.objects.all():
        response = api.delete(f"/api/v1/holdings/{holding.pk}")
        assert (response.status_code, codes(response)) == (409, [("part_of_group", None)])
    changed = answer(api.put(url, merger(t, quantity_out=60)))
    assert [row["id"] for row in changed["transactions"]] == [
        row["id"] for row in body["transactions"]
    ]
    assert figures(t) == (60, 1800, 0)
    trade(portfolio, a, "sell", "48", "50", on=date(2024, 7, 1))
    response = api.delete(url)
    assert (response.status_code, codes(response)) == (409, [("insufficient_quantity", None)])
    response = api.put(url, merger(t, targets=[{"ticker": "A.DEMO", "quantity": 47}]))
    assert (response.status_code, codes(response)) == (422, [("insufficient_quantity", None)])
    assert Transaction.objects.filter(type="exchange_in", quantity=48).exists()


def test_a_change_can_say_that_all_goes_and_that_there_is_no_cash(api, portfolio, t, a):
    cash = {"currency": "NOK", "amount": 100, "cost_share": D("0.5")}
    target = {"ticker": "A.DEMO", "quantity": 48, "cost_share": D("0.5")}
    body = merger(t, quantity_out=60, cash=cash, targets=[target])
    group = answer(api.post(URL, body), 201)
    assert figures(t) == (60, 1800, -800)
    target = {"ticker": "A.DEMO", "quantity": 48}
    body = merger(t, quantity_out=None, cash=None, targets=[target])
    changed = answer(api.put(f"{URL}/{group['id']}", body))
    assert (changed["quantity_out"], changed["cash"]) == (None, None)
    assert figures(t) == (0, 0, 0)
    assert figures(holding_of(portfolio, a)) == (48, 3600, 0)


def test_all_that_is_held_goes_also_after_an_edit_of_the_past(api, portfolio, t, a):
    answer(api.post(URL, merger(t)), 201)
    trade(portfolio, t.stock, "buy", "30", "10", on=MARCH)
    trade(portfolio, t.stock, "sell", "50", "60", on=JUNE)
    out = Transaction.objects.get(type="exchange_out")
    assert out.quantity == 100
    assert figures(t) == (0, 0, 3000 - 50 * 26)
    assert figures(holding_of(portfolio, a)) == (48, 2600, 0)


def test_shares_move_by_api(api, portfolio, other, t):
    body = {
        "kind": "transfer",
        "holding_id": str(t.pk),
        "quantity": 20,
        "to_portfolio_id": str(other.pk),
        "date": "2024-06-03",
    }
    group = answer(api.post(URL, body), 201)
    out, arrives = group["transactions"]
    assert (out["type"], arrives["type"], arrives["price"]) == ("transfer_out", "transfer_in", 30)
    assert [one["quantity"] for one in group["after"]] == [100, 20]
    changed = answer(api.patch(f"{ROWS}/{arrives['id']}", {"quantity": 30, "date": "2024-06-04"}))
    assert (changed["quantity"], changed["date"]) == (30, "2024-06-04")
    assert figures(t) == (90, 2700, 0)
    response = api.patch(f"{ROWS}/{arrives['id']}", {"price": 5})
    assert codes(response) == [("part_of_group", "price")]
    first = Transaction.objects.get(type="buy")
    answer(api.patch(f"{ROWS}/{first.pk}", {"price": 60}))
    assert figures(holding_of(other, t.stock)) == (30, 1800, 0)
    response = api.patch(f"{ROWS}/{first.pk}", {"quantity": 20})
    assert (response.status_code, codes(response)) == (422, [("insufficient_quantity", None)])
    assert api.delete(f"{ROWS}/{out['id']}").status_code == 204
    assert figures(t) == (120, 7200, 0)
    portfolio.refresh_from_db()
    assert not portfolio.is_linked


def test_shares_go_round_in_a_circle_only_on_different_days(api, portfolio, other, t):
    there = {
        "kind": "transfer",
        "holding_id": str(t.pk),
        "quantity": 20,
        "to_portfolio_id": str(other.pk),
        "date": "2024-06-03",
    }
    answer(api.post(URL, there), 201)
    back = there | {
        "holding_id": str(holding_of(other, t.stock).pk),
        "to_portfolio_id": str(portfolio.pk),
        "quantity": 5,
    }
    response = api.post(URL, back)
    assert (response.status_code, codes(response)) == (422, [("circular_transfer", "date")])
    answer(api.post(URL, back | {"date": "2024-06-04"}), 201)
    assert figures(t) == (105, 3150, 0)


@pytest.mark.parametrize("by_holding", [False, True])
@pytest.mark.parametrize("is_source", [False, True])
def test_when_one_end_is_deleted_the_other_keeps_the_cost(
    api, portfolio, other, t, is_source, by_holding
):
    trade(portfolio, t.stock, "buy", "10", "300", on=MARCH)
    legs = transfer_of_shares(holding=t, to_portfolio=other, quantity=D(20), date=JUNE)
    record_share_group(kind="transfer", legs=legs, date=JUNE)
    gone, left = (portfolio, other) if is_source else (other, portfolio)
    if by_holding:
        services.delete_holding(holding=holding_of(gone, t.stock))
    else:
        services.delete_portfolio(portfolio=gone)
    row = Transaction.objects.filter(portfolio=left, type__startswith="transfer").get()
    assert (row.type, row.group_id, row.carried) == (
        "transfer_in" if is_source else "transfer_out",
        None,
        None,
    )
    cost = D(6600) * 20 / 130
    kept = cost if is_source else 6600 - cost
    assert round(holding_of(left, t.stock).cost_basis, 6) == round(kept, 6)
    left.refresh_from_db()
    assert not left.is_linked


def everything():
    models = (Transaction, Holding, TransactionGroup, Portfolio)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_a_circle_over_three_holdings_within_a_day_is_refused(api, portfolio, other, t, a):
    """T goes to A, whose shares move to another portfolio and are T there, which moves back."""
    exchange_all(t, a, JUNE, "48")
    legs = transfer_of_shares(
        holding=holding_of(portfolio, a), to_portfolio=other, quantity=D(48), date=JUNE
    )
    record_share_group(kind="transfer", legs=legs, date=JUNE)
    body = merger(holding_of(other, a), targets=[{"ticker": "T.DEMO", "quantity": 120}])
    answer(api.post(URL, body), 201)
    back = {
        "kind": "transfer",
        "holding_id": str(holding_of(other, t.stock).pk),
        "to_portfolio_id": str(portfolio.pk),
        "quantity": 120,
    }
    before = everything()
    response = api.post(URL, back | {"date": "2024-06-03"})
    assert (response.status_code, codes(response)) == (422, [("circular_transfer", "date")])
    assert everything() == before
    group = answer(api.post(URL, back | {"date": "2024-06-04"}), 201)
    assert figures(t) == (120, 3600, 0)
    before = everything()
    response = api.patch(f"{ROWS}/{group['transactions'][0]['id']}", {"date": "2024-06-03"})
    assert (response.status_code, codes(response)) == (422, [("circular_transfer", "date")])
    assert everything() == before


def exchange_all(holding, target, day, quantity):
    act("exchange", holding, day, [NewTarget(target, D(quantity))])
    return holding_of(holding.portfolio, target)


def test_an_isin_that_changes_twice_keeps_cost_and_days(portfolio, make_stock):
    one, two, three = (make_stock(f"{name}.DEMO") for name in ("ONE", "TWO", "THREE"))
    trade(portfolio, one, "buy", "10", "100", on=JANUARY)
    trade(portfolio, one, "buy", "10", "200", on=MARCH)
    second = exchange_all(holding_of(portfolio, one), two, date(2024, 4, 2), "20")
    third = exchange_all(second, three, JUNE, "20")
    assert figures(third) == (20, 3000, 0)
    trade(portfolio, three, "sell", "10", "300", on=date(2024, 7, 1))
    [gain] = services_gains(portfolio, "fifo")
    assert [(lot.bought_on, lot.quantity, lot.cost) for lot in gain.lots] == [(JANUARY, 10, 1000)]
    assert figures(third) == (10, 1500, 1500)


def test_another_class_of_a_fund_scales_the_lots(portfolio, make_stock):
    old, new = make_stock("OLD.DEMO"), make_stock("NEW.DEMO")
    trade(portfolio, old, "buy", "100", "12", on=JANUARY)
    trade(portfolio, old, "buy", "50", "15", on=MARCH)
    held = exchange_all(holding_of(portfolio, old), new, JUNE, "269.6581092")
    assert figures(held) == (D("269.6581092"), 1950, 0)
    held.refresh_from_db()
    assert round(held.average_cost_per_share, 10) == round(1950 / D("269.6581092"), 10)
    row = Transaction.objects.get(type="exchange_in")
    first, second = row.carried.lots
    assert (first.bought_on, second.bought_on) == (JANUARY, MARCH)
    assert round(first.quantity, 20) == round(D("269.6581092") / 150 * 100, 20)
    assert first.quantity + second.quantity == D("269.6581092")
    assert (first.cost_p, second.cost_p) == (1200, 750)


def test_shares_move_into_another_currency_and_are_sold_there(user, portfolio, make_stock):
    stock = make_stock("ACME.DEMO", "USD")
    euros = services.create_portfolio(user=user, name="Euros", currency="EUR")
    trade(portfolio, stock, "buy", "10", "100", on=JANUARY, exchange_rate="10")
    legs = transfer_of_shares(
        holding=holding_of(portfolio, stock),
        to_portfolio=euros,
        quantity=D(7),
        date=JUNE,
        rate=D("0.09"),
    )
    record_share_group(kind="transfer", legs=legs, date=JUNE)
    assert figures(holding_of(portfolio, stock)) == (3, 3000, 0)
    moved = holding_of(euros, stock)
    assert figures(moved) == (7, 630, 0)  # 7,000 NOK at 0.09
    assert moved.average_cost_per_share == 100
    trade(euros, stock, "sell", "7", "120", on=date(2024, 7, 1), exchange_rate="0.9")
    assert figures(moved) == (0, 0, 126)  # 756 less 630
    [gain] = services_gains(euros, "fifo")
    assert (gain.gain, gain.lots[0].bought_on) == (126, JANUARY)


def test_rights_are_granted_half_exercised_and_half_lapsed(portfolio, make_stock):
    share, rights = make_stock("SHR.DEMO"), make_stock("RTS.DEMO")
    trade(portfolio, share, "buy", "100", "50", on=JANUARY)
    held = holding_of(portfolio, share)
    act("spin_off", held, MARCH, [NewTarget(rights, D(100), cost_share=D("0.1"))])
    assert figures(held) == (100, 4500, 0)
    act(
        "exercise",
        holding_of(portfolio, rights),
        JUNE,
        [NewTarget(share, D(25))],
        Cash("NOK", D(-1000)),
        quantity_out=D(50),
    )
    assert figures(held) == (125, 5750, 0)  # 4,500 and 250 of the rights and 1,000
    assert figures(holding_of(portfolio, rights)) == (50, 250, 0)
    trade(portfolio, rights, "sell", "50", "0", on=date(2024, 7, 1))
    assert figures(holding_of(portfolio, rights)) == (0, 0, -250)
    trade(portfolio, share, "sell", "125", "60", on=date(2024, 7, 2))
    gain = services_gains(portfolio, "fifo")[-1]
    lots = [(lot.bought_on, lot.quantity, lot.cost) for lot in gain.lots]
    assert lots == [(JANUARY, 100, 4500), (JUNE, 25, 1250)]


def test_two_rows_that_stand_are_linked_and_taken_apart(api, portfolio, other, stock):
    trade(portfolio, stock, "buy", "10", "100", on=JANUARY)
    out = trade(portfolio, stock, "transfer_out", "10", on=JUNE)
    arrives = trade(other, stock, "transfer_in", "10", "150", on=date(2024, 6, 5))
    trade(other, stock, "sell", "10", "200", on=date(2024, 6, 6))
    assert figures(holding_of(other, stock)) == (0, 0, 500)
    body = {"kind": "transfer", "out_id": str(out.pk), "in_id": str(arrives.pk)}
    group = answer(api.post(URL, body), 201)
    assert [row["id"] for row in group["transactions"]] == [str(out.pk), str(arrives.pk)]
    assert [row["date"] for row in group["transactions"]] == ["2024-06-03", "2024-06-05"]
    assert figures(holding_of(other, stock)) == (0, 0, 1000)
    assert codes(api.post(URL, body)) == [("part_of_group", "out_id")]
    moved = answer(api.patch(f"{ROWS}/{out.pk}", {"date": "2024-06-04", "note": "post"}))
    assert (moved["date"], moved["note"]) == ("2024-06-04", "post")
    response = api.patch(f"{ROWS}/{out.pk}", {"date": "2024-06-06"})
    assert codes(response) == [("not_a_pair", "in_id")]
    assert api.delete(f"{URL}/{group['id']}").status_code == 204
    row = Transaction.objects.get(pk=arrives.pk)
    assert (row.type, row.price, row.group_id, row.carried) == ("transfer_in", 150, None, None)
    assert figures(holding_of(other, stock)) == (0, 0, 500)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"quantity": "9"}, [("not_a_pair", "in_id")]),
        ({"on": date(2024, 6, 2)}, [("not_a_pair", "in_id")]),
        ({"on": date(2024, 7, 4)}, [("not_a_pair", "in_id")]),
        ({"kind": "buy"}, [("not_a_pair", "in_id")]),
    ],
)
def test_rows_that_are_no_two_sides_are_not_linked(api, portfolio, other, stock, fields, expected):
    trade(portfolio, stock, "buy", "10", "100", on=JANUARY)
    out = trade(portfolio, stock, "transfer_out", "10", on=JUNE)
    entered = {"kind": "transfer_in", "quantity": "10", "on": JUNE, **fields}
    kind, quantity = entered.pop("kind"), entered.pop("quantity")
    row = trade(other, stock, kind, quantity, "150", **entered)
    body = {"kind": "transfer", "out_id": str(out.pk), "in_id": str(row.pk)}
    response = api.post(URL, body)
    assert (response.status_code, codes(response)) == (422, expected)


def test_undoing_an_import_takes_its_row_out_of_the_group(api, portfolio, other, stock):
    trade(portfolio, stock, "buy", "10", "100", on=JANUARY)
    out = trade(portfolio, stock, "transfer_out", "10", on=JUNE)
    import_batch = ImportBatch(portfolio=other, file_name="rows.csv", format="generic")
    services.import_rows(
        import_batch=import_batch,
        rows=[ImportRow(2, "transfer_in", JUNE, stock.ticker, D(10), D(150))],
    )
    arrives = Transaction.objects.get(type="transfer_in")
    body = {"kind": "transfer", "out_id": str(out.pk), "in_id": str(arrives.pk)}
    answer(api.post(URL, body), 201)
    services.undo_import(import_batch=import_batch)
    row = Transaction.objects.get(type="transfer_out")
    assert (row.group_id, row.carried, row.stood_as) == (None, None, None)
    assert not TransactionGroup.objects.exists()
    portfolio.refresh_from_db()
    assert not portfolio.is_linked


def test_an_import_into_a_holding_that_gave_its_shares_away_reaches_the_others(
    portfolio, other, stock
):
    trade(portfolio, stock, "buy", "10", "100", on=JANUARY)
    legs = transfer_of_shares(
        holding=holding_of(portfolio, stock), to_portfolio=other, quantity=D(5), date=JUNE
    )
    record_share_group(kind="transfer", legs=legs, date=JUNE)
    services.import_rows(
        import_batch=ImportBatch(portfolio=portfolio, file_name="rows.csv", format="generic"),
        rows=[ImportRow(2, "buy", MARCH, stock.ticker, D(10), D(200))],
    )
    assert figures(holding_of(other, stock)) == (5, 750, 0)


def test_an_edit_at_the_start_of_a_long_chain_reaches_its_end(user, stock, portfolio):
    trade(portfolio, stock, "buy", "10", "100", on=JANUARY)
    place = portfolio
    for number in range(9):
        following = services.create_portfolio(user=user, name=f"P{number}", currency="NOK")
        day = date(2024, 2, 1 + number)
        legs = transfer_of_shares(
            holding=holding_of(place, stock), to_portfolio=following, quantity=D(10), date=day
        )
        record_share_group(kind="transfer", legs=legs, date=day)
        place = following
    first = Transaction.objects.get(type="buy")
    services.update_transaction(row=first, price=D(70))
    assert figures(holding_of(place, stock)) == (10, 700, 0)


def test_dust_of_an_exchange_is_gone_with_the_last_sale(portfolio, make_stock):
    old, new = make_stock("OLD.DEMO"), make_stock("NEW.DEMO")
    trade(portfolio, old, "buy", "7", "30", on=JANUARY)
    trade(portfolio, old, "split", "0.333333333333333", on=MARCH)
    held = exchange_all(holding_of(portfolio, old), new, JUNE, "2.33333333333333")
    assert figures(holding_of(portfolio, old)) == (0, 0, 0)
    trade(portfolio, new, "sell", "2.33333333333333", "90", on=date(2024, 7, 1))
    assert figures(held)[0] == 0
