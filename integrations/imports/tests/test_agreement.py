"""Test how far portfolios agree with the files that were imported into them."""

from itertools import permutations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations.statements.tests.test_nordnet import statement
from portfolios.models import Checkpoint, ImportBatch, Transaction

pytestmark = pytest.mark.django_db

FJORD, NORDLYS, FUND = "NO0000000101", "NO0000000102", "NO0000000104"
CHOICES = f'{{"{FJORD}": "FJORDLAKS.DEMO", "{NORDLYS}": "NORDLYS.DEMO", "{FUND}": "FONDET.DEMO"}}'
# id, booked, traded, type, name, isin, quantity, price, fees, amount, result currency, total,
# balance, rate, text, cancelled. 100,000 stood there before.
YEARS = {
    2023: [
        f"101|2023-02-03|2023-02-01|KJØPT|Fjord|{FJORD}|10|200|29|-2 029|NOK|10|97 971|||",
        f"102|2023-05-05|2023-05-04|UTBYTTE|Fjord|{FJORD}|10|5||50||0|98 021||UTBYTTE 5 NOK/AKSJE|",
    ],
    2024: [
        f"201|2024-02-02|2024-02-02|KJØPT|Nordlys|{NORDLYS}|100|12,50|29|-1 279|NOK|100|96 742|||",
        f"202|2024-02-02|2024-02-02|KJØPT|Nordlys|{NORDLYS}|20|12,50|29|-279|NOK|120|96 463|||",
        f"203|2024-09-09|2024-09-05|SALG|Nordlys|{NORDLYS}|50|13|29|621|NOK|70|97 084|||",
    ],
    2025: [
        f"301|2025-03-03|2025-03-03|KJØPT|Fond|{FUND}|5|210|0|-1 050|NOK|5|96 034|||",
    ],
}  # fmt: skip


@pytest.fixture
def year(upload):
    """Return a function that imports the file of one or more years, the newest row first."""

    def send(*years):
        rows = [row for number in years for row in YEARS[number]]
        return upload.done(data=statement(rows[::-1]), instruments=CHOICES)

    return send


@pytest.fixture
def agreement(api, portfolio):
    return lambda: api.get(f"/api/v1/portfolios/{portfolio.pk}/agreement").json()


def opening():
    rows = Transaction.objects.filter(type="opening")
    return [int(amount) for amount in rows.values_list("settlement_amount", flat=True)]


def test_a_file_agrees_until_its_last_day_also_on_the_portfolio_and_in_the_import(
    year, agreement, api, portfolio
):
    body = year(2023, 2024, 2025)
    assert (body["checkpoints"], body["reconciled"], body["first_divergence"]) == (9, True, None)
    assert [one["checkpoints"] for one in api.get("/api/v1/imports").json()] == [9]
    assert agreement() == {
        "agrees_until": "2025-03-03",
        "checkpoints": 9,
        "reason": None,
        "first_difference": None,
    }
    shown = api.get(f"/api/v1/portfolios/{portfolio.pk}").json()
    assert shown["agrees_until"] == "2025-03-03"
    assert [one["agrees_until"] for one in api.get("/api/v1/portfolios").json()] == ["2025-03-03"]
    # What stood there before follows from the first balance.
    assert opening() == [100_000]


def test_without_a_file_nothing_is_compared(agreement):
    assert agreement() == {
        "agrees_until": None,
        "checkpoints": 0,
        "reason": "no_checkpoints",
        "first_difference": None,
    }


