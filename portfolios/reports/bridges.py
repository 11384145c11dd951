"""What moved the value of a period: of one portfolio, or of all in the base currency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated
from uuid import UUID

import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType

from financeproj.core.missing import gravest
from portfolios.calc.bridge import PARTS, Bridge, bridge
from portfolios.calc.cash import PARTS as CASH_PARTS
from portfolios.calc.cash import cash_bridge
from portfolios.calc.layout import Floats, Market, Trades
from portfolios.calc.timeline import tidy, tidy_amount
from portfolios.reports.figures import (
    cut_to_history,
    market_of,
    money_of_period,
    rates_into,
    why_missing,
    why_money_missing,
)
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.payloads import WithoutCash
from portfolios.reports.report import Report


class BridgePartsPayload(Struct):
    """What moved a value; the fields are those of `calc.bridge.PARTS`."""

    start_value: float
    net_flow: float
    price_effect: float
    fx_effect: float
    income: float
    charges: float
    commissions: float
    end_value: float


class HoldingBridgePayload(BridgePartsPayload, kw_only=True):
    holding_id: UUID
    ticker: str


class CashBridgePayload(Struct):
    """What moved the money; withdrawals, fees and taxes are above 0 when paid."""

    start_value: float
    entered: Annotated[
        float, Meta(description="What began to count, less what ended to, for want of a rate too.")
    ]
    deposits: float
    withdrawals: float
    adjustments: float
    from_securities: float
    interest: float
    fees: float
    taxes: float
    fx_effect: float
    end_value: float


class BridgePayload(BridgePartsPayload, kw_only=True):
    currency: str
    start: date
    end: date
    holdings: list[HoldingBridgePayload]
    cash: Annotated[
        CashBridgePayload | UnsetType,
        Meta(description="With include_cash, of the portfolios whose money is known."),
    ] = UNSET
    missing: list[str]
    missing_why: dict[str, str]
    without_cash: WithoutCash


@dataclass(frozen=True, slots=True)
class _Part:
    """The bridge of one portfolio; `cash` is None where its money does not count."""

    history: PortfolioHistory
    securities: Bridge
    cash: dict[str, float] | None
    missing_why: dict[str, str]


def bridge_of(report: Report) -> BridgePayload:
    """Return what moved the value, per holding and in total; unchanged holdings are left out."""
    parts = _parts(report)
    totals, money = dict.fromkeys(PARTS, 0.0), dict.fromkeys(CASH_PARTS, 0.0)
    largest = 0.0
    has_cash = False
    reasons: list[dict[str, str]] = []
    for part in parts:
        for name, amount in part.securities.total().items():
            totals[name] += amount
        largest = max(largest, part.securities.largest())
        reasons.append(part.missing_why)
        has_cash = has_cash or part.cash is not None
        for name, amount in (part.cash or {}).items():
            money[name] += amount
            largest = max(largest, abs(amount))
    cash: CashBridgePayload | UnsetType = UNSET
    if has_cash:
        cash = CashBridgePayload(**_tidied(money, largest))
    holdings: list[HoldingBridgePayload] = []
    for part in parts:
        holdings += _holdings(part, largest)
    missing_why = gravest(*reasons)
    return BridgePayload(
        currency=report.currency,
        start=report.period.start,
        end=report.period.end,
        **_tidied(totals, largest),
        holdings=holdings,
        cash=cash,
        missing=sorted(missing_why),
        missing_why=missing_why,
        without_cash=report.without_cash,
    )


def _tidied(amounts: Mapping[str, float], scale: float) -> dict[str, float]:
    return {name: tidy_amount(amount, scale) for name, amount in amounts.items()}


def _parts(report: Report) -> list[_Part]:
    currencies = [history.portfolio.currency for history in report.histories]
    rates, _ = rates_into(report.currency, currencies, report.period)
    parts = []
    for history in report.histories:
        into = None
        if history.portfolio.currency != report.currency:
            into = rates[history.portfolio.currency]
        parts.append(_part_of(report, history, into))
    return parts


def _part_of(report: Report, history: PortfolioHistory, into: Floats | None) -> _Part:
    """Return the bridge of one portfolio in the currency of the report.

    `into` [column] is the rate from the portfolio's currency, None if they are the same.
    """
    shorter, skipped = cut_to_history(history, report.period)
    trades, known = history.vector.trades, None
    if into is not None:
        into = into[skipped:]
        known = ~np.isnan(into)
    market, _ = market_of(history, shorter, known)
    if into is not None:
        trades, market = _converted(trades, market, into)
    securities = bridge(trades, market)
    missing_why = why_missing(history, securities.missing, market, report.period, report.currency)
    cash = None
    if history.money is not None:
        rows, money_market, _ = money_of_period(history, shorter, market, into)
        cash, unrated = cash_bridge(rows, money_market)
        of_money = why_money_missing(history, unrated, report.period, report.currency)
        missing_why = gravest(missing_why, of_money)
    return _Part(history, securities, cash, missing_why)


def _converted(trades: Trades, market: Market, into: Floats) -> tuple[Trades, Market]:
    """Return trades and rates in the currency of the figures, with that day's rate each.

    Trades of days without a rate do not count, whatever they have here.
    """
    column = np.clip(trades.day - market.first_day, 0, len(into) - 1)
    converted = replace(trades, rate=trades.rate * np.nan_to_num(into)[column])
    return converted, replace(market, rates=market.rates * into)


def _holdings(part: _Part, scale: float) -> Sequence[HoldingBridgePayload]:
    columns = [tidy(getattr(part.securities, name), scale).tolist() for name in PARTS]
    rows = zip(part.history.instruments, zip(*columns, strict=True), strict=True)
    holdings = []
    for instrument, row in rows:
        if any(row):
            amounts = dict(zip(PARTS, row, strict=True))
            holdings.append(
                HoldingBridgePayload(
                    holding_id=instrument.holding_id, ticker=instrument.ticker, **amounts
                )
            )
    return holdings
