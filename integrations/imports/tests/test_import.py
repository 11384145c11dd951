"""Test importing the generic format over REST: recorded, refused and duplicate rows, undo."""

import json
from datetime import date
from decimal import Decimal as D

import pytest
import time_machine

from integrations.conftest import csv
from marketdata.models import StockMetadata
from marketdata.services import record_splits
from marketdata.tests.factories import instrument, with_rates
from portfolios import services
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db

BUY = "2024-01-02,buy,FJORD.DEMO,10,100"
SELL = "2024-03-01,sell,FJORD.DEMO,4,120"


def problems(body):
    return [(error["row"], error["column"], error["code"]) for error in body["errors"]]


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def counts(body):
    assert body["rows"] == body["created"] + body["duplicates"] + body["ignored"] + body["failed"]
    return {
        name: body[name] for name in ("created", "duplicates", "ignored", "failed") if body[name]
    }


# --- What is recorded -----------------------------------------------------------------------------


def test_a_file_becomes_transactions_and_holdings(upload, portfolio):
    body = upload.done(
        "2024-01-02,buy,FJORD.DEMO,10,100.5,29,NOK,,first,A-1",
        "2024-02-01,dividend,FJORD.DEMO,10,1.5",
        "2024-03-01,sell,fjord.demo,4,120,29",
        "2024-03-04,buy,ATLAS.USD.DEMO,2,50,1,USD,10.25",
    )
    assert counts(body) == {"created": 4}
    assert (body["state"], body["format"], body["encoding"], body["delimiter"]) == (
        "done",
        "generic",
        "utf-8",
        ",",
    )
    assert (body["file_name"], body["dry_run"], body["progress"], body["errors"]) == (
        "trades.csv",
        False,
        1,
        [],
    )
    assert [(one["ticker"], one["currency"]) for one in body["instruments"]] == [
        ("FJORD.DEMO", "NOK"),
        ("ATLAS.USD.DEMO", "USD"),
    ]
    fjord, atlas = Holding.objects.order_by("-stock__ticker")
    # 10 at 100.5 and 29: 103.4 a share; 4 sold for 480 - 29
    assert (fjord.current_quantity, fjord.average_cost_per_share, fjord.cost_basis) == (
        6,
        D("103.4"),
        D("620.4"),
    )
    assert (fjord.realised_gain, fjord.income) == (D("37.4"), 15)
    assert (atlas.current_quantity, atlas.cost_basis) == (2, D("1035.25"))
    first, *_, last = Transaction.objects.order_by("sequence")
    assert (first.note, first.external_id, first.source, str(first.import_batch_id)) == (
        "first",
        "A-1",
        "import",
        body["id"],
    )
    assert (last.exchange_rate, last.portfolio_id, last.sequence) == (D("10.25"), portfolio.pk, 4)
    assert Portfolio.objects.get().version == 1


def test_the_order_of_rows_does_not_matter(upload):
    upload.done(SELL, "2024-02-01,split,FJORD.DEMO,2,", BUY)
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.realised_gain) == (16, 280)
    assert Transaction.objects.get(type="sell").average_cost_per_share_at_transaction == 50


def test_an_import_continues_what_was_entered_by_hand(upload, portfolio):
    stock = instrument("FJORD.DEMO", currency="NOK", source="simulated")
    trade(portfolio, stock, "buy", "10", "200", on=date(2024, 2, 1))
    late = trade(portfolio, stock, "sell", "5", "250", on=date(2024, 6, 3))
    upload.done(BUY)
    late.refresh_from_db()
    assert (late.average_cost_per_share_at_transaction, late.realised_gain) == (150, 500)
    assert Holding.objects.get().current_quantity == 15


def test_the_rate_of_the_day_fills_a_missing_one(upload):
    with_rates("USD", "NOK", {date(2024, 1, 2): "10.31"})
    upload.done("2024-01-02,buy,ATLAS.USD.DEMO,1,100", BUY)
    assert dict(Transaction.objects.values_list("holding__stock__ticker", "exchange_rate")) == {
        "ATLAS.USD.DEMO": D("10.31"),
        "FJORD.DEMO": 1,
    }


