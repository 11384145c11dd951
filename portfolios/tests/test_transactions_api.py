"""Test transactions over REST: record, read, change, delete, and refusals."""

from datetime import date, timedelta
from decimal import Decimal as D
from itertools import chain, count
from random import Random
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from financeproj.core.api.query import NewestFirst
from marketdata.models import StockMetadata
from portfolios import services
from portfolios.models import Holding, Transaction
from portfolios.tests.conftest import rate, trade

pytestmark = pytest.mark.django_db
URL = "/api/v1/transactions"


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def buy(portfolio, **changes):
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": "FJORD.DEMO",
        "type": "buy",
        "date": "2024-05-02",
        "quantity": 10,
        "price": 100.25,
        "commission": "29.5",
    }
    return {**body, **changes}


def state():
    return (
        list(
            Transaction.objects.order_by("pk").values_list(
                "pk", "date", "quantity", "price", "realised_gain"
            )
        ),
        list(Holding.objects.order_by("pk").values_list("pk", "current_quantity", "cost_basis")),
    )


def test_a_buy_makes_its_holding_and_answers_with_exact_digits(api, portfolio, stock):
    response = api.post(URL, buy(portfolio))
    assert response.status_code == 201
    body = response.json(parse_float=D)
    assert (body["quantity"], body["price"], body["commission"]) == (10, D("100.25"), D("29.5"))
    assert body["amount"] == D("-1032")
    assert body["average_cost_per_share_at_transaction"] == D("103.2")
    assert (body["exchange_rate"], body["currency"], body["source"]) == (1, "NOK", "manual")
    holding = api.get(f"/api/v1/holdings/{body['holding_id']}").json(parse_float=D)
    assert (holding["current_quantity"], holding["average_cost_per_share"]) == (10, D("103.2"))
    assert holding["first_transaction_on"] == holding["last_transaction_on"] == "2024-05-02"


def test_numbers_come_back_with_the_digits_they_came_with(api, portfolio, stock):
    text = (
        b'{"portfolio_id":"%s","ticker":"FJORD.DEMO","type":"buy","date":"2024-05-02","quantity":0.1,'
        % (str(portfolio.pk).encode())
    )
    response = api.generic(
        "POST", URL, text + b'"price":1234567.12345678}', content_type="application/json"
    )
    assert response.status_code == 201
    assert b'"quantity":0.1,' in response.content
    assert b'"price":1234567.12345678,' in response.content


def test_the_rate_is_one_in_the_same_currency_else_the_days(api, portfolio, make_stock):
    make_stock("ACME.USD.DEMO", "USD")
    rate("USD", "NOK", "10.5", date(2024, 5, 1))
    body = api.post(URL, buy(portfolio, ticker="acme.usd.demo")).json(parse_float=D)
    assert (body["exchange_rate"], body["currency"]) == (D("10.5"), "USD")
    given = api.post(URL, buy(portfolio, ticker="ACME.USD.DEMO", exchange_rate="10.75")).json(
        parse_float=D
    )
    assert given["exchange_rate"] == D("10.75")


