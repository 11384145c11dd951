"""Test that a file may round the last shares that it sells after a split."""

from datetime import date
from decimal import Decimal as D

import pytest

from marketdata import services as market
from marketdata.models import StockMetadata
from portfolios.calc.fifo import sales
from portfolios.calc.ledger import quantities
from portfolios.models import Holding, Transaction
from portfolios.reports.vectors import update_vector
from portfolios.services.ledger_rows import stored_rows

pytestmark = pytest.mark.django_db

HEADER = "date,type,ticker,quantity,price,currency"
BUY = "2024-05-02,buy,THIRDS.DEMO,8,30,NOK"
SPLIT = "2024-05-03,split,THIRDS.DEMO,0.333333333333333,,NOK"


@pytest.fixture
def thirds(db):
    stock = StockMetadata.objects.create(ticker="THIRDS.DEMO", currency="NOK", source="simulated")
    closes = [(date(2024, 5, 2), D(30))]
    market.record_prices(stock=stock, closes=closes, source="simulated")
    return stock


def sale(quantity, kind="sell"):
    return f"2024-05-06,{kind},THIRDS.DEMO,{quantity},100,NOK"


def file(*rows):
    return "\n".join([HEADER, *rows]).encode()


@pytest.mark.parametrize("kind", ["sell", "transfer_out"])
def test_the_last_shares_of_a_split_may_be_rounded_in_a_file(upload, thirds, kind):
    """Before: refused, with 49 digits in the message."""
    upload.done(data=file(BUY, SPLIT))
    body = upload.done(data=file(sale("2.6667", kind)))
    assert (body["created"], body["failed"]) == (1, 0)
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.cost_basis) == (0, 0)
    rows = stored_rows([holding])[holding.pk]
    assert quantities(rows)[-1] == (date(2024, 5, 6), 0)
    vector, _ = update_vector(None, [holding])
    assert vector.trades.held.tolist()[-1] == 0
    assert [one.cost for one in sales(rows)] == ([240] if kind == "sell" else [])


def test_a_file_with_the_rounded_sale_is_known_again(upload, thirds):
    data = file(BUY, SPLIT, sale("2.6667"))
    assert upload.done(data=data)["created"] == 3
    again = upload(data=data).json()
    assert (again["created"], again["duplicates"]) == (0, 3)
    assert Holding.objects.get().current_quantity == 0


@pytest.mark.parametrize(
    "rows",
    [
        (BUY, SPLIT, sale("2.6668")),  # more than half a unit too much
        (BUY, SPLIT, sale("3")),  # whole shares are not rounded
        (BUY, SPLIT, sale("2.7")),  # nor are tenths
        (BUY.replace(",8,", ",2.66666,"), sale("2.6667")),  # without a split
    ],
)
def test_anything_else_is_still_more_than_is_held(upload, thirds, rows):
    response = upload(data=file(*rows))
    assert response.status_code == 422
    assert [one["code"] for one in response.json()["errors"]] == ["insufficient_quantity"]
    assert not Transaction.objects.exists()
