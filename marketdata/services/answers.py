"""A person's answer to a dividend, price or rate that is held back or was believed, for all users.

Splits are answered by each user for the own holdings: `portfolios.services.held_back`.
"""

from django.db import transaction

from financeproj.core.errors import Conflict
from financeproj.history.services import HistoryObject, record
from marketdata.history import instrument_object, rate_object
from marketdata.models import HeldBack, StockMetadata, StockQuote
from marketdata.services.prices import (
    forget_close,
    forget_dividend,
    hold_later_closes,
    locked,
    record_dividends,
    record_prices,
    record_quote,
)
from marketdata.services.rate_answers import hold_later_rates
from marketdata.services.rates import forget_rate, record_rates
from marketdata.sources import Quote

State = HeldBack.State
Kind = HeldBack.Kind


@transaction.atomic
def accept_held_back(*, row: HeldBack) -> HeldBack:
    """Store what `row` says in its series; the same again changes nothing.

    Raises Conflict if it is not a price, or was withdrawn by its source.
    """
    row = _locked(row)
    if row.state == State.ACCEPTED:
        return row
    if row.value < 0 or (row.kind != Kind.PRICE and not row.value):
        raise Conflict("Not a value of this kind: it must be 0 or more.", attr="accept")
    if row.reason == HeldBack.Reason.OTHER_CURRENCY:
        raise Conflict(
            "The source quotes this in another currency: the number means something else. "
            "Dismiss it.",
            attr="accept",
            code="currency_differs",
        )
    _decide(row, State.ACCEPTED)
    said = [(row.date, row.value)]
    stock, pair = row.stock, row.pair
    if pair is not None:
        record_rates(base=pair.base, target=pair.target, rates=said, source=row.source)
    elif stock is not None and row.kind == Kind.DIVIDEND:
        record_dividends(stock=stock, dividends=said, source=row.source)
    elif stock is not None:
        record_prices(stock=stock, closes=said, source=row.source)
        _take_as_quote(row, stock)
    return row


@transaction.atomic
def dismiss_held_back(*, row: HeldBack) -> HeldBack:
    """Keep what `row` says out of its series, and take it out where it was believed or accepted.

    Raises Conflict if its source withdrew it.
    """
    row = _locked(row)
    if row.state == State.DISMISSED:
        return row
    was_believed = row.state in (State.BELIEVED, State.ACCEPTED)
    _decide(row, State.DISMISSED)
    stock, pair = row.stock, row.pair
    if pair is not None:
        forget_rate(pair=pair, day=row.date, rate=row.value, source=row.source)
        if was_believed:
            hold_later_rates(pair=pair, after=row.date, source=row.source)
    elif stock is not None and row.kind == Kind.DIVIDEND:
        forget_dividend(stock=stock, day=row.date, amount=row.value, source=row.source)
    elif stock is not None:
        forget_close(stock=stock, day=row.date, close=row.value, source=row.source)
        if was_believed:
            hold_later_closes(stock=stock, after=row.date, source=row.source)
    return row


def _locked(row: HeldBack) -> HeldBack:
    """Read `row` again under the lock of its instrument."""
    if row.stock is not None:
        locked(row.stock)
    row = HeldBack.objects.select_related("stock", "pair").get(pk=row.pk)
    if row.kind == Kind.SPLIT:
        raise TypeError("A split is answered by portfolios.services.held_back.")
    if row.state == State.WITHDRAWN:
        raise Conflict("The source has withdrawn this value.", code="withdrawn")
    return row


def _decide(row: HeldBack, state: str) -> None:
    before: dict[str, object] = {
        "date": row.date,
        "value": row.value,
        "reason": row.reason,
        "state": row.state,
    }
    row.state = state
    row.save(update_fields=["state"])
    record(f"held_back_{state}", _object_of(row), before=before, after={"state": state})


def _object_of(row: HeldBack) -> HistoryObject:
    if row.pair is not None:
        return rate_object(row.pair.base, row.pair.target)
    if row.stock is None:
        raise ValueError("A held-back value needs an instrument or a pair.")
    return instrument_object(row.stock)


def _take_as_quote(row: HeldBack, stock: StockMetadata) -> None:
    """Let an accepted close be the latest price where the stored one is not newer."""
    quote = StockQuote.objects.filter(stock=stock).first()
    if quote is None or quote.day > row.date:
        return
    seen = Quote(row.value, row.before, row.seen_at, row.date)
    record_quote(stock=stock, quote=seen, source=row.source, fetched_at=row.seen_at)
