"""Value portfolios at the latest prices and rates that are stored.

No source is asked here (`portfolios.queries` does), and every query count is constant.
"""

from portfolios.valuation.net_value import NetValue, net_value_of
from portfolios.valuation.traded import TRADE
from portfolios.valuation.valued import (
    ValuationData,
    ValuedHolding,
    ValuedPortfolio,
    doubtful_from,
    read_valuation_data,
    value_portfolios,
    valued,
)

__all__ = [
    "TRADE",
    "NetValue",
    "ValuationData",
    "ValuedHolding",
    "ValuedPortfolio",
    "doubtful_from",
    "net_value_of",
    "read_valuation_data",
    "value_portfolios",
    "valued",
]
