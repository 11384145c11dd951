"""Ask sources for histories; for all days where they have nothing of the latest."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from django.utils import timezone

from marketdata import gateway
from marketdata.services.asking import EARLIEST_DAY
from marketdata.sources import History, MarketDataSource, NoData, SourceError

# Enough for a previous close across any holidays.
QUOTE_WINDOW = timedelta(days=10)


def first_day_for_quote() -> date:
    return timezone.localdate() - QUOTE_WINDOW


def history_from(source: MarketDataSource, ticker: str, start: date) -> History:
    """Return what the source has from `start` on. Raises a SourceError."""
    return replace(source.history(ticker, start), is_whole=start == EARLIEST_DAY)


@dataclass(frozen=True, slots=True)
class Question:
    """A history of `ticker` from `start` on, for the gateway.

    With `or_all` the source is asked for all days where it has nothing from `start` on, as of an
    instrument that no longer trades.
    """

    source: MarketDataSource
    ticker: str
    start: date
    keep: Callable[[History], None]
    is_kept: Callable[[], bool]
    or_all: bool = True

    @property
    def key(self) -> str:
        return f"{self.source.name}:{self.ticker}"

    def call(self) -> gateway.Call:
        return gateway.Call(
            key=self.key,
            party=gateway.party_of(self.source),
            run=lambda: history_from(self.source, self.ticker, self.start),
            keep=self.keep,
            is_kept=self.is_kept,
        )


def ask_histories(
    questions: Sequence[Question], *, seconds: float, patience: float | None = None
) -> dict[str, SourceError | None]:
    """Have all `questions` answered and kept, as `gateway.ask_all` does. Returns errors by key."""
    until = time.monotonic() + seconds
    calls = [question.call() for question in questions]
    outcomes = gateway.ask_all(calls, seconds=seconds, patience=patience)
    wider = []
    for question in questions:
        is_idle = isinstance(outcomes[question.key], NoData)
        if is_idle and question.or_all and question.start > EARLIEST_DAY:
            wider.append(replace(question, start=EARLIEST_DAY).call())
    left = max(0.0, until - time.monotonic())
    return outcomes | gateway.ask_all(wider, seconds=left, patience=patience)
