"""Value portfolios at the latest prices and rates that are stored.

No source is asked here (`portfolios.queries` does), and every query count is constant.
"""

from portfolios.valuation.agreement import (
    agreements_of,
    booked_rows,
    comparable_checkpoints,
    compare_import,
    described,
    live_import,
    names_several_accounts,
    read_agreements,
    reversed_rows,
    stated_in,
)
from portfolios.valuation.cash import (
    CashOn,
    CurrencyBalance,
    Money,
    cash_on,
    cash_pairs,
    money_in,
)
from portfolios.valuation.net_value import NetValue, net_value_of, why_missing_together
from portfolios.valuation.traded import TRADE
from portfolios.valuation.valued import (
    ValuationData,
    ValuedHolding,
    ValuedPortfolio,
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
    "agreements_of",
    "booked_rows",
    "cash_on",
    "cash_pairs",
    "comparable_checkpoints",
    "compare_import",
    "described",
    "live_import",
    "money_in",
    "names_several_accounts",
    "net_value_of",
    "read_agreements",
    "read_valuation_data",
    "reversed_rows",
    "stated_in",
    "value_portfolios",
    "valued",
    "why_missing_together",
]
