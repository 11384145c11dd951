"""Test a user's export: complete, exact, without others' data or secrets; refused when damaged."""

import csv
import io
import json
import zipfile
from datetime import date
from decimal import Decimal as D
from hashlib import sha256

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from financeproj.users.models import User
from integrations.backups.tests.archives import entry_of, everything, put, rewritten
from integrations.exports.files import FILES
from integrations.exports.reading import import_export
from integrations.exports.writing import write_export
from integrations.models import AssignedBudget, YnabBudget, YnabSettings
from marketdata import services as marketdata
from marketdata.models import CurrencyPair, StockMetadata
from marketdata.tests.factories import instrument
from pensions.services import create_account, create_contribution, record_value
from portfolios.models import (
    Checkpoint,
    Holding,
    ImportBatch,
    InstrumentAlias,
    Portfolio,
    Transaction,
)
from portfolios.services import (
    create_portfolio,
    delete_portfolio,
    remember_aliases,
    set_balance,
)
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db

ODD_NOTES = [
    "=1+1",
    "'=1",
    "''+2",
    "-3",
    "@x",
    "\ttab",
    "\rreturn",
    'a "quoted", line\r\nand\nmore',
    "'plain",
    " = x",
    "Ærlig 株 😀",
]


@pytest.fixture
def full(portfolio, user):
    user.email, user.retirement_goal_amount = "kari@example.org", D("1000000.5")
    user.save()
    fjord = instrument("FJORD.DEMO", currency="NOK", source="simulated", company_name="=Fjord & Co")
    own = instrument("MYCO", currency="NOK", owner=user, company_name="My own")
    for note in ODD_NOTES:
        trade(portfolio, fjord, "buy", "1", "100", note=note)
    trade(portfolio, fjord, "sell", "2.5", "120.25", commission="29", external_id="-17")
    trade(portfolio, own, "buy", "0.00000012345678", "12345678.1234567", on=date(2024, 1, 2))
    marketdata.enter_price(stock=own, day=date(2024, 1, 2), close=D("12345678.1234567"))
    set_balance(portfolio=portfolio, kind="cash", amount=D("-12.34"), on=date(2024, 1, 2))
    remember_aliases(user=user, tickers={"+NAME": "FJORD.DEMO"})
    batch = ImportBatch.objects.create(portfolio=portfolio, file_name="f.csv", format="nordnet")
    figure = {"day": date(2024, 1, 3), "decimals": 2, "row": 7, "rows_of_day": 3}
    Checkpoint.objects.create(import_batch=batch, currency="NOK", amount=D("9000.5"), **figure)
    Checkpoint.objects.create(import_batch=batch, stock=fjord, amount=D("8.5"), **figure)
    account = create_account(user=user, name="@scheme", currency="NOK")
    record_value(account=account, on=date(2024, 1, 2), value=D("1.1"))
    create_contribution(
        account=account, amount=D("100"), frequency="monthly", start=date(2024, 1, 1)
    )
    return portfolio


@pytest.fixture
def of_others(other_user):
    theirs = create_portfolio(user=other_user, name="OTHERS-PORTFOLIO", currency="SEK")
    trade(
        theirs,
        instrument("OTHERSCO", currency="SEK", owner=other_user),
        "buy",
        "1",
        "1",
        note="OTHERS-NOTE",
    )
    create_account(user=other_user, name="OTHERS-ACCOUNT", currency="NOK")
    instrument("UNHELD", currency="NOK")
    remember_aliases(user=other_user, tickers={"OTHERS-ALIAS": "UNHELD"})


@pytest.fixture
def export(full, user, tmp_path):
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        write_export(user=user, file=file)
    return path


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def emptied(kept, request, tmp_path):
    """The export of a user who was deleted here, made once for all tests."""
    path = tmp_path / "export.zip"
    if kept:
        path.write_bytes(kept["export"])
        return path
    kept["export"] = request.getfixturevalue("export").read_bytes()
    forget(request.getfixturevalue("user"))
    StockMetadata.objects.all().delete()
    return path


def forget(user):
    for portfolio in user.portfolios.all():
        delete_portfolio(portfolio=portfolio)
    user.delete()


