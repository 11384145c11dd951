"""Answers as plain dictionaries: a DRF serializer costs more than the numbers in them."""

from decimal import Decimal
from typing import Any

from financeproj.core.money import strip_zeros
from portfolios.calc.ledger import cash_effect
from portfolios.models import Transaction
from portfolios.selectors import ValuedPortfolio


def _plain(value: Decimal | None) -> Decimal | None:
    return None if value is None else strip_zeros(value)


def portfolio_json(valued: ValuedPortfolio) -> dict[str, Any]:
    portfolio = valued.portfolio
    return {
        "id": portfolio.pk,
        "name": portfolio.name,
        "brokerage_firm": portfolio.brokerage_firm,
        "currency": portfolio.currency,
        "used_credit": strip_zeros(portfolio.used_credit),
        "cash": strip_zeros(portfolio.cash),
        "position": portfolio.position,
        "created_at": portfolio.created_at,
        "updated_at": portfolio.updated_at,
        "summary": valued.summary,
    }


def transaction_json(row: Transaction) -> dict[str, Any]:
    stock = row.holding.stock
    return {
        "id": row.pk,
        "holding_id": row.holding_id,
        "portfolio_id": row.portfolio_id,
        "ticker": stock.ticker,
        "company_name": row.holding.name,
        "type": row.type,
        "date": row.date,
        "quantity": strip_zeros(row.quantity),
        "price": _plain(row.price),
        "commission": strip_zeros(row.commission),
        "currency": stock.currency,
        "exchange_rate": _plain(row.exchange_rate),
        "amount": strip_zeros(cash_effect(row)),
        "average_cost_per_share_at_transaction": _plain(row.average_cost_per_share_at_transaction),
        "realised_gain": _plain(row.realised_gain),
        "note": row.note,
        "external_id": row.external_id,
        "source": row.source,
        "import_id": row.import_batch_id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
