"""From a file to the ledger: parse, identify instruments, convert, match what is known, record."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from financeproj.core.errors import DomainError, TooLarge
from financeproj.core.money import strip_zeros
from integrations.imports.currencies import convert_to_own_currency
from integrations.imports.instruments import Resolution, resolve
from integrations.imports.matching import keep_former_ids
from integrations.imports.options import ImportOptions, reading_options
from integrations.imports.warnings import warnings_of
from integrations.statements.base import FileProblem, FileTooLarge, Statement
from integrations.statements.registry import read_statement
from marketdata.services import note_isin
from portfolios.models import ImportBatch, Portfolio
from portfolios.services import import_rows, remember_aliases
from portfolios.services.importing import Checkpoint, Outcome, row_error

SAMPLE_ROWS, SAMPLE_CELL = 3, 80


def read_file(data: bytes, options: ImportOptions) -> Statement:
    """Raises DomainError with attr "file" when the file as a whole cannot be used, TooLarge above
    20 MB or 200,000 rows.
    """
    try:
        return read_statement(
            data,
            reading_options(options.date_format, options.decimal, options.mapping),
            options.format_name,
        )
    except FileTooLarge as problem:
        raise TooLarge(problem.detail) from problem
    except FileProblem as problem:
        more = {"file": _seen_of(problem)} if problem.code == "unknown_format" else None
        raise DomainError(problem.detail, attr="file", code=problem.code, more=more) from problem


def _seen_of(problem: FileProblem) -> dict[str, Any]:
    """What somebody needs who is to say which format a file is of, or which of its columns is which
    of ours.
    """
    table = problem.table
    cells = (
        [[cell[:SAMPLE_CELL] for cell in record] for record in table.records[:SAMPLE_ROWS]]
        if table
        else []
    )
    return {"header": table.header if table else [], "sample": cells, "formats": problem.formats}


def new_import(
    *, portfolio: Portfolio, data: bytes, file_name: str, read: Statement
) -> ImportBatch:
    """The record of a file, not saved yet."""
    return ImportBatch(
        portfolio=portfolio,
        file_name=file_name.replace("\x00", "")[:255],
        file_sha256=hashlib.sha256(data).hexdigest(),
        format=read.format,
        encoding=read.encoding,
        delimiter=read.delimiter,
        account=read.account[:100].replace("\x00", ""),
        warnings=warnings_of(portfolio, read),
    )


def import_statement(
    *,
    portfolio: Portfolio,
    data: bytes,
    file_name: str,
    dry_run: bool = False,
    on_progress: Callable[[float], None] = lambda done: None,
    **fields: Any,
) -> Outcome:
    """Read a file and record its transactions in `portfolio`; `fields` are those of ImportOptions.

    Raises as `read_file`.
    """
    options = ImportOptions(**fields)
    read = read_file(data, options)
    import_batch = new_import(portfolio=portfolio, data=data, file_name=file_name, read=read)
    return carry_out(
        import_batch=import_batch,
        read=read,
        options=options,
        dry_run=dry_run,
        on_progress=on_progress,
    )


def carry_out(
    *,
    import_batch: ImportBatch,
    read: Statement,
    options: ImportOptions,
    dry_run: bool = False,
    on_progress: Callable[[float], None] = lambda done: None,
) -> Outcome:
    """Record what was read of the file of `import_batch`. May ask the sources of market data."""
    portfolio = import_batch.portfolio
    resolution = resolve(user=portfolio.user, rows=read.rows, choices=options.instruments)
    rows, unconverted = convert_to_own_currency(resolution.rows)
    errors = [*read.errors, *resolution.errors, *unconverted]
    divergence = read.cash_divergence
    import_batch.failed = read.failed + len(resolution.errors) + len(unconverted)
    import_batch.ignored = read.ignored
    import_batch.ignored_sums = [
        {"type": kind, "currency": currency, "count": count, "amount": f"{strip_zeros(amount):f}"}
        for (kind, currency), (count, amount) in read.ignored_sums.items()
    ]
    import_batch.errors = [
        row_error(one.row, one.column, one.value, one.code, one.detail) for one in errors
    ]
    import_batch.instruments = resolution.listed
    import_batch.reconciled = True if read.reconciles else None
    import_batch.first_divergence = asdict(divergence) if divergence else None
    for row in rows:
        if row.rate_currency and row.rate_currency != portfolio.currency:
            row.exchange_rate = (
                None  # it is the rate to the broker's account, which is in another currency
            )
    keep_former_ids(portfolio, rows)
    outcome = import_rows(
        import_batch=import_batch,
        rows=rows,
        on_error=options.on_error,
        dry_run=dry_run,
        checkpoints=[
            Checkpoint(point.row.ticker, point.row.date, point.quantity, point.row.row)
            for point in read.checkpoints
        ],
        on_progress=on_progress,
    )
    if outcome.is_saved and not outcome.is_refused:
        _remember(portfolio, resolution)
    return outcome


def _remember(portfolio: Portfolio, resolution: Resolution) -> None:
    """What was found out about the instruments, for the next statement."""
    if resolution.tickers:
        remember_aliases(user=portfolio.user, tickers=resolution.tickers)
    held = portfolio.holdings.filter(stock__ticker__in=resolution.isins).values_list(
        "stock_id", "stock__ticker"
    )
    for stock_id, ticker in held:
        note_isin(stock_id=stock_id, isin=resolution.isins[ticker])
