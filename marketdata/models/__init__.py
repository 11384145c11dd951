"""What instruments are and what they cost; exchange rates.

Prices and rates are written through `marketdata.services` only, which bumps the version that their
vectors carry.
"""

from marketdata.models.held_back import HeldBack, HeldBackAnswer
from marketdata.models.instruments import AssetType, StockMetadata, StockQuote
from marketdata.models.look_ups import LookUp, LookUpAnswer
from marketdata.models.prices import HistoricalStockPrice, StockDividend, StockSplit
from marketdata.models.rates import CurrencyPair, HistoricalExchangeRate
from marketdata.models.series_rows import SeriesRows, WrittenByServices
from marketdata.models.vectors import PairVector, StockVector

__all__ = [
    "AssetType",
    "CurrencyPair",
    "HeldBack",
    "HeldBackAnswer",
    "HistoricalExchangeRate",
    "HistoricalStockPrice",
    "LookUp",
    "LookUpAnswer",
    "PairVector",
    "SeriesRows",
    "StockDividend",
    "StockMetadata",
    "StockQuote",
    "StockSplit",
    "StockVector",
    "WrittenByServices",
]
