"""Test that exports and backups keep which import took back what, so that undo puts it back."""

from pathlib import Path

import pytest
from django.core.management import call_command

from conftest import api_client
from financeproj.users.models import User
from integrations.backups.restoring import restore_backup
from integrations.backups.services import make_backup
from integrations.conftest import Upload
from integrations.exports.writing import write_export
from integrations.imports.tests import test_reversals as dividends
from integrations.imports.tests import test_reversed_groups as mergers
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction, TransactionGroup
from portfolios.services import create_portfolio, undo_import

pytestmark = pytest.mark.django_db


def figures(user):
    """What a user has, without ids."""
    rows = Transaction.objects.filter(portfolio__user=user).order_by("date", "sequence")
    held = Holding.objects.filter(portfolio__user=user).order_by("stock__ticker")
    groups = TransactionGroup.objects.filter(portfolio__user=user)
    columns = ("date", "type", "quantity", "price", "settlement_amount", "group__kind", "carried")
    return (
        list(rows.values_list(*columns, "import_batch__file_name", "imported_as")),
        list(held.values_list("stock__ticker", "current_quantity", "cost_basis", "income")),
        list(groups.values_list("kind", "label", "import_batch__file_name")),
    )


@pytest.fixture
def reversed_files(api, user):
    """A dividend and a merger that later files took back; the second is known to a third."""
    euro = Upload(api, create_portfolio(user=user, name="Euro", currency="EUR"))
    dollar = Upload(api, create_portfolio(user=user, name="Dollar", currency="USD"))
    euro.done(data=dividends.FIRST, instruments=dividends.KNOWN, name="first.csv")
    dollar.done(data=mergers.FIRST, instruments=mergers.KNOWN, name="merged.csv")
    before = figures(user)
    euro.done(data=dividends.SECOND, name="second.csv", instruments=dividends.KNOWN)
    cancelled = mergers.statement(*mergers.merger(50, "Ca"))
    dollar.done(data=cancelled, instruments=mergers.KNOWN, name="cancelled.csv")
    more = dividends.degiro("20-03-2024", "Storting", "5,00", "505,00", ",")
    both = dividends.text(dividends.DEGIRO, more, dividends.BACK)
    euro.done(data=both, instruments=dividends.KNOWN, name="third.csv")
    return before


def undo(user, *names):
    for name in names:
        batch = ImportBatch.objects.get(portfolio__user=user, file_name=name)
        undo_import(import_batch=batch)


def test_an_export_in_another_users_hands_is_undone_like_the_original(
    reversed_files, user, tmp_path
):
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        write_export(user=user, file=file)
    call_command("import_data", str(path), "--user", "ola")
    other = User.objects.get(username="ola")
    reversed_state = figures(user)
    assert figures(other) == reversed_state
    undo(other, "second.csv")
    dividend = Transaction.objects.filter(portfolio__user=other, type="dividend")
    assert not dividend.exists()  # the third file reverses it too
    undo(other, "third.csv", "cancelled.csv")
    assert figures(other) == reversed_files
    assert figures(user) == reversed_state
    upload = Upload(api_client(other), Portfolio.objects.get(user=other, name="Dollar"))
    cancelled = mergers.statement(*mergers.merger(50, "Ca"))
    again = upload.done(data=cancelled, instruments=mergers.KNOWN)
    assert again["created"] == 2
    undo(user, "second.csv", "third.csv", "cancelled.csv")
    assert figures(user) == reversed_files


def test_a_restored_backup_is_undone_like_the_original(reversed_files, user, tmp_path):
    path = Path(make_backup(folder=tmp_path / "backups").path)
    undo(user, "second.csv", "third.csv", "cancelled.csv")
    restore_backup(path, replace=True)
    user = User.objects.get(username=user.username)
    undo(user, "second.csv", "third.csv", "cancelled.csv")
    assert figures(user) == reversed_files
