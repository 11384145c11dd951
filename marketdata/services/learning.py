"""Learn instruments from the sources that know them."""

import time
from collections.abc import Sequence
from datetime import date
from functools import partial

import msgspec
from django.db import IntegrityError, transaction
from django.utils import timezone

from marketdata.models import LookUpAnswer, StockMetadata
from marketdata.selectors.look_ups import answers_to
from marketdata.services.confirming import description_of
from marketdata.services.histories import (
    Question,
    ask_histories,
    first_day_for_quote,
    history_from,
)
from marketdata.services.prices import record_history
from marketdata.sources import (
    History,
    InstrumentInfo,
    MarketDataSource,
    NoData,
    Refusal,
    SourceError,
    SourceTimeout,
    UnknownTicker,
    registry,
)

# More than these are not asked about at once, so that a file of made-up tickers costs little.
ASKED_AT_ONCE = 200


def keep_answer(text: str, found: Sequence[InstrumentInfo]) -> None:
    """Keep what the sources said of an ISIN or a ticker, in a statement of its own."""
    answer = LookUpAnswer(
        text=text, found=msgspec.to_builtins(list(found)), answered_at=timezone.now()
    )
    LookUpAnswer.objects.bulk_create(
        [answer],
        update_conflicts=True,
        unique_fields=["text"],
        update_fields=["found", "answered_at"],
    )


def shared_instrument(ticker: str) -> StockMetadata | None:
    """Return the instrument of `ticker` that a source prices for all users."""
    return StockMetadata.objects.filter(ticker=ticker, owner__isnull=True).first()


def described(info: InstrumentInfo, ticker: str, source: str) -> StockMetadata:
    """Return a shared instrument, not stored yet, as the source describes it."""
    return StockMetadata(ticker=ticker, source=source, **description_of(info))


def store_new(stock: StockMetadata, answer: History) -> StockMetadata:
    """Store a new instrument with the prices that came along."""
    stock = _stored(stock)
    if not stock.is_manual and stock.currency == answer.info.currency:
        record_history(stock=stock, answer=answer, source=stock.source, full=answer.is_whole)
    return stock


def _stored(stock: StockMetadata) -> StockMetadata:
    """Return the instrument stored, or the one that another request stored first."""
    try:
        stock.clean_fields(exclude=["owner"])
        with transaction.atomic():
            stock.save(force_insert=True)
        return stock
    except IntegrityError:
        return StockMetadata.objects.get(ticker=stock.ticker, owner=stock.owner)


def learn_instrument(*, ticker: str, seconds: float) -> StockMetadata:
    """Ask for `ticker` within `seconds`, and store it with its latest prices.

    Raises SourceError.
    """
    errors = learn_instruments(tickers=[ticker], start=first_day_for_quote(), seconds=seconds)
    error = errors.get(ticker)
    if error is not None:
        raise error
    found = shared_instrument(ticker)
    if found is None:
        raise SourceTimeout(f"{registry().source_for(ticker).name} did not answer in time.")
    return found


def learn_instruments(
    *, tickers: Sequence[str], start: date, seconds: float, is_remembered: bool = False
) -> dict[str, SourceError]:
    """Ask the sources about tickers within `seconds` in all, and store what they describe, with
    their prices from `start` on.

    Each is stored in a short transaction of its own. Returns by ticker the error of those that were
    not described. With `is_remembered` the sources are not asked again about a ticker that they
    lately did not know, and their answer is kept for the next time.
    """
    errors: dict[str, SourceError] = {}
    if is_remembered:
        errors = _remembered_errors(tickers)
    offline_until = time.monotonic() + seconds
    not_asked = SourceTimeout("There was no time left to ask.")
    questions: dict[str, Question] = {}
    for ticker in tickers:
        if ticker in errors:
            continue
        try:
            source = registry().source_for(ticker)
            if source.offline:
                _learn_offline(source, ticker, start, offline_until)
            elif len(questions) < ASKED_AT_ONCE:
                questions[ticker] = _question(source, ticker, start)
            else:
                errors[ticker] = not_asked
        except SourceError as error:
            errors[ticker] = error
    errors |= _ask(questions, seconds)
    if is_remembered:
        for ticker in questions:
            _remember_refusal(ticker, errors.get(ticker))
    return errors


def _learn_offline(source: MarketDataSource, ticker: str, start: date, until: float) -> None:
    if time.monotonic() >= until:
        raise SourceTimeout("There was no time left to ask.")
    _keep_described(source, ticker, history_from(source, ticker, start))


def _question(source: MarketDataSource, ticker: str, start: date) -> Question:
    return Question(
        source=source,
        ticker=ticker,
        start=start,
        keep=partial(_keep_described, source, ticker),
        is_kept=lambda: shared_instrument(ticker) is not None,
    )


def _keep_described(source: MarketDataSource, ticker: str, answer: History) -> None:
    """Store what a source describes; an answer without a currency describes nothing."""
    if answer.info.currency:
        store_new(described(answer.info, ticker, source.name), answer)


def _ask(questions: dict[str, Question], seconds: float) -> dict[str, SourceError]:
    outcomes = ask_histories(list(questions.values()), seconds=seconds)
    errors: dict[str, SourceError] = {}
    for ticker, question in questions.items():
        error = outcomes.get(question.key)
        if error is not None:
            errors[ticker] = error
    return errors


def _remembered_errors(tickers: Sequence[str]) -> dict[str, SourceError]:
    errors: dict[str, SourceError] = {}
    for ticker, found in answers_to(tickers).items():
        if not found:
            errors[ticker] = UnknownTicker(f"No source knows {ticker}.")
        elif not found[0].currency:
            errors[ticker] = NoData(f"No source has prices of {ticker}.")
    return errors


def _remember_refusal(ticker: str, error: SourceError | None) -> None:
    if isinstance(error, UnknownTicker):
        keep_answer(ticker, [])
    elif isinstance(error, Refusal):
        keep_answer(ticker, [InstrumentInfo(ticker)])
