"""How a value is written in a cell of an export, and read back exactly."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Field

from financeproj.core.db.fields import ExactDecimalField, ExactJSONField, decode_exactly
from financeproj.core.money import strip_zeros
from integrations.statements.generic import guarded, unguarded
from portfolios.calc.carried import Brought, Carried, Taken, decode_carried, encode_carried
from portfolios.models import CarriedField

BOM = "\ufeff"  # Without it Excel does not recognise UTF-8.
BOOLEANS = {"true": True, "false": False}
# Sorted, since PostgreSQL keeps the keys of an object in an order of its own.
_json = msgspec.json.Encoder(decimal_format="number", order="sorted")


def cell(value: Any) -> str:
    """Write `value` as text that no spreadsheet calculates. NULL is an empty cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{strip_zeros(value):f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Brought | Taken):
        return encode_carried(value)
    if isinstance(value, dict | list):
        return guarded(_json.encode(value).decode())
    return str(value)


def value_of(text: str, field: Field, is_nullable: bool) -> Any:
    """Read the value of `field` from a cell.

    Raises ValidationError, ValueError or KeyError for a text that the field cannot hold.
    """
    if not text and is_nullable:
        return None
    if isinstance(field, models.JSONField):
        return json.loads(unguarded(text))
    if isinstance(field, CarriedField):
        return _carried(unguarded(text))
    if isinstance(field, ExactJSONField):
        return _exact_json(unguarded(text))
    if isinstance(field, models.BooleanField):
        return BOOLEANS[text]
    if isinstance(field, models.CharField | models.TextField):
        text = unguarded(text)
    elif not text:
        raise ValidationError("It is empty.")
    value = field.to_python(text)
    if isinstance(field, ExactDecimalField):
        field.validate(value, None)
    field.run_validators(value)
    return value


def _exact_json(text: str) -> Any:
    try:
        return decode_exactly(text)
    except msgspec.DecodeError as error:
        raise ValueError(text) from error


def _carried(text: str) -> Carried:
    try:
        return decode_carried(text)
    except msgspec.MsgspecError as error:
        raise ValueError(text) from error


def csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """Write each row as a line of CSV: comma, CRLF, UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow(map(cell, row))
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
