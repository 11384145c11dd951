"""Holdings and portfolios with what they are worth at stored prices and rates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from uuid import UUID

from django.utils import timezone
from msgspec import Struct

from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.missing import (
    CURRENCY_DIFFERS,
    HISTORY_PENDING,
    NO_PRICE,
    NO_RATE,
    PRICE_HELD_BACK,
    RATE_HELD_BACK,
    SPLIT_HELD_BACK,
    SPLIT_UNBOOKED,
    STALE_RATE,
)
from financeproj.core.money import EXACT, ONE, ZERO
from marketdata.calc.rates import Pair, can_value
from marketdata.selectors import PriceNow, RateNow, rates_now
from portfolios.calc.valuation import (
    Summary,
    SummaryLine,
    Valuation,
    fraction,
    rounded,
    summarise,
    value_holding,
)
from portfolios.models import Holding, Portfolio
from portfolios.valuation.cash import CashOn, Money, cash_on, cash_pairs, money_in
from portfolios.valuation.holdings_and_prices import HoldingsAndPrices, read_holdings_and_prices


class ValuedHolding(Struct):
    """A holding with what it is worth now; the fields and their order are the contract's.

    `renamed_to` is the ticker under which the source lists the instrument now, while shares of the
    former one are held.
    """

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
    day_change_on: date | None
    weight: ReadOnlyDecimal | None
    first_transaction_on: date | None
    last_transaction_on: date | None
    renamed_to: str | None
    rename_dismissed: bool


@dataclass(slots=True)
class ValuedPortfolio:
    """A portfolio with its sums and its holdings, largest first.

    `cash` and `used_credit` are what was entered, or what follows from the transactions.
    """

    portfolio: Portfolio
    cash: Decimal
    used_credit: Decimal
    summary: Summary
    holdings: list[ValuedHolding]


@dataclass(frozen=True, slots=True)
class ValuationData:
    """What portfolios are valued with: their holdings, the latest prices and the latest rates.

    `money` has the balances of the portfolios whose cash follows from the transactions.
    """

    portfolios: Sequence[Portfolio]
    stored: HoldingsAndPrices
    rates: dict[Pair, RateNow]
    money: dict[UUID, Money]

    def pending_stock_ids(self) -> set[UUID]:
        """Return the instruments of open holdings whose history is not known yet."""
        pending: set[UUID] = set()
        for portfolio in self.portfolios:
            for holding in self.stored.holdings.get(portfolio.pk, ()):
                if not holding.is_closed and not holding.stock.has_history:
                    pending.add(holding.stock_id)
        return pending

    def unrated_pairs(self) -> set[Pair]:
        """Return the pairs of open holdings without a rate of the last week."""
        unrated: set[Pair] = set()
        for portfolio in self.portfolios:
            for currency in self.stored.open_currencies.get(portfolio.pk, ()):
                pair = (currency, portfolio.currency)
                rate = self.rates.get(pair)
                if currency != portfolio.currency and (rate is None or rate.stale):
                    unrated.add(pair)
            for pair in cash_pairs(portfolio, self.money.get(portfolio.pk, {})):
                if pair not in self.rates or self.rates[pair].stale:
                    unrated.add(pair)
        return unrated

    def cash_of(self, portfolio: Portfolio) -> CashOn | None:
        """Return the cash of today that follows from the transactions, None if it is entered."""
        if portfolio.pk not in self.money:
            return None
        return cash_on(portfolio, self.money[portfolio.pk], timezone.localdate(), self.rates)


def read_valuation_data(
    portfolios: Iterable[Portfolio], known: HoldingsAndPrices | None = None
) -> ValuationData:
    """Read what `portfolios` are valued with, in a fixed number of queries.

    Two queries are enough for what this process has read before, or while `known` is still true.
    """
    portfolios = list(portfolios)
    stored = read_holdings_and_prices(portfolios, known)
    pairs = set()
    for portfolio in portfolios:
        for currency in stored.currencies.get(portfolio.pk, ()):
            if currency != portfolio.currency:
                pairs.add((currency, portfolio.currency))
    money = money_in(portfolio for portfolio in portfolios if portfolio.cash_from)
    for portfolio in portfolios:
        pairs |= cash_pairs(portfolio, money.get(portfolio.pk, {}))
    today = timezone.localdate()
    rates = {pair: rate for pair, rate in rates_now(pairs).items() if can_value(rate, today)}
    return ValuationData(portfolios, stored, rates, money)


def valued(portfolios: Iterable[Portfolio]) -> list[ValuedPortfolio]:
    """Return each portfolio with every holding it ever had, at stored prices and rates."""
    return value_portfolios(read_valuation_data(portfolios))


def value_portfolios(data: ValuationData) -> list[ValuedPortfolio]:
    """Value each portfolio of `data` with every holding it ever had."""
    with localcontext(EXACT):
        return [_value_portfolio(portfolio, data) for portfolio in data.portfolios]


@dataclass(slots=True)
class _Quote:
    """The price and rate with which a holding is valued; None where unknown.

    `has_day_change` says whether the price can be compared with the previous close.
    """

    price: Decimal | None = None
    previous_close: Decimal | None = None
    has_day_change: bool = False
    day: date | None = None
    as_of: datetime | None = None
    source: str | None = None
    rate: Decimal | None = None
    is_stale: bool = False
    is_rate_stale: bool = False
    is_price_held_back: bool = False
    is_rate_held_back: bool = False


def _quote_of(
    holding: Holding,
    target: str,
    prices: Mapping[UUID, PriceNow],
    rates: Mapping[Pair, RateNow],
    today: date,
) -> _Quote:
    """Return the latest price and the rate into the currency `target`."""
    price = prices.get(holding.stock_id)
    quote = _Quote()
    if price is not None:
        quote.price = price.price
        quote.previous_close = price.previous_close
        quote.has_day_change = price.has_day_change(today)
        quote.day = price.day
        quote.as_of = price.as_of
        quote.source = price.source
        quote.is_stale = price.stale
        quote.is_price_held_back = price.held_back_on is not None and price.held_back_on > price.day
    currency = holding.stock.currency
    if currency == target:
        quote.rate = ONE
    elif (rate := rates.get((currency, target))) is not None:
        quote.rate = rate.rate
        quote.is_rate_stale = rate.stale
        quote.is_rate_held_back = rate.is_behind
        quote.is_stale = quote.is_stale or rate.stale
    return quote


def _value_portfolio(portfolio: Portfolio, data: ValuationData) -> ValuedPortfolio:
    holdings, lines = [], []
    prices = data.stored.prices_for(portfolio.user_id)
    today = timezone.localdate()  # once: each call looks up the time zone
    for holding in data.stored.holdings.get(portfolio.pk, ()):
        quote = _quote_of(holding, portfolio.currency, prices, data.rates, today)
        valuation = value_holding(
            quantity=holding.current_quantity,
            average_cost=holding.average_cost_per_share,
            cost_basis=holding.cost_basis,
            realised_gain=holding.realised_gain,
            income=holding.income,
            charges=holding.charges,
            price=quote.price,
            previous_close=quote.previous_close if quote.has_day_change else None,
            rate=quote.rate,
        )
        line = _summary_line(holding, quote, valuation)
        lines.append(line)
        holdings.append(_valued_holding(holding, quote, line))
    cash, used_credit = portfolio.cash, portfolio.used_credit
    of_money: Mapping[str, str] = {}
    derived = data.cash_of(portfolio)
    if derived is not None:
        cash, used_credit, of_money = derived.cash, derived.used_credit, derived.missing_why
    summary = summarise(lines, cash=cash, used_credit=used_credit, of_money=of_money)
    for valued_holding in holdings:
        share = fraction(valued_holding.market_value, summary.market_value)
        valued_holding.weight = rounded(share)
    holdings.sort(key=_largest_first)
    return ValuedPortfolio(
        portfolio=portfolio,
        cash=cash,
        used_credit=used_credit,
        summary=summary,
        holdings=holdings,
    )


def _largest_first(holding: ValuedHolding) -> tuple[Decimal, bool, str]:
    """Sort key: by market value, those without one last, then by ticker."""
    value = holding.market_value
    return -(value or ZERO), value is None, holding.ticker


def _summary_line(holding: Holding, quote: _Quote, valuation: Valuation) -> SummaryLine:
    return SummaryLine(
        ticker=holding.stock.ticker,
        is_closed=holding.is_closed,
        cost_basis=holding.cost_basis,
        realised_gain=holding.realised_gain,
        income=holding.income,
        charges=holding.charges,
        valuation=valuation,
        price_as_of=quote.as_of,
        price_day=quote.day,
        is_stale=quote.is_stale,
        why=_why_missing(holding, quote, valuation),
    )


def _why_missing(holding: Holding, quote: _Quote, valuation: Valuation) -> str | None:
    """Return why the holding is in no priced sum, or in doubt; None if it is neither."""
    if valuation.market_value is None:
        return NO_PRICE if quote.price is None else NO_RATE
    if holding.is_closed:
        return SPLIT_UNBOOKED if holding.unbooked_split_on else None
    if not holding.stock.has_history:
        return HISTORY_PENDING
    if holding.waiting_splits:
        return SPLIT_HELD_BACK
    if quote.is_price_held_back:
        return PRICE_HELD_BACK
    if quote.is_rate_held_back:
        return RATE_HELD_BACK
    if holding.unbooked_split_on:
        return SPLIT_UNBOOKED
    if holding.stock.described_currency:
        return CURRENCY_DIFFERS
    if quote.is_rate_stale:
        return STALE_RATE
    return None


def _valued_holding(holding: Holding, quote: _Quote, line: SummaryLine) -> ValuedHolding:
    stock, valuation = holding.stock, line.valuation
    return ValuedHolding(
        id=holding.pk,
        portfolio_id=holding.portfolio_id,
        ticker=stock.ticker,
        company_name=holding.name,
        currency=stock.currency,
        asset_type=stock.asset_type,
        current_quantity=holding.current_quantity,
        average_cost_per_share=rounded(holding.average_cost_per_share),
        cost_basis=holding.cost_basis,
        price=rounded(quote.price),
        previous_close=rounded(quote.previous_close),
        price_as_of=quote.as_of,
        price_source=quote.source,
        price_stale=quote.is_stale,
        exchange_rate=rounded(quote.rate),
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
        day_change_on=quote.day if line.has_day_change else None,
        weight=None,
        first_transaction_on=holding.first_transaction_on,
        last_transaction_on=holding.last_transaction_on,
        renamed_to=None if holding.is_closed else stock.renamed_to or None,
        rename_dismissed=holding.is_rename_dismissed,
    )
