"""Test migrations of databases with data."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

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