def test_a_new_instrument_comes_with_its_history_and_nothing_is_left_to_fetch(
    upload, yahoo, monkeypatch, django_capture_on_commit_callbacks
):
    from marketdata.tasks import fetch_history

    woken = []
    monkeypatch.setattr(fetch_history, "delay", woken.append)
    with django_capture_on_commit_callbacks(execute=True):
        upload.done(BUY, "2024-01-02,buy,HAND,1,1,,NOK")
    assert woken == []
    assert StockMetadata.objects.get(ticker="FJORD.DEMO").history_fetched_at is not None


def test_a_split_of_the_source_is_booked_and_goes_with_the_undone_import(upload, api):
    stock = instrument("FJORD.DEMO", currency="NOK", source="simulated")
    record_splits(stock=stock, splits=[(date(2024, 2, 1), D(4))], source="simulated")
    body = upload.done(BUY, "2024-03-01,sell,FJORD.DEMO,30,30")
    assert counts(body) == {"created": 2}
    assert list(Transaction.objects.order_by("sequence").values_list("type", "source")) == [
        ("buy", "import"),
        ("sell", "import"),
        ("split", "market_data"),
    ]
    assert Holding.objects.get().current_quantity == 10
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert not Transaction.objects.exists()
    assert not Holding.objects.exists()


def test_a_sale_that_lacks_shares_makes_the_source_be_asked_for_splits(upload, yahoo):
    with time_machine.travel("2024-07-01"):
        closes = {date(2024, 1, 2): 400.0, date(2024, 2, 1): 100.0, date(2024, 6, 28): 110.0}
        yahoo.list("FOUR", closes, currency="NOK", splits={date(2024, 2, 1): (4, 1)})
        body = upload.done("2024-01-02,buy,FOUR,10,400", "2024-03-01,sell,FOUR,40,100")
    assert counts(body) == {"created": 2}
    assert Holding.objects.get().current_quantity == 0


# --- What is refused ------------------------------------------------------------------------------


def test_one_bad_row_refuses_the_file_with_every_error_named(upload, dump):
    before = dump()
    response = upload(BUY, "2030-01-01,buy,FJORD.DEMO,1,1", "2024-01-02,buy,FJORD.DEMO,x,1", SELL)
    assert response.status_code == 422
    body = response.json()
    assert problems(body) == [(3, "date", "future_date"), (4, "quantity", "invalid")]
    assert body["errors"][1]["value"] == "x"
    assert (body["state"], body["id"], counts(body)) == (
        "failed",
        None,
        {"created": 2, "failed": 2},
    )
    assert dump() == before


def test_skip_records_the_good_rows(upload):
    body = upload.done(BUY, "2030-01-01,buy,FJORD.DEMO,1,1", SELL, on_error="skip")
    assert counts(body) == {"created": 2, "failed": 1}
    assert problems(body) == [(3, "date", "future_date")]
    assert Holding.objects.get().current_quantity == 6
    stored = ImportBatch.objects.get().errors
    assert [one["detail"] for one in stored] == [one["detail"] for one in body["errors"]]


def test_skip_with_nothing_left_is_200_and_stores_nothing(upload, dump):
    before = dump()
    response = upload("2030-01-01,buy,FJORD.DEMO,1,1", on_error="skip")
    assert (response.status_code, response.json()["id"]) == (200, None)
    assert dump() == before


def test_a_sale_above_the_holding_names_what_was_asked_and_held(upload, dump):
    before = dump()
    response = upload(BUY, "2024-03-01,sell,FJORD.DEMO,11,120")
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (
        3,
        "quantity",
        "insufficient_quantity",
    )
    assert "11 requested, 10 held on 2024-03-01" in error["detail"]
    assert dump() == before


def test_skip_leaves_out_the_sales_that_lack_shares_and_no_others(upload):
    body = upload.done(
        BUY,
        "2024-02-01,sell,FJORD.DEMO,8,120",
        "2024-02-02,sell,FJORD.DEMO,8,120",
        "2024-02-03,sell,FJORD.DEMO,2,120",
        "2024-02-04,sell,BREEN.DEMO,1,120",
        on_error="skip",
    )
    assert problems(body) == [
        (4, "quantity", "insufficient_quantity"),
        (6, "quantity", "insufficient_quantity"),
    ]
    assert counts(body) == {"created": 3, "failed": 2}
    assert [holding.stock.ticker for holding in Holding.objects.all()] == ["FJORD.DEMO"]
    assert Holding.objects.get().current_quantity == 0