def tables(path):
    with zipfile.ZipFile(path) as archive:
        return {
            name: list(
                csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"), newline=""))
            )
            for name in archive.namelist()
            if name.endswith(".csv")
        }


def of_user(username):
    """Return a user's data without keys and times."""
    user = User.objects.get(username=username)
    mine = Transaction.objects.filter(portfolio__user=user).order_by("sequence")
    figures = (
        "type",
        "date",
        "quantity",
        "price",
        "commission",
        "exchange_rate",
        "note",
        "external_id",
        "realised_gain",
    )
    return (
        list(
            mine.values_list(
                "holding__stock__ticker", "average_cost_per_share_at_transaction", *figures
            )
        ),
        list(user.portfolios.values_list("name", "currency", "cash", "used_credit")),
        sorted(
            Holding.objects.filter(portfolio__user=user).values_list(
                "stock__ticker", "cost_basis", "current_quantity"
            )
        ),
        list(user.pension_accounts.values_list("name", "values__value", "contributions__amount")),
        list(InstrumentAlias.objects.filter(user=user).values_list("key", "ticker")),
        list(user.instruments.values_list("ticker", "company_name", "prices__close")),
        (user.email, user.base_currency, user.retirement_goal_amount),
    )


# --- Out ------------------------------------------------------------------------------------------


def test_the_endpoint_answers_a_zip_with_counts_and_hashes(full, api):
    answer = api.get("/api/v1/export")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer["Content-Disposition"].startswith('attachment; filename="kari-')
    data = b"".join(answer.streaming_content)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert (manifest["format"], manifest["version"], manifest["username"]) == (
            "financeproj-export",
            4,
            "kari",
        )
        assert [entry["name"] for entry in manifest["files"]] == [file.name for file in FILES]
        for entry in manifest["files"]:
            assert sha256(archive.read(entry["name"])).hexdigest() == entry["sha256"]
    counts = {entry["name"]: entry["rows"] for entry in manifest["files"]}
    assert counts == {name: len(rows) for name, rows in tables(io.BytesIO(data)).items()}
    assert (counts["transactions.csv"], counts["pension_values.csv"], counts["prices.csv"]) == (
        len(ODD_NOTES) + 2,
        1,
        1,
    )


def test_the_endpoint_gives_the_same_files_as_the_command(full, of_others, api, user, tmp_path):
    call_command("export_data", str(tmp_path / "export.zip"), "--user", user.username)
    answer = io.BytesIO(b"".join(api.get("/api/v1/export").streaming_content))
    with zipfile.ZipFile(tmp_path / "export.zip") as written, zipfile.ZipFile(answer) as answered:
        names = [name for name in written.namelist() if name != "manifest.json"]
        assert sorted(names) == sorted(file.name for file in FILES)
        assert [answered.read(name) for name in names] == [written.read(name) for name in names]


def test_it_needs_a_sign_in(anonymous):
    assert anonymous.get("/api/v1/export").status_code == 401


def test_it_has_nothing_of_others_and_nothing_secret(full, of_others, user, settings, tmp_path):
    settings.YNAB_API_KEY = "the-ynab-key"
    user.set_password("a very long password")
    user.save()
    with (tmp_path / "export.zip").open("wb") as file:
        write_export(user=user, file=file)
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    text = text.replace("password_changed,user,", "")  # an act in the history
    for secret in ("the-ynab-key", user.password, "password", "OTHERS", "UNHELD", str(user.pk)):
        assert secret not in text
    assert "My own" in text


