"""What the money of transactions adds up to, by currency and day, and what that is worth."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet
from msgspec import Struct

from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.missing import NO_RATE, gravest, with_rate_held_back
from financeproj.core.money import EXACT, ONE, ZERO, round_for_display, strip_zeros
from financeproj.core.shared.versioned_cache import VersionedCache
from marketdata.calc.rates import Pair, can_value
from marketdata.selectors import RateNow
from portfolios.calc.carried import Carried
from portfolios.calc.money import money_of
from portfolios.models import Portfolio, Transaction

MAX_DAYS_CACHED = 1_000_000
READ_AT_ONCE = 2000
Day = date  # within a class that has a field `date`


class MoneyRow(Struct, frozen=True, gc=False):
    """The columns of a transaction that say what it moves in money."""

    portfolio_id: UUID
    type: str
    date: date
    effective_date: Day
    sequence: int
    quantity: Decimal
    price: Decimal | None
    commission: Decimal
    tax: Decimal
    exchange_rate: Decimal | None
    settlement_currency: str | None
    settlement_amount: Decimal | None
    carried: Carried | None


def money_moved(
    rows: QuerySet[Transaction], currencies: Mapping[UUID, str]
) -> Iterator[tuple[UUID, date, str, Decimal]]:
    """Yield the portfolio, day, currency and signed amount of each of `rows` that moves money.

    `currencies` has the currency of every portfolio of `rows`. They come by day, then by order of
    entry. One query.
    """
    columns = rows.order_by("date", "sequence").values_list(*MoneyRow.__struct_fields__)
    for values in columns.iterator(READ_AT_ONCE):
        row = MoneyRow(*values)
        moved, amount = money_of(row, currencies[row.portfolio_id])
        if amount:
            yield row.portfolio_id, row.date, moved, amount


@dataclass(frozen=True, slots=True)
class BalanceHistory:
    """The balance of one currency at the end of each of `days`, on which it moved; oldest first."""

    days: Sequence[date]
    balances: Sequence[Decimal]

    def on(self, day: date) -> Decimal:
        position = bisect_right(self.days, day)
        return self.balances[position - 1] if position else ZERO


# By currency, every one that a row moved.
Money = Mapping[str, BalanceHistory]
money_cache = VersionedCache(MAX_DAYS_CACHED)


def money_in(portfolios: Iterable[Portfolio]) -> dict[UUID, Money]:
    """Return the balances of each portfolio. One query for all that this process has not cached."""

    def size(money: Money) -> int:
        return 1 + sum(len(history.days) for history in money.values())

    return money_cache.get_or_read(portfolios, _read, size)


def _read(portfolios: Sequence[Portfolio]) -> dict[UUID, Money]:
    moved: dict[UUID, dict[str, dict[date, Decimal]]] = {}
    currencies = {}
    for portfolio in portfolios:
        moved[portfolio.pk] = {}
        currencies[portfolio.pk] = portfolio.currency
    rows = Transaction.objects.filter(portfolio__in=portfolios)
    for portfolio_id, day, currency, amount in money_moved(rows, currencies):
        by_day = moved[portfolio_id].setdefault(currency, {})
        by_day[day] = EXACT.add(by_day.get(day, ZERO), amount)
    return {pk: _histories(by_currency) for pk, by_currency in moved.items()}


def _histories(by_currency: Mapping[str, Mapping[date, Decimal]]) -> Money:
    histories: dict[str, BalanceHistory] = {}
    for currency, by_day in sorted(by_currency.items()):
        balance, balances = ZERO, []
        for amount in by_day.values():  # oldest first, as the rows were
            balance = EXACT.add(balance, amount)
            balances.append(balance)
        histories[currency] = BalanceHistory(list(by_day), balances)
    return histories


class CurrencyBalance(Struct):
    """What stands in a currency, and what it is worth in the portfolio's; null without a rate."""

    currency: str
    balance: ReadOnlyDecimal
    value: ReadOnlyDecimal | None


@dataclass(frozen=True, slots=True)
class CashOn:
    """Cash and used credit on a day, in the portfolio's currency.

    `missing` are the currencies without a rate: they are in neither. `in_doubt` are those of which
    a later rate is held back.
    """

    cash: Decimal
    used_credit: Decimal
    currencies: Sequence[CurrencyBalance]
    missing: Sequence[str]
    in_doubt: Sequence[str] = ()

    @property
    def missing_why(self) -> dict[str, str]:
        return gravest(dict.fromkeys(self.missing, NO_RATE), with_rate_held_back(self.in_doubt))


def cash_pairs(portfolio: Portfolio, money: Money) -> set[Pair]:
    """Return the pairs that `cash_on` needs."""
    return {(code, portfolio.currency) for code in money if code != portfolio.currency}


def cash_on(portfolio: Portfolio, money: Money, day: date, rates: Mapping[Pair, RateNow]) -> CashOn:
    """Add up what stood in each currency at the end of `day`, at `rates`."""
    cash = used_credit = ZERO
    currencies: list[CurrencyBalance] = []
    missing: list[str] = []
    in_doubt: list[str] = []
    for code, history in money.items():
        balance = history.on(day)
        rate = _rate(code, portfolio.currency, day, rates)
        known = rates.get((code, portfolio.currency))
        if balance and known is not None and known.is_behind:
            in_doubt.append(code)
        value = None if rate is None else EXACT.multiply(balance, rate)
        if value is None and balance:
            missing.append(code)
        elif value is not None and value > 0:
            cash = EXACT.add(cash, value)
        elif value is not None:
            used_credit = EXACT.subtract(used_credit, value)
        shown = None if value is None else round_for_display(value)
        currencies.append(CurrencyBalance(code, strip_zeros(balance), shown))
    cash, used_credit = round_for_display(cash), round_for_display(used_credit)
    return CashOn(cash, used_credit, currencies, missing, in_doubt)


def _rate(code: str, target: str, day: date, rates: Mapping[Pair, RateNow]) -> Decimal | None:
    if code == target:
        return ONE
    found = rates.get((code, target))
    if found is None or not can_value(found, day):
        return None
    return found.rate
