"""Yahoo Finance, through yfinance: a source of prices and exchange rates."""

from integrations.yahoo.session import server_time, warm_up
from integrations.yahoo.source import YahooSource

__all__ = ["YahooSource", "server_time", "warm_up"]
