"""Find the rows of a statement that a portfolio has already."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

from financeproj.core.money import EXACT, ONE, ZERO
from portfolios.calc.import_rows import ImportRow

K = TypeVar("K", bound=Hashable)


def fingerprint(
    ticker: str,
    day: date,
    kind: str,
    quantity: Decimal,
    price: Decimal | None,
    commission: Decimal | None,
) -> str:
    """Return what two rows have in common if they are the same transaction.

    At most 200 characters; it does not depend on how the numbers are written.
    """
    numbers = (quantity, price, commission or Decimal(0))
    return "|".join((ticker, str(day), kind, *map(_digits, numbers)))


def money_fingerprint(day: date, kind: str, currency: str, amount: Decimal) -> str:
    """Return what two rows of money alone have in common if they are the same.

    `amount` is signed as it moves the balance in `currency`.
    """
    return fingerprint(f":{currency}", day, kind, ONE, amount, None)


def fingerprint_of(row: ImportRow) -> str:
    """Return the fingerprint of a row of a file, whose ticker is known."""
    if row.is_money_alone:
        amount = row.settlement_amount or ZERO
        return money_fingerprint(row.date, row.type, row.settlement_currency or "", amount)
    return fingerprint(row.ticker, row.date, row.type, row.quantity, row.price, row.charge)


class Fingerprint(NamedTuple):
    """What a fingerprint says, with its numbers as they are written there."""

    day: date
    kind: str
    quantity: str
    price: str
    charge: str


def read_fingerprint(print_: str) -> Fingerprint | None:
    """Take a fingerprint apart; None for an empty one."""
    if not print_:
        return None
    _, day, kind, *numbers = print_.rsplit("|", 5)
    return Fingerprint(date.fromisoformat(day), kind, *numbers)


def written_alike(value: Decimal | None, written: str) -> bool:
    """Return whether a fingerprint writes `value` so."""
    return _digits(value) == written


def _digits(value: Decimal | None) -> str:
    if value is None:
        return ""
    return format(value.normalize(EXACT), "f")


@dataclass(slots=True)
class Matches(Generic[K]):
    """Which rows of a file are known.

    `duplicates` are positions in the file. `contradicted` are positions of rows with the external
    id of an earlier row of the file, but another content. `adopted` is the external id in the file
    of stored rows without one. `pairs` says which stored row is that of a position.
    """

    duplicates: set[int] = field(default_factory=set)
    contradicted: set[int] = field(default_factory=set)
    adopted: dict[K, str] = field(default_factory=dict)
    pairs: dict[int, K] = field(default_factory=dict)

    def release(self, keys: Collection[K]) -> None:
        """Let the positions of stored rows that go be those of new rows."""
        released = [position for position, key in self.pairs.items() if key in keys]
        for position in released:
            self.duplicates.discard(position)
            self.adopted.pop(self.pairs.pop(position), None)


def match(
    rows: Sequence[tuple[str, str | None]],
    stored: Iterable[tuple[K, str, str | None]],
) -> Matches[K]:
    """Pair the rows of a file with stored rows.

    `rows` are (fingerprint, external id), `stored` are (key, fingerprint, external id). A stored
    row is paired with at most one row of the file: of two equal fills in a file and one in the
    portfolio, the second is new. Rows are paired by external id first; then a row with an unknown
    id takes an equal stored row without one, and a row without an id takes any equal one. Equal
    rows of the file with the same id are one row.
    """
    matches: Matches[K] = Matches()
    ids = {external_id for _, external_id in rows if external_id}
    prints = {print_ for print_, _ in rows}
    known: dict[str, K] = {}
    with_id: dict[str, list[K]] = defaultdict(list)
    without_id: dict[str, list[K]] = defaultdict(list)
    for key, print_, external_id in stored:
        if external_id in ids:
            known[external_id or ""] = key  # paired with the row of that id, not with another
        elif print_ in prints:
            if external_id:
                with_id[print_].append(key)
            else:
                without_id[print_].append(key)
    read: dict[str, str] = {}
    for position, (print_, external_id) in enumerate(rows):
        if external_id is None:
            continue
        if external_id in known or read.get(external_id) == print_:
            matches.duplicates.add(position)
            if external_id in known and external_id not in read:
                matches.pairs[position] = known[external_id]
        elif external_id in read:
            matches.contradicted.add(position)
        elif without_id[print_]:
            key = without_id[print_].pop()
            matches.adopted[key] = external_id
            matches.pairs[position] = key
            matches.duplicates.add(position)
        read.setdefault(external_id, print_)
    for position, (print_, external_id) in enumerate(rows):
        if external_id is None and (with_id[print_] or without_id[print_]):
            matches.pairs[position] = (with_id[print_] or without_id[print_]).pop()
            matches.duplicates.add(position)
    return matches
