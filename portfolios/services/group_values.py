"""What the instruments of imported groups were worth on their day, where closes are known."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import NamedTuple
from uuid import UUID

from financeproj.core.db.rows import by_pk
from financeproj.core.errors import DomainError
from financeproj.core.money import EXACT, ONE, ZERO
from marketdata.models import StockMetadata
from marketdata.selectors import known_splits, prices_on_days
from portfolios.calc.import_rows import ImportRow
from portfolios.calc.kinds import RULES, TransactionType, shares_after
from portfolios.calc.ledger import rank_of
from portfolios.models import Holding, Portfolio, TransactionGroup
from portfolios.services.import_money import FoundRow, Rates
from portfolios.services.ledger_rows import LedgerRow, stored_rows
from portfolios.services.share_openings import MAX_AGE_DAYS
from portfolios.valuation.taken_over import first_closes

Instruments = Mapping[str, StockMetadata | DomainError]
# An instrument and a day.
Key = tuple[UUID, date]
# What goes out, and what comes for it.
Group = tuple[ImportRow, Sequence[ImportRow]]
SPLIT_WITHIN = timedelta(days=7)


@dataclass(slots=True)
class GroupValues:
    """Market values in the portfolio's currency: of what comes by line and ticker, of what stays
    after a spin-off by line.
    """

    comes: dict[tuple[int, str], Decimal] = field(default_factory=dict)
    stays: dict[int, Decimal] = field(default_factory=dict)


def needs_values(out: ImportRow, targets: Sequence[ImportRow]) -> bool:
    """Whether a part of the cost has to be worked out by market value."""
    left_out = sum(target.cost_share is None for target in targets)
    is_received = (out.settlement_amount or ZERO) > 0
    if out.group_kind == TransactionGroup.Kind.SPIN_OFF:
        return left_out > 0
    return left_out + (is_received and out.cost_share is None) > 1


def values_of(
    portfolio: Portfolio,
    groups: Iterable[Group],
    found: Sequence[FoundRow],
    instruments: Instruments,
    rates: Rates,
) -> GroupValues:
    """Return the market values of the groups that need them. Eight queries, if any does."""
    needing = [group for group in groups if needs_values(*group)]
    values = GroupValues()
    if not needing:
        return values
    market = _Market(portfolio.currency, instruments, rates, _prices(needing, instruments))
    spun_off: set[str] = set()
    for out, _targets in needing:
        if out.group_kind == TransactionGroup.Kind.SPIN_OFF:
            spun_off.add(out.ticker)
    held = _Held(portfolio, spun_off, found, instruments)
    for out, targets in needing:
        for row in targets:
            value = market.value(row, row.quantity)
            if value is not None:
                values.comes[row.row, row.ticker] = value
        if out.group_kind != TransactionGroup.Kind.SPIN_OFF:
            continue
        value = market.value(out, held.before(out))
        if value is not None:
            values.stays[out.row] = value
    return values


def _prices(groups: Iterable[Group], instruments: Instruments) -> dict[Key, Decimal]:
    """Return the closes of the days; of what comes, else the first within 14 days after."""
    goes: list[Key] = []
    comes: list[Key] = []
    for out, targets in groups:
        goes += _keys([out], instruments)
        comes += _keys(targets, instruments)
    prices = prices_on_days([*goes, *comes], max_age_days=MAX_AGE_DAYS)
    return prices | first_closes(set(comes).difference(prices))


def _keys(rows: Iterable[ImportRow], instruments: Instruments) -> Iterator[Key]:
    """Yield instrument and day of the rows; an instrument that is not stored has no closes."""
    for row in rows:
        stock = instruments.get(row.ticker)
        if isinstance(stock, StockMetadata) and not stock._state.adding:
            yield stock.pk, row.date


@dataclass(frozen=True, slots=True)
class _Market:
    """The prices and rates of the days, and the currency in which values are."""

    currency: str
    instruments: Instruments
    rates: Rates
    prices: Mapping[Key, Decimal]

    def value(self, row: ImportRow, quantity: Decimal | None) -> Decimal | None:
        """Return what `quantity` of a row's instrument was worth; None where it is not known."""
        stock = self.instruments.get(row.ticker)
        if quantity is None or not isinstance(stock, StockMetadata):
            return None
        rate: Decimal | None = ONE
        if stock.currency != self.currency:
            rate = self.rates.get((stock.currency, self.currency, row.date))
        price = self.prices.get((stock.pk, row.date))
        if price is None or rate is None:
            return None
        return EXACT.multiply(EXACT.multiply(quantity, price), rate)


