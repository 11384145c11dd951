"""How far portfolios agree with what their broker's files say. No query for what is cached."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet

from financeproj.core.db.rows import by_pk
from financeproj.core.money import strip_zeros
from financeproj.core.shared.versioned_cache import VersionedCache
from portfolios.calc.agreement import (
    Agreement,
    BookedRow,
    Compared,
    Stated,
    compare,
    counting,
)
from portfolios.calc.import_rows import Checkpoint as StatedCheckpoint
from portfolios.calc.taken_back import booked_rows_of, entries_of
from portfolios.models import Checkpoint, ImportBatch, Portfolio, Transaction

MAX_CHECKPOINTS_CACHED = 500_000
READ_AT_ONCE = 2000
OF_FILE = "file"  # the kind of a divergence between figures of the file itself

agreement_cache = VersionedCache(MAX_CHECKPOINTS_CACHED)

_ROW_COLUMNS = [
    {"ticker": "holding__stock__ticker", "import_id": "import_batch_id"}.get(name, name)
    for name in BookedRow.__struct_fields__
]
_CHECKPOINT_COLUMNS = (
    "day",
    "amount",
    "decimals",
    "row",
    "rows_of_day",
    "currency",
    "stock__ticker",
)


def agreements_of(portfolios: Iterable[Portfolio]) -> dict[UUID, Agreement]:
    """Return how far each portfolio agrees. At most four queries for all that are not cached."""

    def size(agreement: Agreement) -> int:
        return len(agreement.compared) + 1

    return agreement_cache.get_or_read(portfolios, read_agreements, size)


def read_agreements(portfolios: Iterable[Portfolio]) -> dict[UUID, Agreement]:
    """Compare all checkpoints of the `portfolios` with their ledgers as these are now."""
    portfolio_of = by_pk(portfolios)
    stated = stated_in(portfolio_of)
    found = {pk: Agreement({}) for pk in portfolio_of}
    if not stated:
        return found
    mixed = _of_several_accounts(stated)
    comparable = [pk for pk in stated if pk not in mixed]
    rows: dict[UUID, list[BookedRow]] = defaultdict(list)
    if comparable:
        stored = Transaction.objects.filter(portfolio__in=comparable)
        for portfolio_id, row in _booked_by_portfolio(stored):
            rows[portfolio_id].append(row)
        for portfolio_id, row in _reversed_by_portfolio(comparable):
            rows[portfolio_id].append(row)
    for pk, of_portfolio in stated.items():
        if pk in mixed:
            found[pk] = Agreement({}, checkpoints=len(counting(of_portfolio)), is_comparable=False)
        else:
            found[pk] = compare(of_portfolio, rows[pk], portfolio_of[pk].currency)
    return found


def stated_in(portfolio_ids: Iterable[UUID]) -> dict[UUID, list[Stated]]:
    """Read the checkpoints of imports that stand, the oldest import first, by portfolio."""
    stored = Checkpoint.objects.filter(
        import_batch__portfolio__in=list(portfolio_ids), import_batch__state=ImportBatch.State.DONE
    ).order_by("import_batch__created_at", "import_batch_id")
    columns = stored.values_list(
        "import_batch__portfolio_id", "import_batch_id", *_CHECKPOINT_COLUMNS
    )
    stated: dict[UUID, list[Stated]] = defaultdict(list)
    for portfolio_id, import_id, *figures in columns.iterator(READ_AT_ONCE):
        stated[portfolio_id].append(Stated(_checkpoint(*figures), import_id))
    return dict(stated)


def comparable_checkpoints(portfolio: Portfolio) -> list[Stated]:
    """Read the checkpoints of a portfolio, the oldest import first. Two queries.

    Empty if its imports name several accounts.
    """
    if names_several_accounts(portfolio):
        return []
    return stated_in([portfolio.pk]).get(portfolio.pk, [])


def checkpoints_of(import_batch: ImportBatch) -> list[StatedCheckpoint]:
    """Read the checkpoints that one import left. One query."""
    rows = Checkpoint.objects.filter(import_batch=import_batch)
    return [_checkpoint(*figures) for figures in rows.values_list(*_CHECKPOINT_COLUMNS)]


def _checkpoint(
    day: date,
    amount: Decimal,
    decimals: int,
    row: int,
    rows_of_day: int,
    currency: str | None,
    ticker: str | None,
) -> StatedCheckpoint:
    return StatedCheckpoint(day, amount, decimals, row, rows_of_day, currency or "", ticker or "")


def _of_several_accounts(portfolio_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of `portfolio_ids` whose imports name more than one account. One query."""
    accounts: dict[UUID, set[str]] = defaultdict(set)
    for portfolio_id, account in _accounts(portfolio_ids):
        accounts[portfolio_id].add(account)
    return {pk for pk, names in accounts.items() if len(names) > 1}


