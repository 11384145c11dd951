"""Booking the splits that the source knows among the rows of a holding."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from financeproj.core.db.rows import pks_of
from financeproj.core.money import EXACT, ZERO
from marketdata.calc.events import SAME_RATIO, pair_events
from marketdata.models import HeldBack
from marketdata.selectors import KnownSplit
from portfolios.calc.kinds import RULES, TransactionType, shares_after
from portfolios.calc.ledger import Oversold, order, replay
from portfolios.calc.share_openings import Split
from portfolios.calc.trade_prices import SAME_SPLIT_DAYS as SAME_SPLIT
from portfolios.models import (
    DismissedSplit,
    Holding,
    Transaction,
    TransactionSource,
)
from portfolios.services.ledger_rows import LedgerRow

# Or only the whole shares that it leaves: 105 shares at 1:10 are 10 and a payment.
WHOLE_WITHIN = Decimal("1e-9")

# A spin-off leaves the quantity as it is, and explains a price factor of its days.
SPIN_OFF = "exchange_out"
# The day and ratio of a split that the user deleted from a holding.
Dismissed = tuple[date, Decimal]

State = HeldBack.State
Reason = HeldBack.Reason
BOOKED = (State.BELIEVED, State.ACCEPTED)


def settle_splits(
    holding: Holding,
    rows: list[LedgerRow],
    *,
    known: Iterable[KnownSplit],
    dismissed: Collection[Dismissed],
) -> tuple[list[LedgerRow], list[LedgerRow]]:
    """Return `rows` with the source's splits booked where they belong, and the booked ones that do
    not. Stores nothing.

    A split of the source gives way to the same one of the user (`same_split`), which then counts on
    the source's day, unless a sale in between needs it on its own. It is not booked where nothing
    is held, where the user deleted it (`dismissed`, a day and ratio each), or where it would make a
    later sale exceed the holding. Nor does a corrected ratio replace the booked one that a sale
    needs. `unbooked_split_on` then says so. What waits for the user's word is in
    `waiting_splits`: splits that are not believed, and others than the user's own within a week.
    """
    booked: dict[date, LedgerRow] = {}
    own: list[LedgerRow] = []
    own_splits: list[LedgerRow] = []
    for row in rows:
        if _is_booked(row):
            booked[row.date] = row
            continue
        own.append(row)
        if row.type == TransactionType.SPLIT:
            own_splits.append(row)
    said = [split for split in known if split.state != State.WITHDRAWN]
    said = _without_dismissed(said, dismissed)
    matches = _match(own, own_splits, said)
    splits = [_UserSplit(row, matches.get(row.pk), row.effective_date) for row in own_splits]
    wanted = _wanted(holding, own, splits, said)
    settled = _settle_days(holding, own, splits, booked, wanted)
    settled = _keep_needed(holding, settled, booked, known)
    kept = set(pks_of(settled))
    return settled, [row for row in booked.values() if row.pk not in kept]


def splits_to_book(known: Iterable[KnownSplit], dismissed: Collection[Dismissed]) -> list[Split]:
    """Return the source's splits that are booked where shares are held and the user has none."""
    kept = _without_dismissed(list(known), dismissed)
    return [Split(one.date, one.ratio) for one in kept if one.state in BOOKED]


@dataclass(frozen=True, slots=True)
class _UserSplit:
    """A split that the user entered, the same one of the source, and the day on which it counted
    before.
    """

    row: LedgerRow
    match: KnownSplit | None
    day_before: date


def _without_dismissed(
    known: list[KnownSplit], dismissed: Collection[Dismissed]
) -> list[KnownSplit]:
    """Leave out the splits that the user deleted or dismissed."""
    deleted = sorted(dismissed)
    events = [(split.date, split.ratio) for split in known]
    pairing = pair_events(deleted, events, days=SAME_SPLIT, since=date.max)
    gone = {other for _, other in pairing.pairs}
    kept = []
    for number, split in enumerate(known):
        if number not in gone and split.state != State.DISMISSED:
            kept.append(split)
    return kept