def test_no_cell_is_a_formula_and_every_text_is_exact(export):
    rows = tables(export)
    numbers = {"amount", "cash", "realised_gain", "external_id"}
    for name, table in rows.items():
        for row in table:
            for column, cell in row.items():
                if cell[:1] in ("=", "+", "@", "\t", "\r", "-"):
                    assert column in numbers, (name, column, cell)
                    D(cell)  # a negative number is one
    notes = [row["note"] for row in rows["transactions.csv"]]
    escaped = ["'=1+1", "''=1", "'''+2", "'-3", "'@x", "'\ttab", "'\rreturn"]
    assert notes[: len(ODD_NOTES)] == [*escaped, *ODD_NOTES[len(escaped) :]]
    [sold] = [row for row in rows["transactions.csv"] if row["type"] == "sell"]
    assert (sold["external_id"], sold["quantity"], sold["price"]) == ("'-17", "2.5", "120.25")
    [own] = [row for row in rows["transactions.csv"] if row["ticker"] == "MYCO"]
    assert (own["quantity"], own["price"], own["external_id"]) == (
        "0.00000012345678",
        "12345678.1234567",
        "",
    )
    assert rows["balances.csv"][0]["amount"] == "-12.34"


def test_the_command_says_what_it_wrote_and_leaves_no_half_file(full, tmp_path, capsys):
    path = tmp_path / "out.zip"
    call_command("export_data", str(path), "--user", "kari")
    assert f"{len(ODD_NOTES) + 2} transactions.csv" in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="User ola not found"):
        call_command("export_data", str(path), "--user", "ola")
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        call_command("export_data", str(tmp_path / "no" / "out.zip"), "--user", "kari")
    assert list(tmp_path.iterdir()) == [path]


# --- In -------------------------------------------------------------------------------------------


def test_taken_in_again_everything_is_as_it_was(full, export, user, capsys):
    before, ids = of_user("kari"), set(Transaction.objects.values_list("pk", flat=True))
    forget(user)
    call_command("import_data", str(export))
    assert of_user("kari") == before
    assert set(Transaction.objects.values_list("pk", flat=True)) == ids
    assert "Set a password: manage.py changepassword kari" in capsys.readouterr().out
    assert not User.objects.get().has_usable_password()


def test_the_same_file_a_second_time_is_refused_and_changes_nothing(export):
    before = everything()
    with pytest.raises(
        CommandError,
        match=r"Nothing was imported\. kari already has portfolios, pension accounts or instruments",
    ):
        call_command("import_data", str(export))
    assert everything() == before


def test_as_another_user_it_gets_ids_of_its_own(export, full):
    before = of_user("kari")
    call_command("import_data", str(export), "--user", "zoë")
    assert of_user("zoë") == before == of_user("kari")
    assert Portfolio.objects.count() == 2
    assert StockMetadata.objects.filter(ticker="FJORD.DEMO").count() == 1  # shared
    assert StockMetadata.objects.filter(ticker="MYCO").count() == 2  # each has their own


def test_a_user_who_has_nothing_yet_is_filled_and_keeps_what_signs_in(emptied):
    made = User.objects.create_user(
        username="kari", password="of the new place", email="new@example.org"
    )
    call_command("import_data", str(emptied))
    user = User.objects.get()
    assert (user.pk, user.email, user.retirement_goal_amount) == (
        made.pk,
        "new@example.org",
        D("1000000.5"),
    )
    assert user.check_password("of the new place")
    assert user.portfolios.count() == 1


def test_a_shared_instrument_gets_nothing_of_an_archive(export, full, user):
    fjord = StockMetadata.objects.get(ticker="FJORD.DEMO")
    marketdata.record_prices(
        stock=fjord, closes=[(date(2024, 1, d), D(d)) for d in (2, 3)], source="simulated"
    )
    marketdata.record_splits(stock=fjord, splits=[(date(2025, 1, 2), D(1000))], source="simulated")
    with export.open("wb") as file:
        write_export(user=user, file=file)
    fjord.prices.filter(date=date(2024, 1, 3)).as_service().delete()
    marketdata.delete_split(fjord.splits.get())
    call_command("import_data", str(export), "--user", "ola")
    assert list(fjord.prices.values_list("date", "close")) == [(date(2024, 1, 2), D(2))]
    assert not fjord.splits.exists()
    for holding in Holding.objects.filter(stock=fjord):
        assert holding.current_quantity == len(ODD_NOTES) - D("2.5")
    assert Holding.objects.filter(stock=fjord).count() == 2


