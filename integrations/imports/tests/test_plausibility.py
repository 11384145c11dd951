"""Test that an import says which of its rows are far from the market's prices."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.core.management import call_command

from marketdata import services as market
from marketdata.models import StockMetadata
from portfolios.models import ImportBatch, Transaction

pytestmark = pytest.mark.django_db

HEADER = "date,type,ticker,quantity,price,currency"
ROWS = ["2024-05-02,buy,LONDON.DEMO,10,0.70,GBP", "2024-05-02,buy,LONDON.DEMO,1000,72,GBP"]
DETAIL = (
    "LONDON.DEMO: The price 72 is far from the close of 0.72 GBP on 2024-05-02. If it is in pence "
    "or cents, divide it by 100."
)
WARNING = {"code": "price_far_from_close", "detail": DETAIL, "row": 3, "field": "price"}


@pytest.fixture
def london(db):
    stock = StockMetadata.objects.create(ticker="LONDON.DEMO", currency="GBP", source="simulated")
    closes = [(date(2024, 5, 2), D("0.72"))]
    market.record_prices(stock=stock, closes=closes, source="simulated")
    return stock


def test_a_dry_run_and_an_import_name_the_row(upload, api, london):
    data = "\n".join([HEADER, *ROWS]).encode()
    dry = upload(data=data, dry_run="true").json()
    assert dry["warnings"] == [WARNING]
    first, second = dry["preview"]
    assert first["warnings"] == []
    assert [one["code"] for one in second["warnings"]] == ["price_far_from_close"]
    assert not Transaction.objects.exists()
    body = upload.done(data=data)
    assert (body["created"], body["warnings"]) == (2, [WARNING])
    assert api.get(f"/api/v1/imports/{body['id']}").json()["warnings"] == [WARNING]


def test_warnings_of_earlier_releases_are_shown_as_notes(upload, api, london):
    body = upload.done(data="\n".join([HEADER, ROWS[0]]).encode())
    ImportBatch.objects.update(warnings=["Ignored columns: Fees."])
    assert api.get(f"/api/v1/imports/{body['id']}").json()["warnings"] == [
        {"code": "note", "detail": "Ignored columns: Fees."}
    ]


def test_the_command_line_names_an_instrument_in_doubt_once(portfolio, london, tmp_path, capsys):
    prices = ["72", "71", "0.71", "73", "74", "75", "76"]
    rows = [f"2024-05-02,buy,LONDON.DEMO,1,{price},GBP" for price in prices]
    rows.append("2024-05-02,exchange_in,PARIS.DEMO,25,,NOK")
    path = tmp_path / "trades.csv"
    path.write_text("\n".join([HEADER, *rows]))
    call_command("import_transactions", str(path), "--dry-run", user="kari", portfolio="nordic")
    lines = capsys.readouterr().out.splitlines()
    said = [line for line in lines if line.startswith("Warning: ")]
    assert said[0] == f"Warning: lines 2, 3, 5, 6, 7 and 1 more: {DETAIL}"
    assert [line[:17] for line in said[1:]] == ["Warning: line 9: "]
    assert not Transaction.objects.exists()
