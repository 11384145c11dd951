"""Test manage.py import_transactions."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from integrations.conftest import csv
from portfolios.models import Holding, Transaction

pytestmark = pytest.mark.django_db

BUY = "2024-01-02,buy,FJORD.DEMO,10,100"


@pytest.fixture
def run(tmp_path, portfolio):
    def run(*lines, data=None, user="kari", name="nordic", **options):
        path = tmp_path / "trades.csv"
        path.write_bytes(csv(*lines) if data is None else data)
        out, err = io.StringIO(), io.StringIO()
        code = 0
        try:
            call_command(
                "import_transactions",
                str(path),
                user=user,
                portfolio=name,
                stdout=out,
                stderr=err,
                **options,
            )
        except SystemExit as stopped:
            code = stopped.code
        return code, out.getvalue(), err.getvalue()

    return run


def test_a_file_is_imported_and_the_counts_are_printed(run):
    code, output, _ = run(BUY, "2024-02-01,sell,FJORD.DEMO,4,120")
    assert code == 0
    assert output.startswith("2 transactions recorded.")
    assert "created 2" in output
    assert Holding.objects.get().current_quantity == 6


def test_the_json_is_the_answer_of_the_api(run, api):
    _, output, _ = run(BUY, as_json=True)
    body = json.loads(output)
    assert body == api.get(f"/api/v1/imports/{body['id']}").json()


def test_a_bad_row_stops_it_with_exit_code_1_and_names_the_line(run):
    code, output, _ = run(BUY, "2024-02-01,sell,FJORD.DEMO,11,120")
    assert code == 1
    assert output.startswith("Nothing was recorded")
    assert "line 3, quantity: FJORD.DEMO: 11 requested, 10 held on 2024-02-01" in output
    assert not Transaction.objects.exists()


def test_skip_bad_records_the_rest(run):
    code, output, _ = run(BUY, "2024-02-01,sell,FJORD.DEMO,11,120", skip_bad=True)
    assert code == 0
    assert "failed 1" in output
    assert Transaction.objects.count() == 1


def test_a_dry_run_records_nothing(run):
    code, output, _ = run(BUY, dry_run=True)
    assert (code, Transaction.objects.count()) == (0, 0)
    assert output.startswith("A dry run")


def test_ambiguities_are_settled_by_options(run):
    with pytest.raises(CommandError, match="--date-format dmy or mdy"):
        run("02/03/2024,buy,FJORD.DEMO,10,100")
    assert run("02/03/2024,buy,FJORD.DEMO,10,100", date_format="dmy")[0] == 0
    assert str(Transaction.objects.get().date) == "2024-03-02"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": "ola"}, "User ola not found"),
        ({"name": "savings"}, "kari has no portfolio savings; there is: Nordic"),
        ({"data": b""}, "The file is empty"),
        ({"data": b"x" * 20_000_001}, "20 MB"),
    ],
)
def test_errors_are_sentences(run, options, message):
    with pytest.raises(CommandError, match=message):
        run(BUY, **options)
    assert not Transaction.objects.exists()


def test_a_missing_file_is_reported_in_a_sentence(portfolio, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command(
            "import_transactions", str(tmp_path / "none.csv"), user="kari", portfolio="Nordic"
        )


def test_on_a_terminal_a_bar_shows_the_progress(run, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    _, output, progress = run(BUY)
    assert "[####" in progress
    assert "100%" in progress
    assert "\r" not in output


def test_instruments_of_a_broker_are_named_by_options(run):
    header = "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency"
    row = '2024-03-04;09:00:00;Executed;"S-1";"Atlas";Security;Buy;US0000000011;10;100,5;-1005;0;0;NOK'
    data = f"{header}\n{row}\n".encode()
    code, output, _ = run(data=data)
    assert (code, "US0000000011" in output) == (1, True)
    assert "Pass its ticker: --instrument 'US0000000011=TICKER'." in output
    assert run(data=data, instrument=["US0000000011=ATLAS.DEMO"])[0] == 0
    assert Holding.objects.get().stock.ticker == "ATLAS.DEMO"
