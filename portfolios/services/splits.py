"""Book the splits that a market data source reports into the holdings of the instrument."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from financeproj.core.db.rows import pks_of
from financeproj.core.errors import DomainError
from financeproj.history.models import Door
from financeproj.history.services import HistoryObject, record
from marketdata.calc.events import Event
from marketdata.models import StockMetadata, StockSplit
from portfolios.models import DismissedSplit, Holding, Transaction, TransactionType
from portfolios.services.history import dismissed_split_object
from portfolios.services.ledger_check import repair_holding
from portfolios.services.ledger_rows import lock_portfolios, touch
from portfolios.services.replay import replay_holding

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@transaction.atomic
def book_splits(*, stock: StockMetadata, by_hand: bool = False) -> None:
    """Replay every holding of `stock`, which books its splits where they belong.

    Safe to run twice. A holding that cannot take them stays as it is and is named in `missing`, and
    the price refresh of everyone else continues. Where a person changed a split (`by_hand`),
    DomainError is raised instead; the caller must then roll back.
    """
    holdings = Holding.objects.filter(stock=stock).select_related("portfolio", "stock")
    booked: Counter[UUID] = Counter()
    locked = lock_portfolios(holdings.values_list("portfolio_id", flat=True))
    for holding in holdings.filter(portfolio__in=list(locked)).order_by("portfolio_id"):
        try:
            with transaction.atomic():
                bookings = replay_holding(holding)
        except DomainError as error:
            if by_hand:
                raise
            log.warning(
                "splits_not_booked",
                ticker=stock.ticker,
                holding_id=str(holding.pk),
                detail=error.detail,
            )
            holding.refresh_from_db()
            latest = StockSplit.objects.filter(stock=stock).order_by("-date").first()
            if latest is not None:
                holding.unbooked_split_on = latest.date
            holding.version += 1
            holding.save()
            touch(holding.portfolio)
        else:
            if bookings:
                booked[holding.portfolio.user_id] += bookings
    for owner_id, count in booked.items():
        record(
            "splits_booked",
            HistoryObject(type="instrument", id=stock.pk, label=stock.ticker, owner_id=owner_id),
            counts={"transactions": count},
            door=None if by_hand else Door.SOURCE,
        )


def catch_up(holdings: Iterable[Holding]) -> None:
    """Book splits that were stored during this transaction in new `holdings`, once it is committed.

    A process that stores a split books it in the holdings that are committed by then, and on
    PostgreSQL it does not wait for others. SQLite allows only one write at a time.
    """
    new = pks_of(holdings)
    if new and connection.features.has_select_for_update:
        transaction.on_commit(lambda: _book_missed(new), robust=True)


def _book_missed(new: list[UUID]) -> None:
    booked = Transaction.objects.filter(
        holding=OuterRef(OuterRef("pk")),
        effective_date=OuterRef("date"),
        type=TransactionType.SPLIT,
    )
    later_splits = StockSplit.objects.filter(
        stock=OuterRef("stock_id"), date__gt=OuterRef("first_transaction_on")
    )
    missed = later_splits.exclude(Exists(booked))
    for pk in Holding.objects.filter(Exists(missed), pk__in=new).values_list("pk", flat=True):
        repair_holding(pk)


def on_splits_recorded(
    sender: object,
    stock: StockMetadata,
    by_hand: bool,
    moves: Iterable[tuple[Event, Event]] = (),
    **kwargs: object,
) -> None:
    """Receive marketdata's signal, inside the transaction that stores the splits."""
    for (day, ratio), (new_day, new_ratio) in moves:
        # What a user deleted stays deleted wherever the source moves it.
        deleted = DismissedSplit.objects.filter(holding__stock=stock, date=day, ratio=ratio)
        taken = DismissedSplit.objects.filter(holding=OuterRef("holding"), date=new_day)
        deleted.exclude(Exists(taken.exclude(date=day))).update(date=new_day, ratio=new_ratio)
    book_splits(stock=stock, by_hand=by_hand)


@transaction.atomic
def delete_dismissed_split(row: DismissedSplit) -> None:
    """Let the next replay of the holding book this split of the source again."""
    deleted = dismissed_split_object(row)
    row.delete()
    record("deleted", deleted, before={"date": row.date, "ratio": row.ratio})