def names_several_accounts(portfolio: Portfolio, account: str = "") -> bool:
    """Return whether its imports, together with one more of `account`, name several accounts."""
    names = {name for _, name in _accounts([portfolio.pk])}
    return len(names | {account} - {""}) > 1


def _accounts(portfolio_ids: Iterable[UUID]) -> QuerySet[ImportBatch, tuple[UUID, str]]:
    imports = ImportBatch.objects.filter(
        portfolio__in=list(portfolio_ids), state=ImportBatch.State.DONE
    ).exclude(account="")
    return imports.values_list("portfolio_id", "account").distinct().order_by()


def booked_rows(rows: QuerySet[Transaction]) -> Iterator[BookedRow]:
    """Yield what of each of `rows` is compared. One query."""
    for _, row in _booked_by_portfolio(rows):
        yield row


def _booked_by_portfolio(rows: QuerySet[Transaction]) -> Iterator[tuple[UUID, BookedRow]]:
    for portfolio_id, *values in rows.values_list("portfolio_id", *_ROW_COLUMNS).iterator(
        READ_AT_ONCE
    ):
        yield portfolio_id, BookedRow(*values)


def reversed_rows(portfolio: Portfolio) -> Iterator[BookedRow]:
    """Yield what rows that were reversed later moved in the broker's balances. One query."""
    for _, row in _reversed_by_portfolio([portfolio.pk]):
        yield row


def _reversed_by_portfolio(portfolio_ids: Iterable[UUID]) -> Iterator[tuple[UUID, BookedRow]]:
    imports = ImportBatch.objects.filter(
        portfolio__in=list(portfolio_ids), state=ImportBatch.State.DONE
    ).exclude(completed_rows={})
    for portfolio_id, completed in imports.values_list("portfolio_id", "completed_rows"):
        for entry in entries_of(completed).values():
            for row in booked_rows_of(entry):
                yield portfolio_id, row


# --- What one import agrees with ------------------------------------------------------------------


def compare_import(
    import_batch: ImportBatch, checkpoints: Sequence[StatedCheckpoint], agreement: Agreement
) -> None:
    """Put into `import_batch` (not saved) whether its own checkpoints agree.

    What contradicts itself in the file comes first, whatever the ledger has. `reconciled`
    is None where there are checkpoints, but none can be compared.
    """
    found = import_batch.first_divergence
    if found is not None and found.get("kind") == OF_FILE:
        import_batch.reconciled = False
        return
    if not checkpoints:
        return
    own = agreement.of_import(checkpoints)
    first = next((one for one in own if not one.agrees), None)
    import_batch.reconciled = first is None if own else None
    import_batch.first_divergence = _divergence(first) if first else None


def live_import(import_batch: ImportBatch) -> ImportBatch:
    """Return an import compared with the ledger as it is now. It has its portfolio at hand."""
    if import_batch.state == ImportBatch.State.DONE:
        portfolio = import_batch.portfolio
        agreement = agreements_of([portfolio])[portfolio.pk]
        compare_import(import_batch, checkpoints_of(import_batch), agreement)
    return import_batch


def described(agreement: Agreement) -> str:
    """Say in English how far a portfolio agrees; empty without checkpoints."""
    if not agreement.is_comparable:
        return "Not compared: the imports name several accounts."
    if agreement.first_difference:
        found = _divergence(agreement.first_difference)
        return (
            f"Differs on {agreement.first_difference.day}: line {found['row']} of the file has "
            f"{found['expected']}, the ledger has {found['got']}."
        )
    return f"Agrees until {agreement.agrees_until}." if agreement.agrees_until else ""


def _divergence(one: Compared) -> dict[str, int | str]:
    """Return an entry of `ImportBatch.first_divergence`."""
    checkpoint = one.stated.checkpoint
    expected, got = f"{strip_zeros(checkpoint.amount):f}", f"{strip_zeros(one.got):f}"
    if checkpoint.ticker:
        expected, got = f"{expected} shares", f"{got} shares"
    else:
        currency = checkpoint.currency
        expected, got = f"balance {expected} {currency}", f"balance {got} {currency}"
    return {"row": checkpoint.row, "expected": expected, "got": got}