def test_closes_of_an_instrument_without_a_history_here_are_the_users_own(export, full, user):
    fjord = StockMetadata.objects.get(ticker="FJORD.DEMO")
    marketdata.record_prices(stock=fjord, closes=[(date(2024, 1, 2), D(2))], source="simulated")
    with export.open("wb") as file:
        write_export(user=user, file=file)
    fjord.prices.all().as_service().delete()
    call_command("import_data", str(export), "--user", "ola")
    own = StockMetadata.objects.get(ticker="FJORD.DEMO", owner__username="ola")
    assert (own.is_unconfirmed, own.prices.get().close) == (True, D(2))
    assert not fjord.prices.exists()
    marketdata.leave_to_user(stock=own)  # the source does not know it
    own.refresh_from_db()
    assert (own.is_manual, own.prices.get().source) == (True, "manual")


def test_a_split_that_only_this_installation_knows_is_booked(export, full):
    fjord = StockMetadata.objects.get(ticker="FJORD.DEMO")
    [old] = Holding.objects.filter(stock=fjord)
    marketdata.record_splits(stock=fjord, splits=[(date(2025, 1, 2), D(4))], source="simulated")
    call_command("import_data", str(export), "--user", "ola")
    [new] = Holding.objects.filter(stock=fjord, portfolio__user__username="ola")
    old.refresh_from_db()
    assert new.current_quantity == old.current_quantity == (len(ODD_NOTES) - D("2.5")) * 4


def test_an_instrument_in_another_currency_is_the_users_own_priced_by_hand(emptied):
    shared = instrument("FJORD.DEMO", currency="SEK", source="simulated")
    call_command("import_data", str(emptied))
    own = StockMetadata.objects.get(ticker="FJORD.DEMO", currency="NOK")
    assert (own.owner.username, own.source, own.described_currency) == ("kari", "manual", "SEK")
    assert not Holding.objects.filter(stock=shared).exists()


def test_an_instrument_that_its_source_describes_otherwise_stays_so(export, full, user):
    own = instrument("OWN", currency="NOK", source="manual", owner=user, described_currency="SEK")
    with export.open("wb") as file:
        write_export(user=user, file=file)
    call_command("import_data", str(export), "--user", "ola")
    theirs = StockMetadata.objects.get(ticker="OWN", owner__username="ola")
    assert theirs.pk != own.pk
    assert (theirs.source, theirs.described_currency) == ("manual", "SEK")


def test_a_time_in_the_future_counts_as_now(emptied, tmp_path):
    def in_2099(files, manifest):
        name = "instruments.csv"
        [header, first, *rest] = files[name].splitlines(keepends=True)
        cells = first.split(",")
        cells[header.strip().split(",").index("history_fetched_at")] = "2099-01-01T00:00:00Z"
        put(files, manifest, name, "".join([header, ",".join(cells), *rest]))

    call_command("import_data", str(rewritten(emptied, in_2099)))
    for stock in StockMetadata.objects.exclude(history_fetched_at=None):
        assert stock.history_fetched_at <= timezone.now()
    assert StockMetadata.objects.exclude(history_fetched_at=None).count() == 1


def test_rates_of_an_archive_are_taken_by_the_only_user_alone(full, user, tmp_path):
    marketdata.record_rates(
        base="USD", target="NOK", rates=[(date(2024, 1, 2), D("99"))], source="yahoo"
    )
    with (tmp_path / "x.zip").open("wb") as file:
        write_export(user=user, file=file)
    CurrencyPair.objects.all().delete()
    call_command("import_data", str(tmp_path / "x.zip"), "--user", "ola")
    assert not CurrencyPair.objects.exists()


