"""Rows with one value a day: closes, splits and dividends of an instrument, rates of a pair."""

from collections.abc import Container, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model

from financeproj.core.db.fields import not_in_future
from financeproj.core.db.rows import insert_rows, stored_field
from marketdata.models import (
    HistoricalExchangeRate,
    HistoricalStockPrice,
    StockDividend,
    StockSplit,
)

BATCH = 2000

DailyRow: TypeAlias = HistoricalStockPrice | StockSplit | StockDividend | HistoricalExchangeRate


def check_entered(row: Model, *, day: str = "date") -> None:
    """Validate a row entered by hand, whose date is the field `day`. Raises ValidationError.

    It must not be after today, while a source's may be a day ahead where its exchange is.
    """
    row.full_clean()
    try:
        not_in_future(getattr(row, day))
    except ValidationError as error:
        raise ValidationError({day: error}) from error


def put_days(
    model: type[DailyRow],
    owner: str,
    owner_id: UUID | int,
    column: str,
    values: Mapping[date, Decimal],
    *,
    known: Container[date],
    source: str,
) -> None:
    """Insert or update the rows of the days in `values`.

    `owner` names the foreign key to the locked row, `known` has the days that are stored. New rows
    are inserted without a model instance each: a first history has thousands, and on SQLite every
    other writer waits meanwhile.
    """
    fields = [stored_field(model, name) for name in (owner, "date", column, "source")]
    new = [(owner_id, day, value, source) for day, value in values.items() if day not in known]
    insert_rows(model, fields, new)
    changed = []
    for day, value in values.items():
        if day in known:
            row = model(date=day, source=source, **{f"{owner}_id": owner_id, column: value})
            changed.append(row)
    model.objects.all().as_service().bulk_create(
        changed,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=[owner, "date"],
        update_fields=[column, "source"],
    )
