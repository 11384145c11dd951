"""Identify instruments that files name by an ISIN or a broker's symbol.

What the sources answer is kept for all users; what is not answered in time waits for the worker.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from financeproj.core.identifiers import is_ticker, looks_like_isin
from financeproj.core.shared.locks import lease, release
from financeproj.users.models import User
from marketdata import gateway
from marketdata.calc.listings import Listing, fitting, to_ask_about
from marketdata.models import LookUp, LookUpAnswer, StockMetadata
from marketdata.selectors import instruments_visible_to
from marketdata.selectors.look_ups import Key, answers_to, waiting_keys, waiting_look_ups
from marketdata.services.asking import time_limit
from marketdata.services.histories import first_day_for_quote
from marketdata.services.learning import learn_instruments
from marketdata.services.searching import search_isins
from marketdata.sources import InstrumentInfo

# Of one file, and of one user, no more than these wait for the worker.
WAITING_PER_USER = 1000
ASKED_PER_ROUND = 40
ROUND_SECONDS = 20.0
# Afterwards only the user's next file asks again.
ATTEMPTS = 100
ANSWERS_KEPT = timedelta(days=90)
WAITING_KEPT = timedelta(days=2)


@dataclass(slots=True)
class Wanted:
    """An instrument as a file names it, and what is known about it.

    `currency` is that of its rows, empty if unknown. `listings` are what its ISIN stands for, best
    first; `questions` are ISINs and tickers that the sources have not answered yet. `found_by` is
    "isin search" or "symbol" once `ticker` is known.
    """

    isin: str
    symbol: str
    currency: str
    ticker: str = ""
    found_by: str = ""
    listings: list[Listing] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.isin, self.symbol, self.currency


def identify(
    wanted: Sequence[Wanted], *, user: User | None, seconds: float, without: Collection[Key] = ()
) -> None:
    """Set `ticker`, or the open `questions`, of each of `wanted`.

    The sources are asked for at most `seconds` in all, but not about the instruments of `without`.
    Of a user's own instruments those of `user` count.
    """
    asked: set[str] = set()
    with gateway.at_most(seconds):
        while True:
            open_ones = [one for one in wanted if not one.ticker]
            _apply_answers(open_ones, user)
            # What was asked about without an answer would not be answered now either.
            new = [text for text in _questions(open_ones, without) if text not in asked]
            if not new:
                return
            asked.update(new)
            isins = [text for text in new if looks_like_isin(text)]
            tickers = [text for text in new if not looks_like_isin(text)]
            search_isins(isins=isins, seconds=time_limit())
            learn_instruments(
                tickers=tickers,
                start=first_day_for_quote(),
                seconds=time_limit(),
                is_remembered=True,
            )


def _questions(wanted: Sequence[Wanted], without: Collection[Key]) -> list[str]:
    """Return the open questions about `wanted`, each once."""
    questions: dict[str, None] = {}
    for one in wanted:
        if one.key not in without:
            questions |= dict.fromkeys(one.questions)
    return list(questions)


# --- What the answers mean ------------------------------------------------------------------------


def _apply_answers(wanted: Sequence[Wanted], user: User | None) -> None:
    """Read the stored answers. Four queries."""
    isins = {one.isin for one in wanted if one.isin}
    stored = StockMetadata.objects.filter(owner__isnull=True)
    if user is not None:
        stored = instruments_visible_to(user)
    of_isin: dict[str, list[StockMetadata]] = {}
    for stock in stored.filter(isin__in=isins).exclude(isin="").order_by("ticker"):
        of_isin.setdefault(stock.isin, []).append(stock)
    answers = answers_to(isins)
    tickers = {one.symbol for one in wanted if is_ticker(one.symbol)}
    for infos in answers.values():
        tickers.update(info.ticker for info in infos)
    answers |= answers_to(tickers)
    by_ticker: dict[str, StockMetadata] = {}
    # The user's own instruments come last and win.
    for stock in stored.filter(ticker__in=tickers).order_by(F("owner").desc(nulls_first=True)):
        if not stock.is_manual:
            by_ticker[stock.ticker] = stock
    for one in wanted:
        known = of_isin.get(one.isin, [])
        one.listings = _listings(known, answers.get(one.isin, []), by_ticker)
        _choose(one, answers, by_ticker)


def _listings(
    known: Sequence[StockMetadata],
    infos: Sequence[InstrumentInfo],
    by_ticker: Mapping[str, StockMetadata],
) -> list[Listing]:
    """Return the stored instruments of an ISIN, then those that the sources found."""
    listings: dict[str, Listing] = {}
    for stock in known:
        listings[stock.ticker] = Listing(
            stock.ticker, stock.company_name, stock.exchange, stock.currency
        )
    for info in infos:
        currency = info.currency
        if info.ticker in by_ticker:
            currency = by_ticker[info.ticker].currency
        listing = Listing(info.ticker, info.company_name, info.exchange, currency)
        listings.setdefault(info.ticker, listing)
    return list(listings.values())


def _choose(
    one: Wanted,
    answers: Mapping[str, Sequence[InstrumentInfo]],
    by_ticker: Mapping[str, StockMetadata],
) -> None:
    """Set the ticker: a listing of the ISIN, else the broker's symbol. Else set `questions`."""
    one.questions = []
    chosen = fitting(one.listings, one.currency, answers)
    if chosen is not None:
        one.ticker, one.found_by = chosen.ticker, "isin search"
        return
    if one.isin and one.isin not in answers:
        one.questions = [one.isin]
        return
    one.questions = to_ask_about(one.listings, answers)
    if one.questions or not is_ticker(one.symbol):
        return
    stock = by_ticker.get(one.symbol)
    if stock is None and one.symbol not in answers and not looks_like_isin(one.symbol):
        one.questions = [one.symbol]
    elif stock is not None and one.currency in ("", stock.currency):
        one.ticker, one.found_by = stock.ticker, "symbol"


