"""Replaying holdings that groups connect. docs/decisions/0011-groups-over-several-holdings.md.

Names that end in `_c` are in the instrument's currency, in `_p` in the portfolio's.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Generic, Protocol, TypeVar

from financeproj.core.money import EXACT, ONE, ZERO
from portfolios.calc.carried import Brought, Carried, CarriedLot, Taken
from portfolios.calc.fifo import Lot, Lots
from portfolios.calc.ledger import Entry, Position, Step, apply, cash_part, order


class ChainEntry(Entry, Protocol):
    """An entry whose quantity and costs a replay of its chain can set."""

    quantity: Decimal
    carried: Carried | None

    @property
    def pk(self) -> Hashable: ...


C = TypeVar("C", bound=ChainEntry)
H = TypeVar("H", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Target:
    """The leg `pk` that brings in `share` of the cost that a group moves.

    `rate_c` and `rate_p` convert the cost into the currencies of the target. `paid_c` and `paid_p`
    is the part of the paid cash that is added, in these currencies.
    """

    pk: Hashable
    quantity: Decimal
    share: Decimal = ONE
    rate_c: Decimal = ONE
    rate_p: Decimal = ONE
    paid_c: Decimal = ZERO
    paid_p: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Movement:
    """What the leg `out` moves to the legs of `targets`.

    `keeps_days`: the lots keep their days of purchase, else each target gets one lot of its day.
    """

    out: Hashable
    targets: Sequence[Target]
    keeps_days: bool = True


class CircularChain(Exception):
    """Holdings wait for each other; `entry` is a leg that waits."""

    def __init__(self, entry: ChainEntry) -> None:
        super().__init__(f"circle on {entry.effective_date}")
        self.entry = entry


@dataclass(slots=True)
class Replayed(Generic[C]):
    """A holding after the replay: its position, and a step for each entry in order of effect."""

    position: Position = field(default_factory=Position)
    steps: list[Step[C]] = field(default_factory=list)


def replay_chain(
    ledgers: Mapping[H, Iterable[C]], movements: Iterable[Movement]
) -> dict[H, Replayed[C]]:
    """Replay the entries of several holdings, each after those that it receives from.

    Sets what the legs of `movements` carry, and the quantity of a leg that takes all. The entries
    of a holding come in any order. Raises Oversold at an entry that takes out more than is held,
    CircularChain where holdings wait for each other.
    """
    moving: dict[Hashable, Movement] = {}
    awaited: set[Hashable] = set()
    for movement in movements:
        moving[movement.out] = movement
        awaited.update(target.pk for target in movement.targets)
    brought: dict[Hashable, Brought] = {}
    runs: dict[H, _Run[C]] = {}
    for holding, entries in ledgers.items():
        runs[holding] = _Run(sorted(entries, key=order), moving)
    with localcontext(EXACT):
        waiting = list(runs.values())
        while waiting:
            left: list[_Run[C]] = []
            has_moved = False
            for run in waiting:
                has_moved = run.advance(awaited, brought) or has_moved
                if not run.is_done:
                    left.append(run)
            if left and not has_moved:
                raise CircularChain(left[0].next_entry)
            waiting = left
    return {holding: run.replayed for holding, run in runs.items()}


class _Run(Generic[C]):
    """The replay of one holding, as far as it has come."""

    def __init__(self, entries: list[C], moving: Mapping[Hashable, Movement]) -> None:
        self.entries = entries
        self.moving = moving
        self.place = 0
        self.replayed: Replayed[C] = Replayed()
        # Only what moves on needs the lots.
        has_movement = any(entry.pk in moving for entry in entries)
        self.lots = Lots() if has_movement else None

    @property
    def is_done(self) -> bool:
        return self.place == len(self.entries)

    @property
    def next_entry(self) -> C:
        return self.entries[self.place]

    def advance(self, awaited: set[Hashable], brought: dict[Hashable, Brought]) -> bool:
        """Go on until an entry waits for what it receives; return whether any was replayed."""
        started = self.place
        while not self.is_done:
            entry = self.next_entry
            if entry.pk in awaited:
                if entry.pk not in brought:
                    break
                entry.carried = brought[entry.pk]
            movement = self.moving.get(entry.pk)
            if movement is None:
                self._apply(entry)
            else:
                brought.update(self._move(entry, movement))
            self.place += 1
        return self.place > started

    def _apply(self, entry: C) -> list[Lot]:
        average, realised = apply(self.replayed.position, entry)
        self.replayed.steps.append(Step(entry, average, realised))
        if self.lots is None:
            return []
        return self.lots.apply(entry)

    def _move(self, entry: C, movement: Movement) -> dict[Hashable, Brought]:
        """Take out what `entry` takes, and return what each target gets of it."""
        position = self.replayed.position
        before = copy(position)
        taken = entry.carried if isinstance(entry.carried, Taken) else Taken()
        if taken.takes_all and before.quantity:
            entry.quantity = before.quantity
        assert self.lots is not None  # nosec B101  # for mypy: it has a movement
        held_before = _quantities(self.lots.lots)
        left = self._apply(entry)
        quantities = _quantities(left)
        if not entry.quantity:
            quantities = held_before
        moved_c = before.cost_c - position.cost_c
        moved_p = before.cost_p - position.cost_p
        carried = _split_up(
            moved_c - cash_part(taken, moved_c), moved_p - cash_part(taken, moved_p), movement
        )
        lots = _lots_of_targets(left, quantities, taken, movement, entry)
        found: dict[Hashable, Brought] = {}
        for target, (cost_c, cost_p), own in zip(movement.targets, carried, lots, strict=True):
            found[target.pk] = Brought(
                cost_c * target.rate_c + target.paid_c, cost_p * target.rate_p + target.paid_p, own
            )
        return found


def _quantities(lots: Iterable[Lot | CarriedLot]) -> list[Decimal]:
    return [lot.quantity for lot in lots]


Cost = tuple[Decimal, Decimal]


def _split_up(moved_c: Decimal, moved_p: Decimal, movement: Movement) -> list[Cost]:
    """Divide a cost among the targets; the last one with a share takes what is left."""
    shares = [target.share for target in movement.targets]
    total = sum(shares, ZERO)
    costs: list[Cost] = []
    left_c, left_p = moved_c, moved_p
    last = max((place for place, share in enumerate(shares) if share), default=0)
    for place, share in enumerate(shares):
        cost_c = cost_p = ZERO
        if place == last:
            cost_c, cost_p = left_c, left_p
        elif share:
            cost_c, cost_p = moved_c * share / total, moved_p * share / total
        left_c -= cost_c
        left_p -= cost_p
        costs.append((cost_c, cost_p))
    return costs


def _lots_of_targets(
    left: Sequence[Lot],
    quantities: Sequence[Decimal],
    taken: Taken,
    movement: Movement,
    entry: ChainEntry,
) -> list[list[CarriedLot]]:
    """Return the lots that each target gets of those that `left`, which had `quantities`."""
    targets = movement.targets
    found: list[list[CarriedLot]] = [[] for _ in targets]
    total = sum(quantities, ZERO)
    for lot, quantity in zip(left, quantities, strict=True):
        lot_c = lot.cost_c - cash_part(taken, lot.cost_c)
        lot_p = lot.cost - cash_part(taken, lot.cost)
        costs = _split_up(lot_c, lot_p, movement)
        part = quantity / total if total else ZERO
        for own, target, (cost_c, cost_p) in zip(found, targets, costs, strict=True):
            made = CarriedLot(
                lot.bought_on,
                target.quantity * part,
                cost_c * target.rate_c + target.paid_c * part,
                cost_p * target.rate_p + target.paid_p * part,
            )
            own.append(made)
    for place, target in enumerate(targets):
        if not movement.keeps_days:
            found[place] = [_one_lot(found[place], target, entry)]
        else:
            found[place] = _adding_up(found[place], target)
    return found


def _one_lot(lots: Sequence[CarriedLot], target: Target, entry: ChainEntry) -> CarriedLot:
    cost_c = cost_p = ZERO
    for lot in lots:
        cost_c += lot.cost_c
        cost_p += lot.cost_p
    return CarriedLot(entry.effective_date, target.quantity, cost_c, cost_p)


def _adding_up(lots: list[CarriedLot], target: Target) -> list[CarriedLot]:
    """Give the last lot what the others leave of the target's shares and of the cash paid."""
    if not lots:
        return lots
    *others, last = lots
    quantity = target.quantity - sum(_quantities(others), ZERO)
    return [*others, CarriedLot(last.bought_on, quantity, last.cost_c, last.cost_p)]