def test_a_new_sale_that_would_starve_a_later_one_is_the_one_left_out(upload, portfolio):
    stock = instrument("FJORD.DEMO", currency="NOK", source="simulated")
    trade(portfolio, stock, "buy", "10", "100", on=date(2024, 1, 2))
    later = trade(portfolio, stock, "sell", "9", "130", on=date(2024, 6, 3))
    body = upload.done(
        "2024-02-01,sell,FJORD.DEMO,1,120", "2024-02-02,sell,FJORD.DEMO,1,121", on_error="skip"
    )
    [error] = body["errors"]
    assert (error["row"], error["code"]) == (3, "insufficient_quantity")
    assert str(later.pk) in error["detail"]
    assert "2024-06-03" in error["detail"]
    assert counts(body) == {"created": 1, "failed": 1}


def test_many_new_sales_that_starve_a_later_one_need_few_replays(upload, portfolio):
    stock = instrument("FJORD.DEMO", currency="NOK", source="simulated")
    trade(portfolio, stock, "buy", "1000", "100", on=date(2024, 1, 2))
    trade(portfolio, stock, "sell", "1000", "130", on=date(2024, 6, 3))
    response = upload(
        *(f"2024-02-01,sell,FJORD.DEMO,1,{price}" for price in range(1, 901)), on_error="skip"
    )
    assert (response.status_code, counts(response.json())) == (200, {"failed": 900})


def test_a_currency_that_contradicts_the_instrument_fails_its_rows(upload):
    body = upload(f"{BUY},,USD", "2024-01-03,buy,FJORD.DEMO,1,1,,NOK", on_error="skip").json()
    assert problems(body) == [(2, "currency", "currency_mismatch")]
    assert counts(body) == {"created": 1, "failed": 1}


def test_an_instrument_whose_currency_cannot_be_learned_fails_its_rows(upload, dump):
    before = dump()
    response = upload("2024-01-02,buy,EQNR.OL,1,1", "2024-01-03,buy,EQNR.OL,1,1", BUY)
    assert response.status_code == 422
    assert problems(response.json()) == [
        (2, "currency", "currency_required"),
        (3, "currency", "currency_required"),
    ]
    assert dump() == before


def test_a_ticker_that_the_source_does_not_know_fails_without_a_currency(upload, yahoo):
    assert problems(upload("2024-01-02,buy,NOSUCH,1,1").json()) == [(2, "ticker", "unknown_ticker")]


def test_a_ticker_that_the_source_does_not_know_is_priced_by_hand_when_a_currency_is_given(
    upload, yahoo, user
):
    upload.done("2024-01-02,buy,NOSUCH,1,1,,NOK")
    stock = StockMetadata.objects.get(ticker="NOSUCH")
    assert (stock.source, stock.owner) == ("manual", user)


def test_a_refused_file_leaves_no_instrument_of_the_users_behind(upload, yahoo, dump):
    before = dump()
    response = upload(
        "2024-01-02,buy,NOSUCH,1,1,,NOK",
        "2024-01-03,sell,NOSUCH,2,1,,NOK",
        "2024-01-02,buy,BREEN.DEMO,1,1",
    )
    assert response.status_code == 422
    assert dump() == before


def test_a_missing_rate_fails_its_row(upload):
    body = upload("1995-01-02,buy,ATLAS.USD.DEMO,1,1", on_error="skip").json()
    assert problems(body) == [(2, "exchange_rate", "exchange_rate_required")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"PK\x03\x04", "unreadable_file"),
        (b"day,what\n1,2\n", "unknown_format"),
        (csv("02/03/2024,buy,FJORD.DEMO,1,1"), "ambiguous_dates"),
        (csv('2024-01-02,buy,FJORD.DEMO,1,"1,234"'), "ambiguous_numbers"),
        (csv(BUY) + b",", "ragged_rows"),
        (csv(BUY, header="date,type,ticker,quantity,price,Date"), "duplicate_column"),
        (csv("x" * 1_000_000), "unreadable_file"),
    ],
)
def test_a_fault_of_the_whole_file_is_in_the_envelope_at_the_file(upload, dump, data, code):
    before = dump()
    response = upload(data=data)
    assert response.status_code == 422
    assert codes(response) == [(code, "file")]
    assert dump() == before


