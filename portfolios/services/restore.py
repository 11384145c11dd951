"""Store the portfolios of another installation, from an export."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import transaction

from financeproj.core.db.rows import insert_as_they_are
from financeproj.core.errors import DomainError
from financeproj.users.models import User
from marketdata.models import StockMetadata
from portfolios.models import (
    Checkpoint,
    DismissedSplit,
    Holding,
    ImportBatch,
    ImportMapping,
    InstrumentAlias,
    KnownRows,
    OpeningBalance,
    Portfolio,
    PortfolioBalance,
    Transaction,
    TransactionGroup,
)
from portfolios.services.held_back import accept_booked_splits
from portfolios.services.ledger_check import ledger_faults
from portfolios.services.ledger_rows import lock_portfolios
from portfolios.services.links import keep_links
from portfolios.services.replay import replay_holding


@transaction.atomic
def restore_portfolios(
    *,
    user: User,
    portfolios: Iterable[Portfolio],
    balances: Iterable[PortfolioBalance],
    openings: Iterable[OpeningBalance],
    imports: Iterable[ImportBatch],
    checkpoints: Iterable[Checkpoint],
    known_rows: Iterable[KnownRows],
    holdings: Iterable[Holding],
    groups: Iterable[TransactionGroup],
    transactions: Iterable[Transaction],
    dismissed_splits: Iterable[DismissedSplit],
    aliases: Iterable[InstrumentAlias],
    mappings: Iterable[ImportMapping],
    known_before: Collection[UUID],
) -> None:
    """Store the rows of a user who has none yet, as they are, and replay every holding.

    `known_before` are the instruments that this installation had already. It can know other splits
    of them, so their holdings are replayed again at the end. Raises DomainError (`ledger_differs`)
    where the stored figures differ from the replay; the caller must then roll back.
    """
    User.objects.select_for_update().get(pk=user.pk)
    insert_as_they_are(Portfolio, portfolios)
    lock_portfolios(Portfolio.objects.filter(user=user).values_list("pk", flat=True))
    insert_as_they_are(PortfolioBalance, balances)
    insert_as_they_are(OpeningBalance, openings)
    insert_as_they_are(ImportBatch, imports)
    insert_as_they_are(Checkpoint, checkpoints)
    insert_as_they_are(KnownRows, known_rows)
    insert_as_they_are(Holding, holdings)
    insert_as_they_are(DismissedSplit, dismissed_splits)
    insert_as_they_are(TransactionGroup, groups)
    insert_as_they_are(Transaction, transactions)
    insert_as_they_are(InstrumentAlias, aliases)
    insert_as_they_are(ImportMapping, mappings)
    keep_links(Portfolio.objects.filter(user=user).values_list("pk", flat=True))
    restored = Holding.objects.filter(portfolio__user=user)
    faults = ledger_faults(restored)
    if faults:
        raise DomainError(f"Replayed, {faults[0]}.", code="ledger_differs")
    # In files of before, a split of the user's own makes prices by hand doubtful.
    by_hand = restored.filter(stock__source=StockMetadata.MANUAL, stock__splits__isnull=True)
    by_hand.update(unbooked_split_on=None)
    accept_booked_splits(user=user)
    known = restored.filter(stock__in=known_before).select_related("portfolio", "stock")
    for holding in known.order_by("pk"):
        replay_holding(holding)
