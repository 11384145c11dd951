"""Random histories for the property tests, and their translation into arrays."""

from decimal import Decimal

import numpy as np
from hypothesis import strategies as st

from portfolios.calc.layout import Market, Trades
from portfolios.tests.oracle import History, Kind, Ledger, Trade

FIRST_DAY = 19_700  # 2023-12-09, a Saturday


def number(low: int, high: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda n: Decimal(n).scaleb(-places))


@st.composite
def histories(
    draw: st.DrawFn,
    instruments: int = 4,
    days: int = 40,
    trades: int = 24,
    gaps: bool = True,
) -> History:
    """Generate histories with all types, four currencies (0 is the portfolio's), gaps and
    splits. With `gaps` a rate may be unknown again later.
    """
    count = draw(st.integers(1, instruments))
    currency = sorted(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    own = dict.fromkeys(range(FIRST_DAY, FIRST_DAY + days), Decimal(1))
    rates = [own, *(_filled(draw, days, number(50, 2000, 2)) for _ in range(3))]
    closes = [_filled(draw, days, number(0, 50_000, 2)) for _ in range(count)]
    for unknown in draw(st.lists(_gaps(days), max_size=2 * gaps)):
        currency_row = draw(st.integers(1, 3))
        for day in unknown:
            rates[currency_row][day] = None
    known_from = FIRST_DAY + draw(st.sampled_from([0, 0, 0, 7]))
    history = History(currency=currency, closes=closes, rates=rates, known_from=known_from)
    if gaps:
        history.unknown = draw(st.one_of(st.just(set()), _gaps(days)))
    drawn = draw(
        st.lists(
            st.tuples(
                st.integers(0, count - 1),
                st.integers(0, days - 1),
                st.sampled_from([Kind.BUY, Kind.BUY, Kind.SELL, *Kind]),
                number(1, 100_000, 3),
                number(0, 50_000, 2),
                st.sampled_from([Decimal(0), Decimal("1.5"), Decimal("29")]),
                number(50, 2000, 2),
                st.sampled_from([Decimal("0.1"), Decimal("0.5"), Decimal(1)]),
            ),
            max_size=trades,
        )
    )
    ledgers = [Ledger() for _ in range(count)]
    for instrument, offset, kind, quantity, price, fee, rate, share in sorted(
        drawn, key=lambda row: row[:3]
    ):
        held = ledgers[instrument].quantity
        if kind in (Kind.SELL, Kind.TRANSFER_OUT):
            quantity = held * share
        elif kind is Kind.SPLIT:
            quantity = Decimal(4) if share < 1 else Decimal("0.1")
        if quantity == 0 or (kind is Kind.SPLIT and not held):
            continue
        own = currency[instrument] == 0
        trade = Trade(
            instrument, FIRST_DAY + offset, kind, quantity, price, fee, Decimal(1) if own else rate
        )
        if kind in (Kind.TRANSFER_IN, Kind.TRANSFER_OUT):
            trade.commission = Decimal(0)
        ledgers[instrument].apply(trade)
        history.trades.append(trade)
    return history


def _gaps(days: int) -> st.SearchStrategy[set[int]]:
    """Generate stretches of days without a rate."""
    ends = st.tuples(st.integers(0, days - 1), st.integers(0, days - 1))
    return ends.map(lambda pair: set(range(FIRST_DAY + min(pair), FIRST_DAY + max(pair))))


def _filled(
    draw: st.DrawFn, days: int, value: st.SearchStrategy[Decimal]
) -> dict[int, Decimal | None]:
    """Return values on some days, carried forward, none before the first."""
    known = draw(
        st.dictionaries(st.one_of(st.just(0), st.integers(0, days - 1)), value, max_size=12)
    )
    result: dict[int, Decimal | None] = {}
    latest = None
    for offset in range(days):
        latest = known.get(offset, latest)
        result[FIRST_DAY + offset] = latest
    return result


def arrays(history: History, start: int, end: int) -> tuple[Trades, Market]:
    """Convert `history` to the kernel's arrays, for the period [start, end]."""
    rows = []
    ledgers = [Ledger() for _ in history.currency]
    for trade in sorted(history.trades, key=lambda one: (one.instrument, one.day, one.kind)):
        ledgers[trade.instrument].apply(trade)
        rows.append((trade, ledgers[trade.instrument].quantity))

    def floats(values: list[Decimal]) -> np.ndarray:
        return np.array([float(value) for value in values])

    trades = Trades(
        instrument=np.array([trade.instrument for trade, _ in rows], dtype=np.int32),
        day=np.array([trade.day for trade, _ in rows], dtype=np.int32),
        kind=np.array([trade.kind for trade, _ in rows], dtype=np.int8),
        quantity=floats([trade.quantity for trade, _ in rows]),
        price=floats([trade.price for trade, _ in rows]),
        commission=floats([trade.commission for trade, _ in rows]),
        rate=floats([trade.rate for trade, _ in rows]),
        held=floats([held for _, held in rows]),
        share=np.zeros(len(rows)),
        group=np.zeros(len(rows), dtype=np.int64),
    )

    def matrix(series: list[dict[int, Decimal | None]]) -> np.ndarray:
        filled = np.full((len(series), len(columns)), np.nan)
        for row, one in enumerate(series):
            for column, day in enumerate(columns):
                value = one.get(day)
                if value is not None:
                    filled[row, column] = float(value)
        return filled

    columns = range(start - 1, end + 1)
    market = Market(
        first_day=start - 1,
        close=matrix(history.closes),
        currency=np.array(history.currency, dtype=np.int64),
        rates=matrix(history.rates),
        known=np.array([history.is_known(day) for day in columns]),
    )
    return trades, market
