"""The history of a user's data goes out with an export, and comes in once."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from financeproj.history.context import acting
from financeproj.history.models import Door, HistoryEntry
from financeproj.users.models import User
from integrations.backups.tests.archives import entry_of, everything, put, rewritten
from integrations.exports.cells import BOM
from integrations.exports.files import FILES, VERSION
from integrations.exports.tests.test_export import forget, tables
from integrations.exports.writing import write_export
from marketdata.tests.factories import instrument
from portfolios.services import create_portfolio, delete_portfolio, update_portfolio
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
FIELDS = (
    "pk",
    "at",
    "door",
    "request_id",
    "action",
    "object_type",
    "object_label",
    "portfolio_id",
    "changes",
    "counts",
)


@pytest.fixture
def export(user, other_user, tmp_path):
    """Kari's export: acts of herself, of another user and of the system, one on what is gone."""
    with acting(door=Door.API, actor_id=user.pk):
        savings = create_portfolio(user=user, name="=Savings", currency="NOK", cash=D(5))
        trade(savings, instrument("FJORD.DEMO", currency="NOK"), "buy", "1.5", "100.25")
    with acting(door=Door.ADMIN, actor_id=other_user.pk):
        update_portfolio(portfolio=savings, name="Pension")
    gone = create_portfolio(user=user, name="Gone", currency="NOK")
    delete_portfolio(portfolio=gone)
    with acting(door=Door.TOKEN, actor_id=other_user.pk):
        create_portfolio(user=other_user, name="Theirs", currency="NOK")
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        write_export(user=user, file=file)
    return path


def entries_of(user, *fields):
    rows = HistoryEntry.objects.filter(owner=user).exclude(object_type="user")
    return list(rows.order_by("at", "pk").values_list(*(fields or FIELDS)))


def acts_of(user):
    return entries_of(user, "action", "object_label", "door", "actor__username")


ACTS = [
    ("created", "=Savings", "api", "kari"),
    ("created", "buy 1.5 FJORD.DEMO 2024-05-02", "api", "kari"),
    ("changed", "Pension", "admin", "ola"),
    ("created", "Gone", "command", None),
    ("deleted", "Gone", "command", None),
]


def test_the_file_has_the_entries_about_the_users_objects_alone(export, user):
    rows = tables(export)["history.csv"]
    assert [(row["action"], row["door"], row["actor"]) for row in rows] == [
        ("created", "api", "kari"),
        ("created", "api", "kari"),
        ("changed", "admin", "ola"),
        ("created", "command", ""),
        ("deleted", "command", ""),
    ]
    assert rows[0]["object_label"] == "'=Savings"
    assert '"price":[null,100.25],"quantity":[null,1.5]' in rows[1]["changes"]
    assert acts_of(user) == ACTS


def test_elsewhere_the_entries_are_the_same_and_only_the_users_own_acts_keep_their_actor(
    export, user
):
    before = entries_of(user)
    forget(user)
    HistoryEntry.objects.filter(owner=None)._raw_delete("default")
    call_command("import_data", str(export))
    kari = User.objects.get(username="kari")
    assert kari.pk != user.pk
    assert entries_of(kari) == before
    known = {"kari": "kari"}  # the others are people of the first installation
    expected = [(*act[:3], known.get(act[3])) for act in ACTS]
    assert acts_of(kari) == expected


def test_next_to_the_first_user_the_entries_name_the_objects_here(export, user):
    call_command("import_data", str(export), "--user", "per")
    per = User.objects.get(username="per")
    assert acts_of(per) == [(*act[:3], None) for act in ACTS]
    assert entries_of(per, "at", "changes") == entries_of(user, "at", "changes")
    [savings] = per.portfolios.all()
    [row] = savings.transactions.all()
    created, bought, *_ = entries_of(per, "object_id", "portfolio_id", "within_id")
    assert created == (str(savings.pk), savings.pk, None)
    assert bought == (str(row.pk), savings.pk, row.holding_id)
    assert acts_of(user) == ACTS


def test_a_second_taking_in_adds_nothing(user, other_user, tmp_path):
    """A user who has only a history left may take in the file again."""
    with acting(door=Door.API, actor_id=user.pk):
        savings = create_portfolio(user=user, name="Savings", currency="NOK")
        delete_portfolio(portfolio=savings)
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        write_export(user=user, file=file)
    before = entries_of(user)
    for _ in range(2):
        call_command("import_data", str(path))
        assert entries_of(user) == before
    for _ in range(2):
        call_command("import_data", str(path), "--user", other_user.username)
        assert entries_of(other_user, "at", "door") == entries_of(user, "at", "door")
        assert acts_of(other_user) == [
            ("created", "Savings", "api", None),
            ("deleted", "Savings", "api", None),
        ]
    assert entries_of(user) == before


def changed(column, old, new):
    def change(archive, manifest):
        text = archive["history.csv"]
        assert old in text
        put(archive, manifest, "history.csv", text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("door", ",api,", ",window,"), "history.csv row 1: door window must be one of"),
        (changed("changes", "[null,1.5]", "1.5"), "history.csv row 2: changes: Expected `array`"),
        (changed("changes", "[null,1.5]", "[1.5"), "history.csv row 2, changes: .* cannot be"),
        (changed("at", "Z,", "X,"), "history.csv row 1, at: "),
    ],
)
def test_a_damaged_entry_is_refused_and_nothing_is_written(export, user, change, said):
    forget(user)
    before = everything()
    with pytest.raises(CommandError, match=f"Nothing was imported. {said}"):
        call_command("import_data", str(rewritten(export, change)))
    assert everything() == before


def as_version_1(archive, manifest):
    """Take out every file and column that version 1 did not have."""
    manifest["version"] = 1
    for file in FILES:
        if file.since > 1:
            del archive[file.name]
            manifest["files"].remove(entry_of(manifest, file.name))
        elif file.header(1) != file.header(VERSION):
            stored = archive[file.name].removeprefix(BOM)
            rows = list(csv.DictReader(io.StringIO(stored, newline="")))
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, file.header(1), extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
            put(archive, manifest, file.name, text.getvalue())


def test_an_export_of_version_1_has_no_history(export, user):
    forget(user)
    call_command("import_data", str(rewritten(export, as_version_1)))
    kari = User.objects.get(username="kari")
    assert kari.portfolios.get().name == "Pension"
    assert acts_of(kari) == []


def test_the_times_are_kept_to_the_microsecond(user, tmp_path):
    at = datetime(2025, 3, 4, 5, 6, 7, 891_011, tzinfo=UTC)
    HistoryEntry(owner=user, door=Door.API, action="changed", object_type="other", at=at).save()
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        write_export(user=user, file=file)
    forget(user)
    call_command("import_data", str(path))
    assert HistoryEntry.objects.get(action="changed").at == at


def test_the_history_is_the_last_file():
    assert FILES[-1].name == "history.csv"
