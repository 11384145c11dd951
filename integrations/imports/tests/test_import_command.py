"""Test manage.py import_transactions."""

import io
import json
import subprocess
import sys

import pytest
from django.core.management import CommandError, ManagementUtility, call_command

from financeproj.core.ops.logging import logging_config
from integrations.conftest import csv
from portfolios.models import Holding, Transaction

pytestmark = pytest.mark.django_db

BUY = "2024-01-02,buy,FJORD.DEMO,10,100"


@pytest.fixture
def run(tmp_path, portfolio):
    def run(*lines, data=None, user="kari", name="nordic", out=None, **options):
        path = tmp_path / "trades.csv"
        path.write_bytes(csv(*lines) if data is None else data)
        out, err = out or io.StringIO(), io.StringIO()
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
    assert "\n    Import the files with the earlier purchases first.\n" in output
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


REFUSALS = [
    ({"user": "ola"}, "invalid", None, "User ola not found."),
    (
        {"name": "savings"},
        "invalid",
        None,
        "kari has no portfolio savings; there is: Nordic.",
    ),
    ({"data": b""}, "empty_file", "file", "The file is empty."),
    (
        {"instrument": ["AAA"]},
        "invalid",
        None,
        '--instrument needs ISIN=TICKER; "AAA" is not of this form.',
    ),
]


@pytest.mark.parametrize(("options", "code", "attr", "detail"), REFUSALS)
def test_the_json_of_a_refusal_is_an_error_of_the_api(run, options, code, attr, detail):
    out = io.StringIO()
    with pytest.raises(CommandError) as refused:
        run(BUY, as_json=True, out=out, **options)
    assert refused.value.returncode == 1
    assert json.loads(out.getvalue()) == {
        "type": "validation_error",
        "errors": [{"code": code, "detail": detail, "attr": attr}],
        "request_id": None,
    }
    assert not Transaction.objects.exists()


ARGUMENTS = [
    (["trades.csv", "--user", "kari"], "the following arguments are required: --portfolio."),
    (
        ["trades.csv", "--user", "kari", "--portfolio", "nordic", "--decimal", "dot"],
        "argument --decimal: invalid choice: 'dot' (choose from 'point', 'comma').",
    ),
    (
        ["trades.csv", "--user", "kari", "--portfolio"],
        "argument --portfolio: expected one argument.",
    ),
]


@pytest.mark.parametrize(("arguments", "detail"), ARGUMENTS)
def test_arguments_that_cannot_be_used_are_an_error_of_the_api(
    portfolio, capsys, arguments, detail
):
    with pytest.raises(SystemExit) as stopped:
        ManagementUtility(["manage.py", "import_transactions", *arguments, "--json"]).execute()
    assert stopped.value.code == 1
    assert json.loads(capsys.readouterr().out) == {
        "type": "validation_error",
        "errors": [{"code": "invalid", "detail": detail, "attr": None}],
        "request_id": None,
    }
    assert not Transaction.objects.exists()


def test_without_json_such_arguments_print_the_usage(portfolio, capsys):
    with pytest.raises(SystemExit) as stopped:
        ManagementUtility(["manage.py", "import_transactions", *ARGUMENTS[0][0]]).execute()
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err[:6]) == ("", "usage:")


@pytest.mark.parametrize("choice", ["US0000000011", "US0000000011=", "=ATLAS.DEMO"])
def test_an_instrument_without_its_ticker_is_refused(run, choice):
    with pytest.raises(CommandError, match="--instrument needs ISIN=TICKER"):
        run(BUY, instrument=[choice])
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


def test_a_mapping_says_what_a_table_means(run):
    columns = {"date": "day", "type": "what", "ticker": "code", "quantity": "n", "price": "each"}
    mapping = json.dumps({"columns": columns, "types": {"kjøpt": "buy"}})
    data = "day,what,code,n,each\n2024-03-04,Kjøpt,FJORD.DEMO,10,100\n".encode()
    assert run(data=data, mapping=mapping)[0] == 0
    assert Holding.objects.get().current_quantity == 10
    with pytest.raises(CommandError, match="--mapping must be a JSON object"):
        run(data=data, mapping="[1]")


SCALABLE = (
    "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency",
    "2024-03-04;09:00:00;Executed;S-1;Hytte AS;Security;Buy;NO0010999999;10;100,5;-1005;0;0;NOK",
    "2024-03-05;09:00:00;Executed;S-2;Hytte AS;Security;Buy;NO0010999999;1;100;-100;0;0;NOK",
    "2024-03-06;09:00:00;Executed;S-3;;Cash;Deposit;;;;5000;0;0;NOK",
)


def test_problems_are_grouped_with_the_lines_that_have_them(run, yahoo):
    code, output, _ = run(data="\n".join(SCALABLE).encode())
    assert code == 1
    assert "lines 2, 3, isin: Could not identify Hytte AS (NO0010999999)." in output
    assert output.count("NO0010999999=TICKER") == 1
    assert "1 of 3 rows are understood. --skip-bad takes these." in output


def test_an_instrument_is_priced_by_hand_with_one_option(run, yahoo):
    data = "\n".join(SCALABLE).encode()
    assert run(data=data, instrument=["NO0010999999=manual"])[0] == 0
    stock = Holding.objects.get().stock
    assert (stock.ticker, stock.source, stock.currency) == ("NO0010999999", "manual", "NOK")
    again = run(data=data)
    assert (again[0], "duplicates 3" in again[1]) == (0, True)


def test_json_stands_alone_on_standard_output():
    """Logs go to standard error in a process of its own."""
    config = logging_config(log_format="json", level="INFO", stream="stderr")
    assert config["handlers"]["lines"]["stream"] == "ext://sys.stderr"
    code = "import sys; sys.argv = ['manage.py']; from financeproj import settings; "
    code += "print(settings.LOGGING['handlers']['lines']['stream'])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert shown.stdout.strip() == "ext://sys.stderr"
