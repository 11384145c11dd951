"""A whole statement taken into a portfolio at once."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from financeproj.core.db.rows import update_rows
from financeproj.core.errors import DomainError
from financeproj.core.money import ONE, ZERO, strip_zeros
from financeproj.users.models import User
from marketdata import queries
from marketdata import services as marketdata
from marketdata.models import StockMetadata, StockSplit
from portfolios.calc.duplicates import fingerprint, match
from portfolios.calc.kinds import RULES
from portfolios.calc.ledger import Oversold, Position, Step, order, quantities, replay
from portfolios.models import (
    DismissedSplit,
    Holding,
    ImportBatch,
    PendingImport,
    Portfolio,
    Transaction,
    TransactionSource,
)
from portfolios.services.replay import (
    DERIVED,
    InsufficientQuantity,
    Row,
    derive,
    lock_portfolio,
    next_sequence,
    settle_splits,
    store_position,
    stored_rows,
    touch,
)
from portfolios.services.splits import catch_up

BATCH = 2000
PREVIEW = 50
PLANNED = 0.3  # of the work is done when it is known what to write
# A file of nothing but mistakes would fill the database with them; `failed` counts them all.
ERRORS_LISTED = 1000
VALUE_SHOWN = 100
RUNNING = ImportBatch.State.RUNNING


class ImportRow(Protocol):
    """One transaction of a statement: values as the file has them, None where it says nothing.

    `row` is its line. Everything that needs no database has been checked.
    """

    row: int
    type: str
    date: date
    ticker: str
    quantity: Decimal
    price: Decimal | None
    commission: Decimal | None
    exchange_rate: Decimal | None
    currency: str | None
    company_name: str
    note: str
    external_id: str | None


class Checkpoint(NamedTuple):
    """What the broker says was held of `ticker` when `day` ended; `row` is the line that says
    so.
    """

    ticker: str
    day: date
    quantity: Decimal
    row: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a statement, or would become of it in a dry run.

    `import_batch` is saved only if transactions were created. `preview` has the first of these.
    `without_history` are the instruments whose past prices nobody has asked for yet.
    """

    import_batch: ImportBatch
    is_saved: bool
    is_refused: bool
    preview: list[Transaction]
    without_history: list[UUID]


class AlreadyDone(Exception):
    """Somebody else has done this import, or taken it away, meanwhile."""


def row_error(row: int, column: str | None, value: Any, code: str, detail: str) -> dict[str, Any]:
    """One entry of `ImportBatch.errors`."""
    # A null character is text to Python and JSON, but not to PostgreSQL.
    shown = None if value is None else str(value)[:VALUE_SHOWN].replace("\x00", "\ufffd")
    return {
        "row": row,
        "column": column,
        "value": shown,
        "code": code,
        "detail": detail.replace("\x00", "\ufffd"),
    }


def import_rows(
    *,
    import_batch: ImportBatch,
    rows: Sequence[ImportRow],
    on_error: str = "abort",
    dry_run: bool = False,
    checkpoints: Sequence[Checkpoint] = (),
    on_progress: Callable[[float], None] = lambda done: None,
) -> Outcome:
    """Record the new ones among `rows` in the statement's portfolio, all in one database
    transaction.

    `import_batch` names the portfolio and the file, and holds the `failed` and `ignored` counts and
    the `errors` of rows that could not be read. It is not saved yet, unless a worker does it: then
    what became of it is saved in any case, in the same transaction, and AlreadyDone is raised if
    another worker was first. Rows that the portfolio has already are left out (`match` says which).
    With `on_error` "abort" nothing is written if any row fails, and the state is "failed"; with
    "skip" the others are recorded. Instruments, rates and splits are asked for before the database
    transaction begins. `on_progress` is told which fraction of the work is done. `checkpoints` are
    compared with what is held after all; the first that differs becomes `first_divergence` unless
    there is an earlier one.
    """
    portfolio = import_batch.portfolio
    stocks = _instruments(portfolio.user, rows, dry_run=dry_run)
    rates = _rates(portfolio, rows, stocks)
    asked_for_splits = False
    while True:
        plan = _Plan(import_batch, rows, stocks, rates, checkpoints, on_progress)
        with transaction.atomic():
            locked = lock_portfolio(portfolio)
            if (
                not import_batch._state.adding
                and not ImportBatch.objects.filter(pk=import_batch.pk, state=RUNNING).exists()
            ):
                raise AlreadyDone
            plan.make(locked)
            short = [
                stock
                for stock in plan.short_of_shares
                if not stock.is_manual and not stock._state.adding
            ]
            if asked_for_splits or not short:
                return plan.carry_out(on_error=on_error, dry_run=dry_run)
        # Before a sale is refused for want of shares the sources are asked for splits; outside the
        # transaction.
        asked_for_splits = True
        marketdata.refresh_stocks(short, full=True)


