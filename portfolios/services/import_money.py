"""The rows of money alone that an import adds, and the groups of those that belong together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID, uuid4

from msgspec import Struct

from financeproj.core.money import ONE, ZERO
from portfolios.calc.import_rows import ImportRow, RowProblem, gettext_noop
from portfolios.calc.kinds import TransactionType
from portfolios.models import (
    ImportBatch,
    OpeningBalance,
    Portfolio,
    Transaction,
    TransactionGroup,
    TransactionSource,
)
from portfolios.services.given_rates import impossible_rate
from portfolios.services.holding_changes import Problems
from portfolios.services.ledger_rows import keep_as_imported

# (from, to, day) → the rate, None where none is known.
Rates = Mapping[tuple[str, str, date], Decimal | None]
LEGS = 2
BATCH = 2000
UNPAIRED = RowProblem(
    "unpaired_conversion",
    gettext_noop(
        "This exchange of currencies needs two rows, one of each currency: money that leaves and "
        "money that arrives. Enter it by hand and skip this row."
    ),
)


class FoundRow(NamedTuple):
    """A row that the portfolio does not have yet, and its place in the order of entry."""

    row: ImportRow
    fingerprint: str
    sequence: int


class NewMoney(Struct, frozen=True):
    """A new row of money alone. `rate` turns its currency into the portfolio's; None where no rate
    is known. `group_id` is that of the group that its import makes, None for a row of its own.
    """

    pk: UUID
    file_row: ImportRow
    fingerprint: str
    sequence: int
    rate: Decimal | None
    group_id: UUID | None = None


def fit_money(
    portfolio: Portfolio, found: Sequence[FoundRow], rates: Rates
) -> tuple[list[NewMoney], Problems]:
    """Return the rows of money that can be recorded, and the problems of the others."""
    possible, impossible = _with_possible_rates(portfolio, found)
    once, repeated = _one_opening_a_currency(portfolio, possible)
    groups, unpaired = _groups_of(once)
    money: list[NewMoney] = []
    refused = {problem.row for problem in unpaired}
    for one in once:
        row = one.row
        if row.type == TransactionType.CONVERSION and row.row in refused:
            continue
        rate: Decimal | None = row.exchange_rate or ONE
        if row.exchange_rate is None and row.settlement_currency != portfolio.currency:
            rate = rates.get((row.settlement_currency or "", portfolio.currency, row.date))
        group_id = groups.get(row.group)
        money.append(NewMoney(uuid4(), row, one.fingerprint, one.sequence, rate, group_id))
    return money, impossible + repeated + unpaired


def _with_possible_rates(
    portfolio: Portfolio, found: Sequence[FoundRow]
) -> tuple[list[FoundRow], Problems]:
    """Keep all rows but those in the portfolio's currency with another rate than 1."""
    kept: list[FoundRow] = []
    problems: Problems = []
    for one in found:
        row = one.row
        currency = row.settlement_currency or portfolio.currency
        problem = impossible_rate(row.exchange_rate, currency, portfolio.currency, row.row)
        if problem is None:
            kept.append(one)
        else:
            problems.append(problem)
    return kept, problems


def _one_opening_a_currency(
    portfolio: Portfolio, found: Sequence[FoundRow]
) -> tuple[list[FoundRow], Problems]:
    """Keep all rows but openings in currencies that have one."""
    if all(one.row.type != TransactionType.OPENING for one in found):
        return list(found), []
    stand = Transaction.objects.filter(portfolio=portfolio, type=TransactionType.OPENING)
    said = OpeningBalance.objects.filter(portfolio=portfolio)
    opened = set(stand.values_list("settlement_currency", flat=True))
    opened.update(said.values_list("currency", flat=True))
    kept: list[FoundRow] = []
    problems: Problems = []
    for one in found:
        row, currency = one.row, one.row.settlement_currency
        if row.type == TransactionType.OPENING and currency in opened:
            message = gettext_noop("The portfolio has an opening in %(currency)s already.")
            problem = RowProblem("duplicate_opening", message, {"currency": currency or ""})
            problems.append(problem.at(row.row, "settlement_currency", currency))
            continue
        if row.type == TransactionType.OPENING:
            opened.add(currency)
        kept.append(one)
    return kept, problems


def _groups_of(found: Iterable[FoundRow]) -> tuple[dict[str, UUID], Problems]:
    """Return the ids of the groups to make, by their name in the file, and the problems of
    conversions with one leg. Other rows whose group is not complete stand alone.
    """
    legs: dict[str, list[ImportRow]] = defaultdict(list)
    alone: list[ImportRow] = []
    for one in found:
        if one.row.group:
            legs[one.row.group].append(one.row)
        elif one.row.type == TransactionType.CONVERSION:
            alone.append(one.row)
    groups: dict[str, UUID] = {}
    for name, rows in legs.items():
        if _is_conversion(rows):
            groups[name] = uuid4()
        else:
            alone += [row for row in rows if row.type == TransactionType.CONVERSION]
    return groups, [UNPAIRED.at(row.row, "type", row.type) for row in alone]


def _is_conversion(rows: Sequence[ImportRow]) -> bool:
    """Whether `rows` are the two legs of an exchange: less of one currency, more of another."""
    if len(rows) != LEGS or any(row.type != TransactionType.CONVERSION for row in rows):
        return False
    out, into = sorted(rows, key=lambda row: row.settlement_amount or ZERO)
    goes_out = (out.settlement_amount or ZERO) < 0 < (into.settlement_amount or ZERO)
    return goes_out and out.settlement_currency != into.settlement_currency


def money_transaction(
    one: NewMoney, portfolio: Portfolio, import_batch: ImportBatch
) -> Transaction:
    """Make the transaction of a new row of money; stores nothing."""
    file_row = one.file_row
    row = Transaction(
        id=one.pk,
        portfolio_id=portfolio.pk,
        type=file_row.type,
        date=file_row.date,
        effective_date=file_row.date,
        sequence=one.sequence,
        quantity=ONE,
        price=abs(file_row.settlement_amount or ZERO),
        commission=ZERO,
        tax=file_row.tax or ZERO,
        exchange_rate=one.rate,
        settlement_currency=file_row.settlement_currency,
        settlement_amount=file_row.settlement_amount,
        booked_on=file_row.booked_on,
        note=file_row.note,
        external_id=file_row.external_id,
        source=TransactionSource.IMPORT,
        import_batch_id=import_batch.pk,
        imported_as=one.fingerprint,
        group_id=one.group_id,
    )
    keep_as_imported(row, portfolio)
    return row


def _new_groups(
    money: Iterable[NewMoney], portfolio: Portfolio, import_batch: ImportBatch
) -> list[TransactionGroup]:
    """Make the groups of an import; stores nothing."""
    groups: dict[UUID, TransactionGroup] = {}
    for one in money:
        if one.group_id is not None:
            groups[one.group_id] = TransactionGroup(
                id=one.group_id,
                portfolio_id=portfolio.pk,
                kind=TransactionGroup.Kind.CONVERSION,
                note=one.file_row.note,
                import_batch_id=import_batch.pk,
            )
    return list(groups.values())


def write_money(portfolio: Portfolio, import_batch: ImportBatch, money: Sequence[NewMoney]) -> None:
    """Store the new rows of money with their groups, under the portfolio's lock."""
    TransactionGroup.objects.bulk_create(_new_groups(money, portfolio, import_batch))
    for start in range(0, len(money), BATCH):
        rows = [
            money_transaction(one, portfolio, import_batch) for one in money[start : start + BATCH]
        ]
        Transaction.objects.bulk_create(rows)
