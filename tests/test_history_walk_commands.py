"""Run every command of the project, and find what it writes in the history."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal as D
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError

from financeproj.history.models import HistoryEntry
from financeproj.users.models import User
from integrations.backups.services import make_backup
from integrations.exports.writing import write_export
from marketdata.services import instrument_for_trade
from portfolios import services as portfolios
from tests.test_history_walk import Act, keys, new_entries, said
from tests.world import STATEMENT, World, world  # noqa: F401  (world is a fixture)

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]
APPS = ("financeproj", "marketdata", "portfolios", "pensions", "integrations")


class Command(NamedTuple):
    """How a command is called, and what that records."""

    arguments: Callable[[World, Path], list[str]]
    acts: list[Act]
    door: str = "command"


def file_of(folder: Path, text: bytes) -> str:
    path = folder / "file.csv"
    path.write_bytes(text)
    return str(path)


def transactions(w: World, folder: Path) -> list[str]:
    file = file_of(folder, STATEMENT.replace(b"5,", b"3,"))
    return [file, "--user", "kari", "--portfolio", w.portfolio.name]


def values(w: World, folder: Path) -> list[str]:
    file = file_of(folder, b"date,value\n2024-02-29,100500\n2024-03-31,101000\n")
    return [file, "--user", "kari", "--account", w.account.name]


def prices(w: World, folder: Path) -> list[str]:
    file = file_of(folder, f"ticker,date,close\n{w.ticker},2024-07-01,910000\n".encode())
    return [file, "--user", "kari"]


def export(w: World, folder: Path) -> list[str]:
    path = folder / "export.zip"
    with path.open("wb") as file:
        write_export(user=w.user, file=file)
    return [str(path), "--user", "per"]


COMMANDS = {
    "import_transactions": Command(transactions, [Act("imported", "import")], "import"),
    "import_pension_values": Command(values, [Act("imported", "pension_account")], "import"),
    "import_prices": Command(prices, [Act("prices_entered", "instrument")]),
    "assign_plan": Command(
        lambda w, folder: ["kari", w.budget_id, "--withdraw"],
        [
            Act("changed", "ynab_settings", "budget_id"),
            Act("changed", "ynab_settings", "assigned"),
        ],
    ),
    # A split that the source reports is booked into the holding.
    "backfill_prices": Command(
        lambda w, folder: ["EQNR.OL", "--since", "2024-05-01"],
        [Act("splits_booked", "instrument")],
        "source",
    ),
    "import_data": Command(export, [Act("restored", "user")]),
}
# These have tests of their own below.
WHOLE = {"make_demo", "restore"}
# These write no more than the market data that a source answers, or nothing.
UNRECORDED = {
    "backup": lambda w, folder: ["--to", str(folder)],
    "doctor": lambda w, folder: [],
    "export_data": lambda w, folder: [str(folder / "all.zip"), "--user", "kari"],
    "offer_superuser": lambda w, folder: [],
    "refresh_prices": lambda w, folder: ["EQNR.OL"],
    "refresh_rates": lambda w, folder: ["EUR/NOK"],
}


@pytest.fixture
def held(world, yahoo):
    """The world with a holding of an instrument whose source reports a split."""
    closes = {date(2024, 5, 2): 20.0, date(2024, 5, 3): 20.0}
    yahoo.list("EQNR.OL", closes, currency="NOK", zone="Europe/Oslo")
    stock = instrument_for_trade(user=world.user, ticker="EQNR.OL", currency="NOK")
    portfolios.record_transaction(
        portfolio=world.portfolio,
        stock=stock,
        type="buy",
        date=date(2024, 5, 2),
        quantity=D(4),
        price=D(20),
    )
    # Only now, or the purchase itself would book the split.
    closes |= {date(2024, 5, 6): 10.0, date(2024, 5, 7): 10.0}
    yahoo.list(
        "EQNR.OL", closes, currency="NOK", zone="Europe/Oslo", splits={date(2024, 5, 6): (2, 1)}
    )
    return world


def test_every_command_is_run():
    own = {name for name, app in get_commands().items() if str(app).startswith(APPS)}
    assert own == {*COMMANDS, *WHOLE, *UNRECORDED}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_records_what_it_writes_as_an_act_of_the_system(held, tmp_path, name):
    command = COMMANDS[name]
    arguments = command.arguments(held, tmp_path)
    before = keys()
    call_command(name, *arguments)
    found = new_entries(before)
    taken_in = [entry for entry in found if entry.owner.username == "per"]
    if name == "import_data":
        found = [entry for entry in taken_in if entry.action == "restored"]
        assert len(taken_in) == len(before) + 1
    assert [said(entry) for entry in found] == command.acts
    assert {(entry.door, entry.actor_id) for entry in found} == {(command.door, None)}


@pytest.mark.parametrize("name", UNRECORDED)
def test_a_command_that_changes_nothing_of_users_records_nothing(held, tmp_path, name):
    before = keys()
    try:
        call_command(name, *UNRECORDED[name](held, tmp_path))
    except SystemExit:  # the doctor found something
        assert name == "doctor"
    assert new_entries(before) == []


def test_the_demo_is_recorded_as_made_by_the_system(db, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    call_command("make_demo", verbosity=0)
    entries = HistoryEntry.objects.all()
    assert {entry.door for entry in entries} == {"command", "import"}
    assert {entry.actor_id for entry in entries} == {None}
    demo = User.objects.get(username="demo")
    created = {
        entry.object_label for entry in entries if said(entry)[:2] == ("created", "portfolio")
    }
    assert created == set(demo.portfolios.values_list("name", flat=True))


def test_a_restore_brings_the_history_back_and_adds_itself(world, tmp_path):
    path = make_backup(folder=tmp_path).path
    before = list(HistoryEntry.objects.order_by("at", "pk").values())
    call_command("restore", str(path), "--replace")
    after = HistoryEntry.objects.order_by("at", "pk").values()
    assert list(after.exclude(action="restored")) == before
    [restored] = HistoryEntry.objects.filter(action="restored")
    assert (restored.door, restored.actor, restored.owner) == ("command", None, None)
    assert restored.counts["rows"] >= len(before)


def test_a_command_that_is_refused_records_nothing(world, tmp_path):
    before, rows = keys(), world.rows()
    bad = file_of(tmp_path, STATEMENT.replace(b"buy", b"bye"))
    for name, arguments in (
        ("import_transactions", [bad, "--user", "kari", "--portfolio", world.portfolio.name]),
        ("import_prices", [bad, "--user", "kari"]),
        ("import_pension_values", [bad, "--user", "kari", "--account", world.account.name]),
        ("import_data", export(world, tmp_path)[:1]),
        ("restore", [str(tmp_path / "missing.zip")]),
    ):
        with pytest.raises((CommandError, SystemExit)):
            call_command(name, *arguments)
        assert new_entries(before) == [], name
    assert world.rows() == rows


def test_a_password_set_by_command_is_recorded(world, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "a long phrase 17")
    before = keys()
    call_command("changepassword", "kari")
    [entry] = new_entries(before)
    assert (entry.action, entry.door, entry.changes) == ("password_changed", "command", {})
