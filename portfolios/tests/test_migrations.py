"""Test migrations of databases with data."""

from datetime import date

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from marketdata.models import HistoricalStockPrice, StockMetadata
from portfolios.models import Holding

BEFORE = [("portfolios", "0007_words_of_constraints")]


@pytest.mark.django_db(transaction=True)
def test_the_renamed_import_keeps_its_permissions_and_who_has_them():
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes("portfolios")
    executor.migrate(BEFORE)
    try:
        permission = Permission.objects.get(codename="view_import")
        readers = Group.objects.create(name="readers")
        readers.permissions.add(permission)
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(newest)
    assert list(readers.permissions.values_list("codename", flat=True)) == ["view_importbatch"]
    assert not Permission.objects.filter(
        content_type__app_label="portfolios", codename__endswith="_import"
    ).exists()


@pytest.mark.django_db(transaction=True)
def test_instruments_that_no_source_confirmed_go_to_the_users_who_traded_them():
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    state = [("portfolios", "0008_import_batch"), ("marketdata", "0006_words_of_constraints")]
    executor.migrate(state)
    try:
        apps = executor.loader.project_state(state).apps
        stocks = apps.get_model("marketdata", "StockMetadata").objects
        users = apps.get_model("users", "User").objects
        portfolios = apps.get_model("portfolios", "Portfolio").objects
        holdings = apps.get_model("portfolios", "Holding").objects
        of_user = {
            name: portfolios.create(
                user=users.create(username=name), name="P", name_key="p", currency="NOK"
            )
            for name in ("kari", "ola")
        }

        def shared(ticker, *names, **fields):
            stock = stocks.create(ticker=ticker, currency="VND", source="yahoo", **fields)
            for name in names:
                holdings.create(portfolio=of_user[name], stock=stock)
            return stock

        both = shared("BOTH", "kari", "ola", isin="US0378331005")
        shared("MINE", "ola")
        stocks.create(ticker="MINE", currency="NOK", source="manual", owner=of_user["ola"].user)
        shared("NOBODYS")
        by_staff = apps.get_model("marketdata", "HistoricalStockPrice").objects
        by_staff.create(stock=both, date=date(2024, 1, 2), close=5, source="manual")
        fetched = shared("FETCHED", "kari", isin="US5949181045", history_fetched_at=timezone.now())
        closed = shared("CLOSED", "kari")
        by_staff.create(stock=closed, date=date(2024, 1, 2), close=5, source="yahoo")
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(newest)
    found = StockMetadata.objects.values_list("ticker", "owner__username", "currency", "isin")
    assert sorted(found, key=str) == [
        ("BOTH", "kari", "VND", ""),
        ("BOTH", "ola", "VND", ""),
        ("CLOSED", None, "VND", ""),
        ("FETCHED", None, "VND", ""),
        ("MINE", "ola", "NOK", ""),
        ("MINE-2", "ola", "VND", ""),
    ]
    held = Holding.objects.values_list(
        "portfolio__user__username", "stock__ticker", "stock__owner__username"
    )
    assert sorted(held, key=str) == [
        ("kari", "BOTH", "kari"),
        ("kari", "CLOSED", None),
        ("kari", "FETCHED", None),
        ("ola", "BOTH", "ola"),
        ("ola", "MINE-2", "ola"),
    ]
    closes = HistoricalStockPrice.objects.filter(stock__ticker="BOTH")
    assert [price.close for price in closes] == [5, 5]
    assert StockMetadata.objects.filter(pk__in=[fetched.pk, closed.pk]).count() == 2
