"""Test the admin's first page, charts, import, and query counts."""

import json
import re
from datetime import date, timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from financeproj.core.drawing import line_chart
from financeproj.users.models import User
from integrations import heartbeat
from integrations.backups.services import make_backup
from integrations.imports import queue
from integrations.imports.tasks import run_import
from integrations.models import Backup
from integrations.statements.tests import test_nordnet as nordnet
from integrations.system_status import system_status
from marketdata import gateway
from marketdata.models import StockMetadata, StockQuote
from pensions.services import create_account, record_value
from portfolios.models import ImportBatch, InstrumentAlias, Portfolio, Transaction
from portfolios.tests.conftest import make_stock, portfolio, stock, trade  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, user):
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


def says(label):
    [line] = [line for line in system_status() if line.label == label]
    return line


def test_the_first_page_shows_the_state(staff):
    text = staff.get("/admin/").content.decode()
    for label in (
        "Prices",
        "Unpriced",
        "Held back",
        "Circuit of yahoo",
        "YNAB sync",
        "Backup",
        "Imports",
    ):
        assert label in text


def test_the_first_page_counts_the_failures_of_a_third_party(staff, monkeypatch):
    circuit = {
        "state": "closed",
        "failures": 1,
        "retry_after_seconds": 0,
        "reason": "Yahoo cannot be reached.",
    }
    monkeypatch.setattr(gateway, "state", lambda: {"yahoo": circuit})
    assert (
        "closed, 1 failure in a row: Yahoo cannot be reached."
        in staff.get("/admin/").content.decode()
    )
    circuit["failures"] = 2
    assert (
        "closed, 2 failures in a row: Yahoo cannot be reached."
        in staff.get("/admin/").content.decode()
    )


def test_staff_without_all_permissions_do_not_see_the_state(client, other_user):
    other_user.is_staff = True
    other_user.save()
    client.force_login(other_user)
    assert b'id="state"' not in client.get("/admin/").content


def test_a_stale_price_and_an_unpriced_holding_are_counted(portfolio, make_stock):
    fresh, old, none = (
        make_stock("FRESH", price="10"),
        make_stock("OLD", price="10"),
        make_stock("NONE", price="10"),
    )
    for one in (fresh, old, none):
        trade(portfolio, one, "buy", "1", "10")
    StockQuote.objects.filter(stock=fresh).update(fetched_at=timezone.now())
    assert not says("Unpriced").says.startswith("1 ")
    StockQuote.objects.filter(stock=old).update(fetched_at=timezone.now() - timedelta(days=3))
    StockQuote.objects.filter(stock=none).delete()
    assert says("Prices").says.startswith("1 stale; of 3 held instruments the oldest was fetched 3")
    assert says("Prices").is_well is False
    assert (says("Unpriced").says, says("Unpriced").is_well) == ("1 held instruments", False)


def test_the_state_leads_to_the_imports_that_failed_or_differ_from_their_file(staff, portfolio):
    about = {"portfolio": portfolio, "format": "generic"}
    for name, fields in {
        "fine": {"state": "done", "reconciled": True},
        "differs": {"state": "done", "reconciled": False},
        "failed": {"state": "failed"},
        "undone": {"state": "undone", "reconciled": False},
    }.items():
        ImportBatch.objects.create(file_name=name, **about, **fields)
    line = says("Imports")
    assert (line.says[:2], line.is_well) == ("2 ", False)
    listed = staff.get(line.url).context["cl"].queryset
    assert set(listed.values_list("file_name", flat=True)) == {"differs", "failed"}


def test_the_newest_backup_is_named_and_an_old_one_is_not_well(settings, tmp_path):
    assert says("Backup").is_well is None
    settings.BACKUP_DIR = str(tmp_path)
    assert (says("Backup").says, says("Backup").is_well) == ("none yet", False)
    made = make_backup(folder=tmp_path)
    assert (says("Backup").says, says("Backup").is_well) == ("0\xa0minutes ago, proved", True)
    Backup.objects.update(made_at=timezone.now() - timedelta(days=3))
    assert (says("Backup").says, says("Backup").is_well) == ("3\xa0days ago, proved", False)
    Backup.objects.update(made_at=timezone.now())
    Path(made.path).write_text("x")
    assert (
        says("Backup").says
        == f"0\xa0minutes ago, {made.path} has 1 bytes, not {made.size:,} as when it was written."
    )
    assert says("Backup").is_well is False