def _match(
    own: list[LedgerRow], own_splits: list[LedgerRow], known: list[KnownSplit]
) -> dict[UUID, KnownSplit]:
    """Match the user's splits with the same ones of the source, one to one, the nearest first."""
    if not own_splits or not known:
        return {}
    certain = list(own)
    own_days = [row.date for row in own_splits]
    for split in known:
        is_alone = not _is_near(split.date, own_days)
        if is_alone and split.state in BOOKED:
            certain.append(_split_row(split))
    candidates = []
    for row in own_splits:
        others = [other for other in certain if other.pk != row.pk]
        for number, split in enumerate(known):
            apart = abs(split.date - row.date)
            if apart > SAME_SPLIT:
                continue
            held = held_on(others, min(split.date, row.date))
            if same_split(split.ratio, row.quantity, held=held):
                candidates.append((apart, row.date, row.sequence, number, row.pk))
    matches: dict[UUID, KnownSplit] = {}
    taken: set[int] = set()
    for _, _, _, number, pk in sorted(candidates):
        if pk not in matches and number not in taken:
            matches[pk] = known[number]
            taken.add(number)
    return matches


def same_split(ratio: Decimal, other: Decimal, *, held: Decimal) -> bool:
    """Return whether two ratios within a week are of the same split.

    They differ by at most 0.001 relative, or one of them makes a whole number of the shares `held`
    before, less than one share away from what the other makes.
    """
    if abs(ratio - other) <= SAME_RATIO * ratio:
        return True
    if not held:
        return False
    one, two = EXACT.multiply(held, ratio), EXACT.multiply(held, other)
    if abs(one - two) >= 1:
        return False
    return any(abs(made - made.to_integral_value()) <= WHOLE_WITHIN for made in (one, two))


def _wanted(
    holding: Holding,
    own: list[LedgerRow],
    splits: list[_UserSplit],
    known: list[KnownSplit],
) -> list[KnownSplit]:
    """Return the splits to book, and set `waiting_splits` to those that wait for the user."""
    matched: list[KnownSplit] = []
    unmatched: list[date] = []
    for own_split in splits:
        if own_split.match is None:
            unmatched.append(own_split.row.date)
        else:
            matched.append(own_split.match)
    spin_offs = [row.date for row in own if row.type == SPIN_OFF and not row.quantity]
    wanted: list[KnownSplit] = []
    waiting: dict[str, str] = {}
    for split in known:
        if split in matched:
            continue
        is_near_own = _is_near(split.date, unmatched)
        reason = split.reason
        if split.state == State.ACCEPTED:
            wanted.append(split)
            continue
        if split.state == State.BELIEVED and not is_near_own:
            wanted.append(split)
            continue
        if split.state == State.BELIEVED:
            reason = Reason.USER_DIFFERS
        is_answered = _is_near(split.date, spin_offs)
        rows = [*own, *map(_split_row, wanted)]
        if not is_answered and held_on(rows, split.date):
            waiting[str(split.pk or split.date)] = reason
    holding.waiting_splits = waiting
    return wanted


def _is_near(day: date, days: Iterable[date]) -> bool:
    """Return whether `day` is at most a week from one of `days`."""
    return any(abs(day - other) <= SAME_SPLIT for other in days)


def _split_row(split: KnownSplit) -> LedgerRow:
    return LedgerRow(
        pk=uuid4(),
        holding_id=uuid4(),
        type=TransactionType.SPLIT,
        effective_date=split.date,
        date=split.date,
        sequence=0,
        quantity=split.ratio,
        price=None,
        commission=ZERO,
        tax=ZERO,
        exchange_rate=None,
        source=TransactionSource.MARKET_DATA,
        is_new=True,
    )