# --- For the worker -------------------------------------------------------------------------------


def leave_to_worker(wanted: Sequence[Wanted], *, user: User) -> None:
    """Let instruments wait for the worker, in one short statement; some of a very long list."""
    waiting = waiting_keys(user)
    now = timezone.now()
    rows: list[LookUp] = []
    for one in wanted:
        if len(waiting) >= WAITING_PER_USER:
            break
        if one.key in waiting:
            continue
        rows.append(
            LookUp(
                user=user,
                isin=one.isin,
                symbol=one.symbol,
                currency=one.currency,
                place=len(waiting),
                asked_at=now,
            )
        )
        waiting.add(one.key)
    LookUp.objects.bulk_create(rows, ignore_conflicts=True)


def answer_waiting(*, seconds: float) -> bool:
    """Ask the sources about what waits, one process at a time; return whether it is worth going on.

    A look-up that is answered, or that was refused too often, waits no longer. Safe to run twice,
    and to kill: every answer is kept when it comes.
    """
    token = lease("look-ups", seconds=seconds + ROUND_SECONDS)
    if token is None:
        return False
    until = time.monotonic() + seconds
    tried: set[int] = set()
    answered = 0
    try:
        while time.monotonic() < until:
            rows = waiting_look_ups(ASKED_PER_ROUND, without=tried)
            if not rows:
                break
            tried.update(row.pk for row in rows)
            now_answered = _answer(rows, min(ROUND_SECONDS, until - time.monotonic()))
            answered += now_answered
            if not now_answered:
                break  # the sources answer nothing now
    finally:
        release("look-ups", token)
    return answered > 0 and LookUp.objects.exists()


def _answer(rows: Sequence[LookUp], seconds: float) -> int:
    """Ask about some look-ups; return how many are answered."""
    wanted = [Wanted(row.isin, row.symbol, row.currency) for row in rows]
    identify(wanted, user=None, seconds=seconds)
    answered: list[int] = []
    open_ones: list[int] = []
    for row, one in zip(rows, wanted, strict=True):
        if one.questions:
            open_ones.append(row.pk)
        else:
            answered.append(row.pk)
    LookUp.objects.filter(pk__in=answered).delete()
    LookUp.objects.filter(pk__in=open_ones).update(attempts=F("attempts") + 1)
    LookUp.objects.filter(attempts__gte=ATTEMPTS).delete()
    return len(answered)


def forget_old_look_ups() -> None:
    """Delete old answers, and what has waited for long, as where no worker runs."""
    now = timezone.now()
    LookUpAnswer.objects.filter(answered_at__lt=now - ANSWERS_KEPT).delete()
    LookUp.objects.filter(asked_at__lt=now - WAITING_KEPT).delete()
