"""Portfolios, their holdings and transactions, and the imports that transactions came from."""

from portfolios.calc.kinds import TransactionType
from portfolios.models.imports import (
    MAX_ALIAS_LENGTH,
    Checkpoint,
    ImportBatch,
    InstrumentAlias,
    PendingImport,
)
from portfolios.models.portfolios import (
    CashFromBy,
    DismissedSplit,
    Holding,
    OpeningBalance,
    Portfolio,
    PortfolioBalance,
)
from portfolios.models.transactions import (
    MONEY_TYPE_CHOICES,
    TRADE_TYPE_CHOICES,
    TRANSACTION_TYPES,
    Transaction,
    TransactionGroup,
    TransactionSource,
    TransactionVector,
)

__all__ = [
    "MAX_ALIAS_LENGTH",
    "MONEY_TYPE_CHOICES",
    "TRADE_TYPE_CHOICES",
    "TRANSACTION_TYPES",
    "CashFromBy",
    "Checkpoint",
    "DismissedSplit",
    "Holding",
    "ImportBatch",
    "InstrumentAlias",
    "OpeningBalance",
    "PendingImport",
    "Portfolio",
    "PortfolioBalance",
    "Transaction",
    "TransactionGroup",
    "TransactionSource",
    "TransactionType",
    "TransactionVector",
]
