"""An instrument that a portfolio is measured by."""

import numpy as np

from marketdata import series
from marketdata.models import StockMetadata
from marketdata.selectors import splits_of
from portfolios.calc.performance import Floats
from portfolios.reports.figures import Period


def benchmark_index(stock: StockMetadata, currency: str, period: Period) -> Floats:
    """[column] 100 the day before the period, then the price in `currency` with its splits undone,
    without dividends.

    NaN throughout when there is no price or rate on that day.
    """
    close = series.closes([stock.pk], period.day_before, period.end)[0]
    rate = series.rates([(stock.currency, currency)], period.day_before, period.end)[0]
    shares = np.ones(period.columns)
    for day, ratio in splits_of([stock.pk]).get(stock.pk, []):
        if period.start <= day <= period.end:
            shares[(day - period.day_before).days :] *= float(ratio)
    worth = close * rate * shares
    with np.errstate(divide="ignore", invalid="ignore"):
        index: Floats = worth / worth[0] * 100
    return np.where(np.isfinite(index), index, np.nan)
