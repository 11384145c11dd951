"""Test files that differ from what the broker wrote: they are read, or refused with a reason."""

import json
import random
from datetime import date
from decimal import Decimal as D

import pytest

from integrations.conftest import Upload
from integrations.statements.days import named_day
from integrations.statements.nordnet import NORWEGIAN
from integrations.statements.tests import test_nordnet
from integrations.statements.tests.samples import SAMPLES, avanza, degiro, saxo, swissquote
from integrations.statements.tests.test_samples import as_precise, held
from marketdata.tests.factories import with_rates
from portfolios import services
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(api, user):
    """Return a function: `account("EUR")(data=...)` imports into a new portfolio."""

    def make(currency):
        return Upload(
            api, services.create_portfolio(user=user, name=f"In {currency}", currency=currency)
        )

    return make


def text_of(sample):
    return sample.data.decode("utf-16" if sample.data[:2] == b"\xff\xfe" else "utf-8")


def file_of(sample, lines):
    """Return a file of these lines in the encoding of the sample."""
    return ("\r\n".join(lines) + "\r\n").encode(
        "utf-16" if sample.data[:2] == b"\xff\xfe" else "utf-8"
    )


def refused(response):
    [error] = response.json()["errors"]
    assert (response.status_code, error["attr"]) == (422, "file")
    return error["code"], error["detail"]


def row_errors(body):
    return [(error["row"], error["column"], error["code"]) for error in body["errors"]]


# --- Which format, which account ------------------------------------------------------------------

BOTH = (
    b'"Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","CurrencyPrimary","IBCommission","Type","SettleDate","Description","Amount"\r\n'
    b'"BUY","20240304","US0000000011","10","100","USD","-1","Trade","20240306","ATL","-1001"\r\n'
)


def test_the_user_chooses_between_two_matching_formats(account, dump):
    upload = account("USD")
    before = dump()
    code, detail = refused(upload(data=BOTH))
    assert (code, "ibkr-trades" in detail, "ibkr-cash" in detail, "format" in detail) == (
        "unknown_format",
        *[True] * 3,
    )
    assert dump() == before
    body = upload.done(
        data=BOTH, format="ibkr-trades", instruments='{"US0000000011": "ATLAS.USD.DEMO"}'
    )
    assert (body["format"], body["created"]) == ("ibkr-trades", 1)


def test_an_unknown_header_names_the_nearest_broker_and_what_differs(account):
    header = "\t".join(NORWEGIAN).replace("Handelsdag", "Handledag").replace("Kurtasje", "Gebyr")
    code, detail = refused(account("NOK")(data=f"{header}\r\n".encode()))
    assert code == "unknown_format"
    assert "nearest is Nordnet" in detail
    assert "the file lacks Handelsdag, Kurtasje (it has Handledag for Handelsdag)" in detail


@pytest.mark.parametrize(
    "sample", [avanza.SAMPLES[0], saxo.SAMPLES[0]], ids=lambda sample: sample.name
)
def test_a_file_of_another_account_than_the_last_one_is_warned_of(account, sample):
    upload = account(sample.currency)
    mine, other = ("77", "99") if sample.format == "avanza" else ("1", "2")
    mark = ";" if sample.format == "avanza" else ","
    warnings = upload.done(data=sample.data, **sample.options)["warnings"]
    assert {warning["code"] for warning in warnings} <= {"price_far_from_close"}
    lines = [
        line.replace(f"{mark}{mine}{mark}", f"{mark}{other}{mark}", 1)
        for line in text_of(sample).splitlines()
    ]
    if sample.format == "saxo":
        lines[1:] = [f"{other}{line.removeprefix(mine)}" for line in lines[1:]]
    detail = f"This file is from account {other}; the previous import was from account {mine}."
    warnings = upload(data=file_of(sample, lines), dry_run="true").json()["warnings"]
    assert {"code": "other_account", "detail": detail} in warnings


