"""An instrument with which a portfolio is compared."""

import numpy as np

from marketdata import series
from marketdata.models import StockMetadata
from marketdata.selectors import splits_of
from portfolios.calc.layout import Floats
from portfolios.reports.periods import Period


def benchmark_index(stock: StockMetadata, currency: str, period: Period) -> Floats:
    """Return the value of a share bought before the period, [column], as an index from 100 on.

    It is in `currency`, adjusted for splits, without dividends. All is NaN when there is no price
    or rate on the day before the period.
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
