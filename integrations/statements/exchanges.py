"""Find the rows of a file that together exchange shares or currencies, and add legs of a group.

Brokers write one row for what goes, and one for each instrument or currency that comes. Many also
write a split so: one row takes the old shares out, another puts the new ones in.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from financeproj.core.money import EXACT, ZERO
from integrations.statements.amounts import divide
from integrations.statements.base import Statement
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import RULES

MAX_LABEL = 100
# The kinds of groups whose rows are legs.
EXCHANGE, SPIN_OFF = "exchange", "spin_off"
# A row looks for its other leg among at most so many rows of its day.
MOST_WAITING = 20
UNPAIRED_ACTION = _(
    "The file does not say what came for these shares. Enter by hand what happened and skip this "
    "row."
)


class Moved(NamedTuple):
    """Shares that came, or went (below 0), without a trade, by rows of one `event`."""

    event: Hashable
    instrument: str
    shares: Decimal
    line: int


@dataclass(slots=True)
class Exchanges:
    """The name of its exchange for each line that is a leg of one, and the lines of shares that
    came and went again.
    """

    names: dict[int, str] = field(default_factory=dict)
    rebooked: set[int] = field(default_factory=set)


def find_exchanges(moves: Iterable[Moved]) -> Exchanges:
    """Find the events in which one instrument goes and others come, each in one row.

    Other rows stand alone: the file does not say what came for what.
    """
    events: dict[Hashable, dict[str, list[Moved]]] = defaultdict(lambda: defaultdict(list))
    for move in moves:
        events[move.event][move.instrument].append(move)
    found = Exchanges()
    for instruments in events.values():
        single: list[Moved] = []
        is_clear = True
        for rows in instruments.values():
            if not sum((row.shares for row in rows), ZERO):
                found.rebooked |= {row.line for row in rows}
            elif len(rows) == 1:
                single += rows
            else:
                is_clear = False
        gone = [row for row in single if row.shares < 0]
        if is_clear and len(gone) == 1 and len(single) > 1:
            name = f"exchange {gone[0].line}"
            found.names |= {row.line: name for row in single}
    return found


def pair_rows(
    rows: Iterable[RawRow],
    event_of: Callable[[RawRow], Hashable],
    are_legs: Callable[[RawRow, RawRow], bool],
) -> list[tuple[RawRow, RawRow]]:
    """Return the pairs of rows of one event, such as a day, that are the two legs of an exchange.

    Each row takes the first that waits for it; the earlier row comes first in its pair.
    """
    waiting: dict[Hashable, list[RawRow]] = defaultdict(list)
    pairs: list[tuple[RawRow, RawRow]] = []
    for raw in rows:
        others = waiting[event_of(raw)]
        partner = next((other for other in others[-MOST_WAITING:] if are_legs(raw, other)), None)
        if partner is None:
            others.append(raw)
        else:
            others.remove(partner)
            pairs.append((partner, raw))
    return pairs


def add_leg(
    sheet: Sheet,
    raw: RawRow,
    shares: Decimal,
    *,
    group: str = "",
    label: str = "",
    kind: str = EXCHANGE,
    cash: Decimal | None = None,
    **fields: Any,
) -> None:
    """Add the shares that go (below 0) or come, and the `cash` that comes with those that go.

    Shares that come without a `group` come at no cost, and the import says so.
    """
    kind_of_leg = "exchange_in"
    if shares < 0:
        kind_of_leg = "exchange_out"
    if group:
        fields |= {"group": group, "group_kind": kind, "group_label": label[:MAX_LABEL]}
    if cash:
        fields["settlement_amount"] = cash
    sheet.add(
        raw,
        type=kind_of_leg,
        quantity=abs(shares),
        **fields,
    )


def add_split(
    sheet: Sheet, raw: RawRow, shares: Decimal, halves: Sequence[Decimal], **fields: Any
) -> None:
    """Add a split whose old shares go in one row and whose new ones come in another.

    `shares` are those of this row, and `halves` those of both rows, below 0 for the old ones. The
    row with the new shares becomes the split.
    """
    if shares < 0:
        sheet.ignore(raw, "split: shares taken out")
    else:
        sheet.add(raw, type="split", quantity=divide(max(halves), -min(halves)), **fields)


def unpaired_action(raw: RawRow, column: str) -> BadRow:
    """Make the error of a row of shares that moved, without the row of what came for them.

    `column` has the number of shares.
    """
    return bad_row(column, raw[column], "unpaired_action", UNPAIRED_ACTION)


def name_of(identity: Mapping[str, Any]) -> str:
    """Return by what the shares of a row are counted: its ISIN, or its symbol without one."""
    return identity.get("isin") or identity.get("symbol") or ""


class Held:
    """How many shares of each instrument the rows that were added so far leave.

    Instruments go by their ISIN, or by their symbol where they have none.
    """

    def __init__(self, statement: Statement) -> None:
        self._rows = statement.rows
        self._counted = 0
        self._shares: dict[str, Decimal] = defaultdict(Decimal)

    def __getitem__(self, instrument: str) -> Decimal:
        self._count()
        return self._shares.get(instrument, ZERO)

    def __contains__(self, instrument: str) -> bool:
        """Return whether an earlier row had this instrument."""
        self._count()
        return instrument in self._shares

    def _count(self) -> None:
        for row in self._rows[self._counted :]:
            rules = RULES[row.type]
            name = row.isin or row.symbol or ""
            if rules.is_ratio:
                self._shares[name] = EXACT.multiply(self._shares[name], row.quantity)
            elif rules.is_exchange and not row.quantity and row.group_kind == EXCHANGE:
                self._shares[name] = ZERO
            elif rules.has_holding and name:
                self._shares[name] += rules.shares * row.quantity
        self._counted = len(self._rows)
