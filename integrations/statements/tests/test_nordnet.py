"""Test Nordnet's export against results calculated by hand from the broker's rules."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.nordnet import NORWEGIAN
from marketdata.tests.factories import with_rates
from portfolios.models import Holding, InstrumentAlias, Transaction

pytestmark = pytest.mark.django_db

FINNISH = (
    "Id", "Kirjauspäivä", "Kauppapäivä", "Maksupäivä", "Salkku", "Tapahtumatyyppi", "Arvopaperi",
    "ISIN", "Määrä", "Kurssi", "Korko", "Kokonaiskulut", "Valuutta", "Summa", "Valuutta",
    "Hankinta-arvo", "Valuutta", "Tulos", "Valuutta", "Kokonaismäärä", "Saldo", "Vaihtokurssi",
    "Tapahtumateksti", "Mitätöintipäivä", "Laskelma", "Vahvistusnumero", "Välityspalkkio",
    "Valuutta", "Viitevaluuttakurssi", "Alkuperäinen korko",
)  # fmt: skip

# Newest first, as Nordnet writes it.
ROWS = [
    # id, booked, traded, type, name, isin, quantity, price, fees, amount, result currency, total,
    # balance, rate, text, cancelled
    "209|2025-07-01|2025-07-01|PLATTFORMAVGIFT|||||  |-12,50|||36 601,04||Avgift Q2|",
    "208|2025-06-20|2025-06-18|SALG|Fjordlaks|NO0000000101|30|260,00|39|7 761|NOK|10|36 613,54|||",
    "207|2025-06-11|2025-06-11|SPLITT INNLEGG VP|Nordlys|NO0000000102|100||||NOK|100|28 852,54||SPLIT 1:4|",
    "206|2025-06-11|2025-06-11|SPLITT UTTAK VP|Nordlys|NO0000000102|25||||NOK|0|28 852,54||SPLIT 1:4|",
    "205|2025-05-15|2025-05-09|KUPONGSKATT|Harbor|US0000000103|5|||-7,81||0|28 852,54|10,4076|KUPONGSKATT HRB 15%|",
    "204|2025-05-15|2025-05-09|UTBYTTE|Harbor|US0000000103|5|1||52,04||0|28 860,35|10,4076|UTBYTTE HRB 1 USD/AKSJE|",
    "203|2025-04-02|2025-04-01|KJØPT|Harbor|US0000000103|5|210|99|-11 124|USD|5|28 808,31|10,5000||",
    "202|2025-03-04|2025-03-03|REINVESTERT UTBYTTE|Verdensfond|NO0000000104|0,05|1 000,50||0||1,05|39 932,31|||",
    "201|2025-02-04|2025-02-03|KJØPT|Verdensfond|NO0000000104|1|990|0|-990|NOK|1|39 932,31|||",
    "200|2025-02-03|2025-01-31|KJØPT|Nordlys|NO0000000102|25|-|0|0|NOK|25|40 922,31|||2025-02-03",
    "199|2025-01-21|2025-01-20|KJØPT|Nordlys|NO0000000102|25|39,9876|0|-999,69|NOK|25|40 922,31|||",
    "198|2025-01-14|2025-01-13|KJØPT|Fjordlaks|NO0000000101|20|201,70|39|-4 073|NOK|40|41 922||avtale 2|",
    "197|2025-01-14|2025-01-13|KJØPT|Fjordlaks|NO0000000101|20|201,70|39|-4 073|NOK|20|45 995||avtale 1|",
    "196|2025-01-02|2025-01-02|INNSKUDD|||||  |50 068|||50 068||Innskudd|",
]
CHOICES = (
    '{"NO0000000101": "FJORDLAKS.DEMO", "NO0000000102": "NORDLYS.DEMO", "US0000000103": "HARBOR.USD.DEMO",'
    ' "verdensfond": "FONDET.DEMO"}'
)


def line(text):
    cells = [cell.strip() for cell in text.split("|")]
    (
        number,
        booked,
        traded,
        kind,
        name,
        isin,
        quantity,
        price,
        fees,
        amount,
        result,
        total,
        balance,
        rate,
        note,
        gone,
    ) = cells
    fee_currency = "NOK" if fees else ""
    return "\t".join(
        [number, booked, traded, booked, "12345678", kind, name, isin, quantity, price, "", fees, fee_currency, amount,
         "NOK", "", "", "", result, total, balance, rate, note, gone, "", number, fees, fee_currency, rate, ""]
    )  # fmt: skip


def statement(rows=ROWS, header=NORWEGIAN):
    return "\r\n".join(["\t".join(header), *map(line, rows)]).encode("utf-16")


def held():
    names = (
        "current_quantity",
        "average_cost_per_share",
        "cost_basis",
        "realised_gain",
        "income",
        "charges",
    )
    return {row[0]: row[1:] for row in Holding.objects.values_list("stock__ticker", *names)}


def test_the_file_gives_the_brokers_own_figures(upload):
    body = upload.done(data=statement(), instruments=CHOICES)
    assert (body["format"], body["encoding"], body["delimiter"]) == ("nordnet", "utf-16", "\t")
    assert (body["reconciled"], body["first_divergence"], body["errors"]) == (True, None, [])
    # Each row counts once, also the reinvested dividend that is a payment and a purchase. The
    # cancelled row and half of the split are ignored.
    assert (body["created"], body["ignored"], body["rows"]) == (12, 2, 14)
    assert body["ignored_sums"] == [
        {"type": "cancelled", "currency": "", "count": 1, "amount": "0"},
        {"type": "split: shares taken out", "currency": "", "count": 1, "amount": "0"},
    ]
    assert (body["money_created"], body["groups_created"]) == (2, 0)
    holdings = held()
    # 40 at 201.70 and 78: 203.65 a share; 30 sold for 7,800 - 39
    assert holdings["FJORDLAKS.DEMO"] == (10, D("203.65"), D("2036.5"), D("1651.5"), 0, 0)
    assert holdings["NORDLYS.DEMO"] == (100, D("9.9969"), D("999.69"), 0, 0, 0)
    assert holdings["FONDET.DEMO"] == (D("1.05"), D("990.5"), D("1040.025"), 0, D("50.025"), 0)
    quantity, average, cost, realised, income, charges = holdings["HARBOR.USD.DEMO"]
    # 5 x 210 x 10.5 + 99 in NOK; 99 / 10.5 is the commission in USD
    assert (quantity, cost.quantize(D("0.01")), realised) == (5, D("11124.00"), 0)
    assert average.quantize(D("0.000001")) == D("211.885714")
    assert (income, charges.quantize(D("0.01"))) == (D("52.038"), D("7.81"))
    assert Transaction.objects.get(type="split").quantity == 4


def test_the_second_time_nothing_is_new_and_the_choices_are_remembered(upload, dump):
    upload.done(data=statement(), instruments=CHOICES)
    assert InstrumentAlias.objects.count() == 4
    before = dump()
    response = upload(data=statement())
    assert (response.status_code, response.json()["duplicates"]) == (200, 12)
    assert {one["resolved_by"] for one in response.json()["instruments"]} == {"earlier choice"}
    assert response.json()["reconciled"] is True
    assert dump() == before


def test_overlapping_halves_add_nothing_twice(upload):
    newer, older = statement(ROWS[:9]), statement(ROWS[5:])
    upload.done(data=older, instruments=CHOICES)
    upload.done(data=newer)
    halves = held()
    assert Transaction.objects.count() == 13
    Transaction.objects.all().delete()
    Holding.objects.all().delete()
    upload.done(data=statement())
    assert held() == halves


def test_an_unknown_instrument_is_named_and_nothing_is_recorded(upload, dump):
    before = dump()
    response = upload(data=statement())
    body = response.json()
    assert response.status_code == 422
    assert {(error["code"], error["column"]) for error in body["errors"]} == {
        ("unresolved", "isin")
    }
    assert {one["isin"] for one in body["instruments"] if one["ticker"] is None} == {
        "NO0000000101", "NO0000000102", "US0000000103", "NO0000000104",
    }  # fmt: skip
    assert dump() == before


def test_a_figure_that_is_not_the_brokers_is_the_first_divergence(upload):
    wrong = [row.replace("|10|36 613,54|", "|11|36 613,54|") for row in ROWS]
    body = upload.done(data=statement(wrong), instruments=CHOICES)
    assert body["reconciled"] is False
    assert body["first_divergence"] == {"row": 3, "expected": "11 shares", "got": "10 shares"}


def test_a_balance_that_is_not_the_sum_of_the_rows_is_the_first_divergence(upload):
    wrong = [row.replace("28 808,31", "28 908,31") for row in ROWS[1:-1]]
    body = upload.done(data=statement(wrong), instruments=CHOICES)
    assert body["first_divergence"] == {
        "row": 7,
        "expected": "balance 28908.31 NOK",
        "got": "balance 28808.31 NOK",
    }


def test_an_amount_that_its_own_row_contradicts_is_an_error_of_the_row(upload, dump):
    wrong = [row.replace("|39|7 761|NOK|10|", "|39|7 861|NOK|11|") for row in ROWS]
    before = dump()
    body = upload(data=statement(wrong), instruments=CHOICES).json()
    [error] = body["errors"]
    assert (error["row"], error["column"], error["code"]) == (3, "Beløp", "amount_differs")
    assert "7761" in error["detail"]
    assert dump() == before


LONG, RATE_REQUIRED = "9" * 5000, "exchange_rate_required"


def test_rows_that_nordnet_cancels_later_are_gone_from_their_day(upload, api):
    upload.done(data=statement(), instruments=CHOICES)
    [paid] = [row for row in ROWS if row.startswith("204|")]
    later = [paid.replace("USD/AKSJE|", "USD/AKSJE|2025-06-01")]
    body = upload(data=statement(later)).json()
    detail = (
        "The broker reversed the dividend of HARBOR.USD.DEMO on 2025-05-15. It is taken out of the "
        "portfolio; undoing this import puts it back."
    )
    assert {"code": "reversed", "detail": detail, "row": 2} in body["warnings"]
    assert (body["created"], body["ignored"]) == (0, 1)
    assert not Transaction.objects.filter(external_id="204").exists()
    again = upload(data=statement(later)).json()
    assert (again["id"], again["warnings"]) == (None, [])
    # The first file again brings it no more.
    assert upload(data=statement()).json()["created"] == 0
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert Transaction.objects.get(external_id="204").type == "dividend"


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("210|2025-08-01|2025-08-01|BYTTE|Nytt|NO0000000105|5|||0|NOK|5|1|||", "Transaksjonstype", "unknown_type"),
        ("210|2025-08-01|2025-08-01|SPLITT INNLEGG VP|Nytt|X|5|||0|NOK|5|1|||", "Transaksjonstype", "unpaired_split"),
        ("210|2025-08-01|2025-08-01|KJØPT|Fjordlaks|NO0000000101|mange|1|0|0|NOK|5|1|||", "Antall", "invalid"),
        ("210|2025-08-01|igår|KJØPT|Fjordlaks|NO0000000101|1|1|0|0|NOK|5|1|||", "Handelsdag", "invalid"),
        ("210|2025-08-01|2025-08-01|KJØPT|Fjordlaks|NO0000000101|1||0|0|NOK|5|1|||", "Kurs", "required"),
        ("210|2025-08-01|2025-08-01|UTBYTTE|Harbor|US0000000103|5|1||-5,04||0|1|10,4||", "Beløp", "unpaired_reversal"),
        ("210|2025-08-01|2025-08-01|UTBYTTE|Harbor|US0000000103|5|1||52,04|NOK|0|1|mange||", "Vekslingskurs", "invalid"),
        (f"{LONG}|2025-08-01|2025-08-01|KJØPT|Orkla|NO0000000101|1|1|0|0|NOK|5|1|||", "external_id", "max_length"),
        ("210|2025-08-01|2025-08-01|KJØPT|Harbor|US0000000103|1|9|99|0|USD|6|1|0||", "Vekslingskurs", RATE_REQUIRED),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_an_error_and_never_dropped(upload, row, column, code):
    body = upload.done(data=statement([row, *ROWS]), instruments=CHOICES, on_error="skip")
    assert [(error["row"], error["column"], error["code"]) for error in body["errors"]] == [
        (2, column, code)
    ]
    assert (body["failed"], body["created"]) == (1, 12)


def test_a_reversal_of_no_dividend_is_an_error_and_no_second_dividend(upload, dump):
    row = "210|2025-08-01|2025-08-01|UTBYTTE|Harbor|US0000000103|5|1||-50,04||0|36 551|10,4076|UTBYTTE HRB 1 USD/AKSJE|"
    before = dump()
    response = upload(data=statement([row, *ROWS]), instruments=CHOICES)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (2, "Beløp", "unpaired_reversal")
    assert "skip this row" in error["detail"]
    assert dump() == before


@pytest.mark.parametrize("rate", ["", "0"])
def test_a_tax_in_kroner_on_dollars_without_a_rate_is_turned_into_dollars_at_the_days_rate(
    upload, rate
):
    with_rates("USD", "NOK", {date(2025, 5, 15): "10.40"})
    rows = [
        f"205|2025-05-15|2025-05-09|KUPONGSKATT|Harbor|US0000000103|5|||-39,80||0|960,20|{rate}|KUPONGSKATT HRB 15%|",
        "203|2025-04-02|2025-04-01|KJØPT|Harbor|US0000000103|5|210|99|-11 124|USD|5|1 000|10,5000||",
    ]
    body = upload.done(data=statement(rows), instruments=CHOICES)
    assert (body["created"], body["reconciled"], body["first_divergence"]) == (2, True, None)
    tax = Transaction.objects.get(type="tax")
    assert (tax.price.quantize(D("0.000001")), tax.exchange_rate) == (D("3.826923"), D("10.40"))
    assert held()["HARBOR.USD.DEMO"][5].quantize(D("0.01")) == D("39.80")


def test_a_tax_in_kroner_on_dollars_without_any_rate_is_an_error_of_its_row(upload, dump):
    rows = [
        "205|1995-05-15|1995-05-09|KUPONGSKATT|Harbor|US0000000103|5|||-39,80||0|960,20||KUPONGSKATT HRB 15%|",
        "203|1995-04-02|1995-04-01|KJØPT|Harbor|US0000000103|5|210|99|-11 124|USD|5|1 000|10,5000||",
    ]
    before = dump()
    response = upload(data=statement(rows), instruments=CHOICES)
    errors = [(error["row"], error["column"], error["code"]) for error in response.json()["errors"]]
    assert (response.status_code, errors) == (422, [(2, "currency", "exchange_rate_required")])
    assert dump() == before


def test_a_rate_of_0_counts_as_missing(upload):
    with_rates("USD", "NOK", {date(2025, 4, 1): "10.60"})
    row = "203|2025-04-02|2025-04-01|KJØPT|Harbor|US0000000103|5|210||-11 130|USD|5|1 000|0||"
    home = "202|2025-04-02|2025-04-01|KJØPT|Fjordlaks|NO0000000101|20|201,70|39|-4 073|NOK|20|12 130|0||"
    body = upload.done(data=statement([row, home]), instruments=CHOICES)
    assert (body["reconciled"], body["first_divergence"]) == (True, None)
    trades = Transaction.objects.exclude(holding=None)
    rates = dict(trades.values_list("holding__stock__ticker", "exchange_rate"))
    assert rates == {"HARBOR.USD.DEMO": D("10.60"), "FJORDLAKS.DEMO": 1}


def test_rows_of_a_day_are_taken_in_the_order_of_their_numbers_however_long_these_are(upload):
    rows = [
        "1000|2025-01-14|2025-01-13|SALG|Fjordlaks|NO0000000101|20|210|0|4 200|NOK|0|4 166|||",
        "0999|2025-01-14|2025-01-13|KJØPT|Fjordlaks|NO0000000101|20|201,70|0|-4 034|NOK|20|-34|||",
    ]
    for given in (rows, rows[::-1]):
        body = upload(data=statement(given), instruments=CHOICES, dry_run="true").json()
        assert (body["errors"], body["reconciled"], body["first_divergence"]) == ([], True, None)


def test_the_finnish_export_is_the_same_file_in_other_words(upload):
    rows = [
        "12|2025-05-15|2025-05-09|ENNAKKOPIDÄTYS|Kone|FI0000000106|4|||-1,02||0|875,98||ENNAKKOPIDÄTYS|",
        "11|2025-05-15|2025-05-09|OSINKO|Kone|FI0000000106|4|1||4||0|877||OSINKO KONE 1 EUR/OSAKE|",
        "10|2025-05-02|2025-05-02|MYYNTI|Kone|FI0000000106|1|23|0|23|EUR|4|873|||",
        "9|2025-04-02|2025-04-01|OSTO|Kone|FI0000000106|5|30|0|-150|EUR|5|850|||",
        "8|2025-04-01|2025-04-01|TALLETUS|||||  |1 000|||1 000|||",
    ]
    data = statement(rows, FINNISH).decode("utf-16").replace("NOK", "EUR").encode("utf-16")
    body = upload.done(data=data, instruments='{"FI0000000106": "KONE.EUR.DEMO"}')
    assert (body["format"], body["created"], body["ignored"], body["reconciled"]) == (
        "nordnet",
        5,
        0,
        True,
    )
    # The account is in EUR and this portfolio in NOK: the rate of the day, not the account's 1.
    assert all(rate > 5 for rate in Transaction.objects.values_list("exchange_rate", flat=True))


def test_a_file_of_another_account_than_the_last_one_is_warned_of(upload):
    upload.done(data=statement(ROWS[5:]), instruments=CHOICES)
    same = upload(data=statement(), dry_run="true").json()
    other = upload(
        data=statement().decode("utf-16").replace("12345678", "87654321").encode("utf-16"),
        dry_run="true",
    )
    # The prices of the samples are far from the simulated closes, which is another warning.
    assert {warning["code"] for warning in same["warnings"]} == {"price_far_from_close"}
    detail = "This file is from account 87654321; the previous import was from account 12345678."
    assert {"code": "other_account", "detail": detail} in other.json()["warnings"]
