"""Reads that may ask a source: for histories and rates that are not stored yet."""

from collections.abc import Iterable
from uuid import UUID

from django.utils import timezone

from marketdata import services as marketdata
from marketdata.selectors import rates_now
from portfolios.models import Portfolio
from portfolios.services import settle_instruments
from portfolios.valuation import (
    CashOn,
    ValuationData,
    ValuedPortfolio,
    cash_on,
    cash_pairs,
    money_in,
    read_valuation_data,
    value_portfolios,
)


def ensure_priced(portfolios: Iterable[Portfolio]) -> None:
    """Fetch, within the time limit, the missing histories and rates of open holdings.

    A source that fails raises nothing here.
    """
    _fetch_missing(read_valuation_data(portfolios))


def valued_now(portfolios: Iterable[Portfolio]) -> list[ValuedPortfolio]:
    """Fetch as `ensure_priced` does, then return each portfolio with every holding it ever had."""
    data = read_valuation_data(portfolios)
    if _fetch_missing(data):
        data = read_valuation_data(data.portfolios, data.stored)
    return value_portfolios(data)


def cash_now(portfolio: Portfolio) -> CashOn:
    """Fetch missing rates, then return what the money of the portfolio's transactions adds up to.

    That is without regard to `cash_from`.
    """
    money = money_in([portfolio])[portfolio.pk]
    pairs = cash_pairs(portfolio, money)
    rates = rates_now(pairs)
    missing = {pair for pair in pairs if pair not in rates or rates[pair].stale}
    if missing:
        marketdata.ensure_rates(pairs=missing)
        rates = rates_now(pairs)
    return cash_on(portfolio, money, timezone.localdate(), rates)


def _fetch_missing(data: ValuationData) -> bool:
    """Ask the sources for what is missing. Returns whether anything was."""
    stock_ids, pairs = data.pending_stock_ids(), data.unrated_pairs()
    if stock_ids:
        _learn_histories(data, stock_ids)
    if pairs:
        marketdata.ensure_rates(pairs=pairs)
    return bool(stock_ids or pairs)


def _learn_histories(data: ValuationData, stock_ids: set[UUID]) -> None:
    """Fetch histories, of shared instruments where a source has described them since."""
    settle_instruments(stock_ids=stock_ids)
    now_held = read_valuation_data(data.portfolios, data.stored).pending_stock_ids()
    marketdata.ensure_history(stock_ids=now_held)
    settle_instruments(stock_ids=now_held)