def test_a_chart_is_to_scale_and_says_what_it_shows():
    day = timezone.localdate().replace(year=2024, month=1, day=1)
    svg = line_chart(
        [(day, D("10")), (day + timedelta(days=10), D("30")), (day + timedelta(days=20), D("20"))],
        "NOK",
    )
    assert re.search(r'points="6.0,164.0 277.0,12.0 548.0,88.0"', svg)
    assert "20 NOK on 2024-01-21; between 10 and 30 since 2024-01-01" in svg
    assert "style" not in svg
    assert line_chart([(day, D("10"))], "NOK") == "–"
    assert "&lt;b&gt;" in line_chart([(day, D("1")), (day, D("1"))], "<b>")


def test_the_pension_page_draws_its_values(staff, user):
    account = create_account(user=user, name="Employer", currency="NOK")
    for days, value in ((20, "100"), (10, "120")):
        record_value(
            account=account, on=timezone.localdate() - timedelta(days=days), value=D(value)
        )
    text = staff.get(
        reverse("admin:pensions_pensionaccount_change", args=[account.pk])
    ).content.decode()
    assert "120 NOK" in text
    assert "<polyline" in text


FILE = b"date,type,ticker,quantity,price,currency\n2024-03-01,buy,FJORD.DEMO,10,100,NOK\n"


def send(client, portfolio, content=FILE, **fields):
    file = SimpleUploadedFile("trades.csv", content)
    address = reverse("admin:portfolios_portfolio_import", args=[portfolio.pk])
    return client.post(address, {"file": file, "format": "auto", **fields})


def test_a_file_is_previewed_and_imported_from_the_portfolios_page(staff, portfolio):
    page = reverse("admin:portfolios_portfolio_change", args=[portfolio.pk])
    assert (
        reverse("admin:portfolios_portfolio_import", args=[portfolio.pk])
        in staff.get(page).content.decode()
    )
    preview = send(staff, portfolio, preview="on").content.decode()
    assert "Preview (nothing was saved)" in preview
    assert "1 rows: 1 new" in preview
    assert not ImportBatch.objects.exists()
    assert "Imported" in send(staff, portfolio).content.decode()
    assert Transaction.objects.filter(portfolio=portfolio).count() == 1


def test_warnings_about_a_file_are_shown(staff, portfolio):
    lines = FILE.decode().split()
    file = f"{lines[0]},<fees>\n{lines[1]},29\n".encode()
    assert (
        "Ignored columns: &lt;fees&gt;. Rename"
        in send(staff, portfolio, file, preview="on").content.decode()
    )
    choices = json.loads(nordnet.CHOICES)
    choices["NO0000000104"] = choices.pop("verdensfond")
    for key, ticker in choices.items():
        InstrumentAlias.objects.create(user=portfolio.user, key=key, ticker=ticker)
    wrong = [row.replace("|10|36 613,54|", "|11|36 613,54|") for row in nordnet.ROWS]
    text = send(staff, portfolio, nordnet.statement(wrong)).content.decode()
    assert (
        "The file's own figures differ from line 3 onwards: 11 shares in the file, 10 shares here."
        in text
    )