def test_a_file_of_no_known_format_is_shown_with_its_columns(upload):
    cells = [[f"{row}", "x" * 200] for row in range(5)]
    file = upload(
        data="\n".join(",".join(record) for record in [["day", "what"], *cells]).encode()
    ).json()["file"]
    assert file == {
        "header": ["day", "what"],
        "sample": [[f"{row}", "x" * 80] for row in range(3)],
        "formats": [],
    }
    assert "file" not in upload(data=b"").json()


def test_a_file_that_two_formats_recognise_names_both(upload):
    header = "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount,Type,Ticker"
    data = f"{header}\n2024-01-02,Buy,FJORD.DEMO,Fjord,1,100,,,buy,FJORD.DEMO\n".encode()
    assert upload(data=data).json()["file"]["formats"] == ["generic", "schwab"]
    assert upload.done(data=data, format="generic")["created"] == 1


def test_options_of_the_request_settle_an_ambiguity(upload):
    upload.done('02/03/2024,buy,FJORD.DEMO,1,"1,234"', date_format="mdy", decimal="comma")
    assert list(Transaction.objects.values_list("date", "price")) == [
        (date(2024, 2, 3), D("1.234"))
    ]


def test_more_than_20_mb_or_200_000_rows_are_too_large(upload, dump):
    before = dump()
    too_long = upload(data=b"x" * 20_000_001)
    too_many = upload(data=csv() + b"\n2024-01-02,buy,A,1,1,,,,," * 200_001)
    assert [(response.status_code, codes(response)) for response in (too_long, too_many)] == [
        (413, [("too_large", None)])
    ] * 2
    assert dump() == before


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"portfolio_id": "6f1bd0a2-6a58-4b4b-9a0c-0d9d6a1c2f3e"},
            ("unknown_portfolio", "portfolio_id"),
        ),
        ({"portfolio_id": "mine"}, ("invalid", "portfolio_id")),
        ({"format": "sheet"}, ("invalid_choice", "format")),
        ({"on_error": "hope"}, ("invalid_choice", "on_error")),
        ({"dry_run": "perhaps"}, ("invalid", "dry_run")),
        ({"date_format": "ymd"}, ("invalid_choice", "date_format")),
        ({"decimal": "colon"}, ("invalid_choice", "decimal")),
        ({"file": ""}, ("invalid", "file")),
    ],
)
def test_a_wrong_field_is_refused(upload, fields, error):
    response = upload(BUY, **fields)
    assert response.status_code == 422
    assert codes(response) == [error]
    assert not Transaction.objects.exists()


def test_a_file_is_needed_and_only_as_a_form(api, portfolio):
    path = "/api/v1/transactions/import-csv"
    response = api.post(path, {"portfolio_id": str(portfolio.pk)}, format="multipart")
    assert (response.status_code, codes(response)) == (422, [("required", "file")])
    assert api.post(path, {"portfolio_id": str(portfolio.pk)}).status_code == 415


def test_importing_into_another_users_portfolio_is_refused(upload, other_api):
    upload.api = other_api
    response = upload(BUY)
    assert (response.status_code, codes(response)) == (422, [("unknown_portfolio", "portfolio_id")])


def test_without_a_token_nothing_is_imported(upload, anonymous):
    upload.api = anonymous
    assert upload(BUY).status_code == 401
    for path in ("imports", "imports/formats", "transactions/export.csv"):
        assert anonymous.get(f"/api/v1/{path}").status_code == 401


def test_null_characters_in_an_error_can_be_stored(upload):
    body = upload.done(BUY, "2024-01-02,b\x00uy,FJORD.DEMO,1,1", on_error="skip")
    assert ImportBatch.objects.get().errors[0]["value"] == body["errors"][0]["value"] == "b\ufffduy"


# --- Dry runs and files without news --------------------------------------------------------------


def test_a_dry_run_shows_what_would_happen_and_writes_nothing(upload, dump):
    before = dump()
    response = upload(BUY, SELL, "2024-01-02,buy,NEW.DEMO,1,1", dry_run="true")
    body = response.json()
    assert (response.status_code, body["dry_run"], body["id"]) == (200, True, None)
    assert counts(body) == {"created": 3}
    assert dump() == before
    assert [
        (row["id"], row["type"], row["quantity"], row["amount"]) for row in body["preview"]
    ] == [
        (None, "buy", 10, -1000),
        (None, "sell", 4, 480),
        (None, "buy", 1, -1),
    ]
    assert body["preview"][1]["realised_gain"] == 80


