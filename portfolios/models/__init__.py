"""Portfolios, their holdings and transactions, and the imports that transactions came from."""

from portfolios.calc.kinds import TransactionType
from portfolios.models.carried import CarriedField
from portfolios.models.imports import (
    MAX_ALIAS_LENGTH,
    Checkpoint,
    ImportBatch,
    ImportMapping,
    InstrumentAlias,
    KnownRows,
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
    ACTION_KIND_CHOICES,
    ACTION_KINDS,
    MONEY_TYPE_CHOICES,
    TRADE_TYPE_CHOICES,
    TRANSACTION_TYPES,
    TRANSFER_KIND_CHOICES,
    Transaction,
    TransactionGroup,
    TransactionSource,
    TransactionVector,
)

__all__ = [
    "ACTION_KINDS",
    "ACTION_KIND_CHOICES",
    "MAX_ALIAS_LENGTH",
    "MONEY_TYPE_CHOICES",
    "TRADE_TYPE_CHOICES",
    "TRANSACTION_TYPES",
    "TRANSFER_KIND_CHOICES",
    "CarriedField",
    "CashFromBy",
    "Checkpoint",
    "DismissedSplit",
    "Holding",
    "ImportBatch",
    "ImportMapping",
    "InstrumentAlias",
    "KnownRows",
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
