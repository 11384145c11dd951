"""Portfolios with all their transactions, as reports about periods need them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from financeproj.core.db.rows import by_pk
from financeproj.core.shared.versioned_cache import VersionedCache
from marketdata.calc.rates import Pair, pairs_into
from marketdata.models import AssetType
from marketdata.selectors import PriceNow, days_in_doubt, rates_in_doubt
from portfolios.calc.trade_prices import TradePrices
from portfolios.models import Holding, Portfolio
from portfolios.reports.money_rows import MoneyVector, money_rows_of
from portfolios.reports.vectors import TradeVector, trades_of
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
    unbooked_split_on: date | None
    is_described_otherwise: bool
    has_waiting_split: bool


@dataclass(frozen=True, slots=True)
class PortfolioHistory:
    """A portfolio with its transactions and the latest prices of its instruments.

    `instruments` are in the order of `vector.holding_ids`; `prices` are by instrument, as are
    `trades`, the user's own prices of those that lack closes, and `held_back`, the first and last
    days of stretches on which a price later than the standing one is held back; `rates_held_back`
    is the same by pair. `money` is given where it is asked for and the portfolio has a `cash_from`.
    """

    portfolio: Portfolio
    vector: TradeVector
    instruments: Sequence[Instrument]
    prices: Mapping[UUID, PriceNow]
    trades: Mapping[UUID, TradePrices]
    held_back: Mapping[UUID, Sequence[tuple[date, date]]]
    money: MoneyVector | None = None
    rates_held_back: Mapping[Pair, Sequence[tuple[date, date]]] = field(default_factory=dict)

    @property
    def first_on(self) -> date | None:
        """The day of the first transaction; openings do not count."""
        days = [self.vector.first_on]
        if self.money is not None:
            days.append(self.money.first_on)
        return min(_known(days), default=None)

    @property
    def begins_on(self) -> date | None:
        """The day of the first transaction of all, before which there are no figures."""
        days = [self.vector.begins_on]
        if self.money is not None:
            days.append(self.money.begins_on)
        return min(_known(days), default=None)

    @property
    def last_on(self) -> date | None:
        """The day of the last transaction."""
        days = [self.vector.last_on]
        if self.money is not None:
            days.append(self.money.last_on)
        return max(_known(days), default=None)

    @property
    def is_held(self) -> bool:
        """Whether it still has shares, or money where that counts."""
        if self.money is not None and self.money.unsettled:
            return True
        return any(instrument.is_held for instrument in self.instruments)

    @property
    def stock_ids(self) -> list[UUID]:
        return [instrument.stock_id for instrument in self.instruments]

    @property
    def pairs(self) -> list[Pair]:
        """From each instrument's currency to the portfolio's, by currency."""
        currencies = {instrument.currency for instrument in self.instruments}
        return pairs_into(self.portfolio.currency, sorted(currencies))

    @property
    def money_pairs(self) -> list[Pair]:
        """From each currency of its money to the portfolio's, as `money.currencies`."""
        if self.money is None:
            return []
        return pairs_into(self.portfolio.currency, self.money.currencies)


def _known(days: Iterable[date | None]) -> list[date]:
    return [day for day in days if day is not None]


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
            day = history.first_on
            if day is not None and (first_on is None or day < first_on):
                first_on = day
        return first_on

    @property
    def ended_on(self) -> date | None:
        """The day of the last transaction of all, if nothing is held any more."""
        ended_on = None
        for history in self.of_each:
            if history.is_held:
                return None
            day = history.last_on
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
            pairs.update(history.money_pairs)
            pairs.add((history.portfolio.currency, currency))
        return pairs


MAX_INSTRUMENTS_CACHED = 10_000
# By portfolio; the version is the stamp of its holdings and prices.
instruments_cache = VersionedCache(MAX_INSTRUMENTS_CACHED)