# --- Rates ----------------------------------------------------------------------------------------


def test_an_amount_in_another_currency_without_a_rate_fails_its_row_alone(account, dump):
    upload = account("SEK")
    header = text_of(avanza.SAMPLES[0]).splitlines()[0]
    lines = [
        header,
        "1995-05-16;88;Utländsk källskatt;Utdelning ATL.K;5;;-3,90;SEK;;1;USD;US0000000011;",
        "2024-02-02;88;Köp;Skogsfonden;10,5;200,00;-2100;SEK;0;;SEK;SE0000000012;",
    ]
    options = avanza.SAMPLES[0].options
    before = dump()
    response = upload(data=file_of(avanza.SAMPLES[0], lines), **options)
    assert response.status_code == 422
    assert row_errors(response.json()) == [(2, "currency", "exchange_rate_required")]
    assert dump() == before
    assert (
        upload.done(data=file_of(avanza.SAMPLES[0], lines), on_error="skip", **options)["created"]
        == 1
    )


def test_a_tax_in_the_accounts_currency_is_an_error_while_the_instruments_is_unknown(
    account,
):
    upload = account("SEK")
    header = text_of(avanza.SAMPLES[0]).splitlines()[0]
    line = "2024-05-16;88;Utländsk källskatt;Utdelning ATL.K;5;;-3,90;SEK;;1;;US0000000011;"
    with_rates("USD", "SEK", {date(2024, 5, 16): "10.40"})
    body = upload(
        data=file_of(avanza.SAMPLES[0], [header, line]), **avanza.SAMPLES[0].options
    ).json()
    assert row_errors(body) == [(2, "currency", "exchange_rate_required")]
    upload.done("2024-01-02,buy,ATLAS.USD.DEMO,5,100,,USD,10")
    upload.done(data=file_of(avanza.SAMPLES[0], [header, line]), **avanza.SAMPLES[0].options)
    assert held()["ATLAS.USD.DEMO"][5].quantize(D("0.01")) == D("3.90")


def test_a_fee_in_a_third_currency_is_a_row_of_its_own(account):
    header = "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,Total,Currency (Total),ID,Currency conversion fee,Currency (Currency conversion fee),Finra fee,Currency (Finra fee)"
    line = "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,10,50.00,USD,1.25,401.00,EUR,T-1,1.00,EUR,0.10,GBP"
    choices = json.dumps({"US0000000011": "ATLAS.USD.DEMO"})
    account("EUR").done(data=f"{header}\r\n{line}\r\n".encode(), instruments=choices)
    found = Transaction.objects.order_by("sequence").values_list(
        "type", "settlement_amount", "settlement_currency"
    )
    assert list(found) == [("buy", D("-401"), None), ("fee", D("-0.1"), "GBP")]


# --- The order of rows ----------------------------------------------------------------------------

# A section's rows follow its header, the lots of an award its action, and the rest of a wrapped id
# its row.
IN_SECTIONS = (
    "revolut-gains", "ibkr-activity", "ibkr-history", "ibkr-flex", "ibkr-flex-csv", "schwab-awards",
    "schwab-lapses",
)  # fmt: skip
IN_ANY_ORDER = [
    one for one in SAMPLES if one.format not in IN_SECTIONS and ",,,,,,,,,,,1" not in text_of(one)
]


@pytest.mark.untraced
@pytest.mark.parametrize("sample", IN_ANY_ORDER, ids=lambda sample: sample.name)
@pytest.mark.parametrize("order", ["the other way round", "no order at all"])
def test_the_order_of_rows_does_not_matter(account, sample, order):
    for base, quote, day, rate in sample.rates:
        with_rates(base, quote, {day: rate})
    lines = text_of(sample).splitlines()
    header, rows = lines[: sample.header_lines], lines[sample.header_lines :]
    if order == "no order at all":
        random.Random(1).shuffle(rows)
    else:
        rows.reverse()
    body = account(sample.currency).done(data=file_of(sample, [*header, *rows]), **sample.options)
    assert as_precise(held(), sample.held) == sample.held
    if order == "the other way round":
        assert (body["reconciled"], body["first_divergence"]) == (sample.reconciled, None)


