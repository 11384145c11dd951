"""Files of transactions: taken in, and written out."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from financeproj.core.currencies import is_currency
from financeproj.core.db.fields import POSTGRESQL_DIGITS, check_number
from financeproj.core.errors import DomainError, TooLarge
from financeproj.core.money import EXACT, ONE, SIGNIFICANT_DIGITS, round_for_storage, strip_zeros
from financeproj.users.models import User
from integrations.instruments import Resolution, resolve
from integrations.statements import generic
from integrations.statements.base import (
    Fault,
    FileProblem,
    FileTooLarge,
    Options,
    RowError,
    Statement,
    StatementRow,
)
from integrations.statements.registry import AUTO, read_statement
from marketdata.queries import exchange_rates_for_import
from marketdata.services import note_isin
from portfolios import selectors
from portfolios.calc.duplicates import fingerprint
from portfolios.models import ImportBatch, Portfolio, Transaction
from portfolios.services import import_rows, remember_aliases
from portfolios.services.importing import Checkpoint, Outcome, row_error

_OCCURRENCE = re.compile(r":\d+$")  # of an id that several rows share
EXPORT_CHUNK = 2000
SAMPLE_ROWS, SAMPLE_CELL = 3, 80
UNREAD_NAMED, TAKEN_BACK_NAMED = 10, 20
ASKED_AT_ONCE = 500


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
        warnings=_warnings(portfolio, read),
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
    rows, unconverted = _in_own_currency(resolution.rows)
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
    _keep_former_ids(portfolio, rows)
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


def _keep_former_ids(portfolio: Portfolio, rows: list[StatementRow]) -> None:
    """Give rows that were recorded under their former id, and say the same, that id again: so they
    are duplicates.
    """
    former = {row.former_id for row in rows if row.former_id}
    if not former:
        return
    recorded: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    stored = Transaction.objects.filter(portfolio=portfolio, external_id__isnull=False)
    values = ("external_id", "imported_as", "date", "type", "quantity", "price")
    for external_id, print_, day, kind, quantity, price in stored.values_list(*values).iterator():
        name = _OCCURRENCE.sub("", external_id)
        if name in former:
            recorded[
                name, *_content(print_ or fingerprint("", day, kind, quantity, price, None))
            ].append(external_id)
    for row in rows:
        print_ = fingerprint(
            row.ticker, row.date, row.type, row.quantity, row.price, row.commission
        )
        if ids := recorded.get((row.former_id, *_content(print_))):
            row.external_id = ids.pop(0)


def _content(print_: str) -> tuple[str, ...]:
    """Day, type, quantity and price of a fingerprint; a fee was once all told with the first of
    several rows.
    """
    return tuple(print_.split("|")[1:5])


def _warnings(portfolio: Portfolio, read: Statement) -> list[str]:
    """What is no error but may be a mistake."""
    warnings = []
    if read.unread:
        names = ", ".join(
            name[:SAMPLE_CELL].replace("\x00", "") for name in read.unread[:UNREAD_NAMED]
        )
        more = (
            f" and {len(read.unread) - UNREAD_NAMED} more"
            if len(read.unread) > UNREAD_NAMED
            else ""
        )
        warnings.append(
            f"Not read, because no column of this format has that name: {names}{more}. If it holds something that "
            "counts, rename the column."
        )
    warnings += [
        f"The broker took back what line {read.taken_back[external_id]} says, but it is recorded here: delete the "
        f"{kind} of {ticker} on {day}."
        for external_id, kind, ticker, day in _recorded(portfolio, list(read.taken_back))[
            :TAKEN_BACK_NAMED
        ]
    ]
    last = (
        ImportBatch.objects.filter(
            portfolio=portfolio, format=read.format, state=ImportBatch.State.DONE
        )
        .exclude(account="")
        .values_list("account", flat=True)
        .first()
    )
    if read.account and last and last != read.account:
        warnings.append(
            f"This file is of the account {read.account}, the last one of this portfolio was of {last}."
        )
    return warnings


def _recorded(portfolio: Portfolio, external_ids: list[str]) -> list[tuple[str, str, str, date]]:
    """(external id, type, ticker, date) of the transactions that have one of these ids."""
    return [
        row
        for start in range(0, len(external_ids), ASKED_AT_ONCE)
        for row in Transaction.objects.filter(
            portfolio=portfolio, external_id__in=external_ids[start : start + ASKED_AT_ONCE]
        ).values_list("external_id", "type", "holding__stock__ticker", "date")
    ]


def _in_own_currency(rows: list[StatementRow]) -> tuple[list[StatementRow], list[RowError]]:
    """`rows` with prices and commissions in the instrument's currency, at the day's rate where the
    broker gives them in another; and the errors of those for which there is no rate.
    """
    wanted = {
        (row.currency, other, row.date)
        for row in rows
        for other in (row.price_in, row.commission_in)
        if other and row.currency and other != row.currency
    }
    rates = exchange_rates_for_import(wanted) if wanted else {}
    converted, errors = [], []
    for row in rows:
        others = {
            other for other in (row.price_in, row.commission_in) if other and other != row.currency
        }
        if missing := [
            other for other in others if not rates.get((row.currency or "", other, row.date))
        ]:
            detail = f"No rate from {missing[0]} to {row.currency or 'its currency'} is known on {row.date}."
            errors.append(
                RowError(row.row, "currency", missing[0], "exchange_rate_required", detail)
            )
            continue
        for name, other in (("price", row.price_in), ("commission", row.commission_in)):
            value = getattr(row, name)
            if other in others and value:
                rate = rates[row.currency or "", other, row.date] or ONE
                setattr(row, name, round_for_storage(EXACT.divide(value, rate)))
        converted.append(row)
    return converted, errors


def _remember(portfolio: Portfolio, resolution: Resolution) -> None:
    """What was found out about the instruments, for the next statement."""
    if resolution.tickers:
        remember_aliases(user=portfolio.user, tickers=resolution.tickers)
    held = portfolio.holdings.filter(stock__ticker__in=resolution.isins).values_list(
        "stock_id", "stock__ticker"
    )
    for stock_id, ticker in held:
        note_isin(stock_id=stock_id, isin=resolution.isins[ticker])


def reading_options(
    date_format: str | None, decimal: str | None, mapping: Mapping[str, str] | None = None
) -> Options:
    """What a reader of files needs to know of today, of this database, and of what the user
    said.
    """
    return Options(
        today=timezone.localdate(),
        number_fault=_number_fault,
        is_currency=is_currency,
        date_format=date_format,
        decimal=decimal,
        mapping=mapping or {},
    )


def _number_fault(value: Decimal) -> Fault | None:
    try:
        check_number(
            value, digits=SIGNIFICANT_DIGITS if connection.vendor == "sqlite" else POSTGRESQL_DIGITS
        )
    except ValidationError as error:
        return Fault(error.code or "invalid", " ".join(error.messages))
    return None


def export_transactions(*, user: User, portfolio: Portfolio | None = None) -> Iterator[str]:
    """The user's transactions, or those of one portfolio, as lines of the generic format, in the
    order of entry.

    Read in chunks while they are taken, so that any number of them needs little memory.
    """
    rows = selectors.transactions_visible_to(user)
    return exported_lines(rows if portfolio is None else rows.filter(portfolio=portfolio))


def exported_lines(rows: QuerySet[Transaction]) -> Iterator[str]:
    """`rows` as lines of the generic format, the header first."""
    rows = rows.select_related("holding__stock").order_by("portfolio_id", "date", "sequence")
    return generic.write(_exported(row) for row in rows.iterator(EXPORT_CHUNK))


def _exported(row: Transaction) -> StatementRow:
    stock = row.holding.stock
    return StatementRow(
        row=0,
        type=row.type,
        date=row.date,
        ticker=stock.ticker,
        quantity=row.quantity,
        price=row.price,
        commission=row.commission,
        exchange_rate=row.exchange_rate,
        currency=stock.currency,
        company_name=row.holding.name,
        note=row.note,
        external_id=row.external_id,
    )
