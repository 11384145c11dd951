"""The prices of what came by exchanges and spin-offs, on the day on which it came."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from financeproj.core.money import EXACT, ONE, ZERO, as_fraction, round_for_storage
from marketdata.calc.sanity import split_factor
from marketdata.models import HistoricalStockPrice
from marketdata.selectors import CloseOn, closes_on_days, rates_on_days, splits_of
from portfolios.calc.kinds import RULES, types_where
from portfolios.calc.ledger import order, quantities
from portfolios.calc.taken_over import Came, Gone, values_taken_over
from portfolios.calc.trade_prices import TradePrices, trade_prices
from portfolios.models import Transaction, TransactionGroup

# The first close of what a company gives out stands from the day on which it does.
FIRST_CLOSE_WITHIN = timedelta(days=14)
ONE_DAY = timedelta(days=1)
# An older close of what goes is not looked for.
MAX_AGE_DAYS = 400
Key = tuple[UUID, date]  # an instrument and a day
_ACTIONS = types_where(lambda rules: rules.is_exchange)
_TYPES = types_where(lambda rules: rules.moves_shares or rules.is_ratio)


class _Leg(NamedTuple):
    """The columns of a leg that are read here. With an `owner_id` prices are entered by hand."""

    pk: UUID
    group_id: UUID
    kind: str
    stock_id: UUID
    owner_id: UUID | None
    currency: str
    portfolio_currency: str
    holding_id: UUID
    type: str
    effective_date: date
    sequence: int
    quantity: Decimal
    exchange_rate: Decimal | None
    settlement_amount: Decimal | None
    cost_share: Decimal | None

    @property
    def is_out(self) -> bool:
        return RULES[self.type].shares < 0

    @property
    def share(self) -> Decimal:
        return as_fraction(self.cost_share) if self.cost_share else ZERO


class _Row(NamedTuple):
    """The columns of a transaction of what went, for its quantity and its own trade prices."""

    pk: UUID
    stock_id: UUID
    holding_id: UUID
    type: str
    effective_date: date
    sequence: int
    quantity: Decimal
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class ActionPrices:
    """By instrument: the prices on the days on which it came.

    `closes` are its first closes within 14 days after, `taken` what it took over per share.
    `givers` are the other instruments that these prices follow from.
    """

    closes: dict[UUID, dict[date, Decimal]] = field(default_factory=lambda: defaultdict(dict))
    taken: dict[UUID, dict[date, Decimal]] = field(default_factory=lambda: defaultdict(dict))
    givers: set[UUID] = field(default_factory=set)


def read_action_prices(
    user_id: UUID, stock_ids: Collection[UUID], *, asked: Collection[UUID] = ()
) -> ActionPrices:
    """Read the prices of `stock_ids`, which lack closes, where they came by an action of the user.

    One query without any, else a constant number; more where what went had come by another action.
    `asked` are instruments whose prices wait for these.
    """
    found = ActionPrices()
    groups = _groups(user_id, stock_ids) if stock_ids else []
    if not groups:
        return found
    days: set[Key] = set()
    stocks: set[UUID] = set()
    givers: set[UUID] = set()
    for leg in itertools.chain.from_iterable(groups):
        stocks.add(leg.stock_id)
        if leg.is_out:
            givers.add(leg.stock_id)
        else:
            days.add((leg.stock_id, leg.effective_date))
    first = first_closes(days)
    found.givers.update(stocks.difference(stock_ids), givers)
    earlier = read_action_prices(
        user_id, givers.difference(stock_ids, asked), asked={*asked, *stock_ids}
    )
    found.givers.update(earlier.givers)
    market = _Market.read(user_id, groups, first, givers, earlier)
    for (stock_id, day), price in first.items():
        if stock_id in stock_ids and (stock_id, day) not in market.closes:
            found.closes[stock_id][day] = price
    for group in groups:
        for leg, price in market.taken_over(group).items():
            if leg.stock_id in stock_ids and leg.effective_date not in found.closes[leg.stock_id]:
                found.taken[leg.stock_id][leg.effective_date] = price
    return found


def _groups(user_id: UUID, stock_ids: Collection[UUID]) -> list[list[_Leg]]:
    """Return the legs of the actions by which an instrument came, each with its out leg first."""
    came = Transaction.objects.filter(
        portfolio__user=user_id,
        holding__stock__in=list(stock_ids),
        type="exchange_in",
        group__isnull=False,
    )
    legs = Transaction.objects.filter(group__in=came.values("group"), type__in=_ACTIONS)
    columns = (
        "pk",
        "group_id",
        "group__kind",
        "holding__stock_id",
        "holding__stock__owner_id",
        "holding__stock__currency",
        "portfolio__currency",
        *_Leg._fields[7:],
    )
    groups: dict[UUID, list[_Leg]] = defaultdict(list)
    for values in legs.order_by("sequence").values_list(*columns):
        leg = _Leg(*values)
        groups[leg.group_id].append(leg)
    found = []
    for group in groups.values():
        group.sort(key=lambda leg: not leg.is_out)
        if group[0].is_out:
            found.append(group)
    return found


def first_closes(wanted: Iterable[Key]) -> dict[Key, Decimal]:
    """Return the first close within 14 days after a day, in the shares of that day. Two queries."""
    days: dict[UUID, set[date]] = defaultdict(set)
    for stock_id, day in wanted:
        days[stock_id].add(day)
    found: dict[Key, Decimal] = {}
    if not days:
        return found
    every = set().union(*days.values())
    earliest, latest = min(every), max(every) + FIRST_CLOSE_WITHIN
    closes = HistoricalStockPrice.objects.filter(stock__in=days, date__range=(earliest, latest))
    splits = splits_of(days, after=earliest)
    for stock_id, on, close in closes.order_by("date").values_list("stock_id", "date", "close"):
        for day in days[stock_id]:
            if day <= on <= day + FIRST_CLOSE_WITHIN and (stock_id, day) not in found:
                factor = split_factor(splits.get(stock_id, []), day, on)
                found[stock_id, day] = EXACT.multiply(close, factor)
    return found


@dataclass(frozen=True, slots=True)
class _Market:
    """The prices and rates that say what targets took over."""

    closes: Mapping[Key, CloseOn]
    first_closes: Mapping[Key, Decimal]
    rates: Mapping[tuple[str, str, date], Decimal]
    ledgers: Mapping[UUID, list[_Row]]
    traded: Mapping[UUID, TradePrices]

    @classmethod
    def read(
        cls,
        user_id: UUID,
        groups: Collection[list[_Leg]],
        first: Mapping[Key, Decimal],
        givers: Collection[UUID],
        earlier: ActionPrices,
    ) -> "_Market":
        wanted: set[Key] = set()
        pairs: set[tuple[str, str, date]] = set()
        for group in groups:
            for leg in group:
                day = leg.effective_date
                wanted |= {(leg.stock_id, day), (leg.stock_id, day - ONE_DAY)}
                if leg.currency != leg.portfolio_currency:
                    pairs.add((leg.currency, leg.portfolio_currency, day))
        closes = closes_on_days(wanted, max_age_days=MAX_AGE_DAYS)
        ledgers = _ledgers(user_id, givers)
        traded = {}
        for stock_id in givers:
            rows = [row for own in ledgers.values() for row in own if row.stock_id == stock_id]
            traded[stock_id] = trade_prices(
                rows, came_at=earlier.closes[stock_id], taken_over=earlier.taken[stock_id]
            )
        rates = {key: rate.rate for key, rate in rates_on_days(pairs).items()} if pairs else {}
        return cls(closes, first, rates, ledgers, traded)

    def taken_over(self, group: list[_Leg]) -> dict[_Leg, Decimal]:
        """Return what each target without a close took over, per share, in its own currency."""
        out, *targets = group
        came = [Came(leg.share, self._value(leg)) for leg in targets]
        found: dict[_Leg, Decimal] = {}
        for leg, value in zip(targets, values_taken_over(self._gone(out), came), strict=True):
            rate = self._rate(leg)
            if value is not None and rate:
                found[leg] = round_for_storage(
                    EXACT.divide(EXACT.divide(value, rate), leg.quantity)
                )
        return found

    def _gone(self, out: _Leg) -> Gone:
        day = out.effective_date
        is_spin_off = out.kind == TransactionGroup.Kind.SPIN_OFF
        quantity = self._held(out) if is_spin_off else out.quantity
        before, now = self._price(out, day - ONE_DAY), self._price(out, day)
        for row in self.ledgers.get(out.holding_id, []):
            if row.type == "split" and row.effective_date == day and before is not None:
                before = EXACT.divide(before, row.quantity)
        rate = self._rate(out)
        cash = EXACT.multiply(out.settlement_amount or ZERO, out.exchange_rate or ONE)
        return Gone(
            before=_product(quantity, before, rate),
            now=_product(quantity, now, rate),
            is_spin_off=is_spin_off,
            cash=cash,
            cash_share=out.share,
        )

    def _held(self, out: _Leg) -> Decimal:
        """Return the shares held when a spin-off takes effect."""
        rows = [row for row in self.ledgers.get(out.holding_id, []) if order(row) <= order(out)]  # type: ignore[arg-type]
        held = quantities(rows)  # type: ignore[arg-type]
        return held[-1][1] if held else ZERO

    def _price(self, leg: _Leg, day: date) -> Decimal | None:
        close = self.closes.get((leg.stock_id, day))
        traded = None
        if leg.stock_id in self.traded:
            traded = self.traded[leg.stock_id].on(day)
        if traded is not None and (close is None or (leg.owner_id and close.date < traded[0])):
            return traded[1]
        return None if close is None else close.price

    def _value(self, target: _Leg) -> Decimal | None:
        """Return the market value of a target, None where it has no close."""
        key = target.stock_id, target.effective_date
        price = self.first_closes.get(key)
        if key in self.closes:
            price = self.closes[key].price
        return _product(target.quantity, price, self._rate(target))

    def _rate(self, leg: _Leg) -> Decimal | None:
        if leg.currency == leg.portfolio_currency:
            return ONE
        return self.rates.get((leg.currency, leg.portfolio_currency, leg.effective_date))


def _ledgers(user_id: UUID, stock_ids: Collection[UUID]) -> dict[UUID, list[_Row]]:
    rows = Transaction.objects.filter(
        portfolio__user=user_id, holding__stock__in=list(stock_ids), type__in=_TYPES
    ).exclude(type="transfer_in", group__isnull=False)
    columns = ("pk", "holding__stock_id", *_Row._fields[2:])
    found: dict[UUID, list[_Row]] = defaultdict(list)
    for values in rows.order_by().values_list(*columns):
        row = _Row(*values)
        found[row.holding_id].append(row)
    return found


def _product(quantity: Decimal, price: Decimal | None, rate: Decimal | None) -> Decimal | None:
    if price is None or rate is None:
        return None
    return EXACT.multiply(EXACT.multiply(quantity, price), rate)
