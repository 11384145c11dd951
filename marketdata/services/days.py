"""Rows of one a day: closes, splits and dividends of an instrument, rates of a pair."""

from collections.abc import Container, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from financeproj.core.db.fields import not_in_future
from financeproj.core.db.rows import insert_rows


def check_entered(row: Any, *, day: str = "date") -> None:
    """Validate a row of a person's hand, of which `day` is the field of its date. Raises
    ValidationError.

    Not after today: what a source says may be a day ahead of us, where its exchange is.
    """
    row.full_clean()
    try:
        not_in_future(getattr(row, day))
    except ValidationError as error:
        raise ValidationError({day: error}) from error


def put_days(
    model: Any,
    owner: str,
    owner_id: UUID | int,
    column: str,
    values: Mapping[date, Decimal],
    *,
    known: Container[date],
    source: str,
) -> None:
    """Make the rows of these days so. `owner` is the foreign key to what is locked, `known` the
    days that have a row.

    New rows, thousands with a first history, go in without a model instance each: everybody waits
    meanwhile on SQLite.
    """
    fields = [model._meta.get_field(name) for name in (owner, "date", column, "source")]
    insert_rows(
        model,
        fields,
        ((owner_id, day, value, source) for day, value in values.items() if day not in known),
    )
    model.objects.all().as_service().bulk_create(
        [
            model(**{f"{owner}_id": owner_id, column: value}, date=day, source=source)
            for day, value in values.items()
            if day in known
        ],
        batch_size=2000,
        update_conflicts=True,
        unique_fields=[owner, "date"],
        update_fields=[column, "source"],
    )
