"""Prices and rates for what is shown: asked for where there are none yet."""

from collections.abc import Iterable

from marketdata import services as marketdata
from portfolios.models import Portfolio
from portfolios.selectors import Reading, ValuedPortfolio, reading_of, value_all


def ensure_priced(portfolios: Iterable[Portfolio]) -> None:
    """Fetch, within the time limit, what the open holdings lack altogether; a source that fails is
    no error here.
    """
    _fetch_lacking(reading_of(portfolios))


def valued_now(portfolios: Iterable[Portfolio]) -> list[ValuedPortfolio]:
    """Each portfolio with every holding it ever had, valued after what lacks altogether was
    fetched.
    """
    reading = reading_of(portfolios)
    if _fetch_lacking(reading):
        reading = reading_of(reading.portfolios, reading.inputs)
    return value_all(reading)


def _fetch_lacking(reading: Reading) -> bool:
    """Whether there was anything to ask for."""
    stock_ids, pairs = reading.lacking()
    if stock_ids:
        marketdata.ensure_prices(stock_ids=stock_ids)
    if pairs:
        marketdata.ensure_rates(pairs=pairs)
    return bool(stock_ids or pairs)