def test_types_without_a_price_need_none(api, portfolio, stock):
    api.post(URL, buy(portfolio))
    split = api.post(
        URL,
        buy(portfolio, type="split", quantity=4, price=None, commission=None, date="2024-06-01"),
    )
    assert split.status_code == 201
    assert (split.json()["amount"], split.json()["average_cost_per_share_at_transaction"]) == (
        0,
        25.8,
    )
    out = api.post(
        URL, buy(portfolio, type="transfer_out", quantity=40, price=None, date="2024-06-02")
    )
    assert out.status_code == 201
    assert out.json()["exchange_rate"] is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"quantity": 0}, ("not_above", "quantity")),
        ({"quantity": -1}, ("too_small", "quantity")),
        ({"quantity": None}, ("null", "quantity")),
        ({"quantity": "ten"}, ("invalid", "quantity")),
        ({"quantity": "NaN"}, ("invalid", "quantity")),
        ({"quantity": "Infinity"}, ("invalid", "quantity")),
        ({"quantity": "1e400"}, ("out_of_range", "quantity")),
        ({"price": -0.01}, ("too_small", "price")),
        ({"price": None}, ("required", "price")),
        ({"commission": -1}, ("too_small", "commission")),
        ({"exchange_rate": 0}, ("not_above", "exchange_rate")),
        ({"type": "gift"}, ("invalid_choice", "type")),
        ({"date": "2024-02-30"}, ("invalid", "date")),
        ({"date": "1899-12-31"}, ("out_of_range", "date")),
        ({"date": (timezone.localdate() + timedelta(days=1)).isoformat()}, ("future_date", "date")),
        ({"currency": "USD"}, ("currency_mismatch", "currency")),
        ({"currency": "XXX"}, ("unknown_currency", "currency")),
        ({"ticker": "A B"}, ("invalid", "ticker")),
        ({"ticker": None}, ("required", "ticker")),
        ({"note": "x" * 501}, ("max_length", "note")),
        ({"note": "\u0000"}, ("null_characters_not_allowed", "note")),
        (
            {"portfolio_id": "00000000-0000-0000-0000-000000000000"},
            ("unknown_portfolio", "portfolio_id"),
        ),
        ({"holding_id": "00000000-0000-0000-0000-000000000000"}, ("unknown_holding", "holding_id")),
        ({"type": "sell"}, ("insufficient_quantity", "quantity")),
        ({"type": "split", "quantity": 1}, ("invalid", "quantity")),
    ],
)
def test_invalid_input_is_refused_and_nothing_is_written(api, portfolio, stock, changes, expected):
    response = api.post(URL, buy(portfolio, **changes))
    assert response.status_code == 422
    assert expected in codes(response)
    assert state() == ([], [])


def test_more_digits_than_the_database_keeps_are_refused_and_not_rounded(api, portfolio, stock):
    response = api.post(URL, buy(portfolio, quantity="0." + "1" * 29))
    assert response.status_code == 422
    assert codes(response) == [("too_precise", "quantity")]
    assert state() == ([], [])


def test_an_unknown_rate_must_be_given(api, portfolio, make_stock):
    make_stock("ACME.XPF.DEMO", "XPF")
    response = api.post(URL, buy(portfolio, ticker="ACME.XPF.DEMO", date="1995-05-02"))
    assert response.status_code == 422
    assert codes(response) == [("exchange_rate_required", "exchange_rate")]
    assert state() == ([], [])


def test_another_users_ids_are_unknown(other_api, portfolio, stock):
    holding = trade(portfolio, stock, "buy", "4", "100").holding
    before = state()
    assert codes(other_api.post(URL, buy(portfolio))) == [("unknown_portfolio", "portfolio_id")]
    body = buy(portfolio, holding_id=str(holding.pk), portfolio_id=None)
    assert codes(other_api.post(URL, body)) == [("unknown_holding", "holding_id")]
    row = Transaction.objects.get()
    for method, path in [
        ("get", f"{URL}/{row.pk}"),
        ("patch", f"{URL}/{row.pk}"),
        ("put", f"{URL}/{row.pk}"),
        ("delete", f"{URL}/{row.pk}"),
        ("get", f"/api/v1/holdings/{holding.pk}"),
        ("patch", f"/api/v1/holdings/{holding.pk}"),
        ("delete", f"/api/v1/holdings/{holding.pk}"),
        ("get", f"/api/v1/holdings/{holding.pk}/transactions"),
    ]:
        assert getattr(other_api, method)(path, {}).status_code == 404, path
    assert other_api.get(URL).json()["results"] == []
    assert state() == before