# --- What has to be known before the database transaction begins ----------------------------------


def _instruments(
    user: User, rows: Iterable[ImportRow], *, dry_run: bool
) -> dict[str, StockMetadata | DomainError]:
    """Ticker → its instrument, or why there is none. May ask the sources; new ones are stored but
    in a dry run.
    """
    currencies: dict[str, str | None] = {}
    names: dict[str, str] = {}
    for row in rows:
        currencies[row.ticker] = currencies.get(row.ticker) or row.currency
        names[row.ticker] = names.get(row.ticker) or row.company_name
    wanted = [(ticker, currency, names[ticker]) for ticker, currency in currencies.items()]
    found = marketdata.instruments_for_import(user=user, wanted=wanted, dry_run=dry_run)
    # The first currency in the file is wrong: the instrument is what it is without it, and each row
    # is judged alone.
    wanted = [
        (ticker, None, names[ticker]) for ticker, stock in found.items() if _is_mismatch(stock)
    ]
    return found | (
        marketdata.instruments_for_import(user=user, wanted=wanted, dry_run=dry_run)
        if wanted
        else {}
    )


def _is_mismatch(stock: StockMetadata | DomainError) -> bool:
    return isinstance(stock, DomainError) and stock.code == "currency_mismatch"


def _rates(
    portfolio: Portfolio, rows: Iterable[ImportRow], stocks: dict[str, StockMetadata | DomainError]
) -> dict[tuple[str, str, date], Decimal | None]:
    """The rates of the days on which the file gives none."""
    wanted = set()
    for row in rows:
        stock = stocks[row.ticker]
        if (
            row.exchange_rate is None
            and RULES[row.type].is_priced
            and isinstance(stock, StockMetadata)
        ):
            wanted.add((stock.currency, portfolio.currency, row.date))
    wanted = {pair for pair in wanted if pair[0] != pair[1]}
    found: dict[tuple[str, str, date], Decimal | None] = (
        queries.exchange_rates_for_import(wanted) if wanted else {}
    )
    return found


# --- What would be written ------------------------------------------------------------------------


@dataclass(slots=True)
class _Change:
    """One holding after the import: what is new in it, and what changed of what it had."""

    holding: Holding
    rows: list[Row]
    created: list[Transaction]
    changed: list[Row]
    gone: list[Row]


