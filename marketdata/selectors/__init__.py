"""Read what is stored about instruments, prices and rates.

No source is asked here (`marketdata.queries` does), and every query count is constant.
"""

from marketdata.calc.rates import FoundRate as RateNow
from marketdata.selectors.instruments import (
    currencies_in_use,
    dividends_of,
    instrument_for,
    instruments_described_otherwise,
    instruments_to_settle,
    instruments_visible_to,
    known_instruments,
    sourced,
    sourced_instruments,
    splits_of,
    unconfirmed_instruments,
    unpriced_and_old,
)
from marketdata.selectors.prices import (
    CloseOn,
    DayClose,
    PriceHistory,
    PriceNow,
    closes_on,
    closes_on_days,
    days_in_doubt,
    instrument_details,
    is_fresh,
    price_history,
    prices_by_hand,
    prices_now,
    prices_on_days,
    with_staleness_of_now,
)
from marketdata.selectors.rates import (
    Conversion,
    RateHistory,
    Stretches,
    asked_pairs,
    forget_legs,
    pair_rows,
    rate_history,
    rate_on,
    rates_in_doubt,
    rates_now,
    rates_on,
    rates_on_days,
)
from marketdata.selectors.splits import KnownSplit, known_splits