def test_an_edit_is_found_at_the_next_checkpoint_and_named_until_it_is_undone(year, agreement, api):
    body = year(2023, 2024, 2025)
    row = Transaction.objects.get(external_id="202")
    assert api.patch(f"/api/v1/transactions/{row.pk}", {"price": 12}).status_code == 200
    found = agreement()
    assert (found["agrees_until"], found["first_difference"]) == (
        "2023-05-05",
        {
            "date": "2024-02-02",
            "currency": "NOK",
            "ticker": None,
            "expected": 96463,
            "got": 96473,
            "import_id": body["id"],
            "row": 4,
            "transaction_id": str(row.pk),
        },
    )
    live = api.get(f"/api/v1/imports/{body['id']}").json()
    assert (live["reconciled"], live["first_divergence"]) == (
        False,
        {"row": 4, "expected": "balance 96463 NOK", "got": "balance 96473 NOK"},
    )
    [listed] = api.get("/api/v1/imports").json()
    assert (listed["reconciled"], listed["first_divergence"]) == (True, None)
    assert api.patch(f"/api/v1/transactions/{row.pk}", {"price": "12.50"}).status_code == 200
    assert agreement()["first_difference"] is None


def test_shares_that_differ_name_the_row_whose_quantity_was_changed(year, agreement, api):
    year(2023, 2024, 2025)
    row = Transaction.objects.get(external_id="301")
    fields = {"quantity": 6, "price": 175}  # for the same money
    assert api.patch(f"/api/v1/transactions/{row.pk}", fields).status_code == 200
    found = agreement()["first_difference"]
    assert (found["ticker"], found["expected"], found["got"]) == ("FONDET.DEMO", 5, 6)
    assert found["transaction_id"] == str(row.pk)


def test_a_transaction_by_hand_is_named_where_every_imported_one_is_as_it_was(
    year, agreement, api, portfolio
):
    year(2023, 2024)
    money = {"portfolio_id": str(portfolio.pk), "type": "deposit", "date": "2024-03-01"}
    made = api.post("/api/v1/transactions", money | {"amount": 7, "currency": "NOK"}).json()
    found = agreement()
    assert found["agrees_until"] == "2024-02-02"
    assert found["first_difference"]["transaction_id"] == made["id"]


@pytest.mark.parametrize("order", list(permutations(YEARS)), ids=str)
def test_years_in_any_order_and_undone_in_any_order_end_alike(year, agreement, api, order):
    imported = {number: year(number)["id"] for number in order}
    assert agreement()["agrees_until"] == "2025-03-03"
    assert (agreement()["checkpoints"], opening()) == (9, [100_000])
    first, second, last = order
    assert api.delete(f"/api/v1/imports/{imported[second]}").status_code == 204
    # The other two lie apart if it was the year between them.
    assert (agreement()["first_difference"] is not None) == (second == 2024)
    assert api.delete(f"/api/v1/imports/{imported[last]}").status_code == 204
    # One year alone agrees, with what stood before it.
    before = {2023: 100_000, 2024: 98_021, 2025: 97_084}[first]
    assert (agreement()["first_difference"], opening()) == (None, [before])
    assert api.delete(f"/api/v1/imports/{imported[first]}").status_code == 204
    assert (agreement()["reason"], opening()) == ("no_checkpoints", [])


def test_a_file_that_was_imported_before_leaves_nothing_new(year, agreement, upload):
    year(2023, 2024)
    rows = [*YEARS[2023], *YEARS[2024]][::-1]
    again = upload(data=statement(rows), instruments=CHOICES)
    assert (again.status_code, again.json()["id"]) == (200, None)
    assert (again.json()["created"], again.json()["reconciled"]) == (0, True)
    assert (ImportBatch.objects.count(), Checkpoint.objects.count()) == (1, 7)


def test_a_file_that_tells_only_a_new_balance_is_saved_and_can_be_undone(
    year, agreement, upload, api
):
    without = [row.replace("|97 084|", "||") for row in YEARS[2024]]
    upload.done(data=statement(without[::-1]), instruments=CHOICES)
    assert agreement()["checkpoints"] == 3
    later = upload(data=statement(YEARS[2024][::-1]), instruments=CHOICES)
    body = later.json()
    assert (later.status_code, body["created"], body["duplicates"]) == (200, 0, 3)
    assert (agreement()["checkpoints"], agreement()["agrees_until"]) == (4, "2024-09-09")
    assert api.get(f"/api/v1/imports/{body['id']}").json()["reconciled"] is True
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert (agreement()["checkpoints"], Transaction.objects.filter(type="sell").count()) == (3, 1)


