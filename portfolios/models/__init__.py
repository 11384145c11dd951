"""Portfolios, their holdings and transactions, and the imports that transactions came from."""

from portfolios.calc.kinds import TransactionType
from portfolios.models.imports import (
    MAX_ALIAS_LENGTH,
    ImportBatch,
    InstrumentAlias,
    PendingImport,
)
from portfolios.models.portfolios import DismissedSplit, Holding, Portfolio, PortfolioBalance
from portfolios.models.transactions import (
    TRANSACTION_TYPES,
    Transaction,
    TransactionSource,
    TransactionVector,
)

__all__ = [
    "MAX_ALIAS_LENGTH",
    "TRANSACTION_TYPES",
    "DismissedSplit",
    "Holding",
    "ImportBatch",
    "InstrumentAlias",
    "PendingImport",
    "Portfolio",
    "PortfolioBalance",
    "Transaction",
    "TransactionSource",
    "TransactionType",
    "TransactionVector",
]
