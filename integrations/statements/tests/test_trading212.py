"""Trading 212 files through the REST API."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, rounded, text, twice
from marketdata.tests.factories import with_rates
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


T212 = (
    "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,Result,"
    "Currency (Result),Total,Currency (Total),Withholding tax,Currency (Withholding tax),Notes,ID,"
    "Currency conversion fee,Currency (Currency conversion fee),Stamp duty reserve tax,"
    "Currency (Stamp duty reserve tax)"
)


def test_trading_212_in_dollars_and_pence(account):
    upload = account("EUR")
    data = text(
        T212,
        "Deposit,2024-03-01 08:00:00,,,,,,,,,,1000.00,EUR,,,,T-0,,,,",
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,10,50.00,USD,1.25,,EUR,401.00,EUR,,,,T-1,1.00,EUR,,",
        "Limit sell,2024-04-04 14:30:00,US0000000011,ATL,Atlas,4,60.00,USD,1.20,39,EUR,199.00,EUR,,,,T-2,1.00,EUR,,",
        "Market buy,2024-03-05 09:00:00,GB0000000021,HBR,Harbour,100,496.00,GBX,80,,EUR,624.10,EUR,,,,T-3,,,4.10,EUR",
        "Dividend (Dividend),2024-05-16 10:00:00,GB0000000021,HBR,Harbour,100,5.00,GBX,Not available,,,5.80,EUR,0.00,"
        "GBX,,,,,,",
        "Interest on cash,2024-06-01 02:00:00,,,,,,,,,,0.07,EUR,,,,T-4,,,,",
    )
    known = choices(US0000000011="ATLAS.USD.DEMO", GB0000000021="HARBOUR.GBP.DEMO")
    body = upload.done(data=data, instruments=known)
    assert (body["format"], body["created"], body["ignored"]) == ("trading212", 6, 0)
    # 500 USD and a fee of 1 EUR = 1.25 USD at 0.8; 4 sold for 240 - 1.2 USD at 1/1.2
    assert rounded(held()["ATLAS.USD.DEMO"]) == (
        6,
        D("50.12"),
        D("240.60"),
        D("38.60"),
        0,
        0,
    )  # 50.125
    # 496 GBP at 100/80 EUR and 4.10 EUR of tax
    quantity, average, cost, _, income, _ = held()["HARBOUR.GBP.DEMO"]
    assert (quantity, average, cost.quantize(D("0.01"))) == (100, D("4.9928"), D("624.10"))
    assert 5 < income < 7  # 5 GBP at the rate of the day
    twice(upload, data)


def test_trading_212_splits_and_free_shares_in_the_newer_layout(account):
    header = (
        "Action,Time (UTC),ISIN,Ticker,Name,Notes,ID,No. of shares,Price / share,Currency (Price / share),Exchange rate,"
        "Total,Currency (Total)"
    )
    data = text(
        header,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,,E-1,29.8,2.00,EUR,1,59.60,EUR",
        "Stock split close,2024-06-10 07:24:24,US0000000011,ATL,Atlas,,E-2,29.8,2,EUR,1,59.60,EUR",
        "Stock split open,2024-06-10 07:24:24,US0000000011,ATL,Atlas,,E-3,7.45,8,EUR,1,59.60,EUR",
        "Stock distribution,2024-07-01 07:24:24,US0000000011,ATL,Atlas,,E-4,0.05,0.00,EUR,,0.00,EUR",
        "Transfer out,2024-07-02 07:24:24,US0000000011,ATL,Atlas,,E-5,2.5,8,EUR,1,20.00,EUR,,,",
        "Market look,2024-07-03 07:24:24,US0000000011,ATL,Atlas,,E-6,1,1,EUR,1,1,EUR",
    )
    body = account("EUR").done(
        data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"), on_error="skip"
    )
    assert [(error["row"], error["code"]) for error in body["errors"]] == [(7, "unknown_type")]
    assert (body["created"], body["ignored"]) == (4, 1)
    quantity, average, cost, *_ = held()["ATLAS.EUR.DEMO"]
    assert (quantity, rounded((average, cost))) == (
        5,
        (D("7.95"), D("39.73")),
    )  # 59.60 / 7.5 a share


def test_trading_212_merges_three_shares_into_one_although_both_numbers_are_rounded(account):
    header = "Action,Time (UTC),ISIN,Ticker,Name,ID,No. of shares,Price / share,Currency (Price / share),Exchange rate,Total,Currency (Total)"
    data = text(
        header,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,E-1,22.36,2.00,EUR,1,44.72,EUR",
        "Stock split close,2024-06-10 07:24:24,US0000000011,ATL,Atlas,E-2,22.36,2,EUR,1,44.72,EUR",
        "Stock split open,2024-06-10 07:24:24,US0000000011,ATL,Atlas,E-3,7.4533333,6,EUR,1,44.72,EUR",
    )
    account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert Transaction.objects.get(type="split").quantity == D("0.333333333333333")
    assert held()["ATLAS.EUR.DEMO"][0] == D("7.45333333333333")


@pytest.mark.parametrize(
    ("old", "new", "ratio", "left"),
    [
        ("1500", "10", "0.00666666666666667", 10),
        ("1234.5678", "8.230452", "0.00666666666666667", D("8.230452")),
        ("30", "10", "0.333333333333333", 10),
        ("3", "21", "7", 21),
        (
            "12345",
            "12370.69",
            "1.00208100445525",
            D("12370.69"),
        ),  # no plain ratio: what the file says
    ],
)
def test_trading_212_splits_leave_the_shares_that_the_file_says(account, old, new, ratio, left):
    header = "Action,Time (UTC),ISIN,Ticker,Name,ID,No. of shares,Price / share,Currency (Price / share),Exchange rate,Total,Currency (Total)"
    data = text(
        header,
        f"Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,E-1,{old},2.00,EUR,1,{D(old) * 2:.2f},EUR",
        f"Stock split close,2024-06-10 07:24:24,US0000000011,ATL,Atlas,E-2,{old},2,EUR,1,44.72,EUR",
        f"Stock split open,2024-06-10 07:24:24,US0000000011,ATL,Atlas,E-3,{new},6,EUR,1,44.72,EUR",
    )
    upload = account("EUR")
    upload.done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert Transaction.objects.get(type="split").quantity == D(ratio)
    assert held()["ATLAS.EUR.DEMO"][0].quantize(D("0.00000001")) == left
    twice(upload, data)


def test_trading_212_fees_of_any_name_are_part_of_the_commission(account):
    data = text(
        f"{T212},PTM levy,Currency (PTM levy),Charge amount,Currency (Charge amount)",
        "Market buy,2024-03-05 09:00:00,GB0000000021,HBR,Harbour,100,50.00,GBP,1,,GBP,5027.00,GBP,,,,T-3,,,25.00,GBP,2.00,GBP,"
        "5027.00,GBP",
    )
    upload = account("GBP")
    upload.done(data=data, instruments=choices(GB0000000021="HARBOUR.GBP.DEMO"))
    assert held()["HARBOUR.GBP.DEMO"][:3] == (100, D("50.27"), 5027)
    twice(upload, data)


# --- Charges, taxes and totals --------------------------------------------------------------------

OLDER = (
    "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,"
    "Result (GBP),Total (GBP),Withholding tax,Currency (Withholding tax),Charge amount (GBP),"
    "Stamp duty (GBP),Notes,ID"
)
TWO_FEES = (
    "Action,Time,ISIN,Ticker,Name,Notes,ID,No. of shares,Price / share,Currency (Price / share),"
    "Exchange rate,Total,Currency (Total),Finra fee,Currency (Finra fee),Currency conversion fee,"
    "Currency (Currency conversion fee)"
)


def taxed():
    names = ("type", "quantity", "price", "commission", "tax", "settlement_amount")
    return list(Transaction.objects.order_by("sequence").values_list(*names))


def test_the_first_files_name_the_currency_in_the_column_and_tell_a_duty(account):
    data = text(
        OLDER,
        "Market buy,2021-08-26 15:01:00,GB0000000021,HBR,Harbour,176,13.50,GBP,1.00000,,2387.90,,,,11.90,,E-1",
    )
    body = account("GBP").done(data=data, instruments=choices(GB0000000021="HARBOUR.GBP.DEMO"))
    assert body["format"] == "trading212"
    assert taxed() == [("buy", 176, D("13.5"), 0, D("11.9"), D("-2387.9"))]


def test_fees_in_two_currencies_are_one_commission_at_the_rate_of_the_row(account):
    data = text(
        TWO_FEES,
        "Market buy,2024-05-02 10:00:00,US0000000011,ATL,Atlas,,E-0,10,150.00,USD,1.25,1201.80,GBP,,,1.80,GBP",
        "Limit sell,2024-06-27 15:45:10,US0000000011,ATL,Atlas,,E-1,10,160.00,USD,1.28,1248.09,GBP,0.05,USD,1.87,GBP",
    )
    account("GBP").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert taxed() == [
        ("buy", 10, 150, D("2.25"), 0, D("-1201.8")),
        ("sell", 10, 160, D("2.4436"), 0, D("1248.09")),
    ]


def test_a_dividend_is_told_after_tax_and_recorded_before_it(account):
    data = text(
        T212,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,10,50.00,USD,1,,USD,500.00,USD,,,,T-1,,,,",
        "Dividend (Ordinary),2024-05-16 10:00:00,US0000000011,ATL,Atlas,10,0.85,USD,Not available,,,8.50,USD,1.50,USD,,,,,,",
    )
    account("USD").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert taxed()[1] == ("dividend", 10, 1, 0, D("1.5"), D("8.5"))


def test_a_dividend_that_is_told_before_tax_shows_in_its_total(account):
    data = text(
        T212,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,10,50.00,USD,1,,USD,500.00,USD,,,,T-1,,,,",
        "Dividend (Ordinary),2024-05-16 10:00:00,US0000000011,ATL,Atlas,10,1.00,USD,Not available,,,8.50,USD,1.50,USD,,,,,,",
    )
    account("USD").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert taxed()[1] == ("dividend", 10, 1, 0, D("1.5"), D("8.5"))


def test_a_dividend_without_a_price_takes_it_from_the_total(account):
    data = text(
        T212,
        "Market buy,2024-03-04 14:30:00,GB0000000021,HBR,Harbour,10,50.00,GBP,1,,GBP,500.00,GBP,,,,T-1,,,,",
        "Dividend (Ordinary),2024-05-16 10:00:00,GB0000000021,HBR,Harbour,10,,GBP,Not available,,,1.37,GBP,,GBP,,,,,,",
    )
    account("GBP").done(data=data, instruments=choices(GB0000000021="HARBOUR.GBP.DEMO"))
    assert taxed()[1] == ("dividend", 10, D("0.137"), 0, 0, D("1.37"))


def test_capital_that_is_returned_is_no_dividend(account):
    data = text(
        T212,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,10,50.00,USD,1,,USD,500.00,USD,,,,T-1,,,,",
        "Dividend (Return of capital),2024-05-16 10:00:00,US0000000011,ATL,Atlas,10,1.00,USD,1,,,10.00,USD,,,,,,,,",
    )
    account("USD").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert taxed()[1][0] == "return_of_capital"


def test_a_total_that_the_other_figures_contradict_is_an_error_of_its_row(account):
    data = text(
        T212,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,10,50.00,USD,1.25000,,EUR,401.12,EUR,,,,T-1,1.00,EUR,,",
    )
    body = account("EUR")(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO")).json()
    assert faults(body) == [(2, "Total", "amount_differs")]


def test_a_dividend_in_pounds_whose_total_is_in_pence_is_an_error_of_its_row(account):
    data = text(
        T212,
        "Dividend (Ordinary),2024-05-16 10:00:00,GB0000000021,HBR,Harbour,10,50.00,GBX,Not available,,,500.00,EUR,,,,,,,,",
    )
    body = account("EUR")(data=data, instruments=choices(GB0000000021="HARBOUR.GBP.DEMO")).json()
    assert faults(body) == [(2, "Total", "amount_differs")]


def test_rows_of_the_newer_layout_under_an_older_header_are_read(account):
    header = (
        "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,Result,"
        "Currency (Result),Total,Currency (Total),Withholding tax,Currency (Withholding tax),Notes,ID"
    )
    data = text(
        header,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,10,50.00,USD,1,,,500.00,USD,,,,EOF1",
        "Market buy,2025-03-04 14:30:00,US0000000011,ATL,Atlas,,EOF2,5,60.00,USD,1,,USD,300.00,USD,,",
    )
    account("USD").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert taxed() == [("buy", 10, 50, 0, 0, -500), ("buy", 5, 60, 0, 0, -300)]


# --- Money ----------------------------------------------------------------------------------------


def money():
    rows = Transaction.objects.filter(holding=None).order_by("sequence")
    return list(rows.values_list("type", "settlement_currency", "settlement_amount"))


def test_money_alone_moves_by_its_sign(account):
    line = "{},2024-03-01 08:00:00,,,,,,,,,,{},EUR,{},,,{},,,,"
    words = (
        ("Deposit", "100.00"),
        ("Withdrawal", "-30.00"),
        ("Withdrawal", "2.00"),
        ("Card debit", "-4.30"),
        ("Card credit", "1.30"),
        ("Spending cashback", "0.50"),
        ("New card cost", "4.95"),
        ("Interest on cash", "0.40"),
        ("Result adjustment", "-0.02"),
    )
    lines = [line.format(word, total, "", f"T-{n}") for n, (word, total) in enumerate(words)]
    upload = account("EUR")
    upload.done(data=text(T212, *lines))
    assert money() == [
        ("deposit", "EUR", 100),
        ("withdrawal", "EUR", -30),
        ("withdrawal", "EUR", -2),
        ("withdrawal", "EUR", D("-4.3")),
        ("deposit", "EUR", D("1.3")),
        ("deposit", "EUR", D("0.5")),
        ("fee", "EUR", D("-4.95")),
        ("interest", "EUR", D("0.4")),
        ("adjustment", "EUR", D("-0.02")),
    ]
    twice(upload, text(T212, *lines))


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (T212, 'Currency conversion,2023-09-25 17:31:38,,,,,,,,,,,,,,"10.00 GBP -> 11.50 EUR",R-1,,,,'),
        (
            "Action,Time,ISIN,Ticker,Name,ID,No. of shares,Price / share,Currency (Price / share),Total,Currency (Total),"
            "Currency conversion from amount,Currency (Currency conversion from amount),"
            "Currency conversion to amount,Currency (Currency conversion to amount)",
            "Currency conversion,2024-09-25 17:31:38,,,,R-1,,,,,,10.00,GBP,11.50,EUR",
        ),
    ],
)  # fmt: skip
def test_an_exchange_of_currencies_has_two_legs(account, header, line):
    upload = account("EUR")
    body = upload.done(data=text(header, line))
    assert (body["created"], body["money_created"], body["groups_created"]) == (1, 2, 1)
    assert money() == [("conversion", "GBP", -10), ("conversion", "EUR", D("11.5"))]
    twice(upload, text(header, line))


def test_an_exchange_that_does_not_name_its_currencies_is_an_error_of_its_row(account):
    line = "Currency conversion,2023-09-25 17:31:38,,,,,,,,,,,,,,,R-1,,,,"
    assert faults(account("EUR")(data=text(T212, line)).json()) == [
        (2, "Notes", "unpaired_conversion")
    ]


def test_a_dividend_that_was_recorded_after_tax_is_known_again_and_completed(account):
    upload = account("USD")
    header = "date,type,ticker,quantity,price,currency"
    purchase = "2024-05-01,buy,ATLAS.USD.DEMO,30,50,USD"
    former = "2024-05-16,dividend,ATLAS.USD.DEMO,10,0.2125,USD"
    upload.done(data=text(header, purchase, former))
    line = (
        "Dividend (Dividend),2024-05-16 10:00:00,US0000000011,ATL,Atlas,10,0.2125,USD,Not available,,,"
        "2.13,USD,0.38,USD,,,,,,"
    )
    known = choices(US0000000011="ATLAS.USD.DEMO")
    body = upload.done(data=text(T212, line, line), instruments=known)
    assert (body["created"], body["duplicates"], body["completed"]) == (1, 1, 1)
    rows = Transaction.objects.filter(type="dividend")
    assert {(row.price, row.commission, row.tax) for row in rows} == {(D("0.2505"), 0, D("0.38"))}
    again = upload(data=text(T212, line, line), instruments=known).json()
    assert (again["created"], again["duplicates"], again["completed"]) == (0, 2, 0)


def test_money_without_a_currency_is_an_error_of_its_row(account):
    row = "Interest on cash,2024-06-01 02:00:00,,,,,,,,,,0.07,,,,,T-4,,,,"
    response = account("EUR")(data=text(T212, row))
    assert response.status_code == 422
    assert faults(response.json()) == [(2, "currency", "required")]
    assert not Transaction.objects.exists()


def test_a_row_that_ends_early_is_an_error_of_its_row_alone(account):
    data = text(
        T212,
        "Market buy,2024-03-04 14:30:00,US0000000011",
        "Deposit,2024-03-01 08:00:00,,,,,,,,,,1000.00,EUR,,,,T-0,,,,",
    )
    body = account("EUR").done(data=data, on_error="skip")
    assert (body["created"], body["failed"]) == (1, 1)
    assert {row for row, _column, _code in faults(body)} == {2}


# --- Files since 2026 -----------------------------------------------------------------------------

NEWER = (
    "Action,Time (UTC),ISIN,Ticker,Name,Notes,ID,No. of shares,Price / share,Currency (Price / share),"
    "Exchange rate,Result,Currency (Result),Gross Total,Currency (Gross Total),Withholding tax,"
    "Currency (Withholding tax),Currency conversion fee,Currency (Currency conversion fee),Taxes,"
    "Currency (Taxes),Net Total,Currency (Net Total)"
)
IN_DOLLARS = choices(US0000000011="ATLAS.USD.DEMO")


def test_files_with_a_gross_and_a_net_total_are_read(account):
    data = text(
        NEWER,
        "Deposit,2026-01-05 10:00:00+00:00,,,,Bank,D-1,,,,,,,1000.00,EUR,,,,,,,,",
        "Market buy,2026-01-06 14:31:02+00:00,US0000000011,ATL,Atlas,,E-1,10,50.00,USD,1.25,,,403.00,EUR,,,-1.00,EUR,"
        "-2.00,EUR,403.00,EUR",
        "Dividend (Dividend),2026-04-01 12:10:44+00:00,US0000000011,ATL,Atlas,,,10,0.85,USD,1.25,,,6.80,EUR,1.50,USD,,,"
        "-1.00,EUR,5.80,EUR",
        "Interest on cash,2026-04-02 02:00:00+00:00,,,,,I-1,,,,,,,0.50,EUR,,,,,-0.13,EUR,0.37,EUR",
        "Tax Adjustment,2026-04-03 02:00:00+00:00,,,,,A-1,,,,,,,2.00,EUR,,,,,,,2.00,EUR",
        "ADR Fee,2026-04-04 02:00:00+00:00,US0000000011,ATL,Atlas,,F-1,,,,,,,-0.20,USD,,,,,,,-0.20,USD",
    )
    upload = account("EUR")
    upload.done(data=data, instruments=IN_DOLLARS)
    assert taxed() == [
        ("deposit", 1, 1000, 0, 0, 1000),
        # 500 dollars at 1.25, and 1.00 and 2.00 euro, which are 1.25 and 2.50 dollars
        ("buy", 10, 50, D("1.25"), D("2.5"), -403),
        # 8.50 dollars after a tax of 1.50; of their 6.80 euro another euro was kept, 1.25 dollars
        ("dividend", 10, 1, 0, D("2.75"), D("5.8")),
        ("interest", 1, D("0.37"), 0, D("0.13"), D("0.37")),
        ("tax", 1, 2, 0, 0, 2),
        ("fee", 1, D("0.2"), 0, 0, D("-0.2")),
    ]
    twice(upload, data)


def test_a_net_total_that_is_not_the_gross_one_less_taxes_is_an_error_of_its_row(account):
    data = text(
        NEWER,
        "Dividend (Dividend),2026-04-01 12:10:44+00:00,US0000000011,ATL,Atlas,,,10,0.85,USD,Not available,,,6.80,EUR,,,,,"
        "-1.00,EUR,5.90,EUR",
    )
    body = account("EUR")(data=data, instruments=IN_DOLLARS).json()
    assert faults(body) == [(2, "Net Total", "amount_differs")]
    assert not Transaction.objects.exists()


def test_a_gross_total_before_the_tax_withheld_is_understood_too(account):
    data = text(
        NEWER,
        "Dividend (Dividend),2026-04-01 12:10:44+00:00,US0000000011,ATL,Atlas,,,10,0.85,USD,1,,,10.00,USD,1.50,USD,,,,,"
        "8.50,USD",
    )
    account("USD").done(data=data, instruments=IN_DOLLARS)
    assert taxed() == [("dividend", 10, 1, 0, D("1.5"), D("8.5"))]


def test_a_tax_withheld_in_a_third_currency_is_paid_and_kept_at_the_rate_of_the_day(account):
    with_rates("USD", "CHF", {date(2024, 5, 16): "0.8"})
    data = text(
        T212,
        "Dividend (Ordinary),2024-05-16 10:00:00,US0000000011,ATL,Atlas,10,0.85,USD,1.25,,,6.80,EUR,1.00,CHF,,,,,,",
    )
    upload = account("EUR")
    upload.done(data=data, instruments=IN_DOLLARS)
    dividend, kept = Transaction.objects.order_by("sequence")
    assert (dividend.price, dividend.tax, dividend.settlement_amount) == (D("0.85"), 0, D("6.8"))
    assert (kept.type, kept.quantity, kept.settlement_amount) == ("dividend", 1, None)
    assert kept.price == kept.tax == D("1.25")
    twice(upload, data)


def test_a_fee_in_a_third_currency_is_a_fee_of_the_holding(account):
    with_rates("USD", "CHF", {date(2024, 5, 2): "0.8"})
    data = text(
        TWO_FEES,
        "Market buy,2024-05-02 10:00:00,US0000000011,ATL,Atlas,,E-0,10,150.00,USD,1.25,1200.00,GBP,0.10,CHF,,",
    )
    upload = account("GBP")
    upload.done(data=data, instruments=IN_DOLLARS)
    assert taxed() == [
        ("buy", 10, 150, 0, 0, -1200),
        ("fee", 1, D("0.125"), 0, 0, D("-0.1")),
    ]
    assert Transaction.objects.get(type="fee").settlement_currency == "CHF"
    twice(upload, data)


def test_the_fee_of_an_exchange_of_currencies_is_on_top_of_its_amounts(account):
    header = (
        "Action,Time (UTC),ISIN,Ticker,Name,Notes,ID,Total,Currency (Total),Currency conversion from amount,"
        "Currency (Currency conversion from amount),Currency conversion to amount,"
        "Currency (Currency conversion to amount),Currency conversion fee,Currency (Currency conversion fee)"
    )
    data = text(
        header,
        "Currency conversion,2025-01-03 10:00:00+00:00,,,,,C-1,,,469.00,GBP,538.21,EUR,0.81,EUR",
    )
    upload = account("EUR")
    body = upload.done(data=data)
    assert (body["created"], body["money_created"], body["groups_created"]) == (1, 3, 1)
    assert money() == [
        ("conversion", "GBP", -469),
        ("conversion", "EUR", D("538.21")),
        ("fee", "EUR", D("-0.81")),
    ]
    twice(upload, data)


@pytest.mark.parametrize("header", ["Total (EUR)", "Total"])
def test_a_word_can_be_given_a_meaning_in_every_layout(account, header):
    columns = f"Action,Time,ISIN,Ticker,Name,{header},Notes,ID"
    data = text(columns, "Gift card,2024-03-01 08:00:00,,,,5.00,,G-1")
    if header == "Total":
        data = text(f"{columns},Currency (Total)", "Gift card,2024-03-01 08:00:00,,,,5.00,,G-1,EUR")
    account("EUR").done(data=data, mapping='{"types": {"Gift card": "deposit"}}')
    assert money() == [("deposit", "EUR", 5)]
