"""Daily values and flows of a portfolio's money, from arrays. docs/definitions.md, "With cash".

A currency counts as an instrument whose close is always 1. Days are columns as in
`portfolios.calc.layout`; flows begin in column 1. Everything is float64 in the currency of the
figures. No loop runs over rows or days.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from portfolios.calc.columns import padded, sums_of
from portfolios.calc.kinds import TransactionType
from portfolios.calc.layout import Codes, Flags, Floats, Ints, is_one_of, summed
from portfolios.calc.performance import NOISE, Daily

DEPOSIT = TransactionType.DEPOSIT.rules.code
WITHDRAWAL = TransactionType.WITHDRAWAL.rules.code
ADJUSTMENT = TransactionType.ADJUSTMENT.rules.code
OPENING = TransactionType.OPENING.rules.code
CONVERSION = TransactionType.CONVERSION.rules.code
INTEREST = TransactionType.INTEREST.rules.code
FEE = TransactionType.FEE.rules.code
TAX = TransactionType.TAX.rules.code

ABSENT = -1  # in `instrument` and `partner`


@dataclass(frozen=True, slots=True)
class MoneyRows:
    """Transactions that move money, by currency, day and order of entry: arrays of one length.

    `currency` is a row of the rates, and so is `partner`, the currency of the other leg of a
    conversion. `day` is a day number, `kind` a code of `Rules`. `amount` is the signed amount that
    went through the account, in its currency. `formula` is the same by quantity, price and charge,
    in the portfolio's currency; 0 for money alone. `instrument` is the one of `Trades`, ABSENT for
    money alone. `balance` is what stands in the currency right after the row, summed exactly.
    """

    currency: NDArray[np.int32]
    day: NDArray[np.int32]
    kind: Codes
    amount: Floats
    formula: Floats
    instrument: NDArray[np.int32]
    partner: NDArray[np.int32]
    balance: Floats

    def __len__(self) -> int:
        return len(self.day)

    def take(self, chosen: Flags | Ints) -> "MoneyRows":
        return MoneyRows(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class CashMarket:
    """Rates into the currency of the figures, [currency, day], NaN on a day without one.

    `own` [day] is the rate of the portfolio's currency. From column `since` on money counts;
    before, it stands outside. `priced` [instrument, day] says which instruments have a price and a
    rate; None stands for all on all days.
    """

    first_day: int
    rates: Floats
    own: Floats
    since: int
    priced: Flags | None = None


@dataclass(frozen=True, slots=True)
class CashDaily:
    """One number a day, [day], but for `missing`.

    `debt` is the part of `value` that is below 0, as a positive number. `inflow`, `outflow`,
    `bought` and `released` are as in `Daily`. `both_ways` is what was both deposited and withdrawn
    in one currency. `missing` are the currencies that had or moved something on a day without a
    rate.
    """

    value: Floats
    debt: Floats
    inflow: Floats
    outflow: Floats
    bought: Floats
    released: Floats
    both_ways: Floats
    missing: Ints


AMOUNTS = ("value", "debt", "inflow", "outflow", "bought", "released", "both_ways")
PARTS = (
    "start_value",
    "entered",
    "deposits",
    "withdrawals",
    "adjustments",
    "from_securities",
    "interest",
    "fees",
    "taxes",
    "fx_effect",
    "end_value",
)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where the rows fall in the columns, and what stands in each currency.

    The rows are those of the period on days on which money counts. `balance` and `counts`
    [currency, day]: what stands there in the evening, and whether the currency has a rate and its
    money counts. `inside` [row]: the currency counts that day; `priced` [row]: the instrument does;
    `crosses` [row]: it is a conversion whose other leg does not count. `worth` and `formula` [row]
    are in the currency of the figures.
    """

    days: int
    rates: Floats
    balance: Floats
    counts: Flags
    rows: MoneyRows
    column: Ints
    inside: Flags
    priced: Flags
    crosses: Flags
    worth: Floats
    formula: Floats

    def is_kind(self, *codes: int) -> Flags:
        """[row] Whether it is money alone of one of these kinds, in a currency that counts."""
        alone = self.rows.instrument == ABSENT
        return is_one_of(self.rows.kind, codes) & alone & self.inside

    def by_day(self, chosen: Flags, amounts: Floats) -> Floats:
        return summed(self.column[chosen], amounts[chosen], self.days)

    def by_currency(self, chosen: Flags, amounts: Floats) -> Floats:
        """Return the sums [currency, day]."""
        at = self.rows.currency[chosen] * np.int64(self.days) + self.column[chosen]
        return summed(at, amounts[chosen], self.balance.size).reshape(self.balance.shape)

    def entries(self) -> Floats:
        """Return what enters with the first day that counts, [currency, day]."""
        enters = np.zeros_like(self.balance)
        begins = self.counts[:, 1:] & ~self.counts[:, :-1]
        enters[:, 1:] = np.where(begins, self.balance[:, :-1] * self.rates[:, 1:], 0.0)
        return enters

    def exits(self) -> Floats:
        """Return what leaves on the first day that no longer counts, [currency, day].

        It is the value of the evening before.
        """
        leaves = np.zeros_like(self.balance)
        ends = self.counts[:, :-1] & ~self.counts[:, 1:]
        leaves[:, 1:] = np.where(ends, self.balance[:, :-1] * self.rates[:, :-1], 0.0)
        return leaves

    def values(self) -> Floats:
        """Return the value of each currency, [currency, day]."""
        return np.where(self.counts, self.balance * self.rates, 0.0)


