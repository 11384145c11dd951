"""Test the demo, the first user, and beat's schedule."""

import stat
from unittest.mock import patch

import pytest
from django.core.management import call_command

from financeproj.users.models import User
from financeproj.users.tasks import flush_tokens
from marketdata.models import StockMetadata
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry
from portfolios import selectors, tasks, valuation
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def in_a_folder_of_its_own(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    return tmp_path


@pytest.mark.untraced
def test_the_demo_is_imported_from_csv_files_and_made_once(in_a_folder_of_its_own, capsys):
    call_command("make_demo")
    password = (in_a_folder_of_its_own / "demo_password").read_text()
    assert f"Sign in as demo with the password {password}" in capsys.readouterr().out
    assert stat.S_IMODE((in_a_folder_of_its_own / "demo_password").stat().st_mode) == 0o600
    user = User.objects.get(username="demo")
    assert user.check_password(password)
    assert set(Portfolio.objects.values_list("currency", flat=True)) == {"NOK", "USD"}
    assert set(ImportBatch.objects.values_list("state", "failed", "duplicates")) == {("done", 0, 0)}
    kinds = set(Transaction.objects.values_list("type", flat=True))
    assert {"buy", "sell", "dividend", "split"} <= kinds
    assert set(Transaction.objects.values_list("source", flat=True)) == {"import"}
    first, last = (Transaction.objects.order_by(order).first().date for order in ("date", "-date"))
    assert (last - first).days > 9 * 365
    assert Holding.objects.filter(current_quantity=0).count() == 1
    assert PensionValueEntry.objects.count() == 96
    assert list(ContributionPlan.objects.order_by("amount").values_list("amount", flat=True)) == [
        1000,
        2400,
    ]
    assert user.retirement_goal_amount == 4_000_000
    for valued in valuation.valued(selectors.portfolios_of(user)):
        # Without a network the rates are the ECB's, which are as old as their package.
        assert set(valued.summary.missing_why.values()) <= {"stale_rate"}
        assert valued.summary.market_value > 0

    before = (
        Transaction.objects.count(),
        ImportBatch.objects.count(),
        PensionValueEntry.objects.count(),
    )
    call_command("make_demo")
    assert password in capsys.readouterr().out
    assert (
        Transaction.objects.count(),
        ImportBatch.objects.count(),
        PensionValueEntry.objects.count(),
    ) == before
    assert ContributionPlan.objects.count() == 2


@pytest.mark.untraced
def test_a_password_that_was_changed_is_not_printed_again(in_a_folder_of_its_own, capsys):
    call_command("make_demo")
    user = User.objects.get(username="demo")
    user.set_password("another one entirely")
    user.save()
    capsys.readouterr()
    call_command("make_demo")
    said = capsys.readouterr().out
    assert (in_a_folder_of_its_own / "demo_password").read_text() not in said
    assert "the password that was set since, or set one with manage.py changepassword demo" in said
    user.refresh_from_db()
    assert user.check_password("another one entirely")


def test_an_interrupted_demo_is_completed_by_the_next_run(
    in_a_folder_of_its_own,
):
    broken_off = patch.object(
        PensionValueEntry.objects, "bulk_create", side_effect=KeyboardInterrupt
    )
    with broken_off, pytest.raises(KeyboardInterrupt):
        call_command("make_demo")
    assert PensionAccount.objects.count() == 0
    call_command("make_demo")
    assert PensionValueEntry.objects.count() == 96
    assert ContributionPlan.objects.count() == 2


def test_beat_refreshes_held_instruments(in_a_folder_of_its_own):
    call_command("make_demo")
    from financeproj.celery import app

    app.conf.task_always_eager = True
    try:
        StockMetadata.objects.filter(source="simulated").update(history_fetched_at=None)
        tasks.refresh_quotes()
        tasks.refresh_rates()
        tasks.refresh_histories()
    finally:
        app.conf.task_always_eager = False
    held = StockMetadata.objects.filter(pk__in=selectors.held_stock_ids())
    assert held.count() == 6
    assert not held.filter(history_fetched_at=None).exists()
    assert ("USD", "NOK") in selectors.needed_pairs()


def test_without_a_terminal_the_first_user_is_only_hinted_at(capsys):
    call_command("offer_superuser")
    assert "createsuperuser" in capsys.readouterr().out


def test_with_a_user_nothing_is_offered(user, capsys):
    call_command("offer_superuser")
    assert capsys.readouterr().out == ""


def test_expired_tokens_are_forgotten(user, anonymous):
    from datetime import timedelta

    from django.utils import timezone
    from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
    from rest_framework_simplejwt.tokens import RefreshToken

    RefreshToken.for_user(user)
    RefreshToken.for_user(user)
    OutstandingToken.objects.filter(pk=OutstandingToken.objects.first().pk).update(
        expires_at=timezone.now() - timedelta(days=1)
    )
    flush_tokens()
    assert OutstandingToken.objects.count() == 1