def _keep_needed(
    holding: Holding,
    settled: list[LedgerRow],
    booked: dict[date, LedgerRow],
    known: Iterable[KnownSplit],
) -> list[LedgerRow]:
    """Keep what was booked of a split that the source moved, corrected to a price factor or
    withdrew, where a later sale needs it.
    """
    kept = set(pks_of(settled))
    split_of_day = {split.date: split for split in known}
    for row in booked.values():
        split = split_of_day.get(row.date)
        is_dismissed = split is not None and split.state == State.DISMISSED
        if row.pk in kept or is_dismissed or not _oversells(settled):
            continue
        others = []
        for other in settled:
            is_instead = other.is_new and _is_booked(other)
            if not is_instead or abs(other.date - row.date) > SAME_SPLIT:
                others.append(other)
        if _oversells([*others, row]):
            continue
        settled = [*others, row]
        holding.unbooked_split_on = row.date
        if split is not None:
            holding.waiting_splits[str(split.pk or split.date)] = Reason.NEEDED
    return settled


def _settle_days(
    holding: Holding,
    own: list[LedgerRow],
    splits: list[_UserSplit],
    booked: dict[date, LedgerRow],
    wanted: list[KnownSplit],
) -> list[LedgerRow]:
    """Let the user's `splits` count on the source's days, or on their own where a sale needs that,
    and book the `wanted` ones.
    """

    def settle(*, by_source: bool) -> list[LedgerRow]:
        for split in splits:
            split.row.effective_date = split.row.date
            if by_source and split.match:
                split.row.effective_date = split.match.date
        return [*own, *_bookings(holding, own, booked, wanted)]

    settled = settle(by_source=True)
    is_moved = any(split.row.effective_date != split.row.date for split in splits)
    if is_moved and _oversells(settled):
        settled = settle(by_source=False)
        if _oversells(settled):  # the days are not to blame
            settled = settle(by_source=True)
    for split in splits:
        split.row.is_shifted = split.row.effective_date != split.day_before
    return settled


def _bookings(
    holding: Holding,
    own: list[LedgerRow],
    booked: dict[date, LedgerRow],
    splits: Iterable[KnownSplit],
) -> list[LedgerRow]:
    """Return the rows of the source's `splits` that belong to the user's `own`. Sets
    `unbooked_split_on`.
    """
    holding.unbooked_split_on = None
    bookings: list[LedgerRow] = []
    for split in splits:
        rows = [*own, *bookings]
        if not held_on(rows, split.date):
            continue
        old = booked.get(split.date)
        if old and old.quantity == split.ratio:
            bookings.append(old)
            continue
        new = _new_split(holding, split)
        if not _oversells([*rows, new]):
            bookings.append(new)
        elif not _oversells(rows):
            holding.unbooked_split_on = split.date
        elif old and not _oversells([*rows, old]):
            holding.unbooked_split_on = split.date
            bookings.append(old)
        else:
            bookings.append(new)
    return bookings


def _is_booked(row: LedgerRow) -> bool:
    return row.source == TransactionSource.MARKET_DATA and row.type == TransactionType.SPLIT


def _new_split(holding: Holding, split: KnownSplit) -> LedgerRow:
    row = _split_row(split)
    row.holding_id = holding.pk
    return row


def held_on(rows: list[LedgerRow], day: date) -> Decimal:
    """Return what is held when `day` begins; an impossible history counts up to where it breaks."""
    held, was_split = ZERO, False
    for row in sorted(rows, key=order):
        if row.effective_date >= day:
            break
        held = shares_after(held, row.type, row.quantity, was_split=was_split)
        was_split = was_split or RULES[row.type].leaves_dust
    return max(held, ZERO)


def _oversells(rows: list[LedgerRow]) -> bool:
    try:
        replay(rows)
    except Oversold:
        return True
    return False


def dismiss(row: Transaction) -> None:
    """Remember that the user does not want this split of the source."""
    DismissedSplit.objects.update_or_create(
        holding=row.holding, date=row.date, defaults={"ratio": row.quantity}
    )
