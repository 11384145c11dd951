"""Charles Schwab: which rows of a file belong together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import itemgetter

from integrations.statements.amounts import reversed_lines
from integrations.statements.exchanges import Held
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.schwab_rows import action_of, payment_of
from integrations.statements.schwab_words import (
    ADJUSTED,
    CANCELS,
    EXCHANGES,
    MOVES,
    REVERSE_SPLIT,
    TRADES,
)
from integrations.statements.sheet import Sheet

MOST_DAYS_APART = 7


@dataclass(slots=True)
class File:
    """What the rows of a file say together.

    `held` counts the shares that the rows so far leave. `reversed`, `cancelled` and `moved` are the
    lines of payments that were taken back, of trades that were cancelled, and of shares that left
    and came back, each with the line of the other row. `reverse_splits` has the rows of those of a
    day, and `exchanges` the rows of those of one action and day. `redeemed` gives the row with the
    money for each line of shares that were redeemed; the lines `with_money` are those rows.
    """

    held: Held
    reversed: set[int]
    cancelled: set[int]
    moved: set[int]
    reverse_splits: dict[str, list[RawRow]]
    exchanges: dict[tuple[str, str], list[RawRow]]
    redeemed: dict[int, RawRow]
    with_money: set[int]


def file_of(sheet: Sheet) -> File:
    reverse_splits: dict[str, list[RawRow]] = defaultdict(list)
    exchanges: dict[tuple[str, str], list[RawRow]] = defaultdict(list)
    for raw in sheet:
        action = action_of(raw).removesuffix(ADJUSTED)
        if action_of(raw) == REVERSE_SPLIT:
            reverse_splits[raw["Date"]].append(raw)
        elif action in EXCHANGES:
            exchanges[action, raw["Date"]].append(raw)
    redeemed = _redeemed(sheet)
    return File(
        held=Held(sheet.statement),
        reversed=reversed_lines(_payments(sheet)),
        cancelled=_cancelled(sheet),
        moved=_moved_and_back(sheet),
        reverse_splits=reverse_splits,
        exchanges=exchanges,
        redeemed=redeemed,
        with_money={paid.line for paid in redeemed.values()},
    )


def _payments(sheet: Iterable[RawRow]) -> Iterator[tuple[tuple[str, str], Decimal, int]]:
    """Return the payments that may be reversed. A correction may name another kind of dividend."""
    for raw in sheet:
        payment = payment_of(raw)
        if raw["Symbol"] and payment:
            try:
                yield (raw["Symbol"], payment), raw.number_or_zero("Amount"), raw.line
            except BadRow:
                continue


def _cancelled(sheet: Sheet) -> set[int]:
    """Return the lines of trades that another row cancels, and of those rows."""
    waiting: dict[tuple[str, ...], list[int]] = defaultdict(list)
    found: set[int] = set()
    # A cancellation may stand before its trade on one day.
    for raw in sorted(sheet, key=_cancels):
        action = action_of(raw)
        alike = (
            action.removeprefix(CANCELS), raw["Symbol"], raw["Quantity"].lstrip("-"), raw["Price"]
        )  # fmt: skip
        if not _cancels(raw) and action in TRADES:
            waiting[alike].append(raw.line)
        elif waiting[alike]:
            found |= {waiting[alike].pop(), raw.line}
    return found


def _cancels(raw: RawRow) -> bool:
    return action_of(raw).startswith(CANCELS)


def _moved_and_back(sheet: Sheet) -> set[int]:
    """Return the lines of shares that left and came back within a week, as from TD Ameritrade."""
    moves: list[tuple[date, Decimal, RawRow]] = []
    for raw in sheet:
        if action_of(raw) in MOVES and raw["Symbol"]:
            with suppress(BadRow):  # It is a problem of its row.
                moves.append((raw.day("Date"), raw.number_or_zero("Quantity"), raw))
    found: set[int] = set()
    gone: dict[tuple[str, Decimal], list[tuple[date, int]]] = defaultdict(list)
    for day, shares, raw in sorted(moves, key=itemgetter(0, 1)):
        if shares < 0:
            gone[raw["Symbol"], -shares].append((day, raw.line))
        waiting = gone[raw["Symbol"], shares]
        if waiting and (day - waiting[-1][0]).days <= MOST_DAYS_APART:
            found |= {waiting.pop()[1], raw.line}
    return found


def _redeemed(sheet: Sheet) -> dict[int, RawRow]:
    """Return the row with the money for each line of a redemption that has none: one of its day."""
    paid: dict[tuple[str, str, str], list[RawRow]] = defaultdict(list)
    for raw in sheet:
        action = action_of(raw)
        redemption = action.removesuffix(ADJUSTED)
        if redemption != action and redemption in TRADES and raw["Amount"]:
            paid[redemption, raw["Symbol"], raw["Date"]].append(raw)
    found: dict[int, RawRow] = {}
    for raw in sheet:
        action = action_of(raw)
        money = paid.get((action, raw["Symbol"], raw["Date"]), [])
        if money and action in TRADES and not raw["Amount"]:
            found[raw.line] = money.pop()
    return found
