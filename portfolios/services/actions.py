"""What companies do to their shares: exchanges, spin-offs and exercised rights, before they are
written. docs/definitions.md, "Shares that become other shares".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from financeproj.core.errors import DomainError
from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage, strip_zeros
from marketdata import queries
from marketdata.models import StockMetadata
from portfolios.calc.cost_shares import (
    Part,
    SharesDoNotAddUp,
    shares_of_exchange,
    shares_of_spin_off,
)
from portfolios.calc.kinds import TransactionType
from portfolios.calc.ledger import order, replay
from portfolios.models import Holding, Portfolio, Transaction, TransactionGroup
from portfolios.services.given_rates import rate_of_the_day, refuse_impossible_rate
from portfolios.services.ledger_rows import LedgerRow, stored_rows
from portfolios.services.transactions import refuse_future
from portfolios.valuation.action_prices import action_prices

Kind = TransactionGroup.Kind
COST_SHARE_UNKNOWN = "cost_share_unknown"


@dataclass(frozen=True, slots=True)
class NewTarget:
    """What comes in: `quantity` shares of `stock`, with its part of the cost that moves.

    `rate` converts the cost into the instrument's currency. `row` is a transaction that stands and
    becomes the leg.
    """

    stock: StockMetadata
    quantity: Decimal
    company_name: str = ""
    cost_share: Decimal | None = None
    rate: Decimal | None = None
    row: Transaction | None = None


@dataclass(frozen=True, slots=True)
class Cash:
    """What was received (above 0) or paid. `rate` converts it into the portfolio's currency."""

    currency: str
    amount: Decimal
    rate: Decimal | None = None
    cost_share: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """What a company did to the shares of `holding`. Without `quantity_out` all of them go.

    `out_row` is a transaction that stands and becomes the leg that takes out.
    """

    kind: str
    holding: Holding
    date: date
    targets: Sequence[NewTarget]
    quantity_out: Decimal | None = None
    cash: Cash | None = None
    out_row: Transaction | None = None


@dataclass(frozen=True, slots=True)
class ShareLeg:
    """One transaction of a group of shares, as it is to be stored."""

    portfolio: Portfolio
    stock: StockMetadata
    type: str
    quantity: Decimal
    company_name: str = ""
    exchange_rate: Decimal | None = None
    cost_share: Decimal | None = None
    takes_all: bool = False
    cash_rate: Decimal | None = None
    settlement_currency: str | None = None
    settlement_amount: Decimal | None = None
    row: Transaction | None = None


@dataclass(frozen=True, slots=True)
class ShareLegs:
    """The legs of a group, the one that takes out first, and the codes of what was unknown."""

    legs: list[ShareLeg]
    warnings: list[str] = field(default_factory=list)


def action_legs(action: Action) -> ShareLegs:
    """Return the legs of an action, with the shares and rates that were left out.

    May ask the sources for rates; must not be called inside a transaction. Raises DomainError.
    """
    refuse_future(action.date)
    _check(action)
    portfolio, day = action.holding.portfolio, action.date
    given = action.holding.stock
    cash = action.cash
    if cash is not None:
        rate = _given_or_known(cash.rate, cash.currency, portfolio.currency, day, "cash.rate")
        cash = replace(cash, rate=rate)
    shares, cash_share, is_unknown = _shares(action, cash)
    out = ShareLeg(
        portfolio=portfolio,
        stock=given,
        type=TransactionType.EXCHANGE_OUT,
        quantity=action.quantity_out or ZERO,
        takes_all=action.kind != Kind.SPIN_OFF and action.quantity_out is None,
        row=action.out_row,
    )
    if cash is not None:
        own = cash.currency == portfolio.currency
        out = replace(
            out,
            exchange_rate=cash.rate,
            cost_share=cash_share,
            settlement_currency=None if own else cash.currency,
            settlement_amount=cash.amount,
        )
    legs = [out]
    for place, (target, share) in enumerate(zip(action.targets, shares, strict=True)):
        currency, attr = target.stock.currency, f"targets.{place}.rate"
        rate = _given_or_known(target.rate, given.currency, currency, day, attr)
        cash_rate = None
        if cash is not None and cash.amount < 0:
            cash_rate = rate_of_the_day(cash.currency, currency, day, attr)
        leg = ShareLeg(
            portfolio=portfolio,
            stock=target.stock,
            type=TransactionType.EXCHANGE_IN,
            quantity=target.quantity,
            company_name=target.company_name,
            exchange_rate=rate,
            cost_share=share,
            cash_rate=cash_rate,
            row=target.row,
        )
        legs.append(leg)
    return ShareLegs(legs, [COST_SHARE_UNKNOWN] if is_unknown else [])


def transfer_of_shares(
    *,
    holding: Holding,
    to_portfolio: Portfolio,
    quantity: Decimal,
    date: date,
    rate: Decimal | None = None,
) -> ShareLegs:
    """Return the legs of shares that move from one portfolio of a user to another.

    `rate` converts the cost from the portfolio's currency into the other's. Raises as action_legs
    does.
    """
    refuse_future(date)
    portfolio = holding.portfolio
    if portfolio.pk == to_portfolio.pk:
        raise DomainError(
            "Shares cannot be transferred to the portfolio that they come from.",
            attr="to_portfolio_id",
            code="circular_transfer",
        )
    rate = _given_or_known(rate, portfolio.currency, to_portfolio.currency, date, "rate")
    out = ShareLeg(portfolio, holding.stock, TransactionType.TRANSFER_OUT, quantity)
    arrives = ShareLeg(
        portfolio=to_portfolio,
        stock=holding.stock,
        type=TransactionType.TRANSFER_IN,
        quantity=quantity,
        company_name=holding.company_name,
        exchange_rate=rate,
    )
    return ShareLegs([out, arrives])


