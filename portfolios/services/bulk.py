"""Record many transactions at once: all of them, or none."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from financeproj.core.errors import DomainError
from financeproj.history.services import record
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from portfolios.calc.kinds import TransactionType
from portfolios.models import Holding, Portfolio, Transaction
from portfolios.services.history import transaction_fields, transaction_object
from portfolios.services.holdings import holding_for
from portfolios.services.ledger_rows import next_sequence
from portfolios.services.money import complete_money, insert_money, refuse_conversion
from portfolios.services.openings import keep_openings
from portfolios.services.repeated_splits import RepeatedSplit, refuse_repeated_splits
from portfolios.services.replay import InsufficientQuantity, replay_holding
from portfolios.services.transactions import all_fresh, complete, lock_portfolios_of, validate


@dataclass(frozen=True, slots=True)
class Entered:
    """One transaction to record: `row` is not stored, `stock` is None for money alone."""

    row: Transaction
    portfolio: Portfolio
    stock: StockMetadata | None
    company_name: str = ""
    force: bool = False  # as in record_transaction


def record_transactions(*, entered: Sequence[Entered]) -> list[Transaction]:
    """Record all of `entered` in one database transaction, and replay each holding once.

    Their order does not matter for what is held. Raises as record_transaction does; `attr` of an
    error then begins with the place of the transaction, "transactions.3.price". Nothing is written
    then.
    """
    for place, one in enumerate(entered):
        with at_place(place):
            _complete(one)
    try:
        return _write(entered)
    except InsufficientQuantity:
        if not _learn_splits(entered):
            raise
    return _write(entered)


@contextmanager
def at_place(place: int) -> Iterator[None]:
    """Let an error name the transaction of the request that it is about."""
    try:
        yield
    except DomainError as error:
        error.attr = f"transactions.{place}.{error.attr}" if error.attr else f"transactions.{place}"
        raise
    except ValidationError as error:
        fields = {f"transactions.{place}.{name}": one for name, one in error.error_dict.items()}
        raise ValidationError(fields) from error


def _complete(one: Entered) -> None:
    """Check what needs no lock, and look up a missing rate. May ask the sources."""
    if one.stock is not None:
        complete(one.row, portfolio=one.portfolio, stock=one.stock)
        return
    one.row.portfolio = one.portfolio
    refuse_conversion(one.row)
    complete_money(one.row)


def _learn_splits(entered: Sequence[Entered]) -> bool:
    """Ask the sources for splits of what was traded; whether any was new."""
    stocks = {one.stock.pk: one.stock for one in entered if one.stock is not None}
    has_learned = False
    for stock in stocks.values():
        if not stock._state.adding and not stock.is_manual:
            has_learned = marketdata.learn_splits(stock=stock) or has_learned
    return has_learned


@transaction.atomic
def _write(entered: Sequence[Entered]) -> list[Transaction]:
    locked = lock_portfolios_of(entered)
    marketdata.keep_instruments(stocks=[one.stock for one in entered if one.stock is not None])
    holdings: dict[tuple[UUID, UUID], Holding] = {}
    for place, one in enumerate(entered):
        with at_place(place):
            one.row.portfolio = locked[one.portfolio.pk]
            if one.stock is None:
                insert_money(one.row)
            else:
                _insert(one, one.stock, holdings)
    places = {one.row.pk: place for place, one in enumerate(entered)}
    splits = _splits_of(entered)
    for holding in holdings.values():
        try:
            refuse_repeated_splits(holding, splits)
            replay_holding(holding)
        except RepeatedSplit as error:
            error.attr = f"transactions.{places[error.pk]}.quantity"
            raise
        except InsufficientQuantity as error:
            if error.entry.pk in places:
                error.attr = f"transactions.{places[error.entry.pk]}.quantity"
            raise
    for portfolio in locked.values():
        keep_openings(portfolio)
    for one in entered:
        record("created", transaction_object(one.row), after=transaction_fields(one.row))
    return all_fresh([one.row for one in entered])


def _insert(one: Entered, stock: StockMetadata, holdings: dict[tuple[UUID, UUID], Holding]) -> None:
    """Store a transaction with shares; `holdings` are those found before, by portfolio and
    instrument.
    """
    row = one.row
    place = row.portfolio.pk, stock.pk
    if place not in holdings:
        holdings[place] = holding_for(
            portfolio=row.portfolio, stock=stock, company_name=one.company_name
        )
    row.holding = holdings[place]
    row.sequence = next_sequence(row.portfolio)
    validate(row)
    row.save(force_insert=True)


def _splits_of(entered: Sequence[Entered]) -> dict[UUID, bool]:
    """Return the splits, each with whether it is recorded even if the user has it already."""
    splits: dict[UUID, bool] = {}
    for one in entered:
        if one.row.type == TransactionType.SPLIT:
            splits[one.row.pk] = one.force
    return splits
