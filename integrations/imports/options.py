"""What a request says about a file, and what its reader has to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from django.utils.translation import override

from financeproj.core.currencies import is_currency
from financeproj.core.db.fields import POSTGRESQL_DIGITS, check_number
from financeproj.core.money import SIGNIFICANT_DIGITS
from integrations.imports.mappings import FileMapping, words_of
from integrations.statements.base import Options
from integrations.statements.registry import AUTO
from portfolios.calc.import_rows import RowProblem


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a request says about the file it sends.

    `date_format` (dmy, mdy) and `decimal` (point, comma) settle what the file leaves open,
    `mapping` what its header and its words mean (`read_mapping`), and
    `instruments` (ISIN or name → ticker) what a broker means; the latter is remembered. With
    `on_error` "skip" rows that are right are recorded although others are not. With
    `accept_opening` the shares that stood before the rows are booked. `account` is the one of the
    file's accounts to import, empty for its only one. `save_mapping_as` is the name under which to
    keep the mapping.
    """

    format_name: str = AUTO
    date_format: str | None = None
    decimal: str | None = None
    on_error: str = "abort"
    accept_opening: bool = False
    mapping: Mapping[str, Any] = field(default_factory=dict)
    instruments: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    save_mapping_as: str = ""


def reading_options(
    date_format: str | None,
    decimal: str | None,
    mapping: FileMapping | None = None,
    account: str = "",
    words: Mapping[str, Mapping[str, str]] | None = None,
) -> Options:
    """Return what a reader of files has to know of today, of this database and of the request.

    `words` is what words of formats were said to mean before.
    """
    mapping = mapping or FileMapping()
    return Options(
        today=timezone.localdate(),
        number_problem=_number_problem,
        is_currency=is_currency,
        date_format=date_format or mapping.date_format,
        decimal=decimal or mapping.decimal,
        currency=mapping.currency,
        mapping=mapping.columns,
        sheet=mapping.sheet,
        skip=mapping.skip,
        types=words_of(mapping.types),
        words=words or {},
        ticker_suffix=mapping.ticker_suffix or "",
        account=account,
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