def _given_or_known(rate: Decimal | None, base: str, target: str, day: date, attr: str) -> Decimal:
    """Return the given rate, else that of the day. Raises DomainError. May ask the sources."""
    refuse_impossible_rate(rate, base, target, attr)
    return rate or rate_of_the_day(base, target, day, attr)


def _check(action: Action) -> None:
    """Raise DomainError for what no action can be."""
    stock_ids = [target.stock.pk for target in action.targets]
    if not stock_ids:
        raise DomainError("Name at least one target.", attr="targets", code="required")
    for place, pk in enumerate(stock_ids):
        attr = f"targets.{place}.ticker"
        if pk == action.holding.stock_id:
            raise DomainError(
                f"{action.holding.stock.ticker} cannot be exchanged for itself.",
                attr=attr,
                code="circular_transfer",
            )
        if pk in stock_ids[:place]:
            raise DomainError("Name each target once.", attr=attr, code="duplicate_target")
    is_paid = action.cash is not None and action.cash.amount < 0
    if action.kind == Kind.EXERCISE and not is_paid:
        raise DomainError(
            "To exercise rights is to pay for shares: enter the cash as an amount below 0.",
            attr="cash",
            code="required" if action.cash is None else "wrong_sign",
        )
    if action.kind == Kind.SPIN_OFF and is_paid:
        raise DomainError(
            "Nothing is paid in a spin-off. If you paid for the shares, enter an exercise.",
            attr="cash.amount",
            code="wrong_sign",
        )
    if action.kind == Kind.SPIN_OFF and action.quantity_out:
        raise DomainError(
            "No shares go out in a spin-off. Leave out quantity_out, or enter an exchange.",
            attr="quantity_out",
            code="invalid",
        )
    if is_paid and action.cash is not None and action.cash.cost_share:
        raise DomainError(
            "Cash that was paid has no part of the cost. Leave out its cost_share.",
            attr="cash.cost_share",
            code="invalid",
        )


def _shares(action: Action, cash: Cash | None) -> tuple[list[Decimal], Decimal | None, bool]:
    """Return the cost share of each target and of the received cash, and whether one is unknown."""
    received = cash if cash is not None and cash.amount > 0 else None
    values = _values(action) if _needs_values(action, received) else {}
    parts = [Part(target.cost_share, values.get(target.stock.pk)) for target in action.targets]
    if received is not None:
        value = EXACT.multiply(received.amount, received.rate or ONE)
        parts.append(Part(received.cost_share, value))
    try:
        if action.kind == Kind.SPIN_OFF:
            found = shares_of_spin_off(parts, values.get(action.holding.stock_id))
        else:
            found = shares_of_exchange(parts)
    except SharesDoNotAddUp as error:
        limit = "at most 1" if action.kind == Kind.SPIN_OFF else "1"
        raise DomainError(
            f"The cost shares add up to {strip_zeros(error.total):f}. They must add up to {limit}.",
            attr="targets",
            code="cost_shares",
        ) from error
    shares = [round_for_storage(share) for share in found.shares]
    if received is not None:
        return shares[:-1], shares[-1], found.is_unknown
    return shares, None, found.is_unknown


def _needs_values(action: Action, received: Cash | None) -> bool:
    """Whether a share has to be worked out by market value."""
    left_out = [target for target in action.targets if target.cost_share is None]
    count = len(left_out)
    if received is not None and received.cost_share is None:
        count += 1
    return count > 1 or (action.kind == Kind.SPIN_OFF and count > 0)


def _values(action: Action) -> Mapping[UUID, Decimal]:
    """Return the market value of each instrument in the portfolio's currency, where it is known."""
    portfolio, day = action.holding.portfolio, action.date
    quantities = {target.stock.pk: target.quantity for target in action.targets}
    if action.kind == Kind.SPIN_OFF:
        quantities[action.holding.stock_id] = _held_at(action.holding, day)
    stocks = [target.stock for target in action.targets]
    prices = action_prices(
        user_id=portfolio.user_id, given=action.holding.stock, targets=stocks, day=day
    )
    found: dict[UUID, Decimal] = {}
    for stock in (action.holding.stock, *stocks):
        price, quantity = prices.get(stock.pk), quantities.get(stock.pk)
        rate = ONE
        if stock.currency != portfolio.currency:
            rate = (
                queries.exchange_rate_for_trade(
                    base=stock.currency, target=portfolio.currency, day=day
                )
                or ZERO
            )
        if price is not None and quantity is not None and rate:
            found[stock.pk] = EXACT.multiply(EXACT.multiply(quantity, price), rate)
    return found


def _held_at(holding: Holding, day: date) -> Decimal:
    """Return the shares held when a spin-off of `day` takes effect."""
    rows: list[LedgerRow] = []
    for row in stored_rows([holding])[holding.pk]:
        is_spin_off = row.type == TransactionType.EXCHANGE_OUT and not row.quantity
        is_before = row.effective_date < day or order(row)[1] <= 1
        if row.effective_date <= day and is_before and not is_spin_off:
            rows.append(row)
    position, _steps = replay(rows)
    return position.quantity