# --- Dates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("04-mrt-2024", 3), ("04-Mar-2024", 3), ("04-mars-2024", 3), ("04-märz-2024", None), ("04-mrz-2024", 3),
        ("05-mei-2024", 5), ("05-mai-2024", 5), ("05-maj-2024", 5), ("05-mag-2024", 5), ("12-okt-2024", 10),
        ("12-oct-2024", 10), ("12-ott-2024", 10), ("12-out-2024", 10), ("03-déc-2024", 12), ("03-dic-2024", 12),
        ("03-dez-2024", 12), ("03-des-2024", 12), ("15-août-2024", 8), ("15-ago-2024", 8), ("9-janv-2024", 1),
        ("9-ene-2024", 1), ("9-gen-2024", 1), ("28-févr.-2024", 2), ("28-fev-2024", 2), ("31-feb-2024", None),
        ("31-foo-2024", None),
    ],
)  # fmt: skip
def test_months_are_known_by_their_local_names(text, month):
    found = named_day(text)
    assert (found.month if found else None) == month


@pytest.mark.untraced
@pytest.mark.parametrize(
    "mangled", ["45672", "15.01.2025", "01/15/2025", "########", "15. jan", "jan.25"]
)
def test_a_date_that_a_spreadsheet_changed_is_an_error_that_says_so(account, mangled):
    rows = [row.replace("|2025-01-13|", f"|{mangled}|") for row in test_nordnet.ROWS]
    body = account("NOK")(
        data=test_nordnet.statement(rows), instruments=test_nordnet.CHOICES
    ).json()
    mangled_rows = [error for error in body["errors"] if error["code"] == "invalid"]
    assert [(error["row"], error["column"]) for error in mangled_rows] == [
        (13, "Handelsdag"),
        (14, "Handelsdag"),
    ]
    assert all("spreadsheet" in error["detail"] for error in mangled_rows)
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("mangled", ["45293", "45293.5", "########"])
def test_a_mangled_date_of_our_own_format_is_an_error_that_says_so(upload, mangled):
    body = upload(f"{mangled},buy,FJORD.DEMO,1,1").json()
    assert row_errors(body) == [(2, "date", "invalid")]
    assert "spreadsheet" in body["errors"][0]["detail"]


def test_ids_that_a_spreadsheet_rounded_are_errors_and_pass_for_no_duplicates(upload):
    lines = [f"2024-01-0{day},buy,FJORD.DEMO,1,1,,,,,1.23457E+12" for day in (2, 3)]
    body = upload(*lines).json()
    assert row_errors(body) == [(2, "external_id", "invalid"), (3, "external_id", "invalid")]
    assert body["duplicates"] == 0


# --- Numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("Koop 1.000 @ 1,5 EUR", "-1.500,00"),
        ("Koop 1 000 @ 1,5 EUR", "-1\u00a0500,00"),
        ("Koop 1\u00a0000 @ 1,5 EUR", "\u22121500,00"),
        ('Buy 1,000 WORLD@1.5 EUR (IE0000000041)', "-1,500.00"),
        ('Buy 1.000 WORLD@1,5 EUR (IE0000000041)', None),
    ],
)  # fmt: skip
def test_thousands_that_look_like_decimals_are_read_in_the_language_of_their_words(
    account, words, change
):
    header = text_of(degiro.SAMPLES[0]).splitlines()[0]
    line = f'01-03-2024,09:30,01-03-2024,WORLD,IE0000000041,"{words}",,EUR,"{change or "-1.500,00"}",EUR,"0,00",x'
    body = account("EUR")(
        data=f"{header}\r\n{line}\r\n".encode(),
        instruments=json.dumps(degiro.SAMPLES[2].instruments),
    ).json()
    if change:
        assert body["errors"] == []
        assert held()["WERELD.EUR.DEMO"][:3] == (1000, D("1.5"), 1500)
    else:  # one share in English words, a thousand by the amount: neither is taken for the other
        assert [error["code"] for error in body["errors"]] == ["amount_differs"]


