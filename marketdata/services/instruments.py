"""Find and make instruments, for trades and as a source describes them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from babel import Locale
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext_noop

from financeproj.core.errors import Conflict, DomainError
from financeproj.core.identifiers import (
    is_isin,
    is_ticker,
)
from financeproj.users.models import User
from marketdata.models import StockMetadata
from marketdata.selectors import instruments_visible_to
from marketdata.services.asking import EARLIEST_DAY, time_limit
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
    SourceError,
    SourceTimeout,
    UnknownTicker,
    registry,
)

# --- For trades and imports -----------------------------------------------------------------------


INVALID_TICKER = gettext_noop(
    "A ticker is made of letters, digits and . - = ^ _ & +, with at least one letter or digit, "
    "and has up to 40 characters."
)


@dataclass(slots=True)
class _Wanted:
    """What a user says of one ticker; `currency` and `company_name` may be unknown."""

    ticker: str
    currency: str | None = None
    company_name: str = ""

    def fits(self, currency: str) -> bool:
        return self.currency in (None, "", currency)

    def mismatch(self, currency: str) -> DomainError:
        """Return the error for an instrument that is in `currency`."""
        return DomainError(
            gettext_noop("%(ticker)s is in %(currency)s, not in %(given)s."),
            attr="currency",
            code="currency_mismatch",
            params={
                "ticker": self.ticker,
                "currency": currency,
                "given": self.currency or "",
            },
        )

    def checked(self, stock: StockMetadata) -> StockMetadata | DomainError:
        if self.fits(stock.currency):
            return stock
        return self.mismatch(stock.currency)


def instrument_for_trade(
    *, user: User, ticker: str, currency: str | None, company_name: str = ""
) -> StockMetadata:
    """Return the instrument that the user means by `ticker`, made if it is new.

    The source is asked only for a new one. Raises DomainError: `unknown_ticker` when the source
    does not know it and no currency is given, `currency_required` when the source cannot be asked
    and none is given, `currency_mismatch` when the given one is not the instrument's. Must not be
    called inside a transaction.
    """
    found = instruments_for_import(user=user, wanted=[(ticker, currency, company_name)])[ticker]
    if isinstance(found, DomainError):
        raise found
    return found


def instruments_for_import(
    *, user: User, wanted: Sequence[tuple[str, str | None, str]], dry_run: bool = False
) -> dict[str, StockMetadata | DomainError]:
    """Return the instrument, or what is wrong, of each (ticker, currency, company name).

    Keyed by the ticker as given. The sources are asked within one time limit in all. In a dry run
    new instruments are not stored. Instruments that no source describes are only stored with their
    first trade, by `keep_instruments`.
    """
    keys = {given: _key(given) for given, _, _ in wanted}
    merged, results = _merged(wanted, keys)
    visible = instruments_visible_to(user).order_by(F("owner").desc(nulls_first=True))
    # The user's own instruments come last and win.
    known = {stock.ticker: stock for stock in visible.filter(ticker__in=merged)}
    for key, stock in known.items():
        if key not in results:
            results[key] = merged[key].checked(stock)
    answers = _look_up([key for key in merged if key not in results])
    unsure = [key for key, answer in answers.items() if _describes_nothing(answer)]
    stored_meanwhile: dict[str, StockMetadata] = {}
    if unsure:
        stored_meanwhile = {stock.ticker: stock for stock in visible.filter(ticker__in=unsure)}
    for key, answer in answers.items():
        results[key] = _made(user, merged[key], answer, stored_meanwhile.get(key), dry_run)
    return {given: results[key] for given, key in keys.items()}


def _key(ticker: str) -> str:
    """Return the ticker in capitals; others than ASCII's are no ticker's, and ß must not be SS."""
    if ticker.isascii():
        return ticker.strip().upper()
    return ticker


def _merged(
    wanted: Sequence[tuple[str, str | None, str]], keys: dict[str, str]
) -> tuple[dict[str, _Wanted], dict[str, StockMetadata | DomainError]]:
    """Return what is wanted by key, and the errors of keys that make no sense or contradict."""
    merged: dict[str, _Wanted] = {}
    errors: dict[str, StockMetadata | DomainError] = {}
    for given, currency, company_name in wanted:
        key = keys[given]
        one = merged.setdefault(key, _Wanted(key))
        if not is_ticker(key):
            errors[key] = DomainError(INVALID_TICKER, attr="ticker", code="invalid")
        elif currency and not one.fits(currency):
            errors[key] = _Wanted(key, currency).mismatch(one.currency or "")
        one.currency = one.currency or currency
        one.company_name = one.company_name or company_name
    return merged, errors


def _look_up(tickers: Sequence[str]) -> dict[str, History | SourceError]:
    """Ask the sources about unknown tickers, within the time limit in all.

    They are asked for the whole history at once: what is traded needs its splits.
    """
    answers: dict[str, History | SourceError] = {}
    questions = {}
    start = EARLIEST_DAY

    def question_about(ticker: str, source: MarketDataSource) -> Question:
        return Question(
            source=source,
            ticker=ticker,
            start=start,
            keep=lambda answer: answers.update({ticker: answer}),
            is_kept=lambda: shared_instrument(ticker) is not None,
        )

    for ticker in tickers:
        try:
            source = registry().source_for(ticker)
            if source.offline:
                answers[ticker] = history_from(source, ticker, start)
            else:
                questions[ticker] = question_about(ticker, source)
        except SourceError as error:
            answers[ticker] = error
    until = time.monotonic() + time_limit()
    # Twice: another request that was asking for the same may not store what it learned.
    for _ in range(2):
        open_questions = [one for ticker, one in questions.items() if ticker not in answers]
        left = max(0.0, until - time.monotonic())
        outcomes = ask_histories(open_questions, seconds=left)
        for ticker, question in questions.items():
            fault = outcomes.get(question.key)
            if fault is not None:
                answers[ticker] = fault
    return {ticker: answers.get(ticker, History(InstrumentInfo(ticker))) for ticker in tickers}


def _describes_nothing(answer: History | SourceError) -> bool:
    """Return whether the source neither described the instrument nor said that it is unknown."""
    if isinstance(answer, SourceError):
        return not isinstance(answer, UnknownTicker)
    return not answer.info.currency


def _made(
    user: User,
    wanted: _Wanted,
    answer: History | SourceError,
    stored: StockMetadata | None,
    dry_run: bool,
) -> StockMetadata | DomainError:
    """Return the instrument after the source's `answer`.

    `stored` is what another request stored meanwhile, if the source described nothing.
    """
    if isinstance(answer, UnknownTicker):
        return _priced_by_hand(user, wanted)
    source = registry().source_for(wanted.ticker).name
    if isinstance(answer, SourceError) or not answer.info.currency:
        if stored is not None:
            return wanted.checked(stored)
        return _undescribed(user, wanted, source, is_idle=isinstance(answer, NoData))
    if not wanted.fits(answer.info.currency):
        return wanted.mismatch(answer.info.currency)
    stock = described(answer.info, wanted.ticker, source)
    if dry_run:
        return stock
    return store_new(stock, answer)


def _priced_by_hand(user: User, wanted: _Wanted) -> StockMetadata | DomainError:
    if not wanted.currency:
        return DomainError(
            gettext_noop(
                "The market data source does not know %(ticker)s. Give a currency to price it by "
                "hand."
            ),
            attr="ticker",
            code="unknown_ticker",
            params={"ticker": wanted.ticker},
        )
    return StockMetadata(
        ticker=wanted.ticker,
        currency=wanted.currency,
        company_name=wanted.company_name,
        source=StockMetadata.MANUAL,
        owner=user,
    )


def _undescribed(
    user: User, wanted: _Wanted, source: str, *, is_idle: bool
) -> StockMetadata | DomainError:
    if not wanted.currency:
        message = gettext_noop(
            "The market data source cannot be asked about %(ticker)s now. Give its currency."
        )
        if is_idle:
            message = gettext_noop(
                "The market data source has no prices of %(ticker)s. Give its currency."
            )
        return DomainError(
            message,
            attr="currency",
            code="currency_required",
            params={"ticker": wanted.ticker},
        )
    # Until the source describes it, nothing that this user says is a fact for others.
    return StockMetadata(ticker=wanted.ticker, currency=wanted.currency, source=source, owner=user)


def described(info: InstrumentInfo, ticker: str, source: str) -> StockMetadata:
    """Return a shared instrument, not stored yet, as the source describes it."""
    return StockMetadata(ticker=ticker, source=source, **description_of(info))


def keep_instruments(*, stocks: Sequence[StockMetadata]) -> None:
    """Store instruments that only the user describes, in the transaction of their first trade.

    Nothing stays of a refused trade. Three queries. What another request of the user stored at this
    moment is taken instead. Raises Conflict if that is in another currency.
    """
    new = [stock for stock in stocks if stock._state.adding]
    if not new:
        return
    for stock in new:
        stock.clean_fields(exclude=["owner"])
    StockMetadata.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)
    rows = StockMetadata.objects.filter(ticker__in=[stock.ticker for stock in new])
    stored = {(row.ticker, row.owner_id): row for row in rows}
    for stock in new:
        theirs = stored[stock.ticker, stock.owner_id]
        if theirs.pk == stock.pk:
            continue
        if theirs.currency != stock.currency:
            stock._state.adding = True
            raise Conflict(
                f"{stock.ticker} is being added by another request. Try again.", attr="ticker"
            )
        stock.pk = theirs.pk
        stock.refresh_from_db()


# --- Learned from a source ------------------------------------------------------------------------


def shared_instrument(ticker: str) -> StockMetadata | None:
    """Return the instrument of `ticker` that a source prices for all users."""
    return StockMetadata.objects.filter(ticker=ticker, owner__isnull=True).first()


def learn_instrument(*, ticker: str, seconds: float) -> StockMetadata:
    """Ask for `ticker` within `seconds`, and store it with its latest prices.

    Raises SourceError.
    """
    source = registry().source_for(ticker)
    start = first_day_for_quote()

    def keep(answer: History) -> None:
        store_new(described(answer.info, ticker, source.name), answer)

    if source.offline:
        keep(history_from(source, ticker, start))
    else:
        question = Question(
            source=source,
            ticker=ticker,
            start=start,
            keep=keep,
            is_kept=lambda: shared_instrument(ticker) is not None,
        )
        until = time.monotonic() + seconds
        _ask_one(question, seconds)
        if shared_instrument(ticker) is None:
            # Another request was asking for the same, and did not store it.
            _ask_one(question, max(0.0, until - time.monotonic()))
    found = shared_instrument(ticker)
    if found is None:
        raise SourceTimeout(f"{source.name} did not answer in time.")
    return found


def _ask_one(question: Question, seconds: float) -> None:
    """Have the question answered and kept. Raises the SourceError that prevented it."""
    error = ask_histories([question], seconds=seconds)[question.key]
    if error is not None:
        raise error


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


def note_isin(*, stock_id: UUID, isin: str) -> None:
    """Keep the ISIN that a user's statement gives in the user's own instrument, if it has none.

    In a shared one only a source writes (`learn_isin`).
    """
    if StockMetadata.objects.filter(pk=stock_id, owner__isnull=False).exists():
        keep_isin(stock_id=stock_id, isin=isin)


def keep_isin(*, stock_id: UUID, isin: str) -> None:
    """Keep an ISIN, and its country, where the instrument has none.

    An ISIN with a wrong check digit is ignored.
    """
    isin = isin.strip().upper()
    if not is_isin(isin):
        return
    stock = StockMetadata.objects.filter(pk=stock_id)
    stock.filter(isin="").update(isin=isin, version=F("version") + 1)
    country = Locale("en").territories.get(isin[:2])
    if country:
        without = stock.filter(isin=isin, country="")
        without.update(country=country, version=F("version") + 1)