def test_a_dry_run_shows_the_legs_of_what_companies_do(upload, dump):
    before = dump()
    header = "date,type,ticker,quantity,price,group,group_kind"
    lines = (
        "2024-01-02,buy,FJORD.DEMO,10,100,,",
        "2024-06-03,exchange_out,FJORD.DEMO,,,m,exchange",
        "2024-06-03,exchange_in,SKOG.DEMO,20,,m,exchange",
    )
    body = upload(data=csv(*lines, header=header), dry_run="true").json()
    assert [(row["type"], row["group_kind"]) for row in body["preview"]] == [
        ("buy", None),
        ("exchange_out", "exchange"),
        ("exchange_in", "exchange"),
    ]
    assert dump() == before


def test_a_dry_run_of_a_bad_file_reports_its_errors(upload, dump):
    before = dump()
    response = upload(BUY, "2024-03-01,sell,FJORD.DEMO,11,120", dry_run="true")
    assert response.status_code == 200
    assert problems(response.json()) == [(3, "quantity", "insufficient_quantity")]
    assert dump() == before


def test_the_preview_has_the_first_fifty(upload):
    body = upload.done(
        *(f"2024-01-02,buy,{('FJORD', 'BREEN')[n % 2]}.DEMO,{n},1" for n in range(1, 61))
    )
    assert [row["quantity"] for row in body["preview"]] == list(range(1, 51))


def about_columns(warnings):
    """Return the warnings about columns: the prices here are far from the demo's closes."""
    return [warning for warning in warnings if warning["code"] == "ignored_columns"]


def test_ignored_columns_with_content_are_reported(upload):
    header = "date,type,ticker,quantity,price,Fees, Empty ,Sum,"
    data = f"{header}\n{BUY},29, ,1029,\n{SELL},,,,x\n".encode()
    detail = "Ignored columns: Fees, Sum. Rename any that should be imported."
    warning = {"code": "ignored_columns", "detail": detail}
    assert about_columns(upload(data=data, dry_run="true").json()["warnings"]) == [warning]
    body = upload.done(data=data)
    assert (body["created"], about_columns(body["warnings"])) == (2, [warning])
    assert about_columns(ImportBatch.objects.get().warnings) == [warning]
    assert set(Transaction.objects.values_list("commission", flat=True)) == {0}
    many = ",".join(f"C{number}" for number in range(12))
    wide = f"date,type,ticker,quantity,price,{many}\n{BUY}{',1' * 12}\n".encode()
    [warning] = about_columns(upload(data=wide, dry_run="true").json()["warnings"])
    assert "C0, C1, C2, C3, C4, C5, C6, C7, C8, C9 and 2 more. Rename" in warning["detail"]


def test_columns_that_a_mapping_leaves_out_are_not_reported_even_if_two_have_one_name(upload):
    data = f"Day,type,ticker,quantity,price,Note to self,Note to self\n{BUY},a,b\n".encode()
    mapping = json.dumps(
        {"date": "Day"} | {name: name for name in ("type", "ticker", "quantity", "price")}
    )
    body = upload.done(data=data, mapping=mapping)
    assert (body["format"], body["created"]) == ("mapped", 1)
    assert about_columns(body["warnings"]) == []


def test_a_header_without_rows_is_an_empty_import(upload, dump):
    before = dump()
    response = upload()
    assert (response.status_code, response.json()["rows"], response.json()["state"]) == (
        200,
        0,
        "done",
    )
    assert dump() == before


# --- What the portfolio has already ---------------------------------------------------------------


def test_importing_a_file_twice_changes_nothing_the_second_time(upload, dump):
    lines = (BUY, SELL, "2024-04-01,dividend,FJORD.DEMO,6,2,,,,,D-1")
    upload.done(*lines)
    before = dump()
    response = upload(*lines)
    assert (response.status_code, response.json()["id"]) == (200, None)
    assert counts(response.json()) == {"duplicates": 3}
    assert dump() == before


