"""What was held of an instrument before its rows begin, as a file's first number of shares says.

docs/definitions.md, "Agreement with the broker".
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import NamedTuple

from financeproj.core.money import EXACT, ONE, ZERO, in_new_shares, round_for_storage
from portfolios.calc.agreement import BookedRow, Compared, Stated, counting
from portfolios.calc.duplicates import read_fingerprint
from portfolios.calc.kinds import RULES, TransactionType
from portfolios.calc.ledger import order
from portfolios.calc.trade_prices import SAME_SPLIT_DAYS

ONE_DAY = timedelta(days=1)
SPLIT = TransactionType.SPLIT.value


class Split(NamedTuple):
    """`ratio` new shares for each old one from `day` on."""

    day: date
    ratio: Decimal


class Opened(NamedTuple):
    """`quantity` shares (above 0) that were there at the end of `day`, as `stated` says."""

    quantity: Decimal
    day: date
    stated: Stated


def first_numbers(stated: Iterable[Stated]) -> dict[str, Stated]:
    """Return the first number of shares of each ticker that counts."""
    first: dict[str, Stated] = {}
    for one in counting(stated).values():
        ticker = one.checkpoint.ticker
        if ticker and (ticker not in first or one.checkpoint.day < first[ticker].checkpoint.day):
            first[ticker] = one
    return first


def opened_shares(
    stated: Iterable[Stated], rows: Iterable[BookedRow], splits: Mapping[str, Sequence[Split]]
) -> dict[str, Opened]:
    """Return by ticker what must have been held before the first of its `rows`.

    It is the first number of shares that counts, less what all rows booked up to its day add:
    imported ones as they were imported, others as they are. Derived openings among `rows` are left
    out, and so are booked splits of the source: `splits` are those that it knows by ticker, of
    which one within a week of a split among the rows does not count. Instruments without a row up
    to that day are absent, as are those of which not more than 0 is missing.
    """
    first = first_numbers(stated)
    by_ticker: dict[str, list[BookedRow]] = defaultdict(list)
    for row in rows:
        if row.ticker in first and not (row.is_derived or row.is_split_of_source):
            by_ticker[row.ticker].append(row)
    found: dict[str, Opened] = {}
    for ticker, of_ticker in by_ticker.items():
        one = first[ticker]
        counted = [row for row in of_ticker if _day_as_imported(row) <= one.checkpoint.day]
        if not counted:
            continue
        begins = min(row.date for row in of_ticker)
        between = _between(splits.get(ticker, ()), of_ticker, begins, one.checkpoint.day)
        quantity = _missing(one, counted, between)
        if quantity > 0:
            found[ticker] = Opened(quantity, begins - ONE_DAY, one)
    return found


def _between(
    splits: Iterable[Split], rows: Iterable[BookedRow], first: date, last: date
) -> list[Split]:
    """Return the splits from `first` to `last` that none of the rows tells."""
    stated_days = [row.date for row in rows if RULES[row.type].is_ratio]
    found: list[Split] = []
    for split in splits:
        is_stated = any(abs(split.day - day) <= SAME_SPLIT_DAYS for day in stated_days)
        if first <= split.day <= last and not is_stated:
            found.append(split)
    return found


def _missing(stated: Stated, rows: Iterable[BookedRow], splits: Iterable[Split]) -> Decimal:
    """Return how many shares, held before all `rows`, make the number of `stated`; 0 if it agrees.

    Splits, among the rows and next to them, multiply what was held before.
    """
    added, ratio = ZERO, ONE
    rank = RULES[SPLIT].rank
    events = [((split.day, rank, 0), SPLIT, split.ratio) for split in splits]
    events += [(order(row), *_shares_as_imported(row)) for row in rows]
    with localcontext(EXACT):
        for _, kind, quantity in sorted(events):
            rules = RULES[kind]
            if rules.is_ratio:
                added = in_new_shares(added, quantity)
                ratio *= quantity
            else:
                added += rules.shares * quantity
        if Compared(stated, added).agrees:
            return ZERO
        missing = stated.checkpoint.amount - added
        return missing if ratio == 1 else round_for_storage(missing / ratio)


def _day_as_imported(row: BookedRow) -> date:
    return row.imported_on or row.day


def _shares_as_imported(row: BookedRow) -> tuple[str, Decimal]:
    """Return type and quantity of a row as imported, else as it is."""
    was = read_fingerprint(row.imported_as)
    if was is None or row.imported_on is None or row.carried is not None:
        return row.type, row.quantity
    return was.kind, Decimal(was.quantity)
