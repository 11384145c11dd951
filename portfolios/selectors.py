"""Reads about portfolios: each a fixed number of queries, however many rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from msgspec import Struct

from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.money import EXACT, ONE, ZERO, strip_zeros
from financeproj.users.models import User
from marketdata import selectors as marketdata
from marketdata.calc.rates import Pair
from marketdata.selectors import PriceNow, RateNow
from portfolios.calc.valuation import Line, Summary, fraction, rounded, summarise, value_holding
from portfolios.inputs import Inputs, inputs_of
from portfolios.models import Holding, ImportBatch, InstrumentAlias, Portfolio, Transaction


def portfolios_of(user: User) -> QuerySet[Portfolio]:
    return Portfolio.objects.filter(user=user)


def holdings_visible_to(user: User) -> QuerySet[Holding]:
    return Holding.objects.filter(portfolio__user=user).select_related("portfolio", "stock")


def transactions_visible_to(user: User) -> QuerySet[Transaction]:
    return Transaction.objects.filter(portfolio__user=user).select_related(
        "holding__stock", "portfolio"
    )


_NOT_LISTED = {"effective_date", "imported_as"}
_LISTED = [
    field.name for field in Transaction._meta.concrete_fields if field.name not in _NOT_LISTED
]
_LISTED += [
    "holding__company_name",
    *(f"holding__stock__{name}" for name in ("ticker", "company_name", "currency")),
]


def listed(rows: QuerySet[Transaction]) -> QuerySet[Transaction]:
    """The same rows with what is shown of them and no more: half the columns were of their holdings
    and instruments.
    """
    return rows.select_related(None).select_related("holding__stock").only(*_LISTED)


def imports_visible_to(user: User) -> QuerySet[ImportBatch]:
    return ImportBatch.objects.filter(portfolio__user=user)


def troubled_imports() -> QuerySet[ImportBatch]:
    """Everybody's imports that failed or differ from the file's own balance, and were not
    undone.
    """
    return ImportBatch.objects.filter(
        Q(state=ImportBatch.State.FAILED) | Q(reconciled=False)
    ).exclude(state=ImportBatch.State.UNDONE)


def instrument_aliases(user: User, keys: Iterable[str]) -> dict[str, str]:
    """Key → the ticker that the user chose for it before."""
    return dict(
        InstrumentAlias.objects.filter(user=user, key__in=set(keys)).values_list("key", "ticker")
    )


def held_stock_ids() -> set[UUID]:
    """The instruments that anybody holds now."""
    return set(Holding.objects.filter(current_quantity__gt=0).values_list("stock_id", flat=True))


def needed_pairs() -> set[tuple[str, str]]:
    """The currency pairs that anybody's figures need: instrument to portfolio, portfolio to base
    currency.
    """
    held = Holding.objects.values_list("stock__currency", "portfolio__currency").distinct()
    reported = Portfolio.objects.values_list("currency", "user__base_currency").distinct()
    return {
        (base, target) for pairs in (held, reported) for base, target in pairs if base != target
    }


class ValuedHolding(Struct):
    """A holding with what it is worth now; the fields and their order are the contract's."""

    id: UUID
    portfolio_id: UUID
    ticker: str
    company_name: str
    currency: str
    asset_type: str
    current_quantity: ReadOnlyDecimal
    average_cost_per_share: ReadOnlyDecimal | None
    cost_basis: ReadOnlyDecimal
    price: ReadOnlyDecimal | None
    previous_close: ReadOnlyDecimal | None
    price_as_of: datetime | None
    price_source: str | None
    price_stale: bool
    exchange_rate: ReadOnlyDecimal | None
    market_value: ReadOnlyDecimal | None
    unrealised_gain: ReadOnlyDecimal | None
    unrealised_gain_pct: ReadOnlyDecimal | None
    price_effect: ReadOnlyDecimal | None
    fx_effect: ReadOnlyDecimal | None
    realised_gain: ReadOnlyDecimal
    income: ReadOnlyDecimal
    charges: ReadOnlyDecimal
    total_gain: ReadOnlyDecimal | None
    day_change: ReadOnlyDecimal | None
    day_change_pct: ReadOnlyDecimal | None
    weight: ReadOnlyDecimal | None
    first_transaction_on: date | None
    last_transaction_on: date | None


@dataclass(slots=True)
class ValuedPortfolio:
    """A portfolio with its sums and its holdings, largest first."""

    portfolio: Portfolio
    summary: Summary
    holdings: list[ValuedHolding]


@dataclass(frozen=True, slots=True)
class Reading:
    """What portfolios are valued with: holdings, latest prices, and the latest rates that these
    need.
    """

    portfolios: Sequence[Portfolio]
    inputs: Inputs
    rates: Mapping[Pair, RateNow]

    def lacking(self) -> tuple[set[UUID], set[Pair]]:
        """What open holdings have no price of at all, and the pairs without a rate of the last
        week.
        """
        stocks, pairs = set(), set()
        for portfolio in self.portfolios:
            for stock_id, currency in self.inputs.open.get(portfolio.pk, ()):
                pairs.add((currency, portfolio.currency))
                if stock_id not in self.inputs.prices:
                    stocks.add(stock_id)
        return stocks, {
            pair
            for pair in pairs
            if pair[0] != pair[1] and (pair not in self.rates or self.rates[pair].stale)
        }


def reading_of(portfolios: Iterable[Portfolio], known: Inputs | None = None) -> Reading:
    """A fixed number of queries; two for what this process has read before, or of which `known`
    still holds.
    """
    portfolios = list(portfolios)
    inputs = inputs_of(portfolios, known)
    pairs = {
        (code, portfolio.currency)
        for portfolio in portfolios
        for code in inputs.currencies.get(portfolio.pk, ())
    }
    return Reading(
        portfolios, inputs, marketdata.rates_now(pair for pair in pairs if pair[0] != pair[1])
    )


