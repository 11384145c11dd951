"""What companies do to their shares in Trading 212's files, and exports of single kinds of rows."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, rounded, text, twice
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

HEADER = (
    "Action,Time (UTC),ISIN,Ticker,Name,ID,No. of shares,Price / share,Currency (Price / share),"
    "Exchange rate,Total,Currency (Total),Withholding tax,Currency (Withholding tax)"
)
BOUGHT = "Market buy,2024-03-04 14:30:00+00:00,US0000000011,ATL,Atlas,E-1,10,50.00,EUR,1,500.00,EUR"
KNOWN = {"US0000000011": "ATLAS.EUR.DEMO", "US0000000021": "HARBOUR.EUR.DEMO"}


def test_a_takeover_in_shares_keeps_what_the_old_shares_cost(account):
    upload = account("EUR")
    data = text(
        HEADER,
        BOUGHT,
        "Market sell,2025-10-07 08:00:01+00:00,US0000000011,ATL,Atlas,E-2,10,0E-10,EUR,,0.00,EUR",
        "Stock distribution,2025-10-07 08:00:16+00:00,US0000000021,HBR,Harbour,E-3,25,0E-10,EUR,,0.00,EUR",
    )
    body = upload.done(data=data, instruments=choices(**KNOWN))
    assert (body["created"], body["groups_created"], body["failed"]) == (3, 1, 0)
    assert TransactionGroup.objects.get().label == "Takeover"
    assert held()["ATLAS.EUR.DEMO"][:4] == (0, None, 0, 0)
    assert held()["HARBOUR.EUR.DEMO"][:4] == (25, 20, 500, 0)
    twice(upload, data)


def test_shares_of_a_new_company_come_at_no_cost_with_a_warning(account):
    upload = account("EUR")
    data = text(
        HEADER,
        BOUGHT,
        "Spin off,2026-07-02 12:41:57,US0000000021,HBR,Harbour,E-2,2.5,0E-10,EUR,,0.00,EUR",
    )
    body = upload.done(data=data, instruments=choices(**KNOWN))
    assert ("unpaired_action", 3) in {(one["code"], one.get("row")) for one in body["warnings"]}
    assert held()["HARBOUR.EUR.DEMO"][:4] == (D("2.5"), 0, 0, 0)
    assert held()["ATLAS.EUR.DEMO"][:3] == (10, 50, 500)
    twice(upload, data)


def test_a_split_with_a_new_isin_keeps_what_the_old_shares_cost(account):
    upload = account("EUR")
    data = text(
        HEADER,
        BOUGHT,
        "Stock split close,2025-02-04 14:31:02.100,US0000000011,ATL,Atlas,E-2,10,50.00,EUR,1,500.00,EUR",
        "Stock split open,2025-02-04 14:31:02.108,US0000000021,ATL,Atlas,E-3,2,250.00,EUR,1,500.00,EUR",
    )
    body = upload.done(data=data, instruments=choices(**KNOWN))
    assert (body["created"], body["groups_created"], body["failed"]) == (3, 1, 0)
    assert TransactionGroup.objects.get().label == "Stock split"
    assert held()["ATLAS.EUR.DEMO"][:4] == (0, None, 0, 0)
    assert held()["HARBOUR.EUR.DEMO"][:4] == (2, 250, 500, 0)
    twice(upload, data)


def test_a_split_of_2022_states_the_shares_that_were_added(account):
    data = text(
        HEADER,
        BOUGHT,
        "Stock Split,2024-06-06 00:00:00,US0000000011,ATL,Atlas,E-2,190,0.00,EUR,,0.00,EUR",
    )
    account("EUR").done(data=data, instruments=choices(**KNOWN))
    assert Transaction.objects.get(type="split").quantity == 20
    assert held()["ATLAS.EUR.DEMO"][:3] == (200, D("2.5"), 500)


def test_a_split_of_shares_that_the_file_does_not_have_is_refused(account):
    line = "Stock Split,2024-06-06 00:00:00,US0000000011,ATL,Atlas,E-2,190,0.00,EUR,,0.00,EUR,,"
    response = account("EUR")(data=text(HEADER, line), instruments=choices(**KNOWN))
    assert faults(response.json()) == [(2, "No. of shares", "unknown_split_ratio")]
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("rate", ["3.63460000", "0.27513344"])
def test_the_rate_of_a_dividend_is_that_which_gives_its_total(account, rate):
    """Since the end of 2025 it is the account's money for one of the share's; before, the opposite."""
    data = text(
        HEADER,
        "Market buy,2025-09-01 14:30:00,US0000000011,ATL,Atlas,E-1,10,50.00,USD,0.27513344,1817.30,PLN",
        f"Dividend (Dividend),2025-09-30 13:12:41,US0000000011,ATL,Atlas,,10,0.501500,USD,{rate},18.23,PLN,0.90,USD",
    )
    account("PLN").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    (row,) = Transaction.objects.filter(type="dividend")
    assert row.exchange_rate.quantize(D("0.0001")) == D("3.6346")
    assert (row.tax, row.settlement_amount) == (D("0.90"), D("18.23"))


def test_a_dividend_whose_total_fits_neither_direction_of_the_rate_is_refused(account):
    line = "Dividend (Dividend),2025-09-30 13:12:41,US0000000011,ATL,Atlas,,10,0.501500,USD,3.6346,25.00,PLN,0.90,USD"
    response = account("PLN")(data=text(HEADER, line), instruments=choices(**KNOWN))
    assert faults(response.json()) == [(2, "Total", "amount_differs")]
    assert not Transaction.objects.exists()


def test_an_export_of_money_alone_has_fewer_columns(account):
    upload = account("GBP")
    data = text(
        "Action,Time (UTC),Notes,ID,Total,Currency (Total)",
        "Interest on cash,2025-12-03 06:45:21+00:00,Interest on cash,I-1,87.43,GBP",
        "Deposit,2025-12-10 09:00:00+00:00,Bank Transfer,D-1,500.00,GBP",
        "Withdrawal,2026-01-15 12:30:00+00:00,Sent to Bank Account,W-1,-250.00,GBP",
    )
    body = upload.done(data=data)
    assert (body["format"], body["money_created"], body["failed"]) == ("trading212", 3, 0)
    amounts = Transaction.objects.order_by("date").values_list("type", "settlement_amount")
    assert list(amounts) == [
        ("interest", D("87.43")),
        ("deposit", D("500.00")),
        ("withdrawal", D("-250.00")),
    ]
    twice(upload, data)


def test_names_with_commas_stand_without_quotes_in_files_of_2021(account):
    data = text(
        "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),"
        "Exchange rate,Result (EUR),Total (EUR),Notes,ID",
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas, Inc., Class A,10,50.00,EUR,1,,500.00,,E-1",
    )
    account("EUR").done(data=data, instruments=choices(**KNOWN))
    assert rounded(held()["ATLAS.EUR.DEMO"])[:3] == (10, 50, 500)
