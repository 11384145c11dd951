"""Generate deterministic histories of three sizes, traded on weekdays in five currencies."""

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from benchmarks.kinds import Kind
from portfolios.calc.layout import Market, Trades

SIZES = {
    "S": (20, 500, 3),
    "M": (100, 5_000, 10),
    "L": (500, 100_000, 20),
}  # instruments, transactions, years
CURRENCIES = ("NOK", "EUR", "GBP", "SEK", "USD")  # the first is the portfolio's currency
WEEKDAYS_A_YEAR = 261
_EPOCH = date(1970, 1, 1).toordinal()
_AROUND = np.array([1.0, 11.5, 13.3, 1.02, 10.4])


@dataclass(frozen=True)
class Generated:
    """`close` [instrument, weekday] and `rates` [currency, weekday] in the currency NOK; `days` are
    day numbers.
    """

    size: str
    days: np.ndarray
    close: np.ndarray
    currency: np.ndarray
    rates: np.ndarray
    trades: Trades

    @property
    def first_day(self) -> date:
        return date.fromordinal(int(self.days[0]) + _EPOCH)

    def market(self) -> Market:
        """Return all calendar days, weekends at Friday's values, as the application passes them."""
        calendar = np.arange(self.days[0], self.days[-1] + 1)
        column = np.searchsorted(self.days, calendar, side="right") - 1
        return Market(
            first_day=int(self.days[0]),
            close=np.ascontiguousarray(self.close[:, column]),
            currency=self.currency,
            rates=np.ascontiguousarray(self.rates[:, column]),
        )


@cache
def generate(size: str) -> Generated:
    """Generate a history: half buys, a third sales of a part or all, the rest dividends.

    It is never oversold. The numbers are always the same; the last day is today or the last Friday.
    """
    instruments, count, years = SIZES[size]
    random = np.random.default_rng([7, instruments, count])
    days = np.busday_offset(
        np.datetime64("today"), np.arange(-WEEKDAYS_A_YEAR * years + 1, 1), roll="backward"
    )
    days = days.astype(np.int64)

    drift = random.normal(0.0002, 0.0003, (instruments, 1))
    steps = (
        drift
        + 0.015 * random.standard_normal((instruments, len(days)))
        + 0.007 * random.standard_normal(len(days))
    )
    close = np.round(
        np.clip(
            random.uniform(15, 500, (instruments, 1)) * np.exp(np.cumsum(steps, axis=1)), 0.5, 1e5
        ),
        2,
    )
    currency = np.sort(random.choice(5, instruments, p=[0.35, 0.15, 0.1, 0.1, 0.3]))
    walks = np.cumsum(0.004 * random.standard_normal((5, len(days))), axis=1)
    rates = np.round(_AROUND[:, None] * np.exp(walks), 4)
    rates[0] = 1.0

    popularity = random.pareto(1.3, instruments) + 0.2
    instrument = random.choice(instruments, count, p=popularity / popularity.sum())
    at = np.sort(random.integers(0, len(days) - 3, count))
    kinds = random.choice([Kind.BUY, Kind.SELL, Kind.DIVIDEND], count, p=[0.5, 0.3, 0.2])
    kind = np.zeros(count, np.int8)
    quantity, held = np.zeros(count), np.zeros(count)
    shares = random.choice([0.1, 0.3, 0.5, 1.0], count)
    wanted = random.integers(1, 300, count)
    order = np.lexsort(
        (kinds, at, instrument)
    )  # within a day in the ledger's order, so that a sale follows its buy
    owned = dict.fromkeys(range(instruments), 0)
    for index in order.tolist():
        which, owns = int(instrument[index]), owned[int(instrument[index])]
        kind[index] = kinds[index] if owns else Kind.BUY
        if kind[index] == Kind.BUY:
            quantity[index] = wanted[index]
            owns += int(wanted[index])
        elif kind[index] == Kind.SELL:
            quantity[index] = max(1, int(owns * shares[index]))
            owns -= int(quantity[index])
        else:
            quantity[index] = owns
        held[index] = owned[which] = owns
    price = close[instrument, at] * (1 + 0.003 * random.standard_normal(count))
    paid_out = kind == Kind.DIVIDEND
    price = np.round(np.where(paid_out, price * random.uniform(0.002, 0.02, count), price), 4)
    commission = np.where(paid_out, 0.0, np.round(np.maximum(2.9, 0.0005 * quantity * price), 2))
    rate = rates[currency[instrument], at]
    return Generated(
        size=size,
        days=days,
        close=close,
        currency=currency,
        rates=rates,
        trades=_in_ledger_order(
            instrument, days[at], kind, quantity, price, commission, rate, held, order
        ),
    )


def _in_ledger_order(
    instrument, day, kind, quantity, price, commission, rate, held, order
) -> Trades:
    # A sale of 0 shares became a buy, which may change the order within a day. Therefore held is
    # summed up again.
    order = order[np.lexsort((kind[order], day[order], instrument[order]))]
    kind, quantity, which = kind[order], quantity[order], instrument[order]
    change = np.where(kind == Kind.BUY, quantity, np.where(kind == Kind.SELL, -quantity, 0.0))
    running = np.cumsum(change)  # whole shares: exact
    first = np.searchsorted(which, which)
    held = running - np.where(first > 0, running[first - 1], 0.0)
    assert (held >= 0).all()
    return Trades(
        instrument=which.astype(np.int32),
        day=day[order].astype(np.int32),
        kind=kind,
        quantity=quantity,
        price=price[order],
        commission=commission[order],
        rate=rate[order],
        held=held,
        share=np.zeros(len(held)),
        group=np.zeros(len(held), dtype=np.int64),
    )