class _Plan:
    """Everything that an import would write, worked out under the portfolio's lock before any of it
    is written.
    """

    def __init__(
        self,
        import_batch: ImportBatch,
        rows: Sequence[ImportRow],
        stocks: dict[str, StockMetadata | DomainError],
        rates: dict[tuple[str, str, date], Decimal | None],
        checkpoints: Sequence[Checkpoint],
        on_progress: Callable[[float], None],
    ) -> None:
        self.import_batch = import_batch
        self.rows = rows
        self.stocks = stocks
        self.rates = rates
        self.checkpoints = checkpoints
        self.on_progress = on_progress
        self.errors: list[dict[str, Any]] = []
        self.file_rows: dict[UUID, ImportRow] = {}  # by the transaction made of it
        self.duplicates = 0
        self.adopted: dict[UUID, str] = {}
        self.changes: list[_Change] = []
        self.short_of_shares: list[StockMetadata] = []

    def make(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        self.sequence = next_sequence(portfolio) - 1
        self.holdings = {
            holding.stock_id: holding for holding in Holding.objects.filter(portfolio=portfolio)
        }
        by_holding: dict[UUID, list[Transaction]] = defaultdict(list)
        for row, print_ in self._new_rows(list(self._usable_rows())):
            if (made := self._transaction(row, print_)) is not None:
                by_holding[made.holding_id].append(made)
        touched = [holding for holding in self.holdings.values() if holding.pk in by_holding]
        known: dict[UUID, list[StockSplit]] = defaultdict(list)
        for split in StockSplit.objects.filter(
            stock__in=[holding.stock_id for holding in touched]
        ).order_by("date"):
            known[split.stock_id].append(split)
        dismissed: dict[UUID, set[date]] = defaultdict(set)
        for holding_id, day in DismissedSplit.objects.filter(holding__in=touched).values_list(
            "holding_id", "date"
        ):
            dismissed[holding_id].add(day)
        stored = stored_rows(touched)
        for done, holding in enumerate(touched):
            self.on_progress(PLANNED * done / len(touched))
            self._replay(
                holding,
                stored[holding.pk],
                by_holding[holding.pk],
                known[holding.stock_id],
                dismissed[holding.pk],
            )

    def _fail(self, row: ImportRow, column: str | None, value: Any, code: str, detail: str) -> None:
        self.errors.append(row_error(row.row, column, value, code, detail))

    def _usable_rows(self) -> Iterator[ImportRow]:
        for row in self.rows:
            stock = self.stocks[row.ticker]
            if isinstance(stock, DomainError):
                column = stock.attr or "ticker"
                self._fail(row, column, getattr(row, column, row.ticker), stock.code, stock.detail)
            elif row.currency and row.currency != stock.currency:
                detail = f"{stock.ticker} is quoted in {stock.currency}."
                self._fail(row, "currency", row.currency, "currency_mismatch", detail)
            else:
                yield row

    def _new_rows(self, rows: list[ImportRow]) -> Iterator[tuple[ImportRow, str]]:
        """The rows that the portfolio does not have yet, with their fingerprints."""
        prints = [
            fingerprint(row.ticker, row.date, row.type, row.quantity, row.price, row.commission)
            for row in rows
        ]
        ids = [row.external_id for row in rows]
        days = [row.date for row in rows]
        stored = _stored_prints(self.portfolio, min(days), max(days)) if rows else ()
        matches = match(list(zip(prints, ids, strict=True)), stored)
        self.duplicates = len(matches.duplicates)
        self.adopted = matches.adopted
        for position, row in enumerate(rows):
            if position in matches.contradicted:
                detail = f"An earlier row of the file has the id {row.external_id} too, and says something else."
                self._fail(row, "external_id", row.external_id, "duplicate_external_id", detail)
            elif position not in matches.duplicates:
                yield row, prints[position]

    def _transaction(self, row: ImportRow, print_: str) -> Transaction | None:
        stock = self.stocks[row.ticker]
        assert isinstance(stock, StockMetadata)  # nosec B101  # for mypy
        rate = row.exchange_rate
        if rate is None and RULES[row.type].is_priced:
            pair = (stock.currency, self.portfolio.currency)
            rate = ONE if pair[0] == pair[1] else self.rates.get((*pair, row.date))
            if rate is None:
                detail = f"No rate from {pair[0]} to {pair[1]} is known on {row.date}: give exchange_rate."
                self._fail(row, "exchange_rate", None, "exchange_rate_required", detail)
                return None
        self.sequence += 1
        made = Transaction(
            # Ids, not objects: Django's bookkeeping of three relations costs as much as the rest of
            # the row.
            holding_id=self._holding(stock, row.company_name).pk,
            portfolio_id=self.portfolio.pk,
            type=row.type,
            date=row.date,
            effective_date=row.date,
            sequence=self.sequence,
            quantity=row.quantity,
            price=row.price,
            commission=row.commission or ZERO,
            exchange_rate=rate,
            note=row.note,
            external_id=row.external_id,
            source=TransactionSource.IMPORT,
            import_batch_id=self.import_batch.pk,
            imported_as=print_,
        )
        self.file_rows[made.pk] = row
        return made

    def _holding(self, stock: StockMetadata, company_name: str) -> Holding:
        holding = self.holdings.get(stock.pk)
        if holding is None:
            holding = self.holdings[stock.pk] = Holding(portfolio=self.portfolio, stock=stock)
        elif "stock" not in holding._state.fields_cache:
            holding.portfolio, holding.stock = self.portfolio, stock
        if (
            company_name
            and holding._state.adding
            and not holding.company_name
            and company_name != stock.company_name
        ):
            holding.company_name = company_name
        return holding

    def _replay(
        self,
        holding: Holding,
        old: Sequence[Row],
        made: list[Transaction],
        known: list[StockSplit],
        dismissed: set[date],
    ) -> None:
        """Replay `holding` with as many of the rows `made` as its shares allow; the others fail."""
        ticker = holding.stock.ticker
        taken_back = 1
        while made:
            rows, gone = settle_splits(holding, [*old, *made], known=known, dismissed=dismissed)
            refused: dict[UUID, InsufficientQuantity] = {}

            def leave_out(
                error: Oversold, refused: dict[UUID, InsufficientQuantity] = refused
            ) -> bool:
                entry: Any = error.entry
                if _is_new(entry):
                    refused[entry.pk] = InsufficientQuantity(error, ticker=ticker, cause=entry)
                return _is_new(entry)

            try:
                position, steps = replay(rows, leave_out=leave_out)
            except Oversold as error:
                # A sale that was there before lacks shares now: the last of the new rows that took
                # some have to go. Twice as many each time, so that no history takes more than some
                # twenty replays.
                problem = InsufficientQuantity(error, ticker=ticker)
                before = [
                    row
                    for row in made
                    if RULES[row.type].can_reduce_shares and order(row) < order(error.entry)
                ]
                if not before:
                    raise problem from error
                refused = {row.pk: problem for row in sorted(before, key=order)[-taken_back:]}
                taken_back *= 2
            if not refused:
                try:
                    self._keep(holding, position, steps, rows, gone)
                except (
                    DomainError
                ) as fault:  # figures out of range: which row's fault it is nobody can tell
                    for row in made:
                        self._fail(
                            self.file_rows[row.pk],
                            fault.attr,
                            strip_zeros(row.quantity),
                            fault.code,
                            fault.detail,
                        )
                return
            if holding.stock not in self.short_of_shares:
                self.short_of_shares.append(holding.stock)
            for row in made:
                if row.pk in refused:
                    problem = refused[row.pk]
                    self._fail(
                        self.file_rows[row.pk],
                        "quantity",
                        strip_zeros(row.quantity),
                        problem.code,
                        problem.detail,
                    )
            made = [row for row in made if row.pk not in refused]

    def _keep(
        self,
        holding: Holding,
        position: Position,
        steps: list[Step[Row]],
        rows: list[Row],
        gone: list[Row],
    ) -> None:
        changed = [step.entry for step in steps if derive(step)]
        store_position(holding, position, rows)
        created = [row for row in rows if isinstance(row, Transaction)]
        for row in created:
            if not _is_new(row):  # a split of the source
                self.sequence += 1
                row.sequence = self.sequence
        changed = [row for row in changed if not isinstance(row, Transaction)]
        self.changes.append(_Change(holding, rows, created, changed, gone))

    def _first_divergence(self) -> dict[str, Any] | None:
        """The first checkpoint that is not what is held."""
        replayed = {change.holding.stock_id: change.rows for change in self.changes}
        held: dict[str, list[tuple[date, Decimal]]] = {}
        for point in sorted(self.checkpoints, key=lambda point: (point.day, point.row)):
            stock = self.stocks.get(point.ticker)
            if not isinstance(stock, StockMetadata):
                continue
            if point.ticker not in held:
                holding = self.holdings.get(stock.pk)
                rows = replayed.get(stock.pk) or (
                    list(holding.transactions.all()) if holding else []
                )
                held[point.ticker] = quantities(rows)
            so_far = [quantity for day, quantity in held[point.ticker] if day <= point.day]
            ours = so_far[-1] if so_far else ZERO
            if ours != point.quantity:
                return {"row": point.row, "expected": _shares(point.quantity), "got": _shares(ours)}
        return None

    def carry_out(self, *, on_error: str, dry_run: bool) -> Outcome:
        import_batch = self.import_batch
        created = [row for change in self.changes for row in change.created]
        imported = [row for row in created if _is_new(row)]
        import_batch.created = len(imported)
        import_batch.duplicates = self.duplicates
        import_batch.failed += len(self.errors)
        import_batch.rows = (
            import_batch.created
            + import_batch.duplicates
            + import_batch.ignored
            + import_batch.failed
        )
        import_batch.errors = sorted(
            [*import_batch.errors, *self.errors], key=lambda error: error["row"]
        )[:ERRORS_LISTED]
        import_batch.instruments = self._instruments()
        if import_batch.reconciled is not None and import_batch.first_divergence is None:
            import_batch.first_divergence = self._first_divergence()
        if import_batch.first_divergence is not None:
            import_batch.reconciled = False
        import_batch.adopted = {str(pk): external_id for pk, external_id in self.adopted.items()}
        is_refused = on_error == "abort" and import_batch.failed > 0
        import_batch.state = ImportBatch.State.FAILED if is_refused else ImportBatch.State.DONE
        is_written = not dry_run and not is_refused
        is_queued = not import_batch._state.adding
        if is_written:
            self._write(created)
        if is_queued:
            import_batch.progress = 1
            import_batch.save()
            PendingImport.objects.filter(import_batch=import_batch).delete()
        self.on_progress(1)
        preview = heapq.nsmallest(PREVIEW, imported, key=lambda row: row.sequence)
        holdings = {change.holding.pk: change.holding for change in self.changes}
        for row in preview:
            row.holding = holdings[row.holding_id]
        return Outcome(
            import_batch=import_batch,
            is_saved=is_queued or (is_written and bool(imported)),
            is_refused=is_refused,
            preview=preview,
            without_history=[
                change.holding.stock_id
                for change in self.changes
                if change.holding.stock.history_fetched_at is None
                and not change.holding.stock.is_manual
            ],
        )

    def _write(self, created: list[Transaction]) -> None:
        adopting = [
            Transaction(pk=pk, external_id=external_id) for pk, external_id in self.adopted.items()
        ]
        update_rows(Transaction, adopting, ["external_id"])
        if not created:
            return
        self.import_batch.save()
        gone = [row.pk for change in self.changes for row in change.gone]
        Transaction.objects.filter(pk__in=gone).delete()
        marketdata.keep_instruments(stocks=[change.holding.stock for change in self.changes])
        for change in self.changes:
            change.holding.stock = change.holding.stock  # it may be another's, with another key
            if not change.holding._state.adding:
                change.holding.save()
        new = [change.holding for change in self.changes if change.holding._state.adding]
        Holding.objects.bulk_create(new, batch_size=500)
        catch_up(new)
        for start in range(0, len(created), BATCH):
            self.on_progress(PLANNED + (1 - PLANNED) * start / len(created))
            Transaction.objects.bulk_create(created[start : start + BATCH])
        update_rows(
            Transaction, [row for change in self.changes for row in change.changed], DERIVED
        )
        touch(self.portfolio)

    def _instruments(self) -> list[dict[str, Any]]:
        """What the statement's instruments were taken for: as whoever resolved them says, else by
        their ticker.
        """
        resolved = self.import_batch.instruments
        tickers = {one["ticker"] for one in resolved}
        listed = [
            {
                "name": stock.company_name,
                "isin": stock.isin or None,
                "ticker": ticker,
                "resolved_by": "ticker",
            }
            for ticker, stock in self.stocks.items()
            if isinstance(stock, StockMetadata) and ticker not in tickers
        ]
        for one in (listed := [*resolved, *listed][:ERRORS_LISTED]):
            stock = self.stocks.get(one["ticker"])
            if isinstance(stock, StockMetadata):
                one["currency"] = stock.currency
        return listed


def _shares(quantity: Decimal) -> str:
    return f"{strip_zeros(quantity):f} shares"


def _is_new(row: Row) -> bool:
    """Whether it comes from the file, and not from the database or a source of splits."""
    return isinstance(row, Transaction) and row.source == TransactionSource.IMPORT


def _stored_prints(
    portfolio: Portfolio, first: date, last: date
) -> Iterator[tuple[UUID, str, str | None]]:
    """Key, fingerprint and external id of what the portfolio has: as imported, else as it is now.

    Those of other days than `first` to `last` are left out where neither can match.
    """
    rows = Transaction.objects.filter(portfolio=portfolio).exclude(
        source=TransactionSource.MARKET_DATA
    )
    yield from (
        rows.exclude(imported_as="").values_list("pk", "imported_as", "external_id").iterator(BATCH)
    )
    values = ("holding__stock__ticker", "date", "type", "quantity", "price", "commission")
    for pk, external_id, *fields in (
        rows.filter(Q(date__range=(first, last)) | Q(external_id__isnull=False), imported_as="")
        .values_list("pk", "external_id", *values)
        .iterator(BATCH)
    ):
        yield pk, fingerprint(*fields), external_id
