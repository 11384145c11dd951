"""Rows that are gone, kept as text so that they can be put back as they were."""

import json
from collections.abc import Mapping
from typing import TypeVar

from django.db.models import ForeignKey, JSONField

from portfolios.calc.carried import encode_carried
from portfolios.models import CarriedField, Transaction, TransactionGroup

Kept = TypeVar("Kept", Transaction, TransactionGroup)
Columns = Mapping[str, str | None]


def written(row: Transaction | TransactionGroup) -> dict[str, str | None]:
    """Return the columns of a row as text."""
    texts: dict[str, str | None] = {}
    for column in row._meta.concrete_fields:
        value = getattr(row, column.attname)
        if value is None:
            texts[column.attname] = None
        elif isinstance(column, JSONField):
            texts[column.attname] = json.dumps(value)
        elif isinstance(column, CarriedField):
            texts[column.attname] = encode_carried(value)
        else:
            texts[column.attname] = str(value)
    return texts


def read(model: type[Kept], columns: Columns) -> Kept:
    """Return the row (not saved) that `written` gave; columns without a text have their default."""
    row = model()
    for column in model._meta.concrete_fields:
        if column.attname not in columns:
            continue
        text = columns[column.attname]
        if text is None:
            value = None
        elif isinstance(column, JSONField):
            value = json.loads(text)
        elif isinstance(column, ForeignKey):
            value = column.target_field.to_python(text)
        else:
            value = column.to_python(text)
        setattr(row, column.attname, value)
    return row


def store(row: Transaction | TransactionGroup) -> None:
    """Store a row with its id and the time at which it was made."""
    created_at = row.created_at
    row.save(force_insert=True)
    type(row)._default_manager.filter(pk=row.pk).update(created_at=created_at)
