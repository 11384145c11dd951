"""Test the statement of a portfolio's account: its order, its balances and its file."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from portfolios import services
from portfolios.tests.conftest import trade
from portfolios.tests.test_cash import answer, codes, money, url

pytestmark = pytest.mark.django_db
DAY = date(2024, 5, 2)
PERIOD = "?start=2024-05-01&end=2024-05-31"


def statement(api, portfolio, query=PERIOD):
    return answer(api.get(url(portfolio, "/statement") + query))


def test_rows_have_the_balance_after_each_and_lead_from_opening_to_closing(api, portfolio, stock):
    money(portfolio, "deposit", "5000", on=date(2024, 4, 30))
    deposit = money(portfolio, "deposit", "1000")
    buy = trade(portfolio, stock, "buy", "10", "100", commission="29")
    money(portfolio, "deposit", "1", on=date(2024, 6, 1))
    shown = statement(api, portfolio)
    assert shown == {
        "currency": "NOK",
        "start": "2024-05-01",
        "end": "2024-05-31",
        "opening_balance": 5000,
        "closing_balance": 4971,
        "rows": [
            {
                "date": "2024-05-02",
                "booked_on": None,
                "transaction_id": str(deposit.pk),
                "type": "deposit",
                "ticker": None,
                "text": "",
                "amount": 1000,
                "balance": 6000,
            },
            {
                "date": "2024-05-02",
                "booked_on": None,
                "transaction_id": str(buy.pk),
                "type": "buy",
                "ticker": "FJORD.DEMO",
                "text": "Fjord.Demo",
                "amount": -1029,
                "balance": 4971,
            },
        ],
    }


def test_rows_are_by_booking_day_and_then_by_order_of_entry(api, portfolio, stock):
    trade(portfolio, stock, "buy", "1", "100", booked_on=DAY + timedelta(days=2))
    money(portfolio, "deposit", "300", on=DAY + timedelta(days=2))
    money(portfolio, "fee", "-5", on=DAY)
    shown = statement(api, portfolio)
    assert [(row["type"], row["balance"]) for row in shown["rows"]] == [
        ("fee", -5),
        ("buy", -105),
        ("deposit", 195),
    ]
    late = statement(api, portfolio, "?start=2024-05-04&end=2024-05-31")
    assert (late["opening_balance"], len(late["rows"])) == (-5, 2)


def test_each_currency_has_a_statement_of_its_own(api, portfolio, stock):
    money(portfolio, "deposit", "300", currency="USD")
    trade(portfolio, stock, "buy", "1", "100", settlement_currency="USD", settlement_amount=D(-9))
    trade(portfolio, stock, "split", "4", None)
    assert statement(api, portfolio)["rows"] == []
    shown = statement(api, portfolio, PERIOD + "&currency=usd")
    assert [row["balance"] for row in shown["rows"]] == [300, 291]


def test_it_covers_the_last_twelve_months_by_default(api, portfolio):
    today = timezone.localdate()
    money(portfolio, "deposit", "7", on=today - timedelta(days=400))
    money(portfolio, "deposit", "1", on=today)
    shown = statement(api, portfolio, "")
    assert (shown["opening_balance"], shown["closing_balance"]) == (7, 8)
    assert shown["end"] == str(today)
    assert statement(api, portfolio, "?end=2024-02-29")["start"] == "2023-03-01"


def test_the_file_has_the_same_rows_and_no_formula(api, portfolio):
    services.record_money(
        portfolio=portfolio,
        type="deposit",
        date=DAY,
        settlement_amount=D("12.5"),
        settlement_currency="NOK",
        note="=1+1",
    )
    row = statement(api, portfolio)["rows"][0]
    response = api.get(url(portfolio, "/statement.csv") + PERIOD)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert b"".join(response.streaming_content).decode() == (
        "date,booked_on,transaction_id,type,ticker,text,amount,balance\r\n"
        f"2024-05-02,,{row['transaction_id']},deposit,,'=1+1,12.5,12.5\r\n"
    )


def test_what_it_cannot_read_is_refused(api, portfolio):
    path = url(portfolio, "/statement")
    assert codes(api.get(path + "?currency=XXQ")) == [("unknown_currency", "currency")]
    assert codes(api.get(path + "?start=2024-05-02&end=2024-05-01")) == [
        ("start_after_end", "start")
    ]
    assert api.get(path + "?start=yesterday").status_code == 400


def test_the_number_of_queries_does_not_grow_with_rows(
    api, portfolio, stock, django_assert_num_queries
):
    for _ in range(5):
        trade(portfolio, stock, "buy", "1", "100")
    with django_assert_num_queries(2):
        assert len(statement(api, portfolio)["rows"]) == 5
