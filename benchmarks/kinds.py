"""The codes of transaction kinds in arrays, as an enum."""

from enum import IntEnum

from portfolios.calc.kinds import TransactionType

Kind = IntEnum("Kind", {kind.name: kind.rules.code for kind in TransactionType})
