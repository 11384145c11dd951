"""Instruments that their user alone describes, until a source does."""

from django.db import IntegrityError, transaction
from django.db.models import F

from financeproj.history.models import Door
from financeproj.history.services import record
from marketdata.history import instrument_fields, instrument_object
from marketdata.models import (
    AssetType,
    HeldBack,
    HistoricalStockPrice,
    StockDividend,
    StockMetadata,
    StockQuote,
    StockSplit,
    StockVector,
)
from marketdata.sources import History, InstrumentInfo

SERIES = (HistoricalStockPrice, StockSplit, StockDividend)


def description_of(info: InstrumentInfo) -> dict[str, str]:
    """Return the fields of StockMetadata that a source describes."""
    asset_type = info.asset_type
    if asset_type not in AssetType.values:
        asset_type = AssetType.OTHER
    return {
        "company_name": info.company_name,
        "currency": info.currency,
        "asset_type": asset_type,
        "exchange": info.exchange,
        "exchange_timezone": info.exchange_timezone,
        "sector": info.sector,
        "country": info.country,
        "isin": info.isin,
    }


@transaction.atomic
def leave_to_user(*, stock: StockMetadata, described_currency: str = "") -> None:
    """Let the user price an unconfirmed instrument by hand.

    Either no source knows it, or the source describes it in `described_currency`. Prices that an
    archive brought count as the user's own from now on.
    """
    stock = StockMetadata.objects.select_for_update(no_key=True).get(pk=stock.pk)
    if not stock.is_unconfirmed:
        return
    before = instrument_fields(stock)
    stock.source = StockMetadata.MANUAL
    stock.described_currency = described_currency
    stock.version += 1
    stock.save()
    for model in SERIES:
        model.objects.filter(stock=stock).as_service().update(source=StockMetadata.MANUAL)
    StockQuote.objects.filter(stock=stock).update(source=StockMetadata.MANUAL)
    record(
        "changed",
        instrument_object(stock),
        before=before,
        after=instrument_fields(stock),
        door=Door.SOURCE,
    )


def confirmed(
    stock: StockMetadata, answer: History, *, is_whole: bool = False
) -> StockMetadata | None:
    """Return the shared instrument that a source's answer about the locked `stock` is for.

    An unconfirmed instrument described in its currency becomes the shared one, unless there is
    one. None where it stays the user's: in another currency (then priced by hand), or while the
    source does not describe it. `is_whole` states that the answer reaches back to the earliest day.
    """
    if not stock.is_unconfirmed:
        return stock
    currency = answer.info.currency
    if not currency:
        return None
    if currency != stock.currency:
        leave_to_user(stock=stock, described_currency=currency)
        return None
    if not answer.closes and stock.prices.exists():
        # An archive brought prices, and the source has none.
        if is_whole:
            leave_to_user(stock=stock)
        return None
    try:
        with transaction.atomic():
            _share(stock, answer.info)
    except IntegrityError:
        pass  # there is a shared one, to which portfolios moves the holdings
    shared = StockMetadata.objects.select_for_update(no_key=True)
    return shared.get(ticker=stock.ticker, owner__isnull=True)


def _share(stock: StockMetadata, info: InstrumentInfo) -> None:
    """Make the user's instrument the shared one, with nothing in it that the user said."""
    of_the_user = instrument_object(stock)
    before = instrument_fields(stock)
    described = description_of(info)
    StockMetadata.objects.filter(pk=stock.pk).update(
        **described, owner=None, history_fetched_at=None, version=F("version") + 1
    )
    for model in SERIES:
        model.objects.filter(stock=stock).as_service().delete()
    for kept in (StockQuote, HeldBack, StockVector):
        kept.objects.filter(stock=stock).delete()
    record(
        "confirmed",
        of_the_user,
        before=before,
        after=before | {name: described[name] for name in described if name in before},
        door=Door.SOURCE,
    )
