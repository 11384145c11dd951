"""DEGIRO's list of transactions: rows without an order, by which companies' actions move shares.

Old shares are sold and new ones bought on one day at one value. The list does not name the action,
so only what follows from the numbers is imported.
"""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from integrations.statements.amounts import reversed_lines
from integrations.statements.exchanges import Moved, add_leg, add_split, find_exchanges
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _

# A split leaves the value, but for the rounding of its prices.
SAME_VALUE = Decimal("0.005")
# What is left of an exchange without money, because its values are rounded.
MOST_ROUNDED = Decimal("0.05")
UNPAIRED = _(
    "Shares moved without an order, and the file does not say why. Import the account statement "
    "instead, or enter by hand what happened and skip this row."
)


@dataclass(slots=True)
class Unordered:
    """The rows of actions, by line in `lines`.

    `splits` has the two rows of a split by the line of either. `rebooked` are lines of shares that
    came and went again. `exchanges` names the exchange that a line is a leg of, and `cash` has its
    money by that name. `values` is the total of a row, below 0 for a purchase.
    """

    lines: set[int] = field(default_factory=set)
    splits: dict[int, tuple[RawRow, RawRow]] = field(default_factory=dict)
    rebooked: set[int] = field(default_factory=set)
    exchanges: dict[int, str] = field(default_factory=dict)
    cash: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    values: dict[int, Decimal] = field(default_factory=dict)


def identity_of(raw: RawRow) -> dict[str, Any]:
    return {"date": raw.day("date"), "isin": raw["isin"], "company_name": raw["product"]}


def find_unordered(sheet: Sheet) -> Unordered:
    """Find the rows of actions, which have neither an order nor costs.

    Several such rows of one day are an action, and so is one that moved no money. A single row that
    moved money is a trade, such as shares taken over for cash. If a single row of another day moved
    the same money the other way, both are taken for an action.
    """
    days: dict[str, list[tuple[RawRow, Decimal]]] = defaultdict(list)
    found = Unordered()
    for raw in sheet:
        try:
            shares, total = raw.number_or_zero("quantity"), raw.number_or_zero("total")
            costs = raw.number_or_zero("costs") or raw.number_or_zero("autofx")
        except BadRow:
            continue  # It is a problem of its row.
        if not raw["order"] and shares and not costs:
            days[raw["date"]].append((raw, shares))
            found.values[raw.line] = total
    moves: list[Moved] = []
    worth: dict[tuple[Hashable, str], Decimal] = defaultdict(Decimal)
    alone = [rows[0][0].line for rows in days.values() if len(rows) == 1]
    # Shares that go one day and others that come another day for the same money may be one action.
    found.lines |= reversed_lines(("", found.values[line], line) for line in alone)
    for day, rows in days.items():
        if len(rows) > 1 or not found.values[rows[0][0].line]:
            found.lines |= {raw.line for raw, _shares in rows}
            moves += _moves_of(day, rows, found)
    moved = {move.line: (move.event, move.instrument) for move in moves}
    for line, key in moved.items():
        worth[key] += found.values[line]
    exchanges = find_exchanges(moves)
    found.exchanges = exchanges.names
    for line in exchanges.rebooked:
        # Otherwise they were sold and bought again, which is no action.
        if abs(worth[moved[line]]) <= MOST_ROUNDED:
            found.rebooked.add(line)
    for line, name in exchanges.names.items():
        found.cash[name] += found.values[line]
    return found


def _moves_of(day: str, rows: list[tuple[RawRow, Decimal]], found: Unordered) -> list[Moved]:
    """Note the splits among the rows of a day, and return what the others moved."""
    by_isin: dict[str, list[tuple[RawRow, Decimal]]] = defaultdict(list)
    for raw, shares in rows:
        by_isin[raw["isin"]].append((raw, shares))
    moves: list[Moved] = []
    for isin, halves in by_isin.items():
        if _is_split(halves, found):
            pair = (halves[0][0], halves[1][0])
            found.splits |= {raw.line: pair for raw in pair}
        else:
            moves += [Moved(day, isin, shares, raw.line) for raw, shares in halves]
    return moves


def _is_split(halves: list[tuple[RawRow, Decimal]], found: Unordered) -> bool:
    if len(halves) != 2 or halves[0][1] * halves[1][1] > 0 or not halves[0][1] + halves[1][1]:
        return False
    first, second = (found.values[raw.line] for raw, _shares in halves)
    return abs(first + second) <= SAME_VALUE * max(abs(first), abs(second))


def add_unordered(sheet: Sheet, raw: RawRow, account_currency: str, found: Unordered) -> None:
    shares = raw.required_number("quantity")
    if raw.line in found.splits:
        halves = [half.required_number("quantity") for half in found.splits[raw.line]]
        add_split(sheet, raw, shares, halves, **identity_of(raw))
    elif raw.line in found.rebooked:
        sheet.ignore(raw, "shares booked out and in")
    elif raw.line in found.exchanges:
        _add_leg(sheet, raw, shares, account_currency, found)
    elif shares > 0 and not found.values[raw.line]:
        add_leg(sheet, raw, shares, **identity_of(raw))
    else:
        raise bad_row("quantity", raw["quantity"], "unpaired_action", UNPAIRED)


def _add_leg(
    sheet: Sheet, raw: RawRow, shares: Decimal, account_currency: str, found: Unordered
) -> None:
    name = found.exchanges[raw.line]
    paid = found.cash[name]
    cash = None
    if shares < 0 and abs(paid) > MOST_ROUNDED:
        cash = paid
    add_leg(
        sheet,
        raw,
        shares,
        group=name,
        label="Exchange",
        cash=cash,
        settlement_currency=account_currency if cash else None,
        **identity_of(raw),
    )
