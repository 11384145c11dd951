"""Where numbers come from: inputs with their sources, formulas in words, values in between.

Whoever has one of these answers can work out the reported numbers without anything else; a test
does.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from django.utils import timezone

from financeproj.core.money import ONE, ZERO, round_for_storage, strip_zeros
from marketdata.selectors import PriceNow, RateNow, closes_on, prices_now, rates_on
from portfolios.calc import returns
from portfolios.calc.kinds import RULES
from portfolios.calc.ledger import Position, cash_effect, replay, states
from portfolios.calc.performance import first_priced_column
from portfolios.models import Portfolio, Transaction
from portfolios.reports.figures import Book, Figures, market_of
from portfolios.reports.payloads import performance
from portfolios.reports.vectors import day_of
from portfolios.valuation import ValuedHolding


def rate_shown(base: str, target: str, rate: RateNow | None, day: date) -> dict[str, Any]:
    """A rate with where it comes from; all None when none is known."""
    shown = {
        "base": base,
        "target": target,
        "rate": None,
        "date": None,
        "source": None,
        "stale": None,
    }
    if base == target:
        return shown | {"rate": ONE, "date": day, "source": "identity", "stale": False}
    if rate is None:
        return shown
    return shown | {
        "rate": strip_zeros(rate.rate),
        "date": rate.date,
        "source": rate.source,
        "stale": rate.stale,
    }


def transaction_shown(row: Transaction) -> dict[str, Any]:
    return {
        "id": row.pk,
        "holding_id": row.holding_id,
        "ticker": row.holding.stock.ticker,
        "date": row.effective_date,
        "sequence": row.sequence,
        "type": row.type,
        "quantity": strip_zeros(row.quantity),
        "price": None if row.price is None else strip_zeros(row.price),
        "commission": strip_zeros(row.commission),
        "exchange_rate": None if row.exchange_rate is None else strip_zeros(row.exchange_rate),
    }


@dataclass(frozen=True, slots=True)
class PriceOn:
    """A price as it stood on a day: of which day it is, and who said so."""

    price: Decimal
    date: date
    source: str
    as_of: datetime | None = None


def prices_on(stock_ids: Iterable[UUID], day: date) -> dict[UUID, PriceOn]:
    """The price that counts on `day`: the latest known for today, else the last close by then."""
    if day >= timezone.localdate():
        return {
            pk: PriceOn(now.price, now.day, now.source, now.as_of)
            for pk, now in prices_now(stock_ids).items()
        }
    return {
        pk: PriceOn(close.price, close.date, close.source)
        for pk, close in closes_on(stock_ids, day).items()
    }


# --- One holding, now -----------------------------------------------------------------------------

_FORMULAS = {
    "market_value": "quantity × price × rate",
    "unrealised_gain": "market_value − cost_basis",
    "unrealised_gain_pct": "unrealised_gain ÷ cost_basis",
    "price_effect": "quantity × (price − average_cost_per_share) × average_rate_paid",
    "fx_effect": "quantity × price × (rate − average_rate_paid)",
    "total_gain": "unrealised_gain + realised_gain + income − charges",
    "day_change": "quantity × (price − previous_close) × rate",
    "day_change_pct": "day_change ÷ (market_value − day_change)",
    "weight": "market_value ÷ the market value of the portfolio",
}
_LEDGER_FORMULAS = {
    "current_quantity": "what the transactions add up to: the quantity after the last step",
    "average_cost_per_share": "cost ÷ quantity after the last step, in the instrument's currency",
    "cost_basis": "the cost in the portfolio's currency after the last step",
    "realised_gain": "the sum of the realised gains of the steps",
    "income": "the sum of the amounts of dividends and interest",
    "charges": "the sum of the amounts of fees and taxes, as costs",
}


def holding_explained(
    holding: ValuedHolding, portfolio: Portfolio, market_value: Decimal
) -> dict[str, Any]:
    """Every number of a holding's answer; `market_value` is that of its whole portfolio. Two
    queries.
    """
    rows = list(Transaction.objects.filter(holding=holding.id).select_related("holding__stock"))
    steps = [_step(row, position) for row, position in states(rows)]
    rates = rates_on([(holding.currency, portfolio.currency)], timezone.localdate())
    rate = rates.get((holding.currency, portfolio.currency))
    cost = (
        ZERO
        if holding.average_cost_per_share is None
        else holding.average_cost_per_share * holding.current_quantity
    )
    paid = round_for_storage(holding.cost_basis / cost) if cost else holding.exchange_rate
    formulas = _LEDGER_FORMULAS | _FORMULAS
    return {
        "holding_id": holding.id,
        "ticker": holding.ticker,
        "currency": holding.currency,
        "portfolio_currency": portfolio.currency,
        "inputs": {
            "transactions": [transaction_shown(row) for row, _ in states(rows)],
            "price": {
                "price": holding.price,
                "previous_close": holding.previous_close,
                "as_of": holding.price_as_of,
                "source": holding.price_source,
                "stale": holding.price_stale,
            },
            "rate": rate_shown(holding.currency, portfolio.currency, rate, timezone.localdate()),
            "portfolio_market_value": market_value,
        },
        "steps": steps,
        "intermediate": {"average_rate_paid": paid},
        "numbers": {
            name: {"value": getattr(holding, name), "formula": formula}
            for name, formula in formulas.items()
        },
    }


def _step(row: Transaction, position: Position) -> dict[str, Any]:
    average = position.average_c
    return {
        "transaction_id": row.pk,
        "quantity": strip_zeros(round_for_storage(position.quantity)),
        "cost": strip_zeros(round_for_storage(position.cost_c)),
        "cost_in_portfolio_currency": strip_zeros(round_for_storage(position.cost_p)),
        "average_cost_per_share": None
        if average is None
        else strip_zeros(round_for_storage(average)),
        "realised_gain": strip_zeros(round_for_storage(position.realised_p)),
        "income": strip_zeros(round_for_storage(position.income_p)),
        "charges": strip_zeros(round_for_storage(position.charges_p)),
    }


# --- The performance of a portfolio ---------------------------------------------------------------

_DAILY = "of each day: (value + outflow) ÷ (value of the day before + inflow) − 1"
_PERFORMANCE_FORMULAS = {
    "start_value": "the sum of quantity × price × rate over start_positions",
    "end_value": "the sum of quantity × price × rate over end_positions",
    "net_flow": "the sum of inflow − outflow over the flows",
    "gain": "end_value − start_value − net_flow",
    "twr": f"the product of (1 + daily_return) over the days, − 1; daily_return is, {_DAILY}; "
    "0 when nothing was invested",
    "twr_annualised": "(1 + twr) ^ (365 ÷ number of days) − 1",
    "mwr": "the yearly rate (Actual/365) at which the cash_flows are worth nothing together; of several the nearest 0",
    "mwr_period": "(1 + mwr) ^ (number of days ÷ 365) − 1, or solved with the period as the unit of time",
    "volatility": "the standard deviation (n − 1) of ln(1 + daily_return) over the days that are `counted` × √252",
    "max_drawdown": "the least of twr_index ÷ its highest so far − 1",
    "income": "the sum of the amounts of the period's dividends and interest",
    "charges": "the sum of the amounts of the period's fees and taxes, as costs",
    "realised_gain": "the sum of the realised gains of the period's sales",
    "unrealised_gain": "end_value − the sum of cost_basis over the end_positions with a value",
}


def performance_explained(
    book: Book, figures: Figures, prices: Mapping[UUID, PriceNow]
) -> dict[str, Any]:
    """Every number of a performance answer."""
    period = figures.period
    answer = performance(figures, benchmark=None)
    by_holding = ledgers_until(book, period.end)
    rows = [row for ledger in by_holding.values() for row in ledger]
    before = {
        pk: [row for row in ledger if row.effective_date < period.start]
        for pk, ledger in by_holding.items()
    }
    ordered = sorted(rows, key=lambda row: (row.effective_date, row.sequence))
    return {
        "currency": figures.currency,
        "start": period.start,
        "end": period.end,
        "inputs": {
            "transactions": [transaction_shown(row) for row in ordered],
            "start_positions": positions_shown(book, before, period.day_before),
            "end_positions": positions_shown(book, by_holding, period.end),
        },
        "intermediate": {
            "flows": _flows(book, figures, prices, ordered, by_holding),
            "days": _days(figures),
            "cash_flows": _cash_flows(figures),
            "realised_gains": [
                {
                    "transaction_id": row.pk,
                    "date": row.effective_date,
                    "realised_gain": strip_zeros(row.realised_gain),
                }
                for row in ordered
                if row.realised_gain is not None and row.effective_date >= period.start
            ],
            "number_of_days": period.days,
        },
        "numbers": {
            name: {
                "value": getattr(answer, name),
                "formula": formula,
                "reason": answer.reasons.get(name),
            }
            for name, formula in _PERFORMANCE_FORMULAS.items()
        },
        "missing": figures.missing,
    }


def ledgers_until(book: Book, day: date) -> dict[UUID, list[Transaction]]:
    """The transactions that count by `day`, by holding; one query."""
    ledgers: dict[UUID, list[Transaction]] = defaultdict(list)
    rows = Transaction.objects.filter(portfolio=book.portfolio, effective_date__lte=day)
    for row in rows.select_related("holding__stock"):
        ledgers[row.holding_id].append(row)
    return ledgers


def positions_shown(
    book: Book, ledgers: dict[UUID, list[Transaction]], day: date
) -> list[dict[str, Any]]:
    """What was held at the end of `day` with its price and rate; `value` is None where one is
    unknown.
    """
    held: list[tuple[Any, Position]] = []
    for one in book.instruments:
        position, _ = replay(ledgers.get(one.holding_id, []))
        if position.quantity:
            held.append((one, position))
    prices = prices_on({one.stock_id for one, _ in held}, day)
    rates = rates_on(book.pairs, day)
    shown = []
    for one, position in held:
        price = prices.get(one.stock_id)
        rate = rate_shown(
            one.currency,
            book.portfolio.currency,
            rates.get((one.currency, book.portfolio.currency)),
            day,
        )
        value = None
        if price is not None and rate["rate"] is not None:
            value = strip_zeros(round_for_storage(position.quantity * price.price * rate["rate"]))
        shown.append(
            {
                "holding_id": one.holding_id,
                "ticker": one.ticker,
                "quantity": strip_zeros(round_for_storage(position.quantity)),
                "price": None if price is None else _price_shown(price),
                "rate": rate,
                "value": value,
                "cost_basis": strip_zeros(round_for_storage(position.cost_p)),
            }
        )
    return shown


def _price_shown(price: Any) -> dict[str, Any]:
    """Without the trailing zeros of 346.90, which PostgreSQL keeps and SQLite does not."""
    return asdict(price) | {"price": strip_zeros(price.price)}


def _flows(
    book: Book,
    figures: Figures,
    latest: Mapping[UUID, PriceNow],
    rows: Sequence[Transaction],
    ledgers: dict[UUID, list[Transaction]],
) -> list[dict[str, Any]]:
    """What went in and out: of each transaction on a priced day, and what entered on its first
    priced day.

    Transfers and entries count at the day's price and rate, which stand beside them.
    """
    period = figures.period
    late = _first_priced_days(book, figures, latest)
    at_market = [
        row for row in rows if RULES[row.type].is_transfer and row.effective_date >= period.start
    ]
    days = {row.effective_date for row in at_market} | {
        day for day in late.values() if day is not None
    }
    prices = {day: prices_on({one.stock_id for one in book.instruments}, day) for day in days}
    rates = {day: rates_on(book.pairs, day) for day in days}
    instruments = {one.holding_id: one for one in book.instruments}

    def market(holding_id: UUID, day: date, quantity: Decimal) -> dict[str, Any]:
        one = instruments[holding_id]
        price = prices[day][one.stock_id]
        rate = rate_shown(
            one.currency,
            book.portfolio.currency,
            rates[day].get((one.currency, book.portfolio.currency)),
            day,
        )
        worth = strip_zeros(round_for_storage(quantity * price.price * rate["rate"]))
        return {
            "quantity": strip_zeros(round_for_storage(quantity)),
            "price": _price_shown(price),
            "rate": rate,
            "amount": worth,
        }

    flows: list[dict[str, Any]] = []
    for row in rows:
        rules = RULES[row.type]
        if row.effective_date < period.start or rules.is_ratio:
            continue
        first = late.get(row.holding_id, period.start)
        if first is None or row.effective_date < first:
            continue  # without a price: no flow
        shown: dict[str, Any] = {
            "date": row.effective_date,
            "transaction_id": row.pk,
            "holding_id": row.holding_id,
        }
        if rules.is_transfer:
            shown |= market(row.holding_id, row.effective_date, row.quantity)
            paid_in = rules.shares > 0
        else:
            cash = cash_effect(row)
            paid_in = rules.money < 0
            shown["amount"] = strip_zeros(round_for_storage(-cash if paid_in else cash))
        flows.append(shown | {"direction": "in" if paid_in else "out"})
    for holding_id, day in late.items():
        held = _held_when_day_began(ledgers.get(holding_id, []), day) if day is not None else ZERO
        if day is not None and held:
            entry = {
                "date": day,
                "transaction_id": None,
                "holding_id": holding_id,
                "direction": "in",
            }
            flows.append(entry | market(holding_id, day, held))
    return sorted(flows, key=lambda flow: flow["date"])


def _first_priced_days(
    book: Book, figures: Figures, prices: Mapping[UUID, PriceNow]
) -> dict[UUID, date | None]:
    """By holding that was unpriced when the period began: its first day with a price and a rate,
    None if none.
    """
    unpriced = [one for one in book.instruments if one.ticker in figures.missing]
    if not unpriced:
        return {}
    period = figures.period
    market, _ = market_of(book, period, prices)
    columns = dict(zip(book.instruments, first_priced_column(market).tolist(), strict=True))
    return {
        one.holding_id: day_of(period.first_day + columns[one])
        if columns[one] < period.columns
        else None
        for one in unpriced
        if columns[one] > 0
    }


def _held_when_day_began(rows: Sequence[Transaction], day: date) -> Decimal:
    """In the shares that a split of the day makes of it."""
    position = Position()
    for row, state in states(row for row in rows if row.effective_date <= day):
        if row.effective_date < day or RULES[row.type].is_ratio:
            position = state
    return position.quantity


def _days(figures: Figures) -> list[dict[str, Any]]:
    numbers, period = figures.daily, figures.period
    daily_returns = returns.daily_returns(numbers)
    columns = (
        np.datetime_as_string(
            np.arange(period.first_day, period.first_day + period.columns).astype("datetime64[D]")
        ),
        numbers.value,
        numbers.inflow,
        numbers.outflow,
        daily_returns,
        returns.twr_index(daily_returns),
        returns.invested_weekdays(numbers, period.first_day),
    )
    names = ("date", "value", "inflow", "outflow", "daily_return", "twr_index", "counted")
    return [
        dict(zip(names, row, strict=True))
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _cash_flows(figures: Figures) -> list[dict[str, Any]]:
    """What the investor got (positive) and paid, by day; days without either are left out."""
    amounts = returns.dated_amounts(figures.daily)
    return [
        {"date": day_of(figures.period.first_day + column), "amount": float(amounts[column])}
        for column in np.flatnonzero(amounts).tolist()
    ]