def cash_daily(rows: MoneyRows, market: CashMarket) -> CashDaily:
    """Return the daily figures of the money of one portfolio.

    With them the securities' own flows are those of `daily` with the same `cash_from`.
    """
    placed = _place(rows, market)
    flow = np.zeros(len(placed.rows))
    own = placed.is_kind(DEPOSIT, WITHDRAWAL, ADJUSTMENT)
    enters = placed.is_kind(OPENING) | placed.crosses
    flow[own | enters] = placed.worth[own | enters]
    of_instrument = placed.rows.instrument != ABSENT
    bought_outside = of_instrument & placed.inside & ~placed.priced
    flow[bought_outside] = placed.formula[bought_outside]
    paid_outside = of_instrument & ~placed.inside & placed.priced
    flow[paid_outside] = -placed.formula[paid_outside]

    comes = placed.by_day(flow > 0, flow)
    leaves = placed.by_day(flow < 0, -flow)
    moved = placed.entries() - placed.exits()
    comes += np.maximum(moved, 0.0).sum(axis=0)
    leaves += np.maximum(-moved, 0.0).sum(axis=0)

    netted = placed.by_currency(own | bought_outside, flow)
    values = placed.values()
    return CashDaily(
        value=values.sum(axis=0),
        debt=np.maximum(-values, 0.0).sum(axis=0),
        inflow=comes,
        outflow=leaves,
        bought=np.maximum(netted, 0.0).sum(axis=0),
        released=np.maximum(-netted, 0.0).sum(axis=0),
        both_ways=_both_ways(placed),
        missing=_missing(placed, market),
    )


def _both_ways(placed: _Placed) -> Floats:
    """Return what was both deposited and withdrawn in one currency, [day]."""
    withdrawn = placed.is_kind(WITHDRAWAL)
    if not withdrawn.any():
        return np.zeros(placed.days)
    deposits = placed.by_currency(placed.is_kind(DEPOSIT), placed.worth)
    withdrawals = placed.by_currency(withdrawn, -placed.worth)
    return np.minimum(deposits, withdrawals).sum(axis=0)


def cash_bridge(rows: MoneyRows, market: CashMarket) -> tuple[dict[str, float], Ints]:
    """Return the PARTS from the end of column 0 to the end of the last column, and what is missing.

    Start + entered + deposits - withdrawals + adjustments + from securities + interest - fees -
    taxes + fx effect = end.
    """
    placed = _place(rows, market)
    worth, formula = placed.worth, placed.formula
    of_instrument = placed.rows.instrument != ABSENT
    through_outside = of_instrument & ~placed.inside
    entered = placed.entries().sum() - placed.exits().sum()
    entered += worth[placed.is_kind(OPENING) | placed.crosses].sum()
    entered -= formula[through_outside].sum()

    stays = placed.counts[:, 1:] & placed.counts[:, :-1]
    moves = np.where(stays, placed.balance[:, :-1] * np.diff(placed.rates, axis=1), 0.0)
    converted = placed.is_kind(CONVERSION) & ~placed.crosses
    settled = of_instrument & placed.inside
    fx_effect = moves.sum() + worth[converted].sum() + (worth - formula)[settled].sum()

    values = placed.values().sum(axis=0)
    parts = {
        "start_value": float(values[0]),
        "entered": float(entered),
        "deposits": float(worth[placed.is_kind(DEPOSIT)].sum()),
        "withdrawals": float(-worth[placed.is_kind(WITHDRAWAL)].sum()),
        "adjustments": float(worth[placed.is_kind(ADJUSTMENT)].sum()),
        "from_securities": float(formula[of_instrument].sum()),
        "interest": float(worth[placed.is_kind(INTEREST)].sum()),
        "fees": float(-worth[placed.is_kind(FEE)].sum()),
        "taxes": float(-worth[placed.is_kind(TAX)].sum()),
        "fx_effect": float(fx_effect),
        "end_value": float(values[-1]),
    }
    return parts, _missing(placed, market)


