"""The money in a performance explained: balances, rows of money, which of them are flows."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np
from msgspec import Struct

from financeproj.core.money import EXACT, ZERO, round_for_display, strip_zeros
from marketdata import series
from marketdata.selectors import rates_on
from portfolios.calc.kinds import TransactionType
from portfolios.calc.layout import Flags, Floats
from portfolios.reports.figures import column_of_cash, cut_to_history
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.money_rows import Moved, moved_in, partners_in
from portfolios.reports.pages import Page
from portfolios.reports.periods import Period
from portfolios.reports.shown import RateShown, rate_shown
from portfolios.reports.vectors import day_number, day_of

FLOWS = (
    TransactionType.DEPOSIT,
    TransactionType.WITHDRAWAL,
    TransactionType.ADJUSTMENT,
    TransactionType.OPENING,
)
Flow = dict[str, object]


class BalanceShown(Struct):
    """What stood in a currency, with its rate; `value` is None where that is unknown."""

    currency: str
    balance: Decimal
    rate: RateShown
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class MoneyListed:
    """A row of money alone, as pages list it among the transactions."""

    pk: UUID
    effective_date: date
    sequence: int
    moved: Moved

    def shown(self) -> dict[str, object]:
        row = self.moved.row
        return {
            "id": row.id,
            "holding_id": None,
            "ticker": None,
            "date": row.date,
            "sequence": row.sequence,
            "type": row.type,
            "quantity": 1,
            "price": strip_zeros(abs(self.moved.amount)),
            "commission": 0,
            "tax": strip_zeros(row.tax),
            "exchange_rate": None,
            "settlement_currency": self.moved.currency,
            "settlement_amount": strip_zeros(self.moved.amount),
        }


class CashExplained:
    """The money of one portfolio in a period, row by row."""

    def __init__(self, history: PortfolioHistory, period: Period) -> None:
        self._history, self._period = history, period
        self._moved: list[Moved] = []
        self._by_id: dict[UUID, Moved] = {}
        for one in moved_in(history.portfolio):
            if one.row.effective_date <= period.end:
                self._moved.append(one)
                self._by_id[one.row.id] = one
        self._partners = partners_in(self._moved)
        self._cut, _ = cut_to_history(history, period)
        self._since = column_of_cash(history, self._cut)
        codes = [code for code, _ in history.money_pairs]
        rates, _ = series.rates_with_age(history.money_pairs, self._cut.day_before, self._cut.end)
        self._rates = dict(zip(codes, rates, strict=True))

    def listed(self) -> list[MoneyListed]:
        """Return the rows of money alone."""
        listed: list[MoneyListed] = []
        for one in self._moved:
            row = one.row
            if row.holding_id is None:
                listed.append(MoneyListed(row.id, row.date, row.sequence, one))
        return listed

    def settled(self, pk: UUID) -> dict[str, object]:
        """Return what a transaction of a holding moved, as the list shows it."""
        one = self._by_id.get(pk)
        if one is None:
            return {"settlement_currency": None, "settlement_amount": None}
        return {
            "settlement_currency": one.currency,
            "settlement_amount": strip_zeros(one.amount),
        }

    def balances(self, day: date) -> list[BalanceShown]:
        """Return what stood in each currency at the end of `day`, if money counts then."""
        cash_from = self._history.portfolio.cash_from
        if cash_from is None or day < cash_from:
            return []
        standing: dict[str, Decimal] = {}
        for one in self._moved:
            if one.row.effective_date <= day:
                standing[one.currency] = EXACT.add(standing.get(one.currency, ZERO), one.amount)
        target = self._history.portfolio.currency
        rates = rates_on(self._history.money_pairs, day)
        shown = []
        for code, balance in sorted(standing.items()):
            rate = rates.get((code, target))
            with_source = rate_shown(code, target, rate, day)
            value = None
            if with_source.rate is not None:
                value = round_for_display(EXACT.multiply(balance, with_source.rate))
            shown.append(BalanceShown(code, strip_zeros(balance), with_source, value))
        return shown

    def _column(self, day: date) -> int:
        return day_number(day) - self._cut.first_day

    def counts_on(self, day: date) -> bool:
        """Return whether money counts on a day of the period."""
        return self._column(day) >= self._since

    def moves_money(self, pk: UUID) -> bool:
        return pk in self._by_id

    def flow_of_trade(self, pk: UUID, *, is_priced: bool) -> float | None:
        """Return what a transaction of a holding brings in, in the portfolio's currency.

        Below 0 it takes out. None where it changes shares for money within the portfolio.
        """
        one = self._by_id[pk]
        is_inside = self._is_rated(one.currency, one.row.effective_date)
        if is_inside and not is_priced:
            return float(one.formula)
        if is_priced and not is_inside:
            return -float(one.formula)
        return None

    def flow_of_money(self, row: MoneyListed) -> Flow | None:
        """Return a row of money alone as a flow; None if it is none."""
        one, day = row.moved, row.effective_date
        if day < self._period.start or not self.counts_on(day):
            return None
        if not self._is_rated(one.currency, day):
            return None
        is_flow = one.row.type in FLOWS
        partner = self._partners.get(row.pk)
        if partner is not None:
            is_flow = not self._is_rated(partner, day)
        if not is_flow:
            return None
        amount = float(one.amount) * float(self._rates[one.currency][self._column(day)])
        return money_flow(day, row.pk, one.currency, amount)

    def entries_and_exits(self, page: Page) -> list[tuple[date, Flow]]:
        """Return what begins and ends to count on the days of a page."""
        flows = []
        for code, rates in self._rates.items():
            balance = self._balance(code)
            counts = ~np.isnan(rates) & (np.arange(len(rates)) >= self._since)
            for column in (np.flatnonzero(counts[1:] != counts[:-1]) + 1).tolist():
                day = day_of(self._cut.first_day + column)
                amount = _entered(balance, rates, counts, column)
                if amount and page.covers(day):
                    flows.append((day, money_flow(day, None, code, amount)))
        return flows

    def _balance(self, code: str) -> Floats:
        """Return what stands in a currency at the end of each day, [column]."""
        balance = np.zeros(self._cut.columns)
        standing = ZERO
        for one in self._moved:
            if one.currency == code:
                standing = EXACT.add(standing, one.amount)
                balance[max(self._column(one.row.effective_date), 0) :] = float(standing)
        return balance

    def _is_rated(self, code: str, day: date) -> bool:
        return not np.isnan(self._rates[code][self._column(day)])


def _entered(balance: Floats, rates: Floats, counts: Flags, column: int) -> float:
    """Return what begins to count, below 0 what ends to; at the last evening's balance."""
    before = float(balance[column - 1])
    if counts[column]:
        return before * float(rates[column])
    return -before * float(rates[column - 1])


def money_flow(day: date, pk: UUID | None, currency: str, amount: float) -> Flow:
    """Show an amount of money that came in, or below 0 went out."""
    return {
        "date": day,
        "transaction_id": pk,
        "holding_id": None,
        "currency": currency,
        "direction": "in" if amount > 0 else "out",
        "amount": abs(amount),
    }