def valued(portfolios: Iterable[Portfolio]) -> list[ValuedPortfolio]:
    """Each portfolio with every holding it ever had, valued at the latest known prices and
    rates.
    """
    return value_all(reading_of(portfolios))


def value_all(reading: Reading) -> list[ValuedPortfolio]:
    """Each portfolio of `reading` with every holding it ever had."""
    holdings, prices = reading.inputs.holdings, reading.inputs.prices
    return [
        _value(one, holdings.get(one.pk, ()), prices, reading.rates) for one in reading.portfolios
    ]


def doubtful_from(holding: Holding, price: PriceNow | None) -> date | None:
    """The day from which a split makes the holding's value doubtful, None if none does.

    A price by hand counts in the shares of its day: one of the split's day or later knows of it.
    """
    split_on = holding.unbooked_split_on
    if split_on and holding.stock.is_manual and price and price.day >= split_on:
        return None
    return split_on


def _value(
    portfolio: Portfolio, holdings: Sequence[Holding], prices: Any, rates: Any
) -> ValuedPortfolio:
    with localcontext(EXACT):
        return _value_exactly(portfolio, holdings, prices, rates)


def _value_exactly(
    portfolio: Portfolio, holdings: Sequence[Holding], prices: Any, rates: Any
) -> ValuedPortfolio:
    shown, lines = [], []
    for holding in holdings:
        stock, price = holding.stock, prices.get(holding.stock_id)
        rate = rates.get((stock.currency, portfolio.currency))
        same = stock.currency == portfolio.currency
        valuation = value_holding(
            quantity=holding.current_quantity,
            average_cost=holding.average_cost_per_share,
            cost_basis=holding.cost_basis,
            realised_gain=holding.realised_gain,
            income=holding.income,
            charges=holding.charges,
            price=price.price if price else None,
            previous_close=price.previous_close if price else None,
            rate=ONE if same else rate.rate if rate else None,
        )
        stale = bool(price and price.stale) or bool(rate and rate.stale)
        lines.append(
            Line(
                ticker=stock.ticker,
                is_closed=holding.is_closed,
                cost_basis=holding.cost_basis,
                realised_gain=holding.realised_gain,
                income=holding.income,
                charges=holding.charges,
                valuation=valuation,
                price_as_of=price.as_of if price else None,
                is_stale=stale,
                is_doubtful=doubtful_from(holding, price) is not None,
            )
        )
        shown.append(
            ValuedHolding(
                id=holding.pk,
                portfolio_id=holding.portfolio_id,
                ticker=stock.ticker,
                company_name=holding.name,
                currency=stock.currency,
                asset_type=stock.asset_type,
                current_quantity=holding.current_quantity,
                average_cost_per_share=rounded(holding.average_cost_per_share),
                cost_basis=holding.cost_basis,
                price=rounded(price.price) if price else None,
                previous_close=rounded(price.previous_close) if price else None,
                price_as_of=price.as_of if price else None,
                price_source=price.source if price else None,
                price_stale=stale,
                exchange_rate=ONE if same else rounded(rate.rate) if rate else None,
                market_value=valuation.market_value,
                unrealised_gain=valuation.unrealised_gain,
                unrealised_gain_pct=valuation.unrealised_gain_pct,
                price_effect=valuation.price_effect,
                fx_effect=valuation.fx_effect,
                realised_gain=holding.realised_gain,
                income=holding.income,
                charges=holding.charges,
                total_gain=valuation.total_gain,
                day_change=valuation.day_change,
                day_change_pct=valuation.day_change_pct,
                weight=None,
                first_transaction_on=holding.first_transaction_on,
                last_transaction_on=holding.last_transaction_on,
            )
        )
    summary = summarise(lines, cash=portfolio.cash, used_credit=portfolio.used_credit)
    for holding_shown in shown:
        holding_shown.weight = rounded(fraction(holding_shown.market_value, summary.market_value))
    shown.sort(key=lambda one: (-(one.market_value or ZERO), one.market_value is None, one.ticker))
    return ValuedPortfolio(portfolio=portfolio, summary=summary, holdings=shown)


@dataclass(frozen=True, slots=True)
class NetValue:
    """The user's portfolios in one currency; None where `missing` names a rate that is not
    known.
    """

    market_value: Decimal | None
    cash: Decimal | None
    used_credit: Decimal | None
    net_value: Decimal | None
    missing: Sequence[str]
    stale: bool


def net_value_of(portfolios: Sequence[ValuedPortfolio], currency: str) -> NetValue:
    """What `portfolios` are worth together, in `currency`."""
    rates = marketdata.Conversion((one.portfolio.currency for one in portfolios), currency)
    missing: set[str] = set()
    for one in portfolios:
        missing.update(one.summary.missing)
    stale = rates.stale or any(one.summary.stale for one in portfolios)
    if rates.missing:
        return NetValue(None, None, None, None, [*sorted(missing), *rates.missing], stale)
    sums = {"market_value": ZERO, "cash": ZERO, "used_credit": ZERO, "net_value": ZERO}
    for one in portfolios:
        rate = rates.rate(one.portfolio.currency)
        sums["market_value"] += one.summary.market_value * rate
        sums["cash"] += one.portfolio.cash * rate
        sums["used_credit"] += one.portfolio.used_credit * rate
        sums["net_value"] += one.summary.net_value * rate
    return NetValue(
        **{name: strip_zeros(value) for name, value in sums.items()},
        missing=sorted(missing),
        stale=stale,
    )
