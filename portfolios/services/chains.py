"""Read the holdings that groups of shares connect. docs/decisions/0011."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from financeproj.core.money import EXACT, ONE, ZERO, as_fraction
from portfolios.calc.carried import Taken
from portfolios.calc.chains import Movement, Target
from portfolios.calc.kinds import RULES
from portfolios.models import Transaction, TransactionGroup

Kind = TransactionGroup.Kind


class LegRow(NamedTuple):
    """The columns of a leg with shares that say what its group moves."""

    pk: UUID
    group_id: UUID
    kind: str
    holding_id: UUID
    type: str
    sequence: int
    quantity: Decimal
    exchange_rate: Decimal | None
    settlement_amount: Decimal | None
    cost_share: Decimal | None
    takes_all: bool
    cash_rate: Decimal | None

    @property
    def share(self) -> Decimal:
        """The part of the cost, unrounded."""
        return as_fraction(self.cost_share) if self.cost_share else ZERO

    @property
    def is_out(self) -> bool:
        return RULES[self.type].shares < 0


def legs_with_shares(user_ids: Collection[UUID], *, using: str | None = None) -> list[LegRow]:
    """Return the legs of all groups of the users that move shares, by order of entry. One query."""
    rows = Transaction.objects.using(using).filter(
        portfolio__user__in=user_ids, group__isnull=False, holding__isnull=False
    )
    columns = ("pk", "group_id", "group__kind", *LegRow._fields[3:])
    return [LegRow(*row) for row in rows.order_by("sequence").values_list(*columns)]


def connected(legs: Iterable[LegRow], holding_ids: Collection[UUID]) -> set[UUID]:
    """Return `holding_ids` with all holdings that groups connect with them."""
    of_group: dict[UUID, set[UUID]] = defaultdict(set)
    of_holding: dict[UUID, set[UUID]] = defaultdict(set)
    for leg in legs:
        of_group[leg.group_id].add(leg.holding_id)
        of_holding[leg.holding_id].add(leg.group_id)
    found = set(holding_ids)
    left = list(found)
    while left:
        for group_id in of_holding[left.pop()]:
            new = of_group[group_id] - found
            found |= new
            left += new
    return found


def taken_by_legs(legs: Iterable[LegRow]) -> dict[UUID, Taken]:
    """Return how each leg takes out, by its id."""
    found: dict[UUID, Taken] = {}
    for group in _groups(legs):
        out, targets = _sides(group)
        if out is not None:
            found[out.pk] = _taken(out, targets)
    return found


def movements_of(legs: Iterable[LegRow]) -> list[Movement]:
    """Return what the groups of the legs move."""
    found: list[Movement] = []
    for group in _groups(legs):
        out, targets = _sides(group)
        if out is not None and targets:
            found.append(_movement(out, targets))
    return found


def _groups(legs: Iterable[LegRow]) -> Iterable[list[LegRow]]:
    groups: dict[UUID, list[LegRow]] = defaultdict(list)
    for leg in legs:
        groups[leg.group_id].append(leg)
    return groups.values()


def _sides(group: Sequence[LegRow]) -> tuple[LegRow | None, list[LegRow]]:
    out = next((leg for leg in group if leg.is_out), None)
    return out, [leg for leg in group if not leg.is_out]


def _taken(out: LegRow, targets: Sequence[LegRow]) -> Taken:
    if out.kind == Kind.TRANSFER:
        return Taken()
    cash_share = out.share
    share = ONE
    if out.kind == Kind.SPIN_OFF:
        share = cash_share
        for target in targets:
            share = EXACT.add(share, target.share)
    cash_p = EXACT.multiply(out.settlement_amount or ZERO, out.exchange_rate or ONE)
    return Taken(share=share, cash_p=cash_p, cash_share=cash_share, takes_all=out.takes_all)


def _movement(out: LegRow, targets: Sequence[LegRow]) -> Movement:
    if out.kind == Kind.TRANSFER:
        [only] = targets
        target = Target(only.pk, only.quantity, rate_p=only.exchange_rate or ONE)
        return Movement(out.pk, [target])
    paid = max(-(out.settlement_amount or ZERO), ZERO)
    paid_p = EXACT.multiply(paid, out.exchange_rate or ONE)
    made: list[Target] = []
    left_p = paid_p
    for place, leg in enumerate(targets):
        part = _part_of_paid(leg, targets)
        own_p = EXACT.multiply(paid_p, part)
        if place == len(targets) - 1:
            own_p = left_p
        left_p = EXACT.subtract(left_p, own_p)
        target = Target(
            pk=leg.pk,
            quantity=leg.quantity,
            share=leg.share,
            rate_c=leg.exchange_rate or ONE,
            paid_c=EXACT.multiply(EXACT.multiply(paid, part), leg.cash_rate or ONE),
            paid_p=own_p,
        )
        made.append(target)
    return Movement(out.pk, made, keeps_days=out.kind != Kind.EXERCISE)


def _part_of_paid(leg: LegRow, targets: Sequence[LegRow]) -> Decimal:
    """Return the part of the paid cash that is added to the cost of a target."""
    total = ZERO
    for target in targets:
        total = EXACT.add(total, target.share)
    if not total:
        return EXACT.divide(ONE, Decimal(len(targets)))
    return EXACT.divide(leg.share, total)