def _place(rows: MoneyRows, market: CashMarket) -> _Placed:
    currencies, days = market.rates.shape
    column = rows.day.astype(np.int64) - market.first_day
    if len(column) and column.max() >= days:
        rows, column = rows.take(column < days), column[column < days]
    balance = _balances(rows, np.maximum(column, 0), currencies, days)
    counts = ~np.isnan(market.rates) & (np.arange(days) >= market.since)
    rates = np.nan_to_num(market.rates)

    chosen = np.flatnonzero(column >= max(market.since, 1))
    rows, column = rows.take(chosen), column[chosen]
    inside = counts[rows.currency, column]
    priced = np.ones(len(rows), dtype=bool)
    if market.priced is not None and len(market.priced):
        priced = market.priced[rows.instrument, column]
    has_partner = rows.partner != ABSENT
    crosses = inside & has_partner & ~counts[rows.partner, column]
    return _Placed(
        days=days,
        rates=rates,
        balance=balance,
        counts=counts,
        rows=rows,
        column=column,
        inside=inside,
        priced=priced,
        crosses=crosses,
        worth=rows.amount * rates[rows.currency, column],
        formula=rows.formula * np.nan_to_num(market.own)[column],
    )


def _balances(rows: MoneyRows, column: Ints, currencies: int, days: int) -> Floats:
    """Return what stands in each currency at the end of each day, [currency, day]."""
    at = rows.currency * np.int64(days) + column
    is_last = np.ones(len(at), dtype=bool)
    np.not_equal(at[1:], at[:-1], out=is_last[:-1])
    run_at, standing = at[is_last], rows.balance[is_last]
    beginnings = np.arange(currencies, dtype=np.int64) * days
    first = np.searchsorted(run_at, beginnings)
    run_at = np.insert(run_at, first, beginnings)  # nothing stands there until the first row
    standing = np.insert(standing, first, 0.0)
    length = np.diff(run_at, append=currencies * days)
    return np.repeat(standing, length).reshape(currencies, days)


def _missing(placed: _Placed, market: CashMarket) -> Ints:
    """Return the currencies that had or moved something on a day without a rate."""
    unrated = ~placed.counts & (np.arange(placed.days) >= market.since)
    if not unrated.any():
        nothing: Ints = np.zeros(0, dtype=np.int64)
        return nothing
    standing = np.flatnonzero((unrated & (placed.balance != 0)).any(axis=1))
    return np.union1d(standing, placed.rows.currency[~placed.inside]).astype(np.int64)


def has_money_on(rows: MoneyRows, market: CashMarket, chosen: Flags) -> bool:
    """Return whether something stood in a currency on a day that is `chosen`, [currency, day]."""
    if not chosen.any():
        return False
    placed = _place(rows, market)
    return bool((placed.counts & chosen & (placed.balance != 0)).any())


def cash_padded(cash: CashDaily, days: int) -> CashDaily:
    """Put `days` empty columns before `cash`."""
    if not days:
        return cash
    return CashDaily(**padded(cash, AMOUNTS, days), missing=cash.missing)


def combined_cash(parts: Sequence[CashDaily], days: int) -> CashDaily:
    """Add up the money of several portfolios; `missing` is left to the caller."""
    sums = sums_of(parts, AMOUNTS, days)
    return CashDaily(**sums, missing=np.zeros(0, dtype=np.int64))


def with_cash(securities: Daily, cash: CashDaily) -> Daily:
    """Return the figures of securities and money together.

    What was both deposited and withdrawn in a day is netted where something stood there before.
    What only the noise of floats keeps from 0 is 0.
    """
    assets = securities.value + cash.value + cash.debt
    value = _without_noise(securities.value + cash.value, assets)
    netted = np.zeros(len(value))
    netted[1:] = np.where(value[:-1] > 0, cash.both_ways[1:], 0.0)
    inflow, outflow = securities.inflow + cash.inflow, securities.outflow + cash.outflow
    return replace(
        securities,
        value=value,
        inflow=_without_noise(inflow - netted, inflow),
        outflow=_without_noise(outflow - netted, outflow),
        bought=securities.bought + cash.bought,
        released=securities.released + cash.released,
    )


def _without_noise(amounts: Floats, summands: Floats) -> Floats:
    """Return the amounts [day], 0 where they are tiny next to what they were added up from."""
    return np.where(np.abs(amounts) <= NOISE * summands, 0.0, amounts)


def invested_with_cash(securities: Daily, cash: CashDaily, since: int) -> Daily:
    """Return the securities with the days marked on which something flowed in, money too.

    Before the column `since` they count by themselves.
    """
    flows_in = securities.inflow + cash.inflow > 0
    before = np.arange(len(flows_in)) < since
    return replace(securities, invested=np.where(before, securities.invested, flows_in))
