"""Ask the sources for missing or old prices, never over a network inside a transaction."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from marketdata import gateway
from marketdata.models import (
    HeldBack,
    HistoricalStockPrice,
    StockMetadata,
    StockQuote,
    StockSplit,
)
from marketdata.selectors import is_fresh, sourced
from marketdata.services.asking import (
    EARLIEST_DAY,
    TASK_SECONDS,
    failed_just_now,
    note_failure,
    time_limit,
)
from marketdata.services.believing import is_due_again
from marketdata.services.confirming import leave_to_user
from marketdata.services.events import differs, has_absent_events
from marketdata.services.histories import (
    Question,
    ask_histories,
    first_day_for_quote,
    history_from,
)
from marketdata.services.prices import locked, record_history
from marketdata.sources import (
    History,
    InstrumentInfo,
    MarketDataSource,
    NoData,
    SourceError,
    UnknownTicker,
    registry,
)

# Five trading days are read again, since the latest bars change.
OVERLAP = timedelta(days=7)
SECTOR_ASKED_SECONDS = 30 * 24 * 3600


def refresh_stocks(
    stocks: Sequence[StockMetadata],
    *,
    full: bool = False,
    seconds: float | None = None,
    patience: float | None = None,
    young: float = 1,
    since: date | None = None,
) -> dict[UUID, SourceError | None]:
    """Ask for the latest prices within `seconds` in all (default: a request's time limit).

    Returns by instrument the error that prevented it, else None. `full` fetches the whole history
    of those that have none yet, `since` all days from there on again. An answer younger than
    `young` cache times is not asked for. Instruments priced by hand are left alone.
    """
    outcomes: dict[UUID, SourceError | None] = {}
    stock_of_call: dict[str, UUID] = {}
    questions = []
    for stock in stocks:
        if stock.is_manual:
            outcomes[stock.pk] = None
            continue
        source = registry().source_for(stock.ticker)
        question = _question_about(stock, source, full=full, young=young, since=since)
        if source.offline:
            outcomes[stock.pk] = _answer_at_once(stock, question)
        else:
            stock_of_call[question.key] = stock.pk
            questions.append(question)
    if seconds is None:
        seconds = time_limit()
    for key, error in ask_histories(questions, seconds=seconds, patience=patience).items():
        outcomes[stock_of_call[key]] = error
    for stock in stocks:
        error = outcomes.get(stock.pk)
        if stock.is_unconfirmed and isinstance(error, UnknownTicker):
            leave_to_user(stock=stock)
        if isinstance(error, NoData) and since is None:
            _note_no_data(stock)
    return outcomes


def _note_no_data(stock: StockMetadata) -> None:
    """Keep that the source was asked for all that is lacking, and has nothing."""
    StockMetadata.objects.filter(pk=stock.pk).update(history_fetched_at=timezone.now())


def _question_about(
    stock: StockMetadata, source: MarketDataSource, *, full: bool, young: float, since: date | None
) -> Question:
    # What an archive brought is replaced as a whole.
    is_replaced = stock.is_unconfirmed and stock.prices.exists()
    reaches_back = (full and since is None) or stock.history_fetched_at is not None
    start = since or _first_day_missing(stock, full=full)
    if is_replaced or is_due_again(stock):
        reaches_back, start = True, EARLIEST_DAY

    def is_kept() -> bool:
        if since is not None:
            return False
        if full and not _has_history(stock):
            return False
        return _was_asked_lately(stock, young)

    def keep(answer: History) -> None:
        is_full = reaches_back or answer.is_whole
        covered = None if answer.is_whole else start
        record_history(stock=stock, answer=answer, source=source.name, full=is_full, since=covered)

    def needs_all(answer: History) -> bool:
        return differs(stock=stock, said=answer.splits, source=source.name, since=start)

    return Question(
        source=source,
        ticker=stock.ticker,
        start=start,
        keep=keep,
        is_kept=is_kept,
        # With a history, all days since the last close are asked for anyway.
        or_all=since is None and stock.history_fetched_at is None,
        needs_all=needs_all,
    )


def _first_day_missing(stock: StockMetadata, *, full: bool) -> date:
    """Return the day from which to ask: the last stored days are read again.

    Without a history it is the earliest day if `full`, else the few days that a quote needs.
    """
    if stock.history_fetched_at is None:
        if full:
            return EARLIEST_DAY
        return first_day_for_quote()
    fetched = HistoricalStockPrice.objects.filter(stock=stock).exclude(source=StockMetadata.MANUAL)
    last = fetched.order_by("-date").values_list("date", flat=True).first()
    if last is None or has_absent_events(stock):
        return EARLIEST_DAY
    return last - OVERLAP


def _has_history(stock: StockMetadata) -> bool:
    fetched = StockMetadata.objects.filter(pk=stock.pk, history_fetched_at__isnull=False)
    return fetched.exists()


def _was_asked_lately(stock: StockMetadata, young: float) -> bool:
    # A held-back quote leaves the old one as it was, although the source was asked.
    quote = StockQuote.objects.filter(stock=stock).first()
    held_back = HeldBack.objects.filter(stock=stock, kind=HeldBack.Kind.PRICE).aggregate(
        latest=Max("seen_at")
    )
    known = StockMetadata.objects.filter(pk=stock.pk)
    read_at = known.values_list("history_fetched_at", flat=True).first()
    asked = [held_back["latest"]]
    if quote is not None:
        asked.append(quote.fetched_at)
    # An idle instrument has no newer quote: what counts is when its history was read.
    if quote is None or quote.day < first_day_for_quote():
        asked.append(read_at)
    return any(is_fresh(at, grace=young) for at in asked)


def _answer_at_once(stock: StockMetadata, question: Question) -> SourceError | None:
    """Ask a source that only calculates.

    All requests of a page ask at the same time: the ones that waited for the lock find the answer
    stored.
    """
    if question.is_kept():
        return None
    try:
        with transaction.atomic():
            locked(stock)
            if not question.is_kept():
                answer = history_from(question.source, question.ticker, question.start)
                if not answer.is_whole and question.needs_all(answer):
                    answer = history_from(question.source, question.ticker, EARLIEST_DAY)
                question.keep(answer)
    except SourceError as error:
        return error
    return None


# --- For tasks ------------------------------------------------------------------------------------


def refresh_quotes(stock_ids: Iterable[UUID | str]) -> dict[UUID, SourceError | None]:
    """Refresh each instrument whose quote is in the second half of the cache time or older."""
    stocks = list(StockMetadata.objects.filter(pk__in=list(stock_ids)))
    return refresh_stocks(stocks, seconds=TASK_SECONDS, young=0.5)


def refresh_history(stock_id: UUID | str, *, since: date | None = None) -> SourceError | None:
    """Fetch what the stored history of one instrument lacks, or all of it `since` a day.

    Safe to repeat: a killed run stores nothing.
    """
    stock = StockMetadata.objects.filter(pk=stock_id).first()
    if stock is None or stock.is_manual:
        return None
    if stock.has_history and not stock.sector:
        _learn_sector(stock)
    outcomes = refresh_stocks([stock], full=True, seconds=TASK_SECONDS, young=0.5, since=since)
    return outcomes[stock.pk]


def _learn_sector(stock: StockMetadata) -> None:
    """Ask for the sector, which only a source's search names, once a month at most.

    A failure is ignored. The first history comes before it.
    """
    source = registry().source_for(stock.ticker)
    asked = f"sector:{stock.pk}"

    def keep(found: list[InstrumentInfo]) -> None:
        cache.set(asked, True, SECTOR_ASKED_SECONDS)
        for info in found:
            if info.ticker == stock.ticker and info.sector:
                StockMetadata.objects.filter(pk=stock.pk, sector="").update(sector=info.sector)

    if source.offline or cache.get(asked):
        return  # what an offline source knows came with the instrument
    call = gateway.Call(
        key=f"sector:{source.name}:{stock.ticker}",
        party=gateway.party_of(source),
        run=lambda: source.search(stock.ticker, 5),
        keep=keep,
        is_kept=lambda: False,
    )
    gateway.ask_all([call], seconds=time_limit())


# --- For requests ---------------------------------------------------------------------------------


def ensure_prices(*, stock_ids: Iterable[UUID]) -> None:
    """Fetch instruments without any price, within the time limit; a source's failure is ignored."""
    unpriced = (
        sourced(stock_ids)
        .filter(quote__isnull=True)
        .exclude(pk__in=HistoricalStockPrice.objects.values("stock"))
    )
    _fetch(unpriced, "price", refresh_stocks)


def ensure_history(*, stock_ids: Iterable[UUID]) -> None:
    """Fetch histories never fetched, within the time limit; a source's failure is ignored."""
    lacking = sourced(stock_ids).filter(history_fetched_at__isnull=True)
    _fetch(lacking, "history", lambda stocks: refresh_stocks(stocks, full=True))


def _fetch(
    stocks: QuerySet[StockMetadata],
    kind: str,
    refresh: Callable[[Sequence[StockMetadata]], dict[UUID, SourceError | None]],
) -> None:
    """Refresh those of `stocks` for which this has not failed just now."""
    lacking = []
    for stock in stocks.order_by("ticker"):
        if failed_just_now(f"{kind}:{stock.pk}"):
            gateway.note_unasked(gateway.party_of(registry().source_for(stock.ticker)))
        else:
            lacking.append(stock)
    for stock_id, error in refresh(lacking).items():
        if error is not None:
            note_failure(f"{kind}:{stock_id}")


def learn_splits(*, stock: StockMetadata) -> bool:
    """Ask for splits not stored yet, within the time limit; return whether there were any.

    A source's failure is ignored.
    """
    before = _splits_of(stock)
    if not stock.is_manual:
        refresh_stocks([stock], full=True)
    return before != _splits_of(stock)


def _splits_of(stock: StockMetadata) -> set[tuple[date, object]]:
    return set(StockSplit.objects.filter(stock=stock).values_list("date", "ratio"))