class _Move(NamedTuple):
    """A transaction of a holding; moves sort in the order in which they take effect."""

    day: date
    rank: int
    place: int
    kind: str
    quantity: Decimal


class _Held:
    """The shares that stood before spin-offs, by stored rows and those of the file."""

    def __init__(
        self,
        portfolio: Portfolio,
        tickers: Collection[str],
        found: Sequence[FoundRow],
        instruments: Instruments,
    ) -> None:
        self._moves: dict[str, list[_Move]] = defaultdict(list)
        self._booked: dict[str, list[date]] = defaultdict(list)  # splits that are rows
        self._splits: dict[str, list[date]] = defaultdict(list)  # splits of the source
        self._read_stored(portfolio, tickers)
        for one in found:
            if one.row.ticker in tickers and not one.row.is_money_alone:
                self._add(one.row.ticker, one.row.date, one.sequence, one.row)
        self._read_splits(portfolio, tickers, instruments)

    def _read_stored(self, portfolio: Portfolio, tickers: Collection[str]) -> None:
        if not tickers:
            return
        own = Holding.objects.filter(portfolio=portfolio, stock__ticker__in=tickers)
        holdings = by_pk(own.select_related("stock"))
        for pk, rows in stored_rows(holdings.values()).items():
            for row in rows:
                self._add(holdings[pk].stock.ticker, row.effective_date, row.sequence, row)

    def _add(self, ticker: str, day: date, place: int, row: ImportRow | LedgerRow) -> None:
        if RULES[row.type].is_ratio:
            self._booked[ticker].append(day)
        rank = rank_of(row.type, row.quantity)
        self._moves[ticker].append(_Move(day, rank, place, row.type, row.quantity))

    def _read_splits(
        self, portfolio: Portfolio, tickers: Collection[str], instruments: Instruments
    ) -> None:
        """Read the days of the splits that the source knows."""
        stocks: dict[UUID, str] = {}
        for ticker in tickers:
            stock = instruments.get(ticker)
            if isinstance(stock, StockMetadata):
                stocks[stock.pk] = ticker
        for pk, known in known_splits(list(stocks), user_id=portfolio.user_id).items():
            for split in known:
                self._splits[stocks[pk]].append(split.date)

    def before(self, out: ImportRow) -> Decimal | None:
        """Return the shares that stood when a spin-off takes effect.

        None if a split of the source lies before it that is not a row yet: it is booked later.
        """
        moves = sorted(self._moves[out.ticker])
        if self._has_open_split(out, moves):
            return None
        held, was_split = ZERO, False
        with localcontext(EXACT):
            for move in moves:
                if not _is_before(move, out.date):
                    continue
                held = shares_after(held, move.kind, move.quantity, was_split=was_split)
                rules = RULES[move.kind]
                was_split = was_split or rules.is_ratio or rules.is_exchange
        return held

    def _has_open_split(self, out: ImportRow, moves: Sequence[_Move]) -> bool:
        """Whether the source knows a split, since the first row and before `out`, without a row."""
        booked = self._booked[out.ticker]
        for split in self._splits[out.ticker]:
            if not moves or not moves[0].day <= split <= out.date:
                continue
            if not any(abs(split - day) <= SPLIT_WITHIN for day in booked):
                return True
        return False


def _is_before(move: _Move, day: date) -> bool:
    """Whether a move counts before a spin-off of `day`; spin-offs move no shares."""
    is_spin_off = move.kind == TransactionType.EXCHANGE_OUT and not move.quantity
    return not is_spin_off and (move.day, move.rank) <= (day, 1)
