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
    instrument that no longer trades. It is asked for all days, too, where an answer `needs_all`: it
    is not kept then, since all closes depend on the splits that it contradicts.
    """

    source: MarketDataSource
    ticker: str
    start: date
    keep: Callable[[History], None]
    is_kept: Callable[[], bool]
    or_all: bool = True
    needs_all: Callable[[History], bool] = lambda answer: False

    @property
    def key(self) -> str:
        return f"{self.source.name}:{self.ticker}"

    def call(self, unkept: set[str]) -> gateway.Call:
        """Return the call; an answer that needs all days is noted in `unkept`, by its key."""

        def keep(answer: History) -> None:
            if not answer.is_whole and self.needs_all(answer):
                unkept.add(self.key)
            else:
                self.keep(answer)

        return gateway.Call(
            key=self.key,
            party=gateway.party_of(self.source),
            run=lambda: history_from(self.source, self.ticker, self.start),
            keep=keep,
            is_kept=self.is_kept,
        )


def ask_histories(
    questions: Sequence[Question], *, seconds: float, patience: float | None = None
) -> dict[str, SourceError | None]:
    """Have all `questions` answered and kept, as `gateway.ask_all` does. Returns errors by key."""
    until = time.monotonic() + seconds
    unkept: set[str] = set()
    calls = [question.call(unkept) for question in questions]
    outcomes = gateway.ask_all(calls, seconds=seconds, patience=patience)
    wider = []
    for question in questions:
        is_idle = isinstance(outcomes[question.key], NoData) and question.or_all
        is_wider = is_idle or question.key in unkept
        if is_wider and question.start > EARLIEST_DAY:
            wider.append(replace(question, start=EARLIEST_DAY).call(unkept))
    left = max(0.0, until - time.monotonic())
    return outcomes | gateway.ask_all(wider, seconds=left, patience=patience)
