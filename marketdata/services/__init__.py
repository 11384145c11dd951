"""Write market data, and refresh it from its sources."""

from marketdata.services.answers import accept_held_back, dismiss_held_back
from marketdata.services.confirming import leave_to_user
from marketdata.services.instruments import (
    instrument_for_trade,
    instruments_for_import,
    keep_instruments,
    note_isin,
    unanswered,
)
from marketdata.services.instruments_by_hand import (
    can_describe,
    copy_for_user,
    delete_instrument,
    describe_instrument,
    instrument_to_describe,
    instrument_to_price,
    save_instrument,
)
from marketdata.services.price_refresh import (
    ensure_history,
    ensure_prices,
    learn_splits,
    refresh_history,
    refresh_quotes,
    refresh_stocks,
)
from marketdata.services.prices import (
    delete_dividend,
    delete_price,
    delete_price_by_hand,
    delete_quote,
    delete_split,
    enter_price,
    enter_prices,
    record_dividends,
    record_history,
    record_prices,
    record_quote,
    record_splits,
    save_dividend,
    save_price,
    save_quote,
    save_split,
)
from marketdata.services.rate_refresh import ensure_rates, refresh_rates
from marketdata.services.rates import delete_pair, delete_rate, record_rates, save_rate
from marketdata.services.restore import (
    restore_dividends,
    restore_instrument,
    restore_prices,
    restore_quote,
    restore_rates,
    restore_splits,
)
from marketdata.services.searching import learn_isin
