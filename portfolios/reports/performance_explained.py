"""Where the performance of a portfolio comes from: inputs, flows, daily values, formulas.

The reported figures can be calculated from one of these answers alone, its pages together; a test
does.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np

from financeproj.core.money import ZERO, round_for_display, strip_zeros
from portfolios.calc import returns
from portfolios.calc.kinds import RULES
from portfolios.calc.layout import Flags, priced_days
from portfolios.calc.ledger import Position, cash_effect, replay, states
from portfolios.reports.cash_explained import CashExplained, MoneyListed
from portfolios.reports.figures import Figures, market_of
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.pages import Explanation, Page, PageQuery, page_of
from portfolios.reports.payloads import performance_of
from portfolios.reports.periods import Period
from portfolios.reports.report import Report
from portfolios.reports.shown import (
    LedgerEntry,
    Ledgers,
    Quotes,
    ledgers_until,
    positions_shown,
    price_shown,
    transaction_shown,
)
from portfolios.reports.vectors import day_number, day_of

_DAILY = (
    "of each day: (value + outflow − switched) ÷ (value of the day before + inflow − switched) − 1"
)
FORMULAS = {
    "start_value": "the sum of quantity × price × rate over start_positions",
    "end_value": "the sum of quantity × price × rate over end_positions",
    "net_flow": "the sum of inflow − outflow over the flows",
    "gain": "end_value − start_value − net_flow",
    "twr": f"the product of (1 + daily_return) over the days, − 1; daily_return is, {_DAILY}; "
    "0 when nothing was invested",
    "twr_annualised": "(1 + twr) ^ (365 ÷ the days from invested_from to invested_until) − 1",
    "mwr": "the yearly rate (Actual/365) at which the cash_flows are worth nothing together; "
    "of several the nearest 0",
    "mwr_period": "(1 + mwr) ^ (the days from the first to the last of the cash_flows ÷ 365) − 1, "
    "also where mwr itself is not given",
    "volatility": "the standard deviation (n − 1) of ln(1 + daily_return) "
    "over the days that are `counted` × √days_a_year",
    "max_drawdown": "the least of twr_index ÷ its highest so far − 1",
    "income": "the sum of the amounts of the period's dividends and interest",
    "charges": "the sum of the amounts of the period's fees and taxes, as costs",
    "realised_gain": "the sum of the realised gains of the period's sales",
    "unrealised_gain": "end_value − the sum of cost_basis over the end_positions with a value",
}
FORMULAS_WITH_CASH = FORMULAS | {
    "start_value": f"{FORMULAS['start_value']}, + the sum of balance × rate over start_cash",
    "end_value": f"{FORMULAS['end_value']}, + the sum of balance × rate over end_cash",
    "twr": f"{FORMULAS['twr']}, on a day that begins below 0, and where a sum of the day is below "
    "0; what was deposited and withdrawn in one currency on a day is netted in inflow and outflow",
    "unrealised_gain": "the sum of value − cost_basis over the end_positions with a value",
}


def performance_explained(report: Report, query: PageQuery) -> Explanation[dict[str, object]]:
    """Explain every number of the performance of one portfolio.

    The transactions, their flows and gains are those of one page.
    """
    history, period, figures = report.history, report.period, report.figures()
    cash = None if history.money is None else CashExplained(history, period)
    weekends = report.includes_weekends()
    payload = performance_of(figures, weekends=weekends)
    ledgers = ledgers_until(history, period.end)
    ledgers_before: dict[UUID, list[LedgerEntry]] = {}
    rows: list[LedgerEntry | MoneyListed] = []
    if cash is not None:
        rows += cash.listed()
    for holding_id, ledger in ledgers.items():
        rows += ledger
        ledgers_before[holding_id] = [row for row in ledger if row.effective_date < period.start]
    rows.sort(key=lambda row: (row.effective_date, row.sequence))
    page = page_of(rows, query)
    listed = rows[page.first : page.end]
    numbers = {}
    for name, formula in (FORMULAS if cash is None else FORMULAS_WITH_CASH).items():
        reason = payload.reasons.get(name)
        numbers[name] = {"value": getattr(payload, name), "formula": formula, "reason": reason}
    body: dict[str, object] = {
        "currency": figures.currency,
        "start": period.start,
        "end": period.end,
        "inputs": {
            "transactions": [_transaction_shown(row, cash) for row in listed],
            "start_positions": positions_shown(history, ledgers_before, period.day_before),
            "end_positions": positions_shown(history, ledgers, period.end),
            **_balances_shown(cash, period),
        },
        "intermediate": {
            "flows": _Flows(report, figures, ledgers, cash).of(listed, page),
            "days": _days(figures, weekends=weekends),
            "cash_flows": _cash_flows(figures),
            "realised_gains": _realised_gains(listed, period.start),
            "number_of_days": period.days,
            "invested_from": payload.invested_from,
            "invested_until": payload.invested_until,
            "days_a_year": returns.days_a_year(weekends=weekends),
        },
        "numbers": numbers,
        "missing": figures.missing,
        "missing_why": figures.missing_why,
        "without_cash": report.without_cash,
    }
    return Explanation(body, page.next_after)


def _transaction_shown(
    row: LedgerEntry | MoneyListed, cash: CashExplained | None
) -> dict[str, object]:
    if isinstance(row, MoneyListed):
        return row.shown()
    if cash is None:
        return transaction_shown(row)
    return transaction_shown(row) | cash.settled(row.pk)


def _balances_shown(cash: CashExplained | None, period: Period) -> dict[str, object]:
    if cash is None:
        return {}
    return {
        "start_cash": cash.balances(period.day_before),
        "end_cash": cash.balances(period.end),
    }


def _realised_gains(
    rows: Sequence[LedgerEntry | MoneyListed], start: date
) -> list[dict[str, object]]:
    gains = []
    for row in rows:
        if isinstance(row, MoneyListed):
            continue
        if row.realised_gain is not None and row.effective_date >= start:
            gain = strip_zeros(row.realised_gain)
            gains.append(
                {"transaction_id": row.pk, "date": row.effective_date, "realised_gain": gain}
            )
    return gains


class _Flows:
    """What went in and out of a portfolio in a period.

    Flows are transactions on priced days, what a holding had when a first priced day began, and
    what it had before a first unpriced one. Such entries and transfers count at the day's price and
    rate, exits at those of the evening before, which are shown with them. With `cash` what changes
    shares for money is none.
    """

    def __init__(
        self, report: Report, figures: Figures, ledgers: Ledgers, cash: CashExplained | None
    ) -> None:
        self._cash = cash
        self._history, self._start, self._ledgers = report.history, report.period.start, ledgers
        self._instruments = {
            instrument.holding_id: instrument for instrument in self._history.instruments
        }
        self._first_day = figures.period.first_day
        self._priced = _priced_days(self._history, figures)
        self._quotes: dict[date, Quotes] = {}

    def of(self, rows: Sequence[LedgerEntry | MoneyListed], page: Page) -> list[dict[str, object]]:
        """Return the flows of a page by day; `rows` are its transactions in the order of entry."""
        flows: list[tuple[date, dict[str, object]]] = []
        for row in rows:
            flow = self._flow_of(row)
            if flow is not None:
                flows.append((row.effective_date, flow))
        if self._cash is not None:
            flows += self._cash.entries_and_exits(page)
        for holding_id, priced in self._priced.items():
            changes = np.flatnonzero(np.diff(priced.astype(np.int8))) + 1
            for column in changes.tolist():
                day = day_of(self._first_day + column)
                if page.covers(day):
                    flows += self._entry_or_exit(holding_id, day, comes_in=bool(priced[column]))
        flows.sort(key=lambda dated: dated[0])
        return [flow for _, flow in flows]

    def _entry_or_exit(
        self, holding_id: UUID, day: date, *, comes_in: bool
    ) -> list[tuple[date, dict[str, object]]]:
        """Return what a holding brought into or took out of the figures, if it had anything."""
        rows = self._ledgers.get(holding_id, [])
        if comes_in:
            held, valued_on = _held_when_day_began(rows, day), day
        else:
            valued_on = day - timedelta(days=1)
            held = _held_on(rows, valued_on)
        if not held:
            return []
        flow: dict[str, object] = {
            "date": day,
            "transaction_id": None,
            "holding_id": holding_id,
            "direction": "in" if comes_in else "out",
        }
        return [(day, flow | self._at_market(holding_id, valued_on, held))]

    def _flow_of(self, row: LedgerEntry | MoneyListed) -> dict[str, object] | None:
        """Return a transaction as a flow; None if it is none: a split, or on an unpriced day.

        Of an exchange or spin-off only the cash is.
        """
        cash, day = self._cash, row.effective_date
        if isinstance(row, MoneyListed):
            return None if cash is None else cash.flow_of_money(row)
        rules = RULES[row.type]
        if day < self._start or rules.is_ratio:
            return None
        if rules.is_exchange and not cash_effect(row):
            return None
        priced = self._priced.get(row.holding_id)
        is_priced = priced is None or bool(priced[day_number(day) - self._first_day])
        if cash is None or not cash.counts_on(day) or not cash.moves_money(row.pk):
            return self._flow(row) if is_priced else None
        amount = cash.flow_of_trade(row.pk, is_priced=is_priced)
        if amount is None:
            return None
        return {
            "date": day,
            "transaction_id": row.pk,
            "holding_id": row.holding_id,
            "amount": abs(amount),
            "direction": "in" if amount > 0 else "out",
        }

    def _flow(self, row: LedgerEntry) -> dict[str, object]:
        rules = RULES[row.type]
        flow: dict[str, object] = {
            "date": row.effective_date,
            "transaction_id": row.pk,
            "holding_id": row.holding_id,
        }
        if rules.is_transfer:
            comes_in = rules.shares > 0
            flow |= self._at_market(row.holding_id, row.effective_date, row.quantity)
        else:
            cash = cash_effect(row)
            # A sale or payment that costs more than it brings is money paid in.
            comes_in = rules.money < 0 or cash < 0
            flow["amount"] = round_for_display(abs(cash))
        flow["direction"] = "in" if comes_in else "out"
        return flow

    def _at_market(self, holding_id: UUID, day: date, quantity: Decimal) -> dict[str, object]:
        """Show `quantity` of a holding's instrument at the price and rate of `day`."""
        if day not in self._quotes:
            self._quotes[day] = Quotes(self._history, day, self._history.stock_ids)
        quotes, instrument = self._quotes[day], self._instruments[holding_id]
        return {
            "quantity": round_for_display(quantity),
            "price": price_shown(quotes.price(instrument)),
            "rate": quotes.rate(instrument),
            "amount": quotes.value(instrument, quantity),
        }