def test_k1_the_file_with_more_rows_of_a_day_counts_and_undone_the_earlier_one_does(
    upload, agreement, api
):
    noon = f"401|2024-11-09|2024-11-09|KJØPT|Fjord|{FJORD}|5|200|0|-1 000|NOK|5|9 000|||"
    night = f"402|2024-11-09|2024-11-09|KJØPT|Nordlys|{NORDLYS}|50|10|0|-500|NOK|50|8 500|||"
    upload.done(data=statement([noon]), instruments=CHOICES)
    second = upload.done(data=statement([night, noon]), instruments=CHOICES)
    assert (agreement()["agrees_until"], agreement()["first_difference"]) == ("2024-11-09", None)
    first = ImportBatch.objects.order_by("created_at").first()
    # The balance of noon is not that of the day any more, but its shares are.
    assert api.get(f"/api/v1/imports/{first.pk}").json()["reconciled"] is True
    assert api.delete(f"/api/v1/imports/{second['id']}").status_code == 204
    assert (agreement()["agrees_until"], agreement()["first_difference"]) == ("2024-11-09", None)


def test_files_of_several_accounts_are_not_compared_until_one_is_undone(
    year, upload, agreement, api
):
    first = year(2023)
    other = statement(YEARS[2024][::-1]).decode("utf-16").replace("12345678", "87654321")
    second = upload.done(data=other.encode("utf-16"), instruments=CHOICES)
    assert second["reconciled"] is None
    assert agreement() == {
        "agrees_until": None,
        "checkpoints": 7,
        "reason": "several_accounts",
        "first_difference": None,
    }
    assert api.get(f"/api/v1/imports/{first['id']}").json()["reconciled"] is None
    assert opening() == []
    assert api.delete(f"/api/v1/imports/{second['id']}").status_code == 204
    assert (agreement()["agrees_until"], opening()) == ("2023-05-05", [100_000])
    assert api.get(f"/api/v1/imports/{first['id']}").json()["reconciled"] is True


def test_a_preview_says_what_the_import_will_say(upload):
    rows = [row.replace("|97 084|", "|97 085|") for number in YEARS for row in YEARS[number]]
    sent = {"data": statement(rows[::-1]), "instruments": CHOICES}
    preview = upload(**sent, dry_run="true").json()
    assert (Checkpoint.objects.count(), preview["reconciled"]) == (0, False)
    assert preview["checkpoints"] == 9
    recorded = upload.done(**sent)
    assert (
        preview["first_divergence"]
        == recorded["first_divergence"]
        == {
            "row": 3,
            "expected": "balance 97085 NOK",
            "got": "balance 97084 NOK",
        }
    )


def test_a_cancelled_row_leaves_no_checkpoint(upload, agreement):
    rows = [
        f"600|2024-11-02|2024-11-01|KJØPT|Fjord|{FJORD}|7|200|0|-1 400|NOK|17|96 600|||2024-11-03",
        f"599|2024-11-01|2024-11-01|KJØPT|Fjord|{FJORD}|10|200|0|-2 000|NOK|10|98 000|||",
    ]
    upload.done(data=statement(rows), instruments=CHOICES)
    assert (agreement()["checkpoints"], agreement()["agrees_until"]) == (2, "2024-11-01")


def test_the_number_of_queries_does_not_grow_with_checkpoints(year, api, portfolio):
    counts = []
    for number in YEARS:
        year(number)
        with CaptureQueriesContext(connection) as captured:
            api.get(f"/api/v1/portfolios/{portfolio.pk}/agreement")
        counts.append(len(captured))
    assert len(set(counts)) == 1
    assert counts[0] <= 6
