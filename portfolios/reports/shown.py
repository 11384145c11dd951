"""How the explanations show rates, prices, transactions and positions, each with its source."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from msgspec import Struct

from financeproj.core.money import ONE, round_for_display, strip_zeros
from marketdata.calc.rates import can_value
from marketdata.selectors import RateNow, closes_on, rates_on
from portfolios.calc.carried import Carried, Taken
from portfolios.calc.ledger import Position, replay
from portfolios.models import Transaction
from portfolios.reports.histories import Instrument, PortfolioHistory
from portfolios.valuation import TRADE

READ_AT_ONCE = 2000


class LedgerEntry(Struct, eq=False, gc=False):
    """A transaction as explanations need it: a model's instance takes five times the memory."""

    pk: UUID
    holding_id: UUID
    ticker: str
    type: str
    effective_date: date
    sequence: int
    quantity: Decimal
    price: Decimal | None
    commission: Decimal
    tax: Decimal
    exchange_rate: Decimal | None
    realised_gain: Decimal | None
    group_id: UUID | None
    carried: Carried | None


_STORED_AS = {"ticker": "holding__stock__ticker"}
_COLUMNS = [_STORED_AS.get(name, name) for name in LedgerEntry.__struct_fields__]

Ledgers = Mapping[UUID, Sequence[LedgerEntry]]


def ledger_entries(rows: QuerySet[Transaction]) -> Iterator[LedgerEntry]:
    """Read `rows` in chunks, in no order. One query."""
    for values in rows.order_by().values_list(*_COLUMNS).iterator(READ_AT_ONCE):
        yield LedgerEntry(*values)


def rounded(value: Decimal | None) -> Decimal | None:
    """Round a calculated amount for display; None stays None."""
    return None if value is None else round_for_display(value)


def stripped(value: Decimal | None) -> Decimal | None:
    """Show a stored amount without trailing zeros; None stays None."""
    return None if value is None else strip_zeros(value)


class RateShown(Struct):
    """A rate with its source; the last four are None when no rate is known."""

    base: str
    target: str
    rate: Decimal | None
    date: date | None
    source: str | None
    stale: bool | None


def rate_shown(base: str, target: str, rate: RateNow | None, day: date) -> RateShown:
    """Show a rate with its source; all is None when none of the last 90 days is known."""
    if base == target:
        return RateShown(base, target, ONE, day, "identity", False)
    if rate is None or not can_value(rate, day):
        return RateShown(base, target, None, None, None, None)
    return RateShown(base, target, strip_zeros(rate.rate), rate.date, rate.source, rate.stale)


def transaction_shown(row: LedgerEntry) -> dict[str, object]:
    """Show what a transaction contributes to the figures; of a leg also what it carries."""
    shown: dict[str, object] = {
        "id": row.pk,
        "holding_id": row.holding_id,
        "ticker": row.ticker,
        "date": row.effective_date,
        "sequence": row.sequence,
        "type": row.type,
        "quantity": strip_zeros(row.quantity),
        "price": stripped(row.price),
        "commission": strip_zeros(row.commission),
        "tax": strip_zeros(row.tax),
        "exchange_rate": stripped(row.exchange_rate),
    }
    if row.carried is not None:
        shown["group_id"] = row.group_id
        shown["carried"] = _carried_shown(row.carried)
    return shown


def _carried_shown(carried: Carried) -> dict[str, object]:
    """Show the cost that a leg brings in, with its lots, or how it takes out."""
    if isinstance(carried, Taken):
        return {
            "share_of_cost": round_for_display(carried.share),
            "cash": round_for_display(carried.cash_p),
            "share_of_cash": round_for_display(carried.cash_share),
            "takes_all": carried.takes_all,
        }
    lots = []
    for lot in carried.lots:
        shown = {
            "bought_on": lot.bought_on,
            "quantity": round_for_display(lot.quantity),
            "cost": round_for_display(lot.cost_c),
            "cost_in_portfolio_currency": round_for_display(lot.cost_p),
        }
        lots.append(shown)
    return {
        "cost": round_for_display(carried.cost_c),
        "cost_in_portfolio_currency": round_for_display(carried.cost_p),
        "lots": lots,
    }


