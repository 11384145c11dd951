"""Judge the prices of an answer by what is stored.

docs/definitions.md, "What is believed of a source", has the rules.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from financeproj.core.db.fields import latest_day
from financeproj.core.money import is_storable, round_for_storage
from marketdata.calc.names import is_other_name
from marketdata.calc.price_belief import (
    OTHER_NAME,
    OTHER_SIDE,
    RETURN_DAYS,
    Known,
    Verdict,
    never_confirmed,
    sift,
    sift_first,
    usable,
)
from marketdata.calc.sanity import (
    CONFIRMATION,
    JUMP,
    LARGEST_JUMP,
    NOT_POSITIVE,
    Close,
    Doubt,
    is_near,
    split_factor,
)
from marketdata.models import HeldBack, HistoricalStockPrice, StockMetadata, StockQuote
from marketdata.services.held_back import accepted_and_doubted, rows_about
from marketdata.services.stored_values import values_between
from marketdata.sources import History, Quote

MANUAL = StockMetadata.MANUAL
READ_AGAIN = timedelta(days=7)

State = HeldBack.State
Kind = HeldBack.Kind


def closes_of(answer: History) -> list[Close]:
    """Return the closes of an answer that can be prices, oldest first, one a day."""
    found = {}
    last = latest_day()
    for day, close in usable(answer.closes):
        if is_storable(close) and day <= last:
            found[day] = round_for_storage(close)
    return sorted(found.items())


def judge_closes(stock: StockMetadata, answer: History, splits: Sequence[Close]) -> Verdict:
    """Decide which closes of `answer` are believed. `stock` is locked.

    A whole answer is judged as a first history until there is one, and while closes of
    another level than the believed one are held back.
    """
    closes = closes_of(answer)
    if not closes:
        return Verdict()
    known = known_closes(stock, closes[0][0], closes[-1][0], splits)
    fetched = HistoricalStockPrice.objects.filter(stock=stock).exclude(source=MANUAL)
    is_first = answer.is_whole and (stock.history_fetched_at is None or _has_other_side(stock))
    if is_first or not fetched.exists():
        return sift_first(closes, known)
    return sift(closes, known, name=answer.info.company_name)


def known_closes(stock: StockMetadata, first: date, latest: date, splits: Sequence[Close]) -> Known:
    """Return what is stored of the closes from 90 days before `first` to `latest`."""
    start = date.min
    if first - date.min > RETURN_DAYS:
        start = first - RETURN_DAYS
    rows = HistoricalStockPrice.objects.filter(stock=stock, close__gt=0)
    closes, by_hand = values_between(rows, "close", start, latest)
    said = rows_about(stock, Kind.PRICE).filter(date__gte=start, date__lte=latest, value__gt=0)
    accepted, doubts = accepted_and_doubted(said)
    earlier = rows.filter(date__lt=start).order_by("-date").values_list("date", "close").first()
    return Known(
        closes=closes,
        fixed=by_hand | accepted,
        doubts=doubts,
        earlier=earlier,
        splits=splits,
        name=stock.believed_name,
    )


def doubts_about_later(stock: StockMetadata, after: date, later: Sequence[Close]) -> list[Doubt]:
    """Return what is doubtful of the stored closes `later` than a dismissed one of `after`.

    Those up to the first that is believed without it.
    """
    if not later:
        return []
    splits = list(stock.splits.order_by("date").values_list("date", "ratio"))
    known = known_closes(stock, after, later[-1][0], splits)
    said = set(later)
    stays = [close for close in known.closes.items() if close not in said]
    verdict = sift(later, replace(known, closes=dict(stays)))
    first_believed = min(verdict.believed, default=date.max)
    return [doubt for day, doubt in verdict.held.items() if day < first_believed]


def _has_other_side(stock: StockMetadata) -> bool:
    return _other_side(stock).exists()


def _other_side(stock: StockMetadata) -> QuerySet[HeldBack]:
    rows = HeldBack.objects.filter(stock=stock, kind=Kind.PRICE, state=State.HELD_BACK)
    return rows.filter(reason=OTHER_SIDE)


def is_due_again(stock: StockMetadata) -> bool:
    """Return whether the whole history is to be read again: weekly while two levels are in it."""
    read_at = _other_side(stock).aggregate(latest=Max("seen_at"))["latest"]
    return read_at is not None and timezone.now() - read_at >= READ_AGAIN


def judge_quote(
    stock: StockMetadata, quote: Quote, splits: Sequence[Close], name: str
) -> Doubt | None:
    """Return the quote as a price to hold back, None if it is plausible.

    It is if it lies near the last close or the stored quote. Only closes confirm a move.
    """
    if quote.price and not is_storable(quote.price):
        return Doubt(quote.day, Decimal(0), NOT_POSITIVE)
    if quote.price <= 0:
        return Doubt(quote.day, quote.price, NOT_POSITIVE)
    rows = HistoricalStockPrice.objects.filter(stock=stock, date__lte=quote.day, close__gt=0)
    references = list(rows.order_by("-date").values_list("date", "close")[:1])
    of_today = Q(day__lte=quote.day, price__gt=0)
    references += StockQuote.objects.filter(of_today, stock=stock).values_list("day", "price")
    dismissed = rows_about(stock, Kind.PRICE).filter(state=State.DISMISSED, date=quote.day)
    for value in dismissed.values_list("value", flat=True):
        if is_near(quote.price, value, CONFIRMATION):
            return Doubt(quote.day, value, JUMP)
    has_other_name = is_other_name(name, stock.believed_name)
    doubt = None
    for day, price in references:
        expected = price / split_factor(splits, day, quote.day)
        reason = never_confirmed(quote.price, expected, quote.day, splits)
        if reason is None and not is_near(quote.price, expected, LARGEST_JUMP):
            reason = JUMP
        if has_other_name and not is_near(quote.price, expected, CONFIRMATION):
            reason = reason or OTHER_NAME
        if reason is None:
            return None
        doubt = doubt or Doubt(quote.day, quote.price, reason, expected)
    return doubt