def read_histories(
    portfolios: Sequence[Portfolio], *, currency: str = "", with_cash: bool = False
) -> Histories:
    """Read the transactions and latest prices of `portfolios`; deleted ones are left out.

    `currency` is that of the figures, where it is another than a portfolio's. `with_cash` reads the
    money of those with a `cash_from` too. One query for what this process has read before, more for
    what changed since.
    """
    stored = read_holdings_and_prices(portfolios)
    portfolios = _still_there(portfolios, stored)
    vectors = trades_of(portfolios, stored.holdings)
    stale: list[bool] = []
    in_doubt: list[UUID] = []
    for stock_id, price in stored.prices.items():
        stale.append(price.stale)
        if price.held_back_on is not None:
            in_doubt.append(stock_id)
    held_back = days_in_doubt(in_doubt) if in_doubt else {}
    money: dict[UUID, MoneyVector] = {}
    if with_cash:
        money = money_rows_of(portfolio for portfolio in portfolios if portfolio.cash_from)
    rates_held_back = rates_in_doubt(_pairs_of(portfolios, stored, money, currency))
    histories: list[PortfolioHistory] = []
    counted_from: list[date | None] = []
    for portfolio in portfolios:
        if with_cash:
            counted_from.append(portfolio.cash_from)
        vector = vectors[portfolio.pk]
        prices = stored.prices_for(portfolio.user_id)
        instruments = _instruments(portfolio, vector, stored)
        trades = stored.trades_for(portfolio.user_id)
        histories.append(
            PortfolioHistory(
                portfolio,
                vector,
                instruments,
                prices,
                trades,
                held_back,
                money.get(portfolio.pk),
                rates_held_back,
            )
        )
    return Histories(histories, stamp=repr((stored.stamp, stale, counted_from)))


def _pairs_of(
    portfolios: Sequence[Portfolio],
    stored: HoldingsAndPrices,
    money: Mapping[UUID, MoneyVector],
    into: str,
) -> set[Pair]:
    """Return the pairs from the currencies of instruments and `money` into those of their
    portfolios, and from these into the currency `into` of the figures.
    """
    pairs = set()
    for portfolio in portfolios:
        for currency in stored.currencies.get(portfolio.pk, ()):
            pairs.add((currency, portfolio.currency))
        if portfolio.pk in money:
            pairs.update((code, portfolio.currency) for code in money[portfolio.pk].currencies)
        if into:
            pairs.add((portfolio.currency, into))
    return {pair for pair in pairs if pair[0] != pair[1]}


def _still_there(portfolios: Sequence[Portfolio], stored: HoldingsAndPrices) -> list[Portfolio]:
    """Leave out deleted portfolios: only those without holdings need a query."""
    empty = [portfolio.pk for portfolio in portfolios if portfolio.pk not in stored.holdings]
    if not empty:
        return list(portfolios)
    stored_ids = set(Portfolio.objects.filter(pk__in=empty).values_list("pk", flat=True))
    stored_ids.update(stored.holdings)
    return [portfolio for portfolio in portfolios if portfolio.pk in stored_ids]


def _instruments(
    portfolio: Portfolio, vector: TradeVector, stored: HoldingsAndPrices
) -> Sequence[Instrument]:
    """Return the instruments in the order of the vector, for which they are kept."""
    kept_for, instruments = instruments_cache.get(portfolio.pk, stored.stamp) or (None, ())
    if kept_for is vector:
        return instruments
    holdings = by_pk(stored.holdings.get(portfolio.pk, ()))
    instruments = [_instrument(holdings[pk]) for pk in vector.holding_ids]
    size = max(1, len(instruments))
    instruments_cache.put(portfolio.pk, stored.stamp, (vector, instruments), size)
    return instruments


def _instrument(holding: Holding) -> Instrument:
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
        unbooked_split_on=holding.unbooked_split_on,
        is_described_otherwise=bool(stock.described_currency),
        has_waiting_split=bool(holding.waiting_splits),
    )
