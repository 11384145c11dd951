"""Enter trades and import files through the services, as a user and a worker do."""

from datetime import date
from decimal import Decimal as D
from typing import Any

from integrations.imports.pipeline import import_statement
from marketdata import services as marketdata
from portfolios import services
from portfolios.models import ImportBatch, Portfolio, Transaction

HEADER = "date,type,ticker,quantity,price,commission,currency,exchange_rate,note,external_id"


def trade(
    portfolio: Portfolio,
    ticker: str,
    kind: str,
    on: str,
    quantity: str,
    price: str | None = None,
    *,
    currency: str | None = None,
    **more: Any,
) -> Transaction:
    stock = marketdata.instrument_for_trade(user=portfolio.user, ticker=ticker, currency=currency)
    made = services.record_transaction(
        portfolio=portfolio,
        stock=stock,
        type=kind,
        date=date.fromisoformat(on),
        quantity=D(quantity),
        price=None if price is None else D(price),
        **more,
    )
    marketdata.ensure_history(stock_ids=[made.holding.stock_id])  # as a worker does
    return made


def statement(portfolio: Portfolio, name: str, *lines: str, **options: Any) -> ImportBatch:
    data = "\n".join([HEADER, *lines]).encode()
    return import_statement(portfolio=portfolio, data=data, file_name=name, **options).import_batch