def test_a_number_that_could_be_either_needs_a_word_although_others_in_the_file_are_clear(account):
    upload = account("EUR")
    header, first, *_ = text_of(saxo.SAMPLES[1]).splitlines()
    paper = "Wereldfonds,IE0000000041,EUR,Euronext Amsterdam,WERELD:xams"
    line = f'1,24-feb-2026,26-feb-2026,Trade,{paper},Buy 10 @ 180.00 EUR,"-1,801",8001,1,No,'
    mixed = f'1,24-feb-2026,26-feb-2026,Trade,{paper},Buy 10 @ 180.00 EUR,"-1801,50",8002,1,No,'
    assert "25.6" in first
    data = file_of(saxo.SAMPLES[1], [header, first, mixed, line])
    code, detail = refused(upload(data=data))
    assert (code, "-1,801 could have either" in detail) == ("ambiguous_numbers", True)
    body = upload.done(data=data, decimal="point", **saxo.SAMPLES[1].options)
    assert (body["created"], body["errors"]) == (3, [])
    assert held()["WERELD.EUR.DEMO"][2] == D("3602.5")  # 1,801.50 and 1,801


def test_no_break_spaces_and_typographers_minus_signs_are_read(account):
    rows = test_nordnet.statement().decode("utf-16").replace("\t-", "\t\u2212")
    for number in ("36 601,04", "4 073", "11 124", "50 068"):
        assert number in rows
        rows = rows.replace(number, number.replace(" ", "\u00a0"))
    body = account("NOK").done(data=rows.encode("utf-16"), instruments=test_nordnet.CHOICES)
    assert (body["created"], body["reconciled"], body["first_divergence"]) == (12, True, None)


