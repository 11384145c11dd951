"""What a request says about a file, and what its reader has to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from django.utils.translation import override

from financeproj.core.currencies import is_currency
from financeproj.core.db.fields import POSTGRESQL_DIGITS, check_number
from financeproj.core.money import SIGNIFICANT_DIGITS
from integrations.statements.base import Options
from integrations.statements.registry import AUTO
from portfolios.calc.import_rows import RowProblem


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a request says about the file it sends.

    `date_format` (dmy, mdy) and `decimal` (point, comma) settle what the file leaves open,
    `mapping` (our column → theirs) what a header means, `instruments` (ISIN or name → ticker) what
    a broker means; the latter is remembered. With `on_error` "skip" rows that are right are
    recorded although others are not.
    """

    format_name: str = AUTO
    date_format: str | None = None
    decimal: str | None = None
    on_error: str = "abort"
    mapping: Mapping[str, str] = field(default_factory=dict)
    instruments: Mapping[str, str] = field(default_factory=dict)


def reading_options(
    date_format: str | None, decimal: str | None, mapping: Mapping[str, str] | None = None
) -> Options:
    """Return what a reader of files has to know of today, of this database and of the request."""
    return Options(
        today=timezone.localdate(),
        number_problem=_number_problem,
        is_currency=is_currency,
        date_format=date_format,
        decimal=decimal,
        mapping=mapping or {},
    )


def _number_problem(value: Decimal) -> RowProblem | None:
    """Return why the database cannot keep a number, None if it can."""
    digits = SIGNIFICANT_DIGITS if connection.vendor == "sqlite" else POSTGRESQL_DIGITS
    try:
        check_number(value, digits=digits)
    except ValidationError as error:
        return _problem_of(error)
    return None


def _problem_of(error: ValidationError) -> RowProblem:
    """Return a field's error in English; it is translated when it is shown."""
    with override("en"):
        message = str(error.message)
    params = {name: str(value) for name, value in (error.params or {}).items()}
    return RowProblem(error.code or "invalid", message, params)