def test_overlapping_files_add_nothing_twice(upload):
    days = [f"2024-01-{day:02},buy,FJORD.DEMO,{day},100" for day in range(1, 11)]
    upload.done(*days[:7])
    assert counts(upload.done(*days[3:])) == {"created": 3, "duplicates": 4}
    assert Transaction.objects.count() == 10


def test_two_equal_fills_in_one_file_both_count(upload):
    assert counts(upload.done(BUY, BUY)) == {"created": 2}
    assert counts(upload(BUY, BUY).json()) == {"duplicates": 2}
    assert counts(upload.done(BUY, BUY, BUY)) == {"created": 1, "duplicates": 2}
    assert Holding.objects.get().current_quantity == 30


def test_numbers_are_compared_by_value(upload):
    upload.done("2024-01-02,buy,FJORD.DEMO,10,100.50,29")
    assert counts(upload("2024-01-02,buy,fjord.demo,10.0,100.5,29.00").json()) == {"duplicates": 1}


def test_a_known_external_id_is_a_duplicate_whatever_else_the_row_says(upload):
    upload.done(f"{BUY},,,,,A-1")
    assert counts(upload("2024-05-05,buy,FJORD.DEMO,99,1,,,,,A-1").json()) == {"duplicates": 1}
    assert counts(upload.done(f"{BUY},,,,,A-2", f"{BUY},,,,,A-2")) == {
        "created": 1,
        "duplicates": 1,
    }


def test_an_id_that_the_file_gives_two_different_rows_is_an_error_and_loses_neither_silently(
    upload, dump
):
    before = dump()
    other = "2024-01-02,buy,FJORD.DEMO,11,100"
    refused = upload(f"{BUY},,,,,A-1", f"{other},,,,,A-1")
    assert refused.status_code == 422
    assert problems(refused.json()) == [(3, "external_id", "duplicate_external_id")]
    assert dump() == before
    body = upload.done(f"{BUY},,,,,A-1", f"{other},,,,,A-1", on_error="skip")
    assert counts(body) == {"created": 1, "failed": 1}
    assert counts(upload(f"{BUY},,,,,A-1", f"{other},,,,,A-1").json()) == {"duplicates": 2}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2024-01-02,buy,ßA,10,100,,NOK", (2, "ticker", "invalid")),
        ("2024-01-02,buy,FJORDı,10,100,,NOK", (2, "ticker", "invalid")),
        ("2024-01-02,buy,FJORD.DEMO,10,100,,ıSK", (2, "currency", "unknown_currency")),
    ],
)
def test_letters_that_become_others_in_capitals_are_refused_as_by_the_api(
    upload, dump, row, problem
):
    before = dump()
    response = upload(row)
    assert (response.status_code, problems(response.json())) == (422, [problem])
    assert dump() == before


def test_equal_rows_with_ids_of_their_own_are_different_rows(upload):
    assert counts(upload.done(f"{BUY},,,,,A-1", f"{BUY},,,,,A-2")) == {"created": 2}


def test_rows_entered_by_hand_count_and_take_the_id_of_the_file(upload, portfolio):
    stock = instrument("FJORD.DEMO", currency="NOK", source="simulated")
    by_hand = trade(portfolio, stock, "buy", "10", "100", on=date(2024, 1, 2))
    response = upload(f"{BUY},,,,,A-1")
    assert (response.status_code, counts(response.json())) == (200, {"duplicates": 1})
    by_hand.refresh_from_db()
    assert (by_hand.external_id, by_hand.source) == ("A-1", "manual")
    assert counts(upload(f"{BUY},,,,,A-1").json()) == {"duplicates": 1}
    assert counts(upload.done(f"{BUY},,,,,A-2")) == {"created": 1}


def test_imported_rows_are_compared_as_imported_not_as_edited_since(upload, api):
    body = upload.done(BUY)
    path = f"/api/v1/transactions/{body['preview'][0]['id']}"
    assert api.patch(path, {"price": 90, "date": "2024-01-05"}).status_code == 200
    assert counts(upload(BUY).json()) == {"duplicates": 1}
    assert counts(upload.done("2024-01-05,buy,FJORD.DEMO,10,90")) == {"created": 1}