def _priced_days(history: PortfolioHistory, figures: Figures) -> dict[UUID, Flags]:
    """Return the priced days of each holding that lacks a price or rate on some, by holding."""
    found: dict[UUID, Flags] = {}
    if not figures.missing:
        return found
    market, _ = market_of(history, figures.period)
    for instrument, priced in zip(history.instruments, priced_days(market), strict=True):
        if instrument.ticker in figures.missing and not priced.all():
            found[instrument.holding_id] = priced
    return found


def _until(rows: Iterable[LedgerEntry], day: date) -> list[LedgerEntry]:
    return [row for row in rows if row.effective_date <= day]


def _held_when_day_began(rows: Sequence[LedgerEntry], day: date) -> Decimal:
    """Return the shares held when `day` began, after a split of that day."""
    position = Position()
    for row, state in states(_until(rows, day)):
        if row.effective_date < day or RULES[row.type].is_ratio:
            position = state
    return position.quantity or ZERO


def _held_on(rows: Sequence[LedgerEntry], day: date) -> Decimal:
    """Return the shares held at the end of `day`."""
    position, _ = replay(_until(rows, day))
    return position.quantity or ZERO


def _days(figures: Figures, *, weekends: bool) -> list[dict[str, object]]:
    numbers, period = figures.daily, figures.period
    daily_returns = returns.daily_returns(numbers)
    days = np.arange(period.first_day, period.first_day + period.columns).astype("datetime64[D]")
    columns = {
        "date": np.datetime_as_string(days),
        "value": numbers.value,
        "inflow": numbers.inflow,
        "outflow": numbers.outflow,
        "switched": numbers.switched,
        "daily_return": daily_returns,
        "twr_index": returns.twr_index(daily_returns),
        "counted": returns.days_counted(numbers, period.first_day, weekends=weekends),
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _cash_flows(figures: Figures) -> list[dict[str, object]]:
    """Return what the investor got (positive) and paid, by day; days without either are absent."""
    amounts = returns.dated_amounts(figures.daily)
    flows = []
    for column in np.flatnonzero(amounts).tolist():
        day = day_of(figures.period.first_day + column)
        flows.append({"date": day, "amount": float(amounts[column])})
    return flows