def test_moving_a_transaction_to_another_day_looks_up_the_rate_again(api, portfolio, make_stock):
    make_stock("ACME.USD.DEMO", "USD")
    for day, value in ((date(2024, 5, 2), "10.5"), (date(2023, 5, 2), "9.5")):
        rate("USD", "NOK", value, on=day)
    made = api.post(
        URL, buy(portfolio, ticker="ACME.USD.DEMO", date="2024-05-02", exchange_rate="10.75")
    ).json()

    def put(**fields):
        body = {"type": "buy", "date": "2024-05-02", "quantity": 4, "price": 100} | fields
        return api.put(f"{URL}/{made['id']}", body).json(parse_float=D)["exchange_rate"]

    assert put(note="as the broker converted it") == D("10.75")
    assert put(date="2023-05-02") == D("9.5")
    assert put(date="2024-05-02", exchange_rate="10.8") == D("10.8")
    moved = api.patch(f"{URL}/{made['id']}", {"date": "2023-05-02"}).json(parse_float=D)
    assert moved["exchange_rate"] == D("10.8")


def test_selling_more_than_held_is_refused_and_writes_nothing(api, portfolio, stock):
    trade(portfolio, stock, "buy", "4", "100")
    before = state()
    response = api.post(URL, buy(portfolio, type="sell", quantity=10, date="2024-05-03"))
    assert response.status_code == 422
    assert (
        response.json()["errors"][0]["detail"] == "FJORD.DEMO: 10 requested, 4 held on 2024-05-03."
    )
    assert state() == before


def test_an_earlier_sale_that_a_later_one_cannot_bear_names_the_later(api, portfolio, stock):
    trade(portfolio, stock, "buy", "4", "100", on=date(2024, 1, 2))
    later = trade(portfolio, stock, "sell", "4", "120", on=date(2024, 6, 3))
    before = state()
    response = api.post(URL, buy(portfolio, type="sell", quantity=1, date="2024-03-01"))
    assert response.status_code == 422
    assert str(later.pk) in response.json()["errors"][0]["detail"]
    assert "2024-06-03" in response.json()["errors"][0]["detail"]
    assert state() == before


def test_editing_an_earlier_buy_below_what_was_sold_is_422_and_deleting_it_409(
    api, portfolio, stock
):
    first = trade(portfolio, stock, "buy", "4", "100", on=date(2024, 1, 2))
    trade(portfolio, stock, "sell", "4", "120", on=date(2024, 6, 3))
    before = state()
    edited = api.patch(f"{URL}/{first.pk}", {"quantity": 3})
    assert (edited.status_code, codes(edited)) == (422, [("insufficient_quantity", None)])
    moved = api.patch(f"{URL}/{first.pk}", {"date": "2024-06-04"})
    assert moved.status_code == 422
    deleted = api.delete(f"{URL}/{first.pk}")
    assert (deleted.status_code, codes(deleted)) == (409, [("insufficient_quantity", None)])
    assert "2024-06-03" in deleted.json()["errors"][0]["detail"]
    assert state() == before


def each_after_each(kinds):
    """Return a walk in which each kind comes directly after each, itself included, once."""
    walk = []
    for number, kind in enumerate(kinds):
        walk.append(kind)
        for later in kinds[number + 1 :]:
            walk += [kind, later]
    return [*walk, kinds[0]]


