"""Read rows as the database stores them: Django would first make an object of each."""

from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Model


def stored_rows(model: type[Model]) -> list[tuple[Any, ...]]:
    """Return all rows of a model's table, by their key."""
    table = connection.ops.quote_name(model._meta.db_table)
    key = connection.ops.quote_name(model._meta.pk.column)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY {key}")
        return cursor.fetchall()


def stored_models() -> list[type[Model]]:
    """Return the models with a table of their own, those between two models included."""
    models = apps.get_models(include_auto_created=True)
    return [model for model in models if model._meta.managed and not model._meta.proxy]
