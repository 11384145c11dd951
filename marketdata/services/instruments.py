"""Finding and making instruments."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from babel import Locale
from django.db import IntegrityError, transaction
from django.db.models import F, ProtectedError
from django.utils import timezone

from financeproj.core.errors import Conflict, DomainError, NotFound
from financeproj.core.identifiers import (
    MAX_TICKER_LENGTH,
    TICKER_CHARACTERS,
    is_isin,
    is_ticker,
)
from marketdata import gateway
from marketdata.models import AssetType, StockMetadata
from marketdata.selectors import instrument_for, instruments_visible_to
from marketdata.services.prices import record_history
from marketdata.services.refresh import QUOTE_WINDOW, time_limit
from marketdata.sources import (
    History,
    InstrumentInfo,
    SourceError,
    SourceTimeout,
    UnknownTicker,
    registry,
)


def instrument_for_trade(
    *, user: Any, ticker: str, currency: str | None, company_name: str = ""
) -> StockMetadata:
    """The instrument that the user means by `ticker`, made if it is new; the source is asked only
    then.

    Raises DomainError: `unknown_ticker` when the source says so and no currency is given,
    `currency_required` when it cannot be asked and none is given, `currency_mismatch` when the
    given one is not the instrument's. Not to be called inside a transaction.
    """
    found = instruments_for_import(user=user, wanted=[(ticker, currency, company_name)])[ticker]
    if isinstance(found, DomainError):
        raise found
    return found


def instruments_for_import(
    *, user: Any, wanted: Sequence[tuple[str, str | None, str]], dry_run: bool = False
) -> dict[str, StockMetadata | DomainError]:
    """The same for many (ticker, currency, company name), the sources asked within one time limit.

    Keyed by the ticker as given. In a dry run new instruments are not stored; those that no source
    has described are so only with their first trade (`keep_instruments`).
    """
    # Others than ASCII's letters are no ticker's: ß must not become SS.
    keys = {
        ticker: ticker.strip().upper() if ticker.isascii() else ticker for ticker, _, _ in wanted
    }
    currencies: dict[str, str | None] = {}
    names: dict[str, str] = {}
    results: dict[str, StockMetadata | DomainError] = {}
    for ticker, currency, company_name in wanted:
        key = keys[ticker]
        if not is_ticker(key):
            results[key] = DomainError(
                f"A ticker has up to {MAX_TICKER_LENGTH} {TICKER_CHARACTERS}",
                attr="ticker",
                code="invalid",
            )
        elif currency and currencies.get(key) and currencies[key] != currency:
            results[key] = _mismatch(key, currencies[key] or "", currency)
        currencies[key] = currencies.get(key) or currency
        names[key] = names.get(key) or company_name
    visible = instruments_visible_to(user).order_by(F("owner").desc(nulls_first=True))
    known = {
        stock.ticker: stock for stock in visible.filter(ticker__in=currencies)
    }  # the user's own come last and win
    for key, currency in currencies.items():
        if key not in results and key in known:
            stock = known[key]
            fits = currency in (None, "", stock.currency)
            results[key] = stock if fits else _mismatch(key, stock.currency, currency or "")
    answers = _look_up([key for key in currencies if key not in results])
    unsure = [key for key, answer in answers.items() if _tells_nothing(answer)]
    # Somebody else may have made it meanwhile.
    late = {stock.ticker: stock for stock in visible.filter(ticker__in=unsure)} if unsure else {}
    for key, answer in answers.items():
        results[key] = _made(user, key, currencies[key], names[key], answer, late.get(key), dry_run)
    return {ticker: results[key] for ticker, key in keys.items()}


def _mismatch(ticker: str, has: str, given: str) -> DomainError:
    return DomainError(
        f"{ticker} is in {has}, not in {given}.", attr="currency", code="currency_mismatch"
    )


def _look_up(tickers: Sequence[str]) -> dict[str, History | SourceError]:
    """What the sources say about unknown tickers, within the time limit in all."""
    answers: dict[str, History | SourceError] = {}
    calls = {}
    start = timezone.localdate() - QUOTE_WINDOW

    def call_for(ticker: str, source: Any) -> gateway.Call:
        return gateway.Call(
            key=f"{source.name}:{ticker}",
            party=gateway.party_of(source),
            run=lambda: source.history(ticker, start),
            keep=lambda answer: answers.update({ticker: answer}),
            is_kept=lambda: shared_instrument(ticker) is not None,
        )

    for ticker in tickers:
        try:
            source = registry().source_for(ticker)
            if source.offline:
                answers[ticker] = source.history(ticker, start)
            else:
                calls[ticker] = call_for(ticker, source)
        except SourceError as error:
            answers[ticker] = error
    until = time.monotonic() + time_limit()
    for _ in range(2):  # whoever was asking for the same just now may not store what they learned
        left = [call for ticker, call in calls.items() if ticker not in answers]
        outcomes = gateway.ask_all(left, seconds=max(0.0, until - time.monotonic()))
        for ticker, call in calls.items():
            if (fault := outcomes.get(call.key)) is not None:
                answers[ticker] = fault
    return {ticker: answers.get(ticker, History(InstrumentInfo(ticker))) for ticker in tickers}


def _tells_nothing(answer: History | SourceError) -> bool:
    """Whether the source neither described the instrument nor said that there is none."""
    if isinstance(answer, SourceError):
        return not isinstance(answer, UnknownTicker)
    return not answer.info.currency


def _made(
    user: Any,
    ticker: str,
    currency: str | None,
    company_name: str,
    answer: History | SourceError,
    found: StockMetadata | None,
    dry_run: bool,
) -> StockMetadata | DomainError:
    """The instrument after the source's `answer`; `found` is what somebody else stored if the
    source told nothing.
    """
    if isinstance(answer, UnknownTicker):
        if not currency:
            return DomainError(
                f"{ticker} is not known to the market data source. Give a currency to price it by hand.",
                attr="ticker",
                code="unknown_ticker",
            )
        return StockMetadata(
            ticker=ticker,
            currency=currency,
            company_name=company_name,
            source=StockMetadata.MANUAL,
            owner=user,
        )
    source = registry().source_for(ticker).name
    if isinstance(answer, SourceError) or not answer.info.currency:
        if found is not None:
            fits = currency in (None, "", found.currency)
            return found if fits else _mismatch(ticker, found.currency, currency or "")
        if not currency:
            return DomainError(
                f"The market data source cannot be asked about {ticker} now. Give its currency.",
                attr="currency",
                code="currency_required",
            )
        # Shared by everybody: what one user calls it is kept in the holding, not here.
        return StockMetadata(ticker=ticker, currency=currency, source=source)
    if currency and currency != answer.info.currency:
        return _mismatch(ticker, answer.info.currency, currency)
    stock = described(answer.info, ticker, source)
    return stock if dry_run else store_new(stock, answer)


def described(info: InstrumentInfo, ticker: str, source: str) -> StockMetadata:
    """A shared instrument, not stored yet, as the source describes it."""
    asset_type = info.asset_type if info.asset_type in AssetType.values else AssetType.OTHER
    return StockMetadata(
        ticker=ticker,
        company_name=info.company_name,
        currency=info.currency,
        asset_type=asset_type,
        exchange=info.exchange,
        exchange_timezone=info.exchange_timezone,
        sector=info.sector,
        country=info.country,
        isin=info.isin,
        source=source,
    )


def instrument_to_price(*, user: Any, ticker: str) -> StockMetadata:
    """The instrument priced by hand that `ticker` (in any case) means to whoever enters a price for
    it.

    To staff it is another user's where they have none of their own. Raises NotFound, and Conflict:
    `not_manual`, or `ambiguous_ticker` where several users have one.
    """
    ticker = ticker.strip().upper()
    found = None
    if is_ticker(ticker):
        found = instrument_for(user=user, ticker=ticker)
        if user.is_staff and (found is None or not found.is_manual):
            others = list(StockMetadata.objects.filter(ticker=ticker, owner__isnull=False)[:2])
            if len(others) > 1:
                raise Conflict(
                    f"Several users price a {ticker} by hand. Enter the price in the admin, at the one that is meant.",
                    attr="ticker",
                    code="ambiguous_ticker",
                )
            found = others[0] if others else found
    if found is None:
        raise NotFound(f"There is no instrument {ticker}.", code="unknown_ticker")
    if not found.is_manual:
        raise Conflict(
            f"{found.ticker} is priced by {found.source}.", attr="ticker", code="not_manual"
        )
    return found


def shared_instrument(ticker: str) -> StockMetadata | None:
    return StockMetadata.objects.filter(ticker=ticker, owner__isnull=True).first()


def learn_instrument(*, ticker: str, seconds: float) -> StockMetadata:
    """The shared instrument of `ticker`, asked for and stored with its latest prices. Raises
    SourceError.
    """
    source = registry().source_for(ticker)
    start = timezone.localdate() - QUOTE_WINDOW

    def keep(answer: History) -> None:
        store_new(described(answer.info, ticker, source.name), answer)

    if source.offline:
        keep(source.history(ticker, start))
    else:
        call = gateway.Call(
            key=f"{source.name}:{ticker}",
            party=gateway.party_of(source),
            run=lambda: source.history(ticker, start),
            keep=keep,
            is_kept=lambda: shared_instrument(ticker) is not None,
        )
        until = time.monotonic() + seconds
        gateway.ask(call, seconds=seconds)
        if (
            shared_instrument(ticker) is None
        ):  # who was asking for the same just now did not store it
            gateway.ask(call, seconds=max(0.0, until - time.monotonic()))
    found = shared_instrument(ticker)
    if found is None:
        raise SourceTimeout(f"{source.name} did not answer in time.")
    return found


def store_new(stock: StockMetadata, answer: History) -> StockMetadata:
    """Store a new instrument with the prices that came along."""
    stock = _stored(stock)
    if not stock.is_manual and stock.currency == answer.info.currency:
        record_history(stock=stock, answer=answer, source=stock.source)
    return stock


def _stored(stock: StockMetadata) -> StockMetadata:
    """The instrument stored, or the one that somebody else stored first."""
    try:
        stock.clean_fields(exclude=["owner"])
        with transaction.atomic():
            stock.save(force_insert=True)
        return stock
    except IntegrityError:
        return StockMetadata.objects.get(ticker=stock.ticker, owner=stock.owner)


def note_isin(*, stock_id: UUID, isin: str) -> None:
    """Keep the ISIN that a statement gives an instrument without one, and the country in it. A
    wrong one is ignored.
    """
    isin = isin.strip().upper()
    if not is_isin(isin):
        return
    StockMetadata.objects.filter(pk=stock_id, isin="").update(isin=isin, version=F("version") + 1)
    if country := Locale("en").territories.get(isin[:2]):
        StockMetadata.objects.filter(pk=stock_id, isin=isin, country="").update(
            country=country, version=F("version") + 1
        )


def keep_instruments(*, stocks: Sequence[StockMetadata]) -> None:
    """Store those of which only the user tells, in the transaction of their first trade: of a
    refused trade nothing stays, least of all a currency that everybody else would have to agree
    with. Three queries.

    Raises Conflict when another request stores one at this moment, unless that is the same shared
    instrument.
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
        if stock.owner_id or theirs.currency != stock.currency:
            stock._state.adding = True
            raise Conflict(
                f"{stock.ticker} is being added by another request. Try again.", attr="ticker"
            )
        stock.pk = theirs.pk
        stock.refresh_from_db()


def delete_instrument(*, stock: StockMetadata) -> None:
    """Delete an instrument. Raises Conflict while a portfolio holds or held it."""
    try:
        with transaction.atomic():
            stock.delete()
    except ProtectedError as error:
        raise Conflict(
            f"{stock.ticker} is in a portfolio.", attr="ticker", code="in_use"
        ) from error


@transaction.atomic
def save_instrument(row: StockMetadata) -> None:
    """Store an instrument as a person described it.

    Raises ValidationError, and DomainError (`currency_fixed`) for another currency once it was
    traded.
    """
    row.full_clean()
    before = StockMetadata.objects.select_for_update().filter(pk=row.pk).first()
    if (
        before
        and before.currency != row.currency
        and row.holdings.filter(transactions__isnull=False).exists()
    ):
        raise DomainError(
            f"The currency of {row.ticker} is fixed: it was traded.",
            attr="currency",
            code="currency_fixed",
        )
    row.version = before.version + 1 if before else 0
    row.save()
