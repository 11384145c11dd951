"""Find the rows that a later row of the file takes back."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from decimal import Decimal


def taken_back(payments: Iterable[tuple[Hashable, Decimal, int]]) -> set[int]:
    """Return the lines of payments that were reversed, and of those that reverse them.

    `payments` are (what must be alike, amount, line), oldest first. An amount below 0 takes back
    the nearest earlier one of the same size that is not taken back yet.
    """
    waiting: dict[tuple[Hashable, Decimal], list[int]] = defaultdict(list)
    found: set[int] = set()
    for alike, amount, line in payments:
        if amount >= 0:
            waiting[alike, amount].append(line)
        elif waiting[alike, -amount]:
            found |= {waiting[alike, -amount].pop(), line}
    return found