# --- The end of the file --------------------------------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_last_line_that_was_cut_off_is_refused_naming_it(account, sample, dump):
    upload = account(sample.currency)
    *whole, last = text_of(sample).splitlines()
    data = (
        file_of(sample, whole).decode("utf-16" if sample.format == "nordnet" else "utf-8")
        + last[: len(last) // 3]
    )
    before = dump()
    code, detail = refused(
        upload(
            data=data.encode("utf-16" if sample.format == "nordnet" else "utf-8"), **sample.options
        )
    )
    assert code in ("ragged_rows", "unreadable_file")
    assert f"line {len(whole) + 1}" in detail
    assert dump() == before


def test_a_single_row_that_was_cut_off_is_refused_too(account):
    header, row, *_ = text_of(avanza.SAMPLES[0]).splitlines()
    code, detail = refused(account("SEK")(data=f"{header}\r\n{row[:20]}".encode()))
    assert (code, "line 2" in detail) == ("ragged_rows", True)


def test_degiros_balance_that_is_not_the_sum_of_the_rows_is_the_first_divergence(account):
    sample = degiro.SAMPLES[2]
    data = sample.data.replace(b"701.29", b"702.29").replace(b"700.29", b"701.29")
    body = account("EUR").done(data=data, **sample.options)
    assert (body["reconciled"], body["first_divergence"]) == (
        False,
        {"row": 4, "expected": "balance 701.29 EUR", "got": "balance 700.29 EUR"},
    )


def test_a_row_missing_from_degiros_file_is_found_by_the_balance(account):
    sample = degiro.SAMPLES[2]
    lines = [line for line in text_of(sample).splitlines() if ",EUR,-1.00," not in line]
    body = account("EUR").done(data=file_of(sample, lines), **sample.options)
    assert (body["reconciled"], body["first_divergence"]) == (
        False,
        {"row": 2, "expected": "balance 820.79 EUR", "got": "balance 821.79 EUR"},
    )


@pytest.mark.parametrize("column", ["Saldo", "Beløp", "Totalt antall"])
def test_a_nordnet_figure_that_is_not_a_number_is_an_error_of_its_row(account, column):
    lines = test_nordnet.statement().decode("utf-16").splitlines()
    cells = lines[2].split("\t")
    cells[NORWEGIAN.index(column)] = ",-834"
    lines[2] = "\t".join(cells)
    data = "\r\n".join([*lines, ""]).encode("utf-16")
    body = account("NOK")(data=data, instruments=test_nordnet.CHOICES).json()
    assert row_errors(body) == [(3, column, "invalid")]


@pytest.mark.untraced
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_null_characters_in_any_cell_are_an_answer_and_no_fault_of_ours(account, sample):
    upload = account(sample.currency)
    header, *rows = text_of(sample).splitlines()
    delimiter = max(",;\t", key=header.count)
    for number, row in enumerate(rows[:4]):
        cells = row.split(delimiter)
        for position, cell in enumerate(cells):
            if '"' not in cell:
                cells[position] = f"{cell[:2]}\x00{cell[2:]}"
        spoilt = delimiter.join(cells)
        lines = [header, *rows[:number], spoilt, *rows[number + 1 :]]
        response = upload(
            data=file_of(sample, lines), on_error="skip", dry_run="true", **sample.options
        )
        assert response.status_code in (200, 422)


@pytest.mark.parametrize("code", ["XYZ", "EU", "euro"])
def test_a_currency_that_is_none_is_an_error_of_its_row(account, code):
    header, row, *_ = text_of(swissquote.SAMPLES[1]).splitlines()
    body = account("CHF")(
        data=file_of(swissquote.SAMPLES[1], [header, row.replace("USD", code)])
    ).json()
    assert row_errors(body) == [(2, "currency", "unknown_currency")]


# --- Absurd, but possible -------------------------------------------------------------------------


def test_splits_upon_splits_leave_figures_that_can_be_read(upload, portfolio, api):
    # A month apart: equal splits within a week count as one.
    splits = [f"2024-0{month}-01,split,BIG.MAN,99999999999999,,,NOK" for month in (2, 3, 4)]
    upload.done("2024-01-02,buy,BIG.MAN,999999999999999,1,,NOK", *splits)
    [holding] = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    assert holding["current_quantity"] == pytest.approx(1e57)
    pages = (
        "portfolios",
        "dashboard",
        "net-worth",
        "performance",
        "allocation",
        "timeline",
        "goal",
        "export",
    )
    answers = [api.get(f"/api/v1/{page}").status_code for page in pages]
    assert answers == [200] * len(pages)


def test_splits_that_leave_next_to_nothing_can_be_read_too(portfolio, api):
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": "SMALL.MAN",
        "currency": "NOK",
        "quantity": 1,
        "price": 1,
    }
    assert (
        api.post("/api/v1/transactions", body | {"type": "buy", "date": "2024-01-02"}).status_code
        == 201
    )
    for month in range(2, 6):
        split = body | {"type": "split", "date": f"2024-0{month}-01", "quantity": "1e-14"}
        assert api.post("/api/v1/transactions", split).status_code == 201
    [holding] = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    assert (holding["current_quantity"], holding["average_cost_per_share"]) == (
        pytest.approx(1e-56),
        10**56,
    )


def test_a_header_far_from_every_format_names_no_broker(upload):
    code, detail = refused(upload(data=b"Dag;Hva;Price;Currency\n1;2;3;4\n"))
    assert code == "unknown_format"
    assert "nearest" not in detail
    assert "Recognised: Price, Currency. Say with mapping which column is which." in detail