@dataclass(frozen=True, slots=True)
class PriceOn:
    """A price as it counts on a day, with its own date and its source."""

    price: Decimal
    date: date
    source: str
    as_of: datetime | None = None


PricesOn = dict[UUID, PriceOn]


def prices_on(history: PortfolioHistory, stock_ids: Collection[UUID], day: date) -> PricesOn:
    """Return the prices that count on `day`, by instrument.

    They are the latest for today, else the last closes by then, or what the user paid or got where
    those are unknown.
    """
    prices: PricesOn = {}
    if day >= timezone.localdate():
        for pk in stock_ids:
            now = history.prices.get(pk)
            if now is not None:
                prices[pk] = PriceOn(now.price, now.day, now.source, now.as_of)
        return prices
    for pk, close in closes_on(stock_ids, day).items():
        prices[pk] = PriceOn(close.price, close.date, close.source)
    for instrument in history.instruments:
        if not instrument.has_known_closes:
            prices.pop(instrument.stock_id, None)
    for pk, own in history.trades.items():
        traded = own.on(day)
        if traded is not None and pk in stock_ids:
            prices[pk] = PriceOn(traded[1], traded[0], TRADE)
    return prices


def price_shown(price: PriceOn | None) -> dict[str, object] | None:
    """Show a price without the trailing zeros of 346.90, which only PostgreSQL keeps."""
    if price is None:
        return None
    return asdict(price) | {"price": strip_zeros(price.price)}


class Quotes:
    """The prices and rates of a portfolio's instruments on one day. Two queries at most each."""

    def __init__(self, history: PortfolioHistory, day: date, stock_ids: Iterable[UUID]) -> None:
        self._day = day
        self._currency = history.portfolio.currency
        self._prices = prices_on(history, set(stock_ids), day)
        self._rates = rates_on(history.pairs, day)

    def price(self, instrument: Instrument) -> PriceOn | None:
        return self._prices.get(instrument.stock_id)

    def rate(self, instrument: Instrument) -> RateShown:
        rate = self._rates.get((instrument.currency, self._currency))
        return rate_shown(instrument.currency, self._currency, rate, self._day)

    def value(self, instrument: Instrument, quantity: Decimal) -> Decimal | None:
        """Return quantity × price × rate for display; None where one is unknown."""
        price, rate = self.price(instrument), self.rate(instrument).rate
        if price is None or rate is None:
            return None
        return round_for_display(quantity * price.price * rate)


def ledgers_until(history: PortfolioHistory, day: date) -> dict[UUID, list[LedgerEntry]]:
    """Return the transactions that count by `day`, by holding. One query."""
    ledgers: dict[UUID, list[LedgerEntry]] = defaultdict(list)
    rows = Transaction.objects.filter(
        portfolio=history.portfolio, holding__isnull=False, effective_date__lte=day
    )
    for row in ledger_entries(rows):
        ledgers[row.holding_id].append(row)
    return ledgers


class PositionShown(Struct):
    """What was held, with its price and rate; `value` is None where one of them is unknown."""

    holding_id: UUID
    ticker: str
    quantity: Decimal
    price: dict[str, object] | None
    rate: RateShown
    value: Decimal | None
    cost_basis: Decimal


def positions_shown(history: PortfolioHistory, ledgers: Ledgers, day: date) -> list[PositionShown]:
    """Show what was held at the end of `day`, with its price and rate.

    `value` is None where one of them is unknown.
    """
    held: list[tuple[Instrument, Position]] = []
    for instrument in history.instruments:
        position, _ = replay(ledgers.get(instrument.holding_id, []))
        if position.quantity:
            held.append((instrument, position))
    quotes = Quotes(history, day, [instrument.stock_id for instrument, _ in held])
    shown = []
    for instrument, position in held:
        shown.append(
            PositionShown(
                holding_id=instrument.holding_id,
                ticker=instrument.ticker,
                quantity=round_for_display(position.quantity),
                price=price_shown(quotes.price(instrument)),
                rate=quotes.rate(instrument),
                value=quotes.value(instrument, position.quantity),
                cost_basis=round_for_display(position.cost_p),
            )
        )
    return shown
