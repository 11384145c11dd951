"""The rows of a file that cannot be imported, as a file to correct and import again."""

from dataclasses import replace
from pathlib import PurePath
from typing import NamedTuple

from financeproj.core.errors import DomainError
from integrations.imports.options import ImportOptions
from integrations.imports.payloads import row_error_payload
from integrations.imports.pipeline import new_import_batch, read_file, record_statement
from integrations.statements.base import WORKBOOK, Statement
from integrations.statements.excerpts import NoExcerpt, excerpt
from portfolios.models import Portfolio

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"


class FailedRows(NamedTuple):
    name: str
    content: bytes
    content_type: str


def failed_rows(
    *, portfolio: Portfolio, data: bytes, file_name: str, options: ImportOptions
) -> FailedRows:
    """Return the rows that fail in the file's own layout, each with its errors in a last column.

    Nothing is recorded. Raises DomainError as `read_file` does, with the code `no_excerpt` for a
    file whose rows cannot stand alone, such as XML.
    """

    def read(content: bytes) -> Statement:
        return read_file(content, options, portfolio.user)

    whole = read(data)
    # An import ignores more rows, by what their instruments are.
    used = replace(whole, ignored_lines=set(whole.ignored_lines))
    import_batch = new_import_batch(portfolio=portfolio, data=data, file_name=file_name, read=used)
    outcome = record_statement(import_batch=import_batch, read=used, options=options, dry_run=True)
    reasons: dict[int, str] = {}
    for problem in outcome.problems:
        detail = row_error_payload(problem.as_entry()).detail
        before = reasons.get(problem.row)
        reasons[problem.row] = detail if before is None else f"{before} {detail}"
    try:
        content = excerpt(data, whole, reasons, read)
    except NoExcerpt as error:
        raise DomainError(
            "The rows of this file cannot stand in a file of their own. Correct the file itself.",
            attr="file",
            code="no_excerpt",
        ) from error
    stem = PurePath(file_name).stem
    if whole.encoding == WORKBOOK:
        return FailedRows(f"failed-{stem}.xlsx", content, XLSX)
    return FailedRows(f"failed-{stem}.csv", content, CSV)
