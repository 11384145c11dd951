"""Value portfolios at the latest prices and rates that are stored.

No source is asked here (`portfolios.queries` does), and every query count is constant.
"""

from portfolios.valuation.cash import (
    CashOn,
    CurrencyBalance,
    Money,
    cash_on,
    cash_pairs,
    money_in,
)
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
    "CashOn",
    "CurrencyBalance",
    "Money",
    "NetValue",
    "ValuationData",
    "ValuedHolding",
    "ValuedPortfolio",
    "cash_on",
    "cash_pairs",
    "doubtful_from",
    "money_in",
    "net_value_of",
    "read_valuation_data",
    "value_portfolios",
    "valued",
]