def test_a_split_of_the_source_is_not_a_duplicate_of_the_files(upload):
    stock = instrument("FJORD.DEMO", currency="NOK", source="simulated")
    record_splits(stock=stock, splits=[(date(2024, 2, 1), D(4))], source="simulated")
    upload.done(BUY)
    assert counts(upload.done("2024-02-01,split,FJORD.DEMO,4,")) == {"created": 1}
    assert list(Transaction.objects.filter(type="split").values_list("source", flat=True)) == [
        "import"
    ]
    assert Holding.objects.get().current_quantity == 40


# --- Imports, and undoing them --------------------------------------------------------------------


def test_imports_are_listed_newest_first_to_their_owner_alone(upload, api, other_api):
    first = upload.done(BUY)
    second = upload.done(SELL, name="more.csv")
    listed = api.get("/api/v1/imports").json()
    assert [(one["id"], one["file_name"], one["preview"]) for one in listed] == [
        (second["id"], "more.csv", []),
        (first["id"], "trades.csv", []),
    ]
    assert api.get(f"/api/v1/imports/{first['id']}").json() == first
    assert other_api.get("/api/v1/imports").json() == []
    assert other_api.get(f"/api/v1/imports/{first['id']}").status_code == 404
    assert other_api.delete(f"/api/v1/imports/{first['id']}").status_code == 404
    assert Transaction.objects.count() == 2


def test_a_list_has_the_first_20_warnings_of_an_import(upload, api):
    done = upload.done(BUY)
    warnings = [{"code": "note", "detail": "Look.", "row": row} for row in range(2, 27)]
    ImportBatch.objects.update(warnings=warnings)
    [listed] = api.get("/api/v1/imports").json()
    assert listed["warnings"] == warnings[:20]
    assert api.get(f"/api/v1/imports/{done['id']}").json()["warnings"] == warnings


def test_undo_brings_back_what_was_there_before(upload, api, portfolio, dump):
    stock = instrument("FJORD.DEMO", currency="NOK", source="simulated")
    trade(portfolio, stock, "buy", "5", "80", on=date(2024, 1, 15))
    trade(portfolio, stock, "buy", "10", "100", on=date(2024, 1, 2))
    trade(portfolio, stock, "sell", "3", "130", on=date(2024, 6, 3))
    before = dump()[:2]
    body = upload.done(f"{BUY},,,,,A-1", SELL, "2024-01-02,buy,BREEN.DEMO,1,1")
    assert counts(body) == {"created": 2, "duplicates": 1}
    assert dump()[:2] != before
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert dump()[:2] == before
    undone = api.get(f"/api/v1/imports/{body['id']}").json()
    assert (undone["state"], counts(undone), undone["preview"]) == (
        "undone",
        {"created": 2, "duplicates": 1},
        [],
    )


def test_an_import_can_be_undone_months_later_among_what_came_since(upload, api, portfolio, dump):
    with time_machine.travel("2024-01-10"):
        old = upload.done("2024-01-02,buy,FJORD.DEMO,3,90", "2024-01-03,buy,BREEN.DEMO,1,1")
    with time_machine.travel("2024-05-10"):
        others = upload.done(BUY, SELL)
        trade(
            portfolio,
            StockMetadata.objects.get(ticker="FJORD.DEMO"),
            "dividend",
            "9",
            "1",
            on=date(2024, 4, 1),
        )
    with time_machine.travel("2024-11-10"):
        assert api.delete(f"/api/v1/imports/{old['id']}").status_code == 204
    holding = Holding.objects.get()
    assert (holding.stock.ticker, holding.current_quantity, holding.cost_basis) == (
        "FJORD.DEMO",
        6,
        600,
    )
    assert Transaction.objects.filter(import_batch=others["id"]).count() == 2
    assert Transaction.objects.filter(source="manual").count() == 1


def test_an_undone_import_can_be_imported_again_but_not_undone_again(upload, api):
    body = upload.done(BUY)
    path = f"/api/v1/imports/{body['id']}"
    assert api.delete(path).status_code == 204
    again = api.delete(path)
    assert (again.status_code, codes(again)) == (409, [("not_undoable", None)])
    assert counts(upload.done(BUY)) == {"created": 1}


