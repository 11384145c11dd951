"""Portfolios with all their transactions, as reports about periods need them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from marketdata.calc.rates import Pair
from marketdata.models import AssetType
from marketdata.selectors import PriceNow, days_in_doubt
from portfolios.calc.trade_prices import TradePrices
from portfolios.models import Holding, Portfolio
from portfolios.reports.vectors import TradeVector, trades_of
from portfolios.valuation import doubtful_from
from portfolios.valuation.holdings_and_prices import HoldingsAndPrices, read_holdings_and_prices


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the figures need to know of a holding and its instrument."""

    holding_id: UUID
    stock_id: UUID
    ticker: str
    currency: str
    is_coin: bool
    is_held: bool
    has_history: bool
    has_known_closes: bool
    version: int
    doubtful_from: date | None
    is_described_otherwise: bool
    has_waiting_split: bool


@dataclass(frozen=True, slots=True)
class PortfolioHistory:
    """A portfolio with its transactions and the latest prices of its instruments.

    `instruments` are in the order of `vector.holding_ids`; `prices` are by instrument, as are
    `trades`, the user's own prices of those that lack closes, and `held_back`, the first and last
    days of stretches on which a price later than the standing one is held back.
    """

    portfolio: Portfolio
    vector: TradeVector
    instruments: Sequence[Instrument]
    prices: Mapping[UUID, PriceNow]
    trades: Mapping[UUID, TradePrices]
    held_back: Mapping[UUID, Sequence[tuple[date, date]]]

    @property
    def stock_ids(self) -> list[UUID]:
        return [instrument.stock_id for instrument in self.instruments]

    @property
    def pairs(self) -> list[Pair]:
        """From each instrument's currency to the portfolio's, by currency."""
        currencies = {instrument.currency for instrument in self.instruments}
        return [(currency, self.portfolio.currency) for currency in sorted(currencies)]


@dataclass(frozen=True, slots=True)
class Histories:
    """Several portfolios; `stamp` changes whenever a figure about them can change."""

    of_each: Sequence[PortfolioHistory]
    stamp: str

    @property
    def first_on(self) -> date | None:
        """The day of the first transaction of all."""
        first_on = None
        for history in self.of_each:
            day = history.vector.first_on
            if day is not None and (first_on is None or day < first_on):
                first_on = day
        return first_on

    @property
    def ended_on(self) -> date | None:
        """The day of the last transaction of all, if nothing is held any more."""
        ended_on = None
        for history in self.of_each:
            if any(instrument.is_held for instrument in history.instruments):
                return None
            day = history.vector.last_on
            if day is not None and (ended_on is None or day > ended_on):
                ended_on = day
        return ended_on

    def stock_ids_without_closes(self) -> set[UUID]:
        """Return the instruments that a source prices and whose closes were never fetched."""
        found = set()
        for history in self.of_each:
            for instrument in history.instruments:
                if not instrument.has_history:
                    found.add(instrument.stock_id)
        return found

    def pairs_into(self, currency: str) -> set[Pair]:
        """Return every pair that figures in `currency` need."""
        pairs: set[Pair] = set()
        for history in self.of_each:
            pairs.update(history.pairs)
            pairs.add((history.portfolio.currency, currency))
        return pairs


def read_histories(portfolios: Sequence[Portfolio]) -> Histories:
    """Read the transactions and latest prices of `portfolios`; deleted ones are left out.

    One query for what this process has read before, more for what changed since.
    """
    stored = read_holdings_and_prices(portfolios)
    portfolios = _still_there(portfolios, stored)
    vectors = trades_of(portfolios, stored.holdings)
    stale = [price.stale for price in stored.prices.values()]
    in_doubt = [pk for pk, price in stored.prices.items() if price.held_back_on is not None]
    held_back = days_in_doubt(in_doubt) if in_doubt else {}
    histories = []
    for portfolio in portfolios:
        vector = vectors[portfolio.pk]
        holdings = {holding.pk: holding for holding in stored.holdings.get(portfolio.pk, ())}
        prices = stored.prices_for(portfolio.user_id)
        instruments = [_instrument(holdings[pk], prices) for pk in vector.holding_ids]
        trades = stored.trades_for(portfolio.user_id)
        histories.append(
            PortfolioHistory(portfolio, vector, instruments, prices, trades, held_back)
        )
    return Histories(histories, stamp=repr((stored.stamp, stale)))


def _still_there(portfolios: Sequence[Portfolio], stored: HoldingsAndPrices) -> list[Portfolio]:
    """Leave out deleted portfolios: only those without holdings need a query."""
    empty = [portfolio.pk for portfolio in portfolios if portfolio.pk not in stored.holdings]
    if not empty:
        return list(portfolios)
    stored_ids = set(Portfolio.objects.filter(pk__in=empty).values_list("pk", flat=True))
    stored_ids.update(stored.holdings)
    return [portfolio for portfolio in portfolios if portfolio.pk in stored_ids]


def _instrument(holding: Holding, prices: Mapping[UUID, PriceNow]) -> Instrument:
    stock = holding.stock
    return Instrument(
        holding_id=holding.pk,
        stock_id=holding.stock_id,
        ticker=stock.ticker,
        currency=stock.currency,
        is_coin=stock.asset_type == AssetType.CRYPTO,
        is_held=bool(holding.current_quantity),
        has_history=stock.has_history,
        has_known_closes=stock.has_known_closes,
        version=stock.version,
        doubtful_from=doubtful_from(holding, prices.get(holding.stock_id)),
        is_described_otherwise=bool(stock.described_currency),
        has_waiting_split=bool(holding.waiting_splits),
    )
