"""How instruments and rates appear in the history."""

from financeproj.core.db.rows import fields_of
from financeproj.history.services import HistoryObject
from marketdata.models import StockMetadata

INSTRUMENT_FIELDS = (
    "ticker",
    "company_name",
    "currency",
    "asset_type",
    "exchange",
    "sector",
    "country",
    "isin",
    "source",
)


def instrument_object(stock: StockMetadata) -> HistoryObject:
    """An instrument that all users share has no owner: staff alone read its entries."""
    return HistoryObject(
        type="instrument", id=stock.pk, label=stock.ticker, owner_id=stock.owner_id
    )


def instrument_fields(stock: StockMetadata) -> dict[str, object]:
    return fields_of(stock, INSTRUMENT_FIELDS)


def rate_object(base: str, target: str) -> HistoryObject:
    return HistoryObject(type="exchange_rate", id="", label=f"{base}/{target}", owner_id=None)
