"""Test manage.py import_pension_values."""

from datetime import date
from decimal import Decimal as D
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from pensions import services
from pensions.models import PensionValueEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(user):
    return services.create_account(user=user, name="Fripolise", currency="NOK")


@pytest.fixture
def load(account, tmp_path):
    def run(content, *options, encoding="utf-8", account_name="fripolise", username="kari"):
        path = tmp_path / "values.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        out = StringIO()
        call_command(
            "import_pension_values",
            str(path),
            "--user",
            username,
            "--account",
            account_name,
            *options,
            stdout=out,
        )
        return out.getvalue().strip()

    return run


def values_of(account):
    rows = PensionValueEntry.objects.filter(account=account).order_by("date")
    return [(row.date.isoformat(), str(row.value.normalize()), row.source) for row in rows]


MARCH = [("2024-02-29", "1234567.89", "import"), ("2024-03-31", "1250000.5", "import")]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("date,value\n2024-02-29,1234567.89\n2024-03-31,1250000.5\n", "utf-8"),
        ("date,value\r\n2024-03-31,1250000.5\r\n2024-02-29,1234567.89\r\n", "utf-8-sig"),
        (
            "Date;Value;Note\n29.02.2024;1 234 567,89;Ærlig\n31.03.2024;1.250.000,50;\n",
            "windows-1252",
        ),
        ("value\tdate\n1234567,89\t29/02/2024\n1250000,5\t31/03/2024\n", "utf-16"),
        ('date,value\n02/29/2024,"1,234,567.89"\n03/31/2024,1250000.5\n', "utf-8"),
    ],
)
def test_values_are_read_in_every_spelling(load, account, content, encoding):
    assert load(content, encoding=encoding) == "2 values recorded, 0 replaced, 0 known already."
    assert values_of(account) == MARCH


def test_the_same_file_again_changes_nothing(load, account):
    content = "date,value\n2024-02-29,1\n2024-03-31,2\n"
    load(content)
    assert load(content) == "0 values recorded, 0 replaced, 2 known already."
    assert load(content, "--replace") == "0 values recorded, 0 replaced, 2 known already."


def test_another_value_on_a_date_is_refused_without_replace_and_nothing_is_written(load, account):
    services.record_value(account=account, on=date(2024, 3, 31), value=D(5))
    content = "date,value\n2024-02-29,1\n2024-03-31,2\n"
    with pytest.raises(CommandError, match=r"already has 5 on 2024-03-31, not 2\. Use --replace"):
        load(content)
    assert values_of(account) == [("2024-03-31", "5", "manual")]
    assert load(content, "--replace") == "1 values recorded, 1 replaced, 0 known already."
    assert values_of(account) == [("2024-02-29", "1", "import"), ("2024-03-31", "2", "import")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("date,value\n2024-02-30,1\n", "line 2, date: Not a date"),
        (
            "date,value\n2024-01-31,1\n2199-01-31,1\n",
            "line 3, date: The date 2199-01-31 is in the future",
        ),
        ("date,value\n2024-01-31,-1\n", "line 2, value: A pension value must be 0 or more"),
        ("date,value\n2024-01-31,\n", "line 2, value: This is missing"),
        ("date,value\n,5\n", "line 2, date: This is missing"),
        ("date,value\n2024-01-31,much\n", "line 2, value: Not a number"),
        (
            "date,value\n2024-01-31,1\n2024-01-31,2\n",
            "line 3, date: Line 2 has a value for this date already",
        ),
        ("date,value\n03/02/2024,1\n", "--date-format dmy or mdy"),
        ('date,value\n2024-01-31,"1,234"\n', "--decimal point or comma"),
        ("date,value\n2024-01-31,1,5\n", "has 3 cells, but the header has 2"),
        ("date,amount\n2024-01-31,1\n", "no column value"),
        ("date,value,Value\n2024-01-31,1,2\n", "names the column Value twice"),
        ("", "The file is empty"),
        (b"PK\x03\x04rest", "Excel workbook"),
    ],
)
def test_a_file_that_is_invalid_is_refused_as_a_whole(load, account, content, words):
    with pytest.raises(CommandError) as refused:
        load(content)
    assert words in str(refused.value)
    assert values_of(account) == []


def test_options_settle_what_the_file_leaves_open(load, account):
    load('date,value\n03/02/2024,"1,234"\n', "--date-format", "mdy", "--decimal", "comma")
    assert values_of(account) == [("2024-03-02", "1.234", "import")]


def test_a_header_without_rows_is_fine(load, account):
    assert load("date,value\n") == "0 values recorded, 0 replaced, 0 known already."


def test_unknown_users_accounts_and_files_are_named(load, account):
    with pytest.raises(CommandError, match="User missing not found"):
        load("date,value\n", username="missing")
    with pytest.raises(CommandError, match="no pension account Other; there is: Fripolise"):
        load("date,value\n", account_name="Other")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command(
            "import_pension_values", "/nowhere.csv", "--user", "kari", "--account", "Fripolise"
        )


def test_thousands_of_values_take_a_handful_of_queries(
    load, account, django_assert_max_num_queries
):
    rows = "".join(f"{date.fromordinal(730000 + n)},{n}\n" for n in range(3000))
    with django_assert_max_num_queries(40):
        load("date,value\n" + rows)
    assert account.values.count() == 3000
