"""From a file to the ledger: parse, identify instruments, convert, match what is known, record.

Each step takes rows and returns new ones, and the problems of those that cannot go on.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from msgspec.structs import replace

from financeproj.core.errors import DomainError, TooLarge
from financeproj.core.money import strip_zeros
from financeproj.users.models import User
from integrations.imports.currencies import (
    convert_to_own_currency,
    in_own_money,
    without_foreign_rates,
)
from integrations.imports.instruments import Identified, identify_instruments
from integrations.imports.mappings import (
    BadMapping,
    FileMapping,
    KnownMappings,
    read_mapping,
    remember_mapping,
    with_more,
)
from integrations.imports.matching import keep_former_ids, recognise_former_prices
from integrations.imports.options import ImportOptions, reading_options
from integrations.imports.renamed import under_new_tickers, without_renamed
from integrations.imports.warnings import warnings_of
from integrations.statements.base import FileProblem, FileTooLarge, Statement, StatementRow
from integrations.statements.registry import AUTO, MAPPED, likeliest, read_statement, repeating
from marketdata.services import learn_isin, note_isin
from marketdata.services.asking import time_limit
from marketdata.services.look_ups import Wanted, leave_to_worker
from portfolios.calc.import_rows import REVERSED, Checkpoint, RowProblem
from portfolios.models import ImportBatch, Portfolio
from portfolios.services import import_rows, remember_aliases
from portfolios.services.import_report import Outcome
from portfolios.services.taking_back import Reversals
from portfolios.valuation.agreement import OF_FILE

SAMPLE_ROWS = 3
SAMPLE_CELL = 80
OF_ACCOUNTS = {"several_accounts", "unknown_account"}

OnProgress = Callable[[float], None]
# Called with how many of the file's instruments are identified, and of how many.
OnLookingUp = Callable[[int, int], None]


def import_statement(
    *,
    portfolio: Portfolio,
    data: bytes,
    file_name: str,
    dry_run: bool = False,
    on_progress: OnProgress = lambda done: None,
    on_looking_up: OnLookingUp = lambda done, of: None,
    **fields: Any,
) -> Outcome:
    """Read a file and record its transactions in `portfolio`; `fields` are those of ImportOptions.

    The instruments are looked up to the end, as long as the sources answer. Raises as `read_file`.
    """
    options = ImportOptions(**fields)
    read = read_file(data, options, portfolio.user)
    import_batch = new_import_batch(portfolio=portfolio, data=data, file_name=file_name, read=read)
    return record_statement(
        import_batch=import_batch,
        read=read,
        options=options,
        dry_run=dry_run,
        on_progress=on_progress,
        on_looking_up=on_looking_up,
    )


def read_file(data: bytes, options: ImportOptions, user: User) -> Statement:
    """Parse a file, also by a mapping that the user saved for its header.

    Raises DomainError with attr "file" when the file as a whole cannot be used, TooLarge above
    20 MB or 200,000 rows.
    """
    try:
        mapping = read_mapping(options.mapping)
    except BadMapping as problem:
        raise DomainError(str(problem), attr="mapping", code=problem.code) from problem
    known = KnownMappings(user)
    try:
        return _read(data, options, mapping, known)
    except FileTooLarge as problem:
        raise TooLarge(problem.detail) from problem
    except FileProblem as problem:
        more: dict[str, Any] | None = None
        if problem.code == "unknown_format":
            more = {"file": _sample_of(problem)}
        elif problem.code in OF_ACCOUNTS:
            more = {"accounts": problem.accounts}
        elif problem.sheets:
            more = {"sheets": problem.sheets}
        raise DomainError(problem.detail, attr="file", code=problem.code, more=more) from problem


def _read(
    data: bytes, options: ImportOptions, mapping: FileMapping, known: KnownMappings
) -> Statement:
    """Parse a file; one that no format recognises by what was saved for its header."""
    reading = reading_options(
        options.date_format, options.decimal, mapping, options.account, known.words()
    )
    try:
        return read_statement(data, reading, options.format_name)
    except FileProblem as problem:
        saved = None
        is_unknown = problem.code == "unknown_format" and options.format_name == AUTO
        if is_unknown:
            saved = known.of_header(problem.tables)
        if saved is None:
            raise
        both = with_more(read_mapping(saved.mapping), mapping)
        reading = reading_options(options.date_format, options.decimal, both, options.account)
    statement = read_statement(data, reading, MAPPED)
    statement.mapping_name = saved.name
    return statement


def _sample_of(problem: FileProblem) -> dict[str, Any]:
    """Return what a person needs to see to say which format a file has, or which of its columns is
    which of ours.
    """
    table = likeliest(problem.tables)
    sample = [_cut_cells(record) for record in table.records[:SAMPLE_ROWS]]
    return {"header": table.header, "sample": sample, "formats": problem.formats}


def _cut_cells(record: list[str]) -> list[str]:
    return [cell[:SAMPLE_CELL] for cell in record]


def new_import_batch(
    *, portfolio: Portfolio, data: bytes, file_name: str, read: Statement | None
) -> ImportBatch:
    """Make the record of a file, not saved yet; `read` is None if a worker will read it."""
    import_batch = ImportBatch(
        portfolio=portfolio,
        file_name=file_name.replace("\x00", "")[:255],
        file_sha256=hashlib.sha256(data).hexdigest(),
    )
    if read is not None:
        describe_file(import_batch, read)
    return import_batch


def describe_file(import_batch: ImportBatch, read: Statement) -> None:
    """Put what was recognised of the file into `import_batch` (not saved).

    Raises DomainError if the portfolio has the same from files of another format.
    """
    import_batch.format = read.format
    import_batch.encoding = read.encoding
    import_batch.delimiter = read.delimiter
    import_batch.account = read.account[:100].replace("\x00", "")
    import_batch.mapping_name = read.mapping_name
    import_batch.warnings = warnings_of(import_batch.portfolio, read)
    _refuse_repeated(import_batch.portfolio, read)


def _refuse_repeated(portfolio: Portfolio, read: Statement) -> None:
    """Raise DomainError if files of another format brought what this one repeats."""
    others = repeating(read.format)
    if not others:
        return
    done = ImportBatch.objects.filter(
        portfolio=portfolio, format__in=others, state=ImportBatch.State.DONE, created__gt=0
    )
    other = done.values_list("format", flat=True).first()
    if other:
        raise DomainError(
            f"Files of {read.format} and {other} have the same transactions, and this portfolio "
            f"has an import of {other}. Undo that one first, or leave this file out.",
            attr="file",
            code="repeats_import",
        )


def record_statement(
    *,
    import_batch: ImportBatch,
    read: Statement,
    options: ImportOptions,
    dry_run: bool = False,
    on_progress: OnProgress = lambda done: None,
    on_looking_up: OnLookingUp | None = None,
    is_worker_alive: bool = False,
) -> Outcome:
    """Record what was read of the file of `import_batch`. May ask the sources of market data.

    In a request they are asked within its time limit, and the rest is left to the worker. With
    `on_looking_up` they are asked for as long as they answer.
    """
    portfolio = import_batch.portfolio
    identified = _identify(read, portfolio.user, options, on_looking_up, is_worker_alive)
    named = under_new_tickers(identified.rows, portfolio, _chosen(options, identified))
    converted, unconverted = convert_to_own_currency(without_renamed(named, read))
    rated = without_foreign_rates(converted, portfolio.currency)
    rows = keep_former_ids(in_own_money(rated, portfolio.currency), portfolio)
    rows = recognise_former_prices(rows, portfolio)
    reversals = [row for row in rows if row.takes_back]
    rows = [row for row in rows if not row.takes_back]
    unusable = _without_reversed([*identified.problems, *unconverted], read)
    _describe(import_batch, read, identified)
    if not dry_run and options.save_mapping_as:
        import_batch.mapping_name = options.save_mapping_as
    import_batch.failed += len({one.row for one in unusable})
    outcome = import_rows(
        import_batch=import_batch,
        rows=rows,
        problems=[*read.problems, *unusable],
        on_error=options.on_error,
        dry_run=dry_run,
        accept_opening=options.accept_opening,
        checkpoints=_with_tickers(read.checkpoints, named),
        on_progress=on_progress,
        identified=identified.found_by_isin,
        by_hand=identified.by_hand,
        reversals=Reversals(reversals, read.reversed_ids, read.unpaired),
    )
    if outcome.is_saved and not outcome.is_refused:
        _remember(portfolio, identified)
    if not dry_run and not outcome.is_refused:
        mapping = read_mapping(options.mapping)
        remember_mapping(
            user=portfolio.user, read=read, mapping=mapping, name=options.save_mapping_as
        )
    first_day = min((row.date for row in read.rows), default=None)
    outcome = dataclasses.replace(outcome, first_day=first_day)
    return _with_open_look_ups(outcome, read, identified)


def _chosen(options: ImportOptions, identified: Identified) -> set[str]:
    """Return the tickers that the request itself names."""
    return identified.by_hand.union(one.strip().upper() for one in options.instruments.values())


def _without_reversed(problems: Sequence[RowProblem], read: Statement) -> list[RowProblem]:
    """Leave out the problems of rows that the file reverses itself: they are ignored already.

    A row that reverses something of an unknown instrument reverses nothing that is recorded.
    """
    ignored = {row.row for row in read.reversals if row.takes_back == REVERSED}
    kept = [problem for problem in problems if problem.row not in ignored]
    return [read.unpaired.get(problem.row, problem) for problem in kept]


def _identify(
    read: Statement,
    user: User,
    options: ImportOptions,
    on_looking_up: OnLookingUp | None,
    is_worker_alive: bool,
) -> Identified:
    """Identify the instruments of the file; with `on_looking_up` again and again, while the sources
    answer.
    """
    open_before: int | None = None
    while True:
        identified = identify_instruments(
            [*read.rows, *read.reversals],
            user=user,
            choices=options.instruments,
            seconds=time_limit(),
            is_worker_alive=is_worker_alive,
        )
        still_open = len(identified.still_open)
        if on_looking_up is None or still_open in (0, open_before):
            return identified
        of = _instruments_in(read, identified)
        on_looking_up(of - still_open, of)
        open_before = still_open


def _instruments_in(read: Statement, identified: Identified) -> int:
    named = {row.ticker for row in read.rows if row.ticker}
    return len(named) + len(identified.listed)


def _with_open_look_ups(outcome: Outcome, read: Statement, identified: Identified) -> Outcome:
    """Leave to the worker what the sources have not answered, and count it in the outcome."""
    still_open = list(identified.still_open)
    by_isin_or_name = set(identified.tickers.values())
    for ticker, currency in outcome.unanswered.items():
        # What the sources found by an ISIN is identified, if they also said its currency.
        if not currency or ticker not in by_isin_or_name:
            still_open.append(Wanted("", ticker, currency))
    if not still_open:
        return outcome
    leave_to_worker(still_open, user=outcome.import_batch.portfolio.user)
    of = _instruments_in(read, identified)
    return dataclasses.replace(outcome, looking_up=(of - len(still_open), of))


def _describe(import_batch: ImportBatch, read: Statement, identified: Identified) -> None:
    """Put what the file says besides its transactions into `import_batch` (not saved)."""
    import_batch.failed = read.failed
    import_batch.ignored = read.ignored
    import_batch.ignored_sums = [
        {"type": kind, "currency": currency, "count": count, "amount": f"{strip_zeros(amount):f}"}
        for (kind, currency), (count, amount) in read.ignored_sums.items()
    ]
    import_batch.instruments = identified.listed
    import_batch.reconciled = read.reconciles or None
    import_batch.first_divergence = None
    if read.divergence:
        import_batch.first_divergence = {"kind": OF_FILE, **dataclasses.asdict(read.divergence)}


def _with_tickers(
    checkpoints: Sequence[Checkpoint], rows: Sequence[StatementRow]
) -> list[Checkpoint]:
    """Give the numbers of shares the tickers that the rows of their lines were given.

    Those without one are left out. Of two for one ticker and day the later one counts.
    """
    tickers = {row.row: row.ticker for row in rows if row.ticker}
    found: dict[tuple[str, str, date], Checkpoint] = {}
    for point in checkpoints:
        ticker = ""
        if not point.currency:
            ticker = tickers.get(point.row, "")
        if ticker or point.currency:
            found[point.currency, ticker, point.day] = replace(point, ticker=ticker)
    return list(found.values())


def _remember(portfolio: Portfolio, identified: Identified) -> None:
    """Store what was found out about the instruments, for the next file."""
    if identified.tickers:
        remember_aliases(user=portfolio.user, tickers=identified.tickers)
    held = portfolio.holdings.filter(stock__ticker__in=identified.isins)
    for stock_id, ticker in held.values_list("stock_id", "stock__ticker"):
        note_isin(stock_id=stock_id, isin=identified.isins[ticker])
        if ticker in identified.found_by_isin:
            # The source has just said it. For others it is asked by a nightly task.
            learn_isin(stock_id=stock_id, isin=identified.isins[ticker])