def test_ynab_is_linked_again_and_a_budget_that_is_known_stays(full, user, tmp_path):
    budget = YnabBudget.objects.create(
        id="plan", name="Household", verified=True, accounts={"a": {"balance": -5}}
    )
    YnabSettings.objects.create(user=user, budget=budget)
    with (tmp_path / "x.zip").open("wb") as file:
        write_export(user=user, file=file)
    YnabBudget.objects.update(name="Newer")
    AssignedBudget.objects.create(user=User.objects.create_user("ola"), budget=budget)
    call_command("import_data", str(tmp_path / "x.zip"), "--user", "ola")
    assert YnabSettings.objects.get(user__username="ola").budget == budget
    YnabSettings.objects.all().delete()
    YnabBudget.objects.all().delete()
    call_command("import_data", str(tmp_path / "x.zip"), "--user", "liv")
    assert not YnabSettings.objects.exists()  # staff did not assign the budget to this user
    assert not YnabBudget.objects.exists()
    User.objects.create_superuser("per")
    call_command("import_data", str(tmp_path / "x.zip"), "--user", "per")
    stored = YnabSettings.objects.get(user__username="per").budget
    assert (stored.name, stored.verified, stored.accounts) == (
        "Household",
        True,
        {"a": {"balance": -5}},
    )


def test_pairs_keep_when_they_were_asked_for(full, user, tmp_path):
    marketdata.record_rates(
        base="USD", target="NOK", rates=[(date(2024, 1, 2), D("10.5"))], source="yahoo"
    )
    asked_at = CurrencyPair.objects.get(base="USD").fetched_at
    with (tmp_path / "x.zip").open("wb") as file:
        write_export(user=user, file=file)
    CurrencyPair.objects.all().delete()
    forget(user)
    call_command("import_data", str(tmp_path / "x.zip"), "--user", "ola")
    pair = CurrencyPair.objects.get(base="USD", target="NOK")
    assert (pair.fetched_at, pair.rates.get().rate, pair.rates.get().source) == (
        asked_at,
        D("10.5"),
        "yahoo",
    )


# --- Bad files ------------------------------------------------------------------------------------


def _edit(name, old, new):
    def change(files, manifest):
        assert old in files[name], name
        put(files, manifest, name, files[name].replace(old, new, 1))

    return change


def _in_2040(name, new):
    """Add a row of a day in the future."""

    def change(files, manifest):
        stock_id = files["instruments.csv"].splitlines()[1].split(",")[0]
        put(files, manifest, name, files[name] + new.format(stock_id) + "\r\n")
        entry_of(manifest, name)["rows"] += 1

    return change


def _later_version(files, manifest):
    manifest["version"] = 9


def _unhashed(files, manifest):
    files["transactions.csv"] = files["transactions.csv"].replace("120.25", "120.26")


def _wrong_count(files, manifest):
    entry_of(manifest, "transactions.csv")["rows"] = 99


def _no_count(files, manifest):
    del entry_of(manifest, "transactions.csv")["rows"]


def _extra_file(files, manifest):
    files["../../evil.csv"] = "x"


def _lost_file(files, manifest):
    del files["quotes.csv"]


def _lost_holdings(files, manifest):
    put(files, manifest, "holdings.csv", files["holdings.csv"].splitlines(keepends=True)[0])
    entry_of(manifest, "holdings.csv")["rows"] = 0


def _two_profiles(files, manifest):
    put(
        files,
        manifest,
        "profile.csv",
        files["profile.csv"] + files["profile.csv"].splitlines(keepends=True)[1],
    )