def test_undo_is_refused_while_a_later_sale_needs_the_rows(upload, api, dump):
    first = upload.done(BUY)
    upload.done(SELL)
    before = dump()
    response = api.delete(f"/api/v1/imports/{first['id']}")
    assert (response.status_code, codes(response)) == (409, [("insufficient_quantity", None)])
    assert "sell of 4 on 2024-03-01" in response.json()["errors"][0]["detail"]
    assert dump() == before


def test_a_holding_that_the_import_made_stays_while_other_rows_are_in_it(upload, api, portfolio):
    body = upload.done(BUY)
    trade(portfolio, StockMetadata.objects.get(), "buy", "1", "90", on=date(2024, 2, 1))
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.cost_basis) == (1, 90)


def test_an_empty_holding_that_was_there_before_stays(upload, api, portfolio):
    stock = instrument("FJORD.DEMO", currency="NOK", source="simulated")
    services.delete_transaction(row=trade(portfolio, stock, "buy", "1", "90"))
    body = upload.done(BUY)
    api.delete(f"/api/v1/imports/{body['id']}")
    assert Holding.objects.get().current_quantity == 0


# --- Size -----------------------------------------------------------------------------------------


def test_the_number_of_queries_does_not_grow_with_the_rows(upload, django_assert_max_num_queries):
    instrument("FJORD.DEMO", currency="NOK", source="simulated")
    upload.done(BUY)
    with django_assert_max_num_queries(60) as few:
        upload.done(*(f"2024-02-01,buy,FJORD.DEMO,1,{price}" for price in range(1, 6)))
    # One INSERT: SQLite takes at most 999 values in one, which are 39 transactions.
    with django_assert_max_num_queries(60) as many:
        upload.done(*(f"2024-02-02,buy,FJORD.DEMO,1,{price}" for price in range(1, 31)))
    assert len(many) == len(few)


@pytest.mark.parametrize("currency", ["NOK", ""])
def test_unknown_tickers_are_asked_for_until_the_source_refuses_and_cost_no_query_each(
    upload, django_assert_max_num_queries, currency
):
    # No source answers. After five failures, the circuit is open.
    with django_assert_max_num_queries(120):
        body = upload(*(f"2024-01-02,buy,NEW{n},1,1,,{currency}" for n in range(450))).json()
    assert counts(body) == ({"created": 450} if currency else {"failed": 450})
    assert Holding.objects.count() == (450 if currency else 0)


def test_formats_are_described_with_an_example_that_can_be_imported(upload, api):
    [generic] = [
        one for one in api.get("/api/v1/imports/formats").json() if one["format"] == "generic"
    ]
    assert generic["columns"][:3] == ["date", "type", "ticker"]
    response = upload(data=generic["example"].encode(), dry_run="true")
    assert counts(response.json()) == {"created": 2}


def test_figures_that_no_holding_has_are_refused(upload, dump):
    before = dump()
    # In months of their own: within 7 days they would be one split that the file repeats.
    many = (f"2024-{month:02}-03,split,FJORD.DEMO,100000000000000," for month in range(2, 11))
    response = upload(BUY, *many)
    assert response.status_code == 422
    assert {error["code"] for error in response.json()["errors"]} == {"out_of_range"}
    assert dump() == before


def test_a_refusal_leaves_no_new_instrument_of_the_user(upload, portfolio, api, yahoo, dump):
    yahoo.fault = "500"
    before = dump()
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": "ACME",
        "currency": "ISK",
        "date": "2024-01-02",
    }
    sale = api.post(
        "/api/v1/transactions",
        body | {"type": "sell", "quantity": 1, "price": 1, "exchange_rate": 0.08},
    )
    assert (sale.status_code, codes(sale)) == (422, [("insufficient_quantity", "quantity")])
    unrated = api.post(
        "/api/v1/transactions", body | {"type": "buy", "quantity": 1, "price": 1, "currency": "XAF"}
    )
    assert (unrated.status_code, codes(unrated)) == (
        422,
        [("exchange_rate_required", "exchange_rate")],
    )
    assert upload("2024-01-02,sell,ACME,1,1,,ISK,0.08").status_code == 422
    assert upload("2024-01-02,sell,ACME,1,1,,ISK,0.08", on_error="skip").status_code == 200
    assert dump() == before
    assert not StockMetadata.objects.exists()
    upload.done("2024-01-02,buy,ACME,1,1,,USD,10")
    assert StockMetadata.objects.get().currency == "USD"