def test_a_transaction_of_any_type_can_become_any_other(api, portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100", on=date(2024, 1, 2))
    pk = trade(portfolio, stock, "sell", "2", "110", on=date(2024, 2, 1)).pk
    held = {
        "buy": 12, "sell": 8, "dividend": 10, "interest": 10, "fee": 10, "tax": 10, "split": 20, "transfer_in": 12,
        "transfer_out": 8,
    }  # fmt: skip
    for kind in each_after_each(list(held)):
        answer = api.patch(f"{URL}/{pk}", {"type": kind})
        assert (answer.status_code, answer.json()["type"]) == (200, kind)
        assert answer.json(parse_float=D)["realised_gain"] == (20 if kind == "sell" else None)
        assert Holding.objects.get().current_quantity == held[kind]


def test_an_edit_in_the_middle_moves_everything_after_it(api, portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100", on=date(2024, 1, 2))
    middle = trade(portfolio, stock, "buy", "10", "200", on=date(2024, 2, 1))
    sale = trade(portfolio, stock, "sell", "10", "300", on=date(2024, 3, 1))
    assert sale.realised_gain == 1500
    changed = api.patch(f"{URL}/{middle.pk}", {"price": "400"}).json()
    assert changed["average_cost_per_share_at_transaction"] == 250
    sale.refresh_from_db()
    assert (sale.realised_gain, sale.average_cost_per_share_at_transaction) == (500, 250)
    holding = Holding.objects.get()
    assert (holding.cost_basis, holding.realised_gain) == (2500, 500)


def test_deleting_replays_the_holding(api, portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100", on=date(2024, 1, 2))
    second = trade(portfolio, stock, "buy", "10", "200", on=date(2024, 2, 1))
    assert api.delete(f"{URL}/{second.pk}").status_code == 204
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.average_cost_per_share) == (10, 100)


def test_put_needs_the_whole_and_a_transaction_stays_in_its_holding(
    api, user, portfolio, stock, make_stock
):
    row = trade(portfolio, stock, "buy", "10", "100")
    url = f"{URL}/{row.pk}"
    assert codes(api.put(url, {"quantity": 1}))[0][0] == "required"
    body = {"type": "buy", "date": "2024-05-03", "quantity": 11, "price": 101}
    assert api.put(url, body).json()["quantity"] == 11
    other = trade(portfolio, make_stock("OTHER.DEMO", price="1"), "buy", "1", "1")
    refused = api.patch(url, {"holding_id": str(other.holding_id)})
    assert (refused.status_code, codes(refused)) == (422, [("holding_fixed", "holding_id")])
    assert api.patch(url, {"ticker": "fjord.demo", "note": "same place"}).status_code == 200
    row.refresh_from_db()
    assert row.holding.stock == stock


def test_a_repeated_external_id_is_a_conflict(api, portfolio, stock):
    assert api.post(URL, buy(portfolio, external_id="N-1")).status_code == 201
    before = state()
    response = api.post(URL, buy(portfolio, external_id="N-1", quantity=3))
    assert (response.status_code, codes(response)) == (
        409,
        [("duplicate_external_id", "external_id")],
    )
    assert state() == before
    assert api.post(URL, buy(portfolio, external_id="")).status_code == 201
    assert api.post(URL, buy(portfolio, external_id=None)).status_code == 201


def entered(portfolio, days, *, sequence=1):
    """Enter rows on these days of January, in this order."""
    holding, _ = Holding.objects.get_or_create(
        portfolio=portfolio, stock=StockMetadata.objects.get()
    )
    rows = [
        Transaction(
            holding=holding,
            portfolio=portfolio,
            type="dividend",
            date=date(2024, 1, day),
            effective_date=date(2024, 1, day),
            quantity=1,
            price=1,
            exchange_rate=1,
            sequence=sequence + index,
        )
        for index, day in enumerate(days)
    ]
    Transaction.objects.bulk_create(rows)
    return [str(row.pk) for row in rows]


def pages(api, link, url, between=lambda: None):
    """Return the ids page by page along the links of this name."""
    found = []
    while url:
        page = api.get(url).json()
        found.append([row["id"] for row in page["results"]])
        between()
        url = page[link]
    return found, page


def test_pages_follow_each_other_newest_first_and_back_where_one_day_has_them_all(
    api, portfolio, stock
):
    rows = entered(portfolio, [2] * 250)
    there, last = pages(api, "next", URL)
    assert there == [rows[249:149:-1], rows[149:49:-1], rows[49::-1]]
    back, first = pages(api, "previous", last["previous"])
    assert back == [there[1], there[0]]
    assert first["previous"] is None
    assert pages(api, "next", first["next"])[0] == there[1:]
    assert api.get(f"{URL}?cursor=nonsense").status_code == 400


@pytest.mark.untraced
@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_shown_once_either_way_also_while_rows_are_entered(
    api, user, portfolio, stock, monkeypatch, seed
):
    """Two portfolios, whose rows share days and numbers in the order of entry, and a row more after
    each page.
    """
    chance = Random(seed)
    monkeypatch.setattr(NewestFirst, "page_size", chance.randint(1, 4))
    other = services.create_portfolio(user=user, name="Other", currency="NOK")
    for one in (portfolio, other):
        entered(one, [chance.randint(1, 3) for _ in range(chance.randint(5, 14))])
    rows = [str(row.pk) for row in Transaction.objects.order_by("-date", "-sequence", "-id")]
    numbers = count(100)

    def enter():
        entered(chance.choice((portfolio, other)), [chance.randint(1, 3)], sequence=next(numbers))

    there, last = pages(api, "next", URL)
    assert [*chain(*there)] == rows
    back, _ = pages(api, "previous", last["previous"])
    assert [*chain(*reversed(back), there[-1])] == rows

    for link, url in (("next", URL), ("previous", last["previous"])):
        shown = [*chain(*pages(api, link, url, enter)[0])]
        assert len(shown) == len(set(shown))
        assert set(shown) >= set(rows) - (set(there[-1]) if link == "previous" else set())


def test_rows_outside_the_page_may_be_deleted(api, portfolio, stock, monkeypatch):
    monkeypatch.setattr(NewestFirst, "page_size", 2)
    rows = entered(portfolio, [1, 1, 2, 2, 2])
    second = api.get(api.get(URL).json()["next"]).json()
    Transaction.objects.exclude(pk__in=rows[1:3]).delete()
    for link, other in (("next", "previous"), ("previous", "next")):
        empty = api.get(second[link]).json()
        assert (empty["results"], empty[link]) == ([], None)
        assert [row["id"] for row in api.get(empty[other]).json()["results"]] == [rows[2], rows[1]]


def test_a_page_costs_the_same_wherever_it_is(api, portfolio, stock, django_assert_num_queries):
    entered(portfolio, [2] * 250)
    url = URL
    while url:
        with django_assert_num_queries(1):
            url = api.get(url).json()["next"]


def test_constraints_of_a_row_are_checked_in_one_query_until_one_fails(portfolio, stock):
    row = trade(portfolio, stock, "buy", "10", "100")
    with CaptureQueriesContext(connection) as asked:
        row.validate_constraints()
    assert (
        len([one for one in asked.captured_queries if "SAVEPOINT" not in one["sql"]]) == 2
    )  # and its place in order
    row.quantity, row.source = D(-1), "nowhere"
    with pytest.raises(ValidationError) as refused:
        row.validate_constraints()
    assert sorted(refused.value.message_dict) == ["quantity", "source"]


def test_the_list_is_filtered(api, portfolio, stock, make_stock):
    trade(portfolio, stock, "buy", "5", "1", on=date(2024, 1, 2))
    trade(portfolio, stock, "sell", "1", "1", on=date(2024, 2, 2))
    trade(portfolio, make_stock("OTHER.DEMO", price="1"), "buy", "5", "1", on=date(2024, 3, 2))

    def found(query):
        return [(row["date"], row["type"]) for row in api.get(f"{URL}?{query}").json()["results"]]

    assert found("type=sell") == [("2024-02-02", "sell")]
    assert found("ticker=other.demo") == [("2024-03-02", "buy")]
    assert found("start=2024-02-02&end=2024-02-28") == [("2024-02-02", "sell")]
    assert len(found(f"portfolio_id={portfolio.pk}")) == 3
    assert found("portfolio_id=00000000-0000-0000-0000-000000000000") == []
    for query, name in [
        ("start=yesterday", "start"),
        ("type=gift", "type"),
        ("holding_id=1", "holding_id"),
    ]:
        response = api.get(f"{URL}?{query}")
        assert (response.status_code, codes(response)[0][1]) == (400, name)
    backwards = api.get(f"{URL}?start=2024-02-02&end=2024-01-01")
    assert (backwards.status_code, codes(backwards)) == (422, [("start_after_end", "start")])


def test_a_holding_can_be_renamed_and_deleted_with_its_transactions(api, portfolio, stock):
    holding = trade(portfolio, stock, "buy", "5", "1").holding
    url = f"/api/v1/holdings/{holding.pk}"
    assert api.patch(url, {"company_name": "My fjord"}).json()["company_name"] == "My fjord"
    assert api.get(f"{url}/transactions").json()[0]["company_name"] == "My fjord"
    assert api.delete(url).status_code == 204
    assert state() == ([], [])
    assert StockMetadata.objects.filter(pk=stock.pk).exists()


def test_the_answer_has_the_fields_that_the_schema_names(api, portfolio, stock):
    from portfolios.calc.valuation import Summary
    from portfolios.payloads import PortfolioPayload, TransactionPayload
    from portfolios.valuation import ValuedHolding

    row = trade(portfolio, stock, "buy", "5", "1")
    *recorded, before, after = TransactionPayload.__struct_fields__
    assert (before, after) == ("before", "after")  # of a dry run alone
    assert list(api.get(f"{URL}/{row.pk}").json()) == recorded
    assert list(api.get(f"/api/v1/holdings/{row.holding_id}").json()) == list(
        ValuedHolding.__struct_fields__
    )
    shown = api.get(f"/api/v1/portfolios/{portfolio.pk}").json()
    assert list(shown) == list(PortfolioPayload.__struct_fields__)
    assert list(shown["summary"]) == list(Summary.__struct_fields__)


# --- A holding's transactions ---------------------------------------------------------------------


def test_a_holding_with_many_transactions_is_listed_in_pages(api, portfolio, stock):
    rows = [
        trade(portfolio, stock, "buy", "1", "10", on=date(2024, 1, 1) + timedelta(number // 3))
        for number in range(7)
    ]
    newest_first = [str(row.pk) for row in reversed(rows)]
    address = f"/api/v1/holdings/{portfolio.holdings.get().pk}/transactions"
    whole = api.get(address)
    assert [row["id"] for row in whole.json()] == newest_first
    assert "Link" not in whole

    pages = []
    address += "?limit=3"
    while address:
        response = api.get(address)
        pages.append([row["id"] for row in response.json()])
        link = response.get("Link", "")
        assert link == "" or (link[0] == "<" and link.endswith('>; rel="next"'))
        address = link[1:].removesuffix('>; rel="next"')
    assert pages == [newest_first[:3], newest_first[3:6], newest_first[6:]]


def test_a_holding_lists_at_most_ten_thousand_transactions_at_once(api, portfolio, stock):
    trade(portfolio, stock, "buy", "1", "10", on=date(2024, 1, 1))
    first = Transaction.objects.get()
    rows = []
    for number in range(10_000):
        row = Transaction(
            **{
                field.attname: getattr(first, field.attname)
                for field in Transaction._meta.concrete_fields
            }
        )
        row.pk, row.sequence = uuid4(), 2 + number
        rows.append(row)
    Transaction.objects.bulk_create(rows)
    address = f"/api/v1/holdings/{portfolio.holdings.get().pk}/transactions"
    response = api.get(address)
    assert len(response.json()) == 10_000
    assert response.json()[0]["id"] == str(rows[-1].pk)
    rest = api.get(response["Link"][1:].removesuffix('>; rel="next"'))
    assert [row["id"] for row in rest.json()] == [str(first.pk)]
    assert "Link" not in rest


@pytest.mark.parametrize(
    ("query", "status", "code", "attr"),
    [
        ("limit=10001", 422, "out_of_range", "limit"),
        ("limit=0", 422, "out_of_range", "limit"),
        ("limit=x", 400, "invalid", "limit"),
        ("cursor=nowhere", 400, "invalid", "cursor"),
    ],
)
def test_a_page_of_a_holding_that_does_not_exist_is_refused(
    api, portfolio, stock, query, status, code, attr
):
    trade(portfolio, stock, "buy", "1", "10")
    response = api.get(f"/api/v1/holdings/{portfolio.holdings.get().pk}/transactions?{query}")
    assert response.status_code == status
    assert codes(response) == [(code, attr)]
