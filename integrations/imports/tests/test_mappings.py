"""What a user said of the files of a kind, kept for the next file."""

import json

import pytest

from integrations.statements.tests.support import text
from integrations.statements.tests.workbooks import workbook
from portfolios.models import ImportBatch, ImportMapping

pytestmark = pytest.mark.django_db

TABLE = text(
    "Dag;Hva;Kode;Antall;Kurs",
    "04.03.2024;Kjøp;FJORD.DEMO;10;100,50",
)
MAPPING = {
    "columns": {
        "date": "Dag",
        "type": "Hva",
        "ticker": "Kode",
        "quantity": "Antall",
        "price": "Kurs",
    },
    "types": {"Kjøp": "buy"},
    "currency": "NOK",
}
SCALABLE = text(
    "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency",
    "2024-03-05;09:00:00;Executed;S2;;Cash;Treuebonus;;;;12,50;0;0;NOK",
)


def saved(api):
    return api.get("/api/v1/imports/mappings").json()


def test_a_mapping_saved_under_a_name_reads_the_next_file_with_its_header(upload, api):
    body = upload.done(data=TABLE, mapping=json.dumps(MAPPING), save_mapping_as="My bank")
    assert body["mapping_name"] == "My bank"
    assert saved(api) == [{"name": "My bank", "format": "mapped", "mapping": MAPPING}]
    later = text("Statement", "Dag;Hva;Kode;Antall;Kurs", "05.03.2024;kjøp;FJORD.DEMO;1;99")
    again = upload.done(data=later)
    assert (again["format"], again["created"]) == ("mapped", 1)
    assert again["mapping_name"] == "My bank"
    assert ImportBatch.objects.filter(mapping_name="My bank").count() == 2
    other = text("Dag;Hva;Kode;Stk;Kurs", "05.03.2024;kjøp;FJORD.DEMO;1;99")
    assert upload(data=other).json()["errors"][0]["code"] == "unknown_format"


def test_words_given_with_a_file_of_a_saved_mapping_are_added_to_its_words(upload, api):
    upload.done(data=TABLE, mapping=json.dumps(MAPPING), save_mapping_as="My bank")
    later = text(
        "Dag;Hva;Kode;Antall;Kurs",
        "05.03.2024;Kjøp;FJORD.DEMO;1;99",
        "06.03.2024;Salg;FJORD.DEMO;2;99",
    )
    mapping = json.dumps({"types": {"Salg": "sell"}})
    assert upload(data=later, dry_run="true", mapping=mapping).json()["created"] == 2
    assert saved(api)[0]["mapping"] == MAPPING
    body = upload.done(data=later, mapping=mapping)
    assert (body["created"], body["mapping_name"]) == (2, "My bank")
    more = MAPPING | {"types": {"Kjøp": "buy", "Salg": "sell"}}
    assert saved(api) == [{"name": "My bank", "format": "mapped", "mapping": more}]
    last = text("Dag;Hva;Kode;Antall;Kurs", "07.03.2024;Salg;FJORD.DEMO;1;99")
    assert upload.done(data=last)["created"] == 1


HEADER = ["Dag", "Hva", "Kode", "Antall", "Kurs"]
ROW = ["04.03.2024", "Kjøp", "FJORD.DEMO", "10", "100,50"]


@pytest.mark.parametrize(
    "data",
    [
        text("Min bank AS", "Konto;123;NOK", *map(";".join, (HEADER, ROW))),
        text("Min bank AS;;;;", "Konto;123;;;", *map(";".join, (HEADER, ROW))),
        workbook({"Forside": [["Min bank AS"], ["Konto", "123", "NOK"]], "Handler": [HEADER, ROW]}),
    ],
    ids=["title", "title as wide as the table", "cover sheet"],
)
def test_a_table_below_a_title_is_shown_and_mapped_and_found_again(upload, data):
    response = upload(data=data)
    assert response.json()["errors"][0]["code"] == "unknown_format"
    assert response.json()["file"] == {"header": HEADER, "sample": [ROW], "formats": []}
    body = upload.done(data=data, mapping=json.dumps(MAPPING), save_mapping_as="My bank")
    assert body["created"] == 1
    again = upload(data=data)
    assert (again.status_code, again.json()["duplicates"]) == (200, 1)
    assert again.json()["mapping_name"] == "My bank"