def _double(name):
    def change(files, manifest):
        put(files, manifest, name, files[name] + files[name].splitlines(keepends=True)[-1])
        entry_of(manifest, name)["rows"] += 1

    return change


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_later_version, "Its version is 9; this program reads version 4"),
        (_unhashed, "transactions.csv was changed after it was written: its SHA-256"),
        (_wrong_count, "transactions.csv has 13 rows, its manifest says 99"),
        (_no_count, "Its manifest is not complete"),
        (_extra_file, "Its files are not those of its manifest"),
        (_lost_file, "Its files are not those of its manifest"),
        (_lost_holdings, r"transactions.csv row 1: the file has no holding"),
        (_two_profiles, "profile.csv must have one row"),
        (
            _edit("transactions.csv", "120.25", "120.26"),
            "Replayed, FJORD.DEMO in Nordic: realised_gain is",
        ),
        (_edit("transactions.csv", "120.25", "1e400000"), "transactions.csv row 12, price"),
        (_edit("transactions.csv", "120.25", "many"), "transactions.csv row 12, price: .*many"),
        (_edit("transactions.csv", "120.25", "NaN"), "transactions.csv row 12, price"),
        (_edit("transactions.csv", "120.25", ""), "contradict each other"),
        (
            _edit("transactions.csv", ",sell,", ",steal,"),
            "contradict each other|another average|more is sold",
        ),
        (_edit("transactions.csv", "2024-05-02", "2024-13-02"), "transactions.csv row 1, date"),
        (
            _edit("transactions.csv", "note", "nota"),
            "The columns of transactions.csv are not those of version 4",
        ),
        (_edit("portfolios.csv", "NOK", "NOK,more"), "portfolios.csv row 1 has 12 cells, not 11"),
        (_edit("portfolios.csv", "NOK", "nok"), "contradict each other"),
        (_edit("portfolios.csv", "Nordic", "N" * 101), "portfolios.csv row 1, name: .*at most 100"),
        (
            _edit("portfolios.csv", "Nordic", '"Nordic'),
            "portfolios.csv cannot be read as CSV|portfolios.csv has",
        ),
        (_edit("profile.csv", "kari@example.org", "no address"), "profile.csv"),
        (
            _in_2040("splits.csv", "{},2040-01-02,4,manual"),
            "splits.csv row 1, date: The date 2040-01-02 is in the future",
        ),
        (
            _in_2040("prices.csv", "{},2040-01-02,4,manual"),
            "prices.csv row 2, date: The date 2040-01-02 is in the future",
        ),
        (
            _in_2040(
                "quotes.csv", "{},4,,2024-01-02T00:00:00Z,2040-01-02,2024-01-02T00:00:00Z,yahoo"
            ),
            "quotes.csv row 1, day: The date 2040-01-02 is in the future",
        ),
        (_double("transactions.csv"), "contradict each other"),
        (_double("holdings.csv"), "contradict each other"),
    ],
)
def test_a_file_that_is_not_whole_or_contradicts_itself_is_refused(emptied, change, said):
    changed = rewritten(emptied, change)
    before = everything()
    with pytest.raises(CommandError, match=rf"Nothing was imported\. .*({said})"):
        call_command("import_data", str(changed))
    assert everything() == before


def test_a_transaction_cannot_be_put_into_a_holding_that_is_not_in_the_file(
    emptied, other_user, tmp_path
):
    theirs = create_portfolio(user=other_user, name="Theirs", currency="NOK")
    held = trade(theirs, instrument("X", currency="NOK"), "buy", "1", "1").holding
    holding_id = tables(emptied)["transactions.csv"][0]["holding_id"]
    changed = rewritten(emptied, _edit("transactions.csv", holding_id, str(held.pk)))
    before = everything()
    with pytest.raises(
        CommandError, match=f"transactions.csv row 1: the file has no holding {held.pk}"
    ):
        call_command("import_data", str(changed))
    assert everything() == before


@pytest.mark.parametrize("part", [0, 0.3, 0.7, 0.99])
def test_a_file_that_was_cut_is_refused(emptied, part):
    data = emptied.read_bytes()
    emptied.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(
        CommandError, match=r"Nothing was imported\. It is not a readable archive, or it is cut off"
    ):
        call_command("import_data", str(emptied))
    assert not User.objects.exists()


def test_a_bomb_is_refused_before_it_is_unpacked(emptied, tmp_path, monkeypatch):
    monkeypatch.setattr("integrations.exports.reading.MOST_BYTES", 2_000_000)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(emptied) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, b"0" * 50_000_000 if name == "prices.csv" else old.read(name))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(CommandError, match="It is larger than 2,000,000 bytes when unpacked"):
        call_command("import_data", str(bomb))
    assert not User.objects.exists()


def test_a_manifest_that_is_a_bomb_is_refused(tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("manifest.json", b" " * 20_000_000)
    with pytest.raises(CommandError, match="Its manifest is too large"):
        call_command("import_data", str(bomb))


def test_reading_leaves_the_limit_of_csv_cells_as_it_was(export):
    limit = csv.field_size_limit()
    import_export(export, username="ola")
    assert csv.field_size_limit() == limit
