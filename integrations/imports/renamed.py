"""Instruments that go on under another ticker or ISIN."""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence

from msgspec.structs import replace

from integrations.statements.amounts import divide
from integrations.statements.base import Statement, StatementRow
from portfolios.calc.duplicates import fingerprint, fingerprint_of
from portfolios.calc.import_rows import REVERSAL
from portfolios.calc.kinds import RULES
from portfolios.models import Portfolio, Transaction, TransactionGroup
from portfolios.selectors import Rename, renames_in

KIND = "the same shares under another ISIN"


def under_new_tickers(
    rows: Sequence[StatementRow], portfolio: Portfolio, named: Container[str]
) -> list[StatementRow]:
    """Book the rows of a renamed instrument on its new ticker.

    These stay as they are: rows from before the rename, rows that the portfolio already has under
    the former ticker, and rows whose ticker the request `named`. Three queries at most.
    """
    renames = renames_in(portfolio)
    if not renames:
        return list(rows)
    recorded = _recorded_since(portfolio, renames)
    found: list[StatementRow] = []
    for row in rows:
        ticker = row.ticker
        if ticker not in named and row.takes_back != REVERSAL and not RULES[row.type].is_exchange:
            ticker = _ticker_on(row, renames)
        if ticker != row.ticker:
            same = fingerprint_of(row)
            if recorded[same]:
                recorded[same] -= 1
            else:
                row = replace(row, ticker=ticker, renamed_from=row.ticker)
        found.append(row)
    return found


def _ticker_on(row: StatementRow, renames: Mapping[str, Rename]) -> str:
    ticker = row.ticker
    for _ in renames:  # each at most once
        rename = renames.get(ticker)
        if rename is None or row.date < rename.day:
            break
        ticker = rename.ticker
    return ticker


def _recorded_since(portfolio: Portfolio, renames: Mapping[str, Rename]) -> Counter[str]:
    """Count the transactions under former tickers since the first rename, by fingerprint."""
    since = min(one.day for one in renames.values())
    rows = Transaction.objects.filter(
        portfolio=portfolio, holding__stock__ticker__in=list(renames), date__gte=since
    )
    found: Counter[str] = Counter()
    for row in rows.select_related("holding__stock"):
        ticker, charge = row.own_holding.stock.ticker, row.commission + row.tax
        own = fingerprint(ticker, row.date, row.type, row.quantity, row.price, charge)
        found[row.imported_as or own] += 1
    return found


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