def test_the_nearest_format_is_named_for_a_header_below_a_title(upload):
    [error] = upload(
        data=text("My trades", "day;type;ticker;quantity;price", "2024-03-04;buy;FJORD.DEMO;1;1")
    ).json()["errors"]
    assert error["code"] == "unknown_format"
    assert "The nearest is Generic CSV; the file lacks date" in error["detail"]


def test_a_dry_run_and_a_refused_file_save_no_mapping(upload, api):
    fields = {"mapping": json.dumps(MAPPING), "save_mapping_as": "My bank"}
    body = upload(data=TABLE, dry_run="true", **fields).json()
    assert (body["created"], body["mapping_name"]) == (1, None)
    bad = TABLE + b"05.03.2024;Salg?;FJORD.DEMO;1;1"
    assert upload(data=bad, **fields).status_code == 422
    assert saved(api) == []


def test_the_same_name_replaces_a_mapping(upload, api):
    upload.done(data=TABLE, mapping=json.dumps(MAPPING), save_mapping_as="My bank")
    more = MAPPING | {"types": {"Kjøp": "buy", "Salg": "sell"}}
    again = upload(data=TABLE, mapping=json.dumps(more), save_mapping_as="My bank")
    assert again.status_code == 200
    assert [one["mapping"]["types"] for one in saved(api)] == [{"Kjøp": "buy", "Salg": "sell"}]


def test_a_saved_mapping_needs_columns_and_a_name_of_its_own(upload):
    for fields, error in (
        ({"mapping": json.dumps(MAPPING), "save_mapping_as": "Saxo"}, "reserved_name"),
        ({"save_mapping_as": "My bank"}, "required"),
    ):
        response = upload(data=TABLE, **fields)
        assert response.status_code == 422
        assert response.json()["errors"][0]["code"] == error
    assert not ImportMapping.objects.exists()


def test_a_word_is_remembered_for_its_format_until_it_is_forgotten(upload, api):
    mapping = json.dumps({"types": {"Treuebonus": "deposit"}})
    assert upload(data=SCALABLE, dry_run="true", mapping=mapping).json()["created"] == 1
    assert saved(api) == []
    upload.done(data=SCALABLE, mapping=mapping)
    types = {"Treuebonus": "deposit"}
    assert saved(api) == [{"name": "scalable", "format": "scalable", "mapping": {"types": types}}]
    later = SCALABLE.replace(b"S2", b"S3").replace(b"12,50", b"7,50")
    assert upload.done(data=later)["created"] == 1
    path = "/api/v1/imports/mappings/scalable"
    assert api.delete(f"{path}?word=unknown").status_code == 404
    assert api.delete(f"{path}?word=TREUEBONUS").status_code == 204
    assert saved(api) == []
    third = SCALABLE.replace(b"S2", b"S4").replace(b"12,50", b"8,50")
    assert upload(data=third).json()["errors"][0]["code"] == "unknown_type"


def test_a_mapping_of_another_user_is_not_found(upload, api, other_user):
    ImportMapping.objects.create(user=other_user, name="A/B", format="mapped")
    assert saved(api) == []
    assert api.delete("/api/v1/imports/mappings/A/B").status_code == 404
    assert ImportMapping.objects.count() == 1


def test_the_list_of_imports_is_short(upload, api, portfolio):
    lines = [f"2024-03-05,buy,FJORD.DEMO,-{number},1" for number in range(1, 31)]
    upload.done("2024-03-04,buy,FJORD.DEMO,1,1", *lines, on_error="skip")
    for number in range(2):
        upload.done(f"2024-04-0{number + 1},buy,FJORD.DEMO,1,1")
    everything = api.get(f"/api/v1/imports?portfolio_id={portfolio.pk}").json()
    assert [len(one["errors"]) for one in everything] == [0, 0, 20]
    assert len(api.get(f"/api/v1/imports/{everything[2]['id']}").json()["errors"]) == 30
    assert len(api.get("/api/v1/imports?limit=1").json()) == 1
    other = "00000000-0000-4000-8000-000000000000"
    assert api.get(f"/api/v1/imports?portfolio_id={other}").json() == []
