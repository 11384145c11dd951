"""Which rows of a statement a portfolio has already."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Generic, TypeVar

from financeproj.core.money import EXACT

K = TypeVar("K", bound=Hashable)


def fingerprint(
    ticker: str,
    day: date,
    kind: str,
    quantity: Decimal,
    price: Decimal | None,
    commission: Decimal | None,
) -> str:
    """What two rows must share to be taken for one; at most 200 characters, whatever the notation
    of the numbers.
    """
    return f"{ticker}|{day}|{kind}|{_digits(quantity)}|{_digits(price)}|{_digits(commission or Decimal(0))}"


def _digits(value: Decimal | None) -> str:
    return "" if value is None else format(value.normalize(EXACT), "f")


@dataclass(slots=True)
class Matches(Generic[K]):
    """`duplicates` are positions in the file; `adopted` gives stored rows the external id that the
    file has.

    `contradicted` are positions of rows that have the id of an earlier row of the file, but not its
    content.
    """

    duplicates: set[int] = field(default_factory=set)
    contradicted: set[int] = field(default_factory=set)
    adopted: dict[K, str] = field(default_factory=dict)


def match(
    rows: Sequence[tuple[str, str | None]],
    stored: Iterable[tuple[K, str, str | None]],
) -> Matches[K]:
    """Pair the rows of a file, (fingerprint, external id), with stored ones, (key, fingerprint,
    external id).

    Each stored row answers for one row of the file at most, so that of two equal fills in a file
    and one in the portfolio the second is new. First by external id; then a row with an unknown id
    takes an equal stored row without one, and a row without an id any equal one. An id that the
    file repeats with equal rows is one row.
    """
    matches: Matches[K] = Matches()
    ids = {external_id for _, external_id in rows if external_id}
    prints = {print_ for print_, _ in rows}
    known: set[str] = set()
    with_id: dict[str, list[str]] = defaultdict(list)
    without_id: dict[str, list[K]] = defaultdict(list)
    for key, print_, external_id in stored:
        if external_id in ids:
            known.add(external_id)  # answers for the row of that id, and for no other
        elif print_ in prints:
            if external_id:
                with_id[print_].append(external_id)
            else:
                without_id[print_].append(key)
    read: dict[str, str] = {}
    for position, (print_, external_id) in enumerate(rows):
        if external_id is None:
            continue
        if external_id in known or read.get(external_id) == print_:
            matches.duplicates.add(position)
        elif external_id in read:
            matches.contradicted.add(position)
        elif without_id[print_]:
            matches.adopted[without_id[print_].pop()] = external_id
            matches.duplicates.add(position)
        read.setdefault(external_id, print_)
    for position, (print_, external_id) in enumerate(rows):
        if external_id is None and (with_id[print_] or without_id[print_]):
            (with_id[print_] or without_id[print_]).pop()
            matches.duplicates.add(position)
    return matches