@pytest.mark.untraced
def test_a_big_file_is_left_to_the_worker_and_followed(
    staff, portfolio, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(run_import, "delay", sent.append)
    heartbeat.note_worker()
    rows = "".join(
        f"2024-03-01,buy,FJORD.DEMO,1,{price},NOK\n"
        for price in range(1, queue.ROWS_IN_A_REQUEST + 2)
    )
    big = b"date,type,ticker,quantity,price,currency\n" + rows.encode()
    with django_capture_on_commit_callbacks(execute=True):
        text = send(staff, portfolio, big).content.decode()
    running = ImportBatch.objects.get()
    assert (running.state, sent) == (ImportBatch.State.RUNNING, [str(running.pk)])
    page = reverse("admin:portfolios_importbatch_change", args=[running.pk])
    assert page in text
    assert not Transaction.objects.exists()
    assert "0%" in staff.get(page).content.decode()
    run_import(sent[0])
    assert Transaction.objects.count() == queue.ROWS_IN_A_REQUEST + 1
    assert "100%" in staff.get(page).content.decode()


def test_a_date_that_reads_both_ways_is_settled_in_the_form(staff, portfolio):
    file = FILE.replace(b"2024-03-01", b"02/03/2024")
    assert "errorlist" in send(staff, portfolio, file).content.decode()
    assert "Imported" in send(staff, portfolio, file, date_format="mdy").content.decode()
    assert Transaction.objects.get().date == date(2024, 2, 3)


def test_a_file_that_cannot_be_read_is_an_error_of_the_form(staff, portfolio):
    text = send(staff, portfolio, b"what,is,this\n1,2,3\n").content.decode()
    assert "errorlist" in text
    assert not ImportBatch.objects.exists()


def test_only_who_may_change_portfolios_imports(client, other_user, portfolio):
    other_user.is_staff = True
    other_user.save()
    client.force_login(other_user)
    assert send(client, portfolio).status_code == 403
    assert not ImportBatch.objects.exists()


def most_queries(client):
    """Return the pages of the admin with their numbers of queries, the most first."""
    site = admin.site
    addresses = ["/admin/", "/admin/password_change/"]
    for app in ("users", "marketdata", "portfolios", "pensions", "integrations"):
        addresses.append(reverse("admin:app_list", args=[app]))
        for model in apps.get_app_config(app).get_models():
            if not site.is_registered(model):
                continue
            name, shown = f"admin:{app}_{model._meta.model_name}", site.get_model_admin(model)
            listed = reverse(f"{name}_changelist")
            addresses += [listed, f"{listed}?q=x"]
            if model is StockMetadata:
                addresses += [
                    f"{listed}?price={question}" for question in ("stale", "unpriced", "held_back")
                ]
            if shown.has_add_permission(client.get("/admin/").wsgi_request):
                addresses.append(reverse(f"{name}_add"))
            if row := model.objects.first():
                addresses += [
                    reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "history")
                ]
                if shown.has_delete_permission(client.get("/admin/").wsgi_request, row):
                    addresses.append(reverse(f"{name}_delete", args=[row.pk]))
            if model is Portfolio:
                addresses.append(reverse("admin:portfolios_portfolio_import", args=[row.pk]))
    counted = []
    for address in addresses:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200, address
        counted.append((len(captured), address))
    assert len(counted) > 90
    return sorted(counted, reverse=True)


@pytest.mark.untraced
def test_no_page_asks_more_than_13_queries_with_the_demo_data(client, settings, tmp_path):
    settings.VAR_DIR = tmp_path
    call_command("make_demo", verbosity=0)
    client.force_login(User.objects.get(username="demo"))
    most = most_queries(client)
    assert most[0][0] <= 13, most[:5]


@pytest.mark.untraced
@pytest.mark.django_db(transaction=True)  # store() commits
def test_no_page_asks_more_than_20_queries_with_size_m(staff, user):
    from benchmarks.generate import generate
    from benchmarks.stored import store

    store(generate("M"), user)
    most = most_queries(staff)
    assert most[0][0] <= 20, most[:5]


@pytest.mark.untraced
def test_a_user_is_deleted_with_all_data_and_only_with_permission(
    client, user, other_user, settings, tmp_path
):
    settings.VAR_DIR = tmp_path
    call_command("make_demo", verbosity=0)
    User.objects.filter(username="demo").update(is_superuser=False)
    demo = User.objects.get(username="demo")
    address = reverse("admin:users_user_delete", args=[demo.pk])
    other_user.is_staff = True
    other_user.user_permissions.set(
        Permission.objects.filter(codename__in=["delete_user", "view_user"])
    )
    other_user.save()
    client.force_login(other_user)
    assert "delete the following types of objects" in " ".join(
        client.get(address).content.decode().split()
    )
    assert client.post(address, {"post": "yes"}).status_code == 403
    assert Portfolio.objects.filter(user=demo).count() == 2
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    assert client.post(address, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(username="demo").exists()
    assert (
        Portfolio.objects.count(),
        ImportBatch.objects.count(),
        Transaction.objects.count(),
    ) == (
        0,
        0,
        0,
    )
