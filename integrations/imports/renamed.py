"""Shares that a file exchanges for the same instrument under another ISIN."""

from collections import defaultdict
from collections.abc import Sequence

from msgspec.structs import replace

from integrations.statements.amounts import divide
from integrations.statements.base import Statement, StatementRow
from portfolios.models import TransactionGroup

KIND = "the same shares under another ISIN"


def without_renamed(rows: Sequence[StatementRow], read: Statement) -> list[StatementRow]:
    """Leave out exchanges of shares for as many of one ticker, and count their rows as ignored.

    Another number of them is a split.
    """
    groups: dict[str, list[StatementRow]] = defaultdict(list)
    for row in rows:
        if row.group_kind == TransactionGroup.Kind.EXCHANGE:
            groups[row.group].append(row)
    instead: dict[int, StatementRow | None] = {}
    for legs in groups.values():
        if not _is_renamed(legs):
            continue
        out, into = sorted(legs, key=lambda leg: leg.type, reverse=True)
        instead |= {out.row: None, into.row: None}
        read.ignore(KIND, line=out.row)
        if out.quantity == into.quantity:
            read.ignore(KIND, line=into.row)
        else:
            ratio = divide(into.quantity, out.quantity)
            plain = {"group": "", "group_kind": "", "group_label": ""}
            instead[into.row] = replace(into, type="split", quantity=ratio, **plain)
    kept = [instead.get(row.row, row) for row in rows]
    return [row for row in kept if row is not None]


def _is_renamed(legs: list[StatementRow]) -> bool:
    if len(legs) != 2:
        return False
    one, other = legs
    is_same = one.ticker and one.ticker == other.ticker and one.isin != other.isin
    has_both = {one.type, other.type} == {"exchange_out", "exchange_in"}
    is_known = one.quantity > 0 and other.quantity > 0
    has_money = one.settlement_amount or other.settlement_amount
    return bool(is_same and has_both and is_known and not has_money)
