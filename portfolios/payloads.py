"""Answers about portfolios and transactions. `valuation.ValuedHolding` is that of a holding."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from django.utils.translation import gettext
from msgspec import UNSET, Meta, Struct, UnsetType

from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.money import strip_zeros
from portfolios.calc.agreement import Agreement
from portfolios.calc.money import amount_in_portfolio_currency
from portfolios.calc.plausibility import PlausibilityWarning
from portfolios.calc.valuation import Summary
from portfolios.models import (
    Transaction,
    TransactionGroup,
    TransactionSource,
    TransactionType,
)
from portfolios.valuation import ValuedPortfolio, agreements_of

RecordedId = Annotated[UUID | None, Meta(description="Null in a dry run and in a preview.")]


Day = date  # within a class that has a field `date`


class PortfolioPayload(Struct):
    id: UUID
    name: str
    brokerage_firm: str
    currency: str
    used_credit: ReadOnlyDecimal
    cash: ReadOnlyDecimal
    position: int
    cash_from: date | None
    agrees_until: Annotated[
        date | None,
        Meta(description="The last day on which all is as the broker's files say."),
    ]
    created_at: datetime
    updated_at: datetime
    summary: Summary


class WarningPayload(Struct):
    """What may be a mistake in a transaction. Nothing is refused for it."""

    code: str
    field: str
    detail: str


class HoldingState(Struct):
    """What is held; the cost is in the portfolio's currency, the average in the instrument's."""

    ticker: str
    portfolio_id: UUID
    quantity: ReadOnlyDecimal
    cost_basis: ReadOnlyDecimal
    average_cost_per_share: ReadOnlyDecimal | None


class TransactionPayload(Struct):
    """A transaction. In a dry run it has its holding before and after; money alone has none."""

    id: RecordedId
    holding_id: UUID | None
    portfolio_id: UUID
    ticker: str | None
    company_name: str
    type: TransactionType
    date: date
    quantity: ReadOnlyDecimal
    price: ReadOnlyDecimal | None
    commission: ReadOnlyDecimal
    tax: ReadOnlyDecimal
    currency: str
    exchange_rate: ReadOnlyDecimal | None
    amount: ReadOnlyDecimal | None
    settlement_currency: str
    settlement_amount: ReadOnlyDecimal | None
    booked_on: Day | None
    average_cost_per_share_at_transaction: ReadOnlyDecimal | None
    realised_gain: ReadOnlyDecimal | None
    note: str
    external_id: str | None
    source: TransactionSource
    import_id: UUID | None
    group_id: UUID | None
    group_kind: TransactionGroup.Kind | None
    created_at: datetime
    updated_at: datetime
    warnings: list[WarningPayload]
    before: list[HoldingState] | UnsetType = UNSET
    after: list[HoldingState] | UnsetType = UNSET


def portfolio_payloads(portfolios: Sequence[ValuedPortfolio]) -> list[PortfolioPayload]:
    """Show portfolios. At most three queries, to compare what is not cached with the broker."""
    agreements = agreements_of(valued.portfolio for valued in portfolios)
    return [_portfolio_payload(valued, agreements) for valued in portfolios]


def _portfolio_payload(
    valued: ValuedPortfolio, agreements: Mapping[UUID, Agreement]
) -> PortfolioPayload:
    portfolio = valued.portfolio
    return PortfolioPayload(
        id=portfolio.pk,
        name=portfolio.name,
        brokerage_firm=portfolio.brokerage_firm,
        currency=portfolio.currency,
        used_credit=strip_zeros(valued.used_credit),
        cash=strip_zeros(valued.cash),
        position=portfolio.position,
        cash_from=portfolio.cash_from,
        agrees_until=agreements[portfolio.pk].agrees_until,
        created_at=portfolio.created_at,
        updated_at=portfolio.updated_at,
        summary=valued.summary,
    )


def transaction_payload(
    row: Transaction, warnings: Iterable[PlausibilityWarning]
) -> TransactionPayload:
    """Show a transaction with its warnings, in the language of the request.

    `row` has its portfolio, its holding and its group at hand.
    """
    holding, target = row.holding, row.portfolio.currency
    settled_in = row.settlement_currency or target
    return TransactionPayload(
        id=row.pk,
        holding_id=row.holding_id,
        portfolio_id=row.portfolio_id,
        ticker=holding.stock.ticker if holding else None,
        company_name=holding.name if holding else "",
        type=TransactionType(row.type),
        date=row.date,
        quantity=strip_zeros(row.quantity),
        price=_stripped(row.price),
        commission=strip_zeros(row.commission),
        tax=strip_zeros(row.tax),
        currency=holding.stock.currency if holding else settled_in,
        exchange_rate=_stripped(row.exchange_rate),
        amount=_stripped(
            amount_in_portfolio_currency(row, target, is_money_alone=row.is_money_alone)
        ),
        settlement_currency=settled_in,
        settlement_amount=_stripped(row.settlement_amount),
        booked_on=row.booked_on,
        average_cost_per_share_at_transaction=_stripped(row.average_cost_per_share_at_transaction),
        realised_gain=_stripped(row.realised_gain),
        note=row.note,
        external_id=row.external_id,
        source=TransactionSource(row.source),
        import_id=row.import_batch_id,
        group_id=row.group_id,
        group_kind=TransactionGroup.Kind(row.group.kind) if row.group else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        warnings=[WarningPayload(one.code, one.field, one.detail(gettext)) for one in warnings],
    )


def _stripped(value: Decimal | None) -> Decimal | None:
    return None if value is None else strip_zeros(value)
