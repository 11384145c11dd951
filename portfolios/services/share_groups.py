"""Record, change and delete groups that move shares from one holding to others."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from financeproj.core.db.rows import by_pk, pks_of
from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import ONE, ZERO
from financeproj.history.services import record
from marketdata import services as marketdata
from portfolios.calc.carried import Brought, Taken
from portfolios.calc.kinds import RULES, TransactionType
from portfolios.models import (
    Portfolio,
    Transaction,
    TransactionGroup,
    TransactionSource,
)
from portfolios.services.actions import (
    ShareLeg,
    ShareLegs,
    transfer_of_shares,
)
from portfolios.services.given_rates import rate_of_the_day
from portfolios.services.history import group_fields, group_object
from portfolios.services.holdings import holding_for
from portfolios.services.ledger_rows import lock_portfolios, next_sequence
from portfolios.services.links import as_it_stood, holdings_of, keep_links, release
from portfolios.services.openings import keep_openings
from portfolios.services.replay import InsufficientQuantity, replay_connected
from portfolios.services.transactions import (
    all_locked_as_read,
    commit_at_once,
    delete_transaction,
    fresh,
    refuse_future,
    repeated_external_id,
    validate,
    with_source_splits,
)

Kind = TransactionGroup.Kind
# Rows of one transfer are at most this far apart.
LINKED_WITHIN = timedelta(days=30)
OWN_DATES = "The transactions of this transfer have dates of their own. Change them there."
PART_OF_GROUP = "part_of_group"
# What a leg of a transfer cannot change by itself.
FIXED = ("type", "price", "commission", "tax", "settlement_currency", "settlement_amount")


def record_share_group(
    *,
    kind: str,
    legs: ShareLegs,
    date: date,
    booked_on: date | None = None,
    label: str = "",
    note: str = "",
    external_id: str | None = None,
    before_commit: Callable[[TransactionGroup], None] = commit_at_once,
) -> TransactionGroup:
    """Record a group of shares with its legs, and replay the holdings that it connects.

    `before_commit` sees the group before it is committed, and may roll it back. Raises
    InsufficientQuantity, DomainError; nothing is written then.
    """

    @transaction.atomic
    def write() -> TransactionGroup:
        portfolios = _locked(legs.legs)
        group = TransactionGroup(
            portfolio=portfolios[legs.legs[0].portfolio.pk],
            kind=kind,
            label=label,
            note=note,
            external_id=external_id or None,
            is_linked=kind == Kind.TRANSFER and legs.legs[0].row is not None,
            warnings=legs.warnings,
        )
        _refuse_repeated_id(group)
        group.full_clean(exclude=["portfolio"])
        group.save(force_insert=True)
        rows = _write_legs(group, legs.legs, [], date, booked_on)
        _replay(rows, group)
        _finish(portfolios.values())
        stored = share_legs_of(group)
        record("created", group_object(group), after=group_fields(group, stored))
        before_commit(group)
        return group

    return with_source_splits(write, legs.legs[0].stock)


def update_share_group(
    *,
    group: TransactionGroup,
    legs: ShareLegs,
    date: date,
    booked_on: date | None = None,
    label: str = "",
    note: str = "",
    external_id: str | None = None,
    before_commit: Callable[[TransactionGroup], None] = commit_at_once,
) -> TransactionGroup:
    """Change a group of shares with all its legs. Raises as record_share_group does."""

    @transaction.atomic
    def write() -> TransactionGroup:
        old_portfolios = [row.portfolio for row in share_legs_of(group)]
        portfolios = _locked(legs.legs, old_portfolios)
        current = TransactionGroup.objects.select_related("portfolio").filter(pk=group.pk).first()
        if current is None or current.updated_at != group.updated_at:
            raise Conflict("The group was changed just now. Try again.", code="try_again")
        old = share_legs_of(current)
        before = group_fields(current, old)
        _refuse_other_place(old, legs.legs)
        current.label, current.note = label, note
        current.external_id = external_id or None
        current.warnings = legs.warnings
        _refuse_repeated_id(current)
        current.full_clean(exclude=["portfolio"])
        current.save(force_update=True)
        rows = _write_legs(current, legs.legs, old, date, booked_on)
        kept = set(pks_of(rows))
        gone = [row for row in old if row.pk not in kept]
        release(gone)
        _replay([*rows, *gone], current)
        _finish(portfolios.values())
        stored = share_legs_of(current)
        record("changed", group_object(current), before=before, after=group_fields(current, stored))
        before_commit(current)
        return current

    return with_source_splits(write, legs.legs[0].stock)


@transaction.atomic
def delete_share_group(*, group: TransactionGroup) -> None:
    """Delete a group of shares. Rows that stood before it stay, as they were.

    Raises Conflict (`insufficient_quantity`) if a later sale needs what came in.
    """
    portfolios = lock_portfolios(row.portfolio_id for row in share_legs_of(group))
    rows = share_legs_of(group)
    deleted, before = group_object(group), group_fields(group, rows)
    release(rows)
    group.delete()
    try:
        replay_connected(holdings_of(rows))
    except InsufficientQuantity as error:
        raise Conflict(error.detail, code=error.code) from error
    _finish(portfolios.values())
    record("deleted", deleted, before=before)


def update_share_leg(*, row: Transaction, **changes: object) -> Transaction:
    """Change a leg of a transfer of shares: date, booking day, note and quantity are the group's.

    A row that stood before has a date, a booking day and a note of its own. Raises Conflict
    (`part_of_group`) for a leg of another kind of group, else as record_share_group does.
    """
    group = group_to_change(row)
    stands = {name: getattr(row, name) for name in FIXED}
    stands["settlement_currency"] = row.settlement_currency or row.portfolio.currency
    for name in FIXED:
        if changes.get(name) not in (None, stands[name]):
            raise DomainError(
                f"This is a leg of a transfer: its {name} cannot change. Change the group.",
                attr=name,
                code=PART_OF_GROUP,
            )
    out, arrives = share_legs_of(group)
    leg = arrives if row.pk == arrives.pk else out
    for name in ("date", "booked_on", "note"):
        setattr(leg, name, changes.get(name, getattr(leg, name)))
    rate = arrives.exchange_rate
    if row.pk == arrives.pk and isinstance(changes.get("exchange_rate"), Decimal):
        rate = changes["exchange_rate"]  # type: ignore[assignment]  # it is a Decimal
    quantity = changes.get("quantity")
    legs = transfer_of_shares(
        holding=out.own_holding,
        to_portfolio=arrives.portfolio,
        quantity=quantity if isinstance(quantity, Decimal) else out.quantity,
        date=arrives.date if group.is_linked else leg.date,
        rate=rate,
    )
    if group.is_linked:
        refuse_far_apart(out, arrives)
        _update_linked(group, legs, leg, arrives.date)
    else:
        update_share_group(
            group=group, legs=legs, date=leg.date, booked_on=leg.booked_on, note=leg.note
        )
    return fresh(row)


@transaction.atomic
def _update_linked(group: TransactionGroup, legs: ShareLegs, leg: Transaction, day: date) -> None:
    """Change a linked transfer, and the date, booking day and note of one of its rows."""
    _locked(legs.legs)
    leg.save(update_fields=["date", "booked_on", "note", "updated_at"])
    update_share_group(group=group, legs=legs, date=day, note=group.note)


@transaction.atomic
def delete_share_leg(*, row: Transaction) -> None:
    """Delete a leg of a transfer of shares with its group; a row that stood before goes alone.

    Raises Conflict (`part_of_group`) for a leg of another kind of group, or
    (`insufficient_quantity`) if a later sale needs what came in.
    """
    group = group_to_change(row)
    delete_share_group(group=group)
    if row.stood_as is not None:
        delete_transaction(row=fresh(row))


def group_to_change(row: Transaction) -> TransactionGroup:
    """Return the group of a leg that can be changed by its legs. Raises Conflict."""
    group = row.group
    if group is None or group.kind != Kind.TRANSFER:
        raise Conflict(
            "This transaction is part of what a company did to its shares. Change or delete the "
            "group.",
            code=PART_OF_GROUP,
        )
    return group


def share_legs_of(group: TransactionGroup) -> list[Transaction]:
    """Return the legs of a group of shares, what leaves first."""
    rows = Transaction.objects.filter(group=group).select_related(
        "portfolio", "group", "holding__stock", "holding__portfolio"
    )
    return sorted(rows, key=lambda row: (RULES[row.type].shares > 0, row.sequence))


def is_of_shares(group: TransactionGroup, rows: Iterable[Transaction]) -> bool:
    """Whether a group moves shares; its rows are at hand."""
    return any(row.holding_id is not None for row in rows)


def legs_as_they_stand(
    group: TransactionGroup, rows: Sequence[Transaction], day: date
) -> ShareLegs:
    """Return the stored legs of a group, for a change of its day or its texts.

    Raises DomainError where the day would change and the rows have days of their own.
    """
    if group.is_linked and day != rows[-1].date:
        raise DomainError(OWN_DATES, attr="date", code=PART_OF_GROUP)
    refuse_future(day)
    legs: list[ShareLeg] = []
    for row in rows:
        leg = ShareLeg(
            portfolio=row.portfolio,
            stock=row.own_holding.stock,
            type=row.type,
            quantity=ZERO if row.takes_all else row.quantity,
            exchange_rate=row.exchange_rate,
            cost_share=row.cost_share,
            takes_all=row.takes_all,
            cash_rate=row.cash_rate,
            settlement_currency=row.settlement_currency,
            settlement_amount=row.settlement_amount,
        )
        legs.append(leg)
    return ShareLegs(legs, group.warnings)


# --- Rows that stand and become legs --------------------------------------------------------------


def link_of(out: Transaction, arrives: Transaction) -> ShareLegs:
    """Return the legs of two rows that stand: shares that left one portfolio for another.

    Raises DomainError where they are not two sides of one transfer.
    """
    if out.type != TransactionType.TRANSFER_OUT or out.holding is None:
        raise no_pair("out_id", "It must be a transfer_out of shares.")
    if arrives.type != TransactionType.TRANSFER_IN or arrives.holding is None:
        raise no_pair("in_id", "It must be a transfer_in of shares.")
    refuse_one_portfolio(out, arrives)
    if out.holding.stock_id != arrives.holding.stock_id:
        raise no_pair("in_id", "The two are of different instruments.")
    if out.quantity != arrives.quantity:
        raise no_pair("in_id", "The two have different quantities.")
    refuse_far_apart(out, arrives)
    for row, attr in ((out, "out_id"), (arrives, "in_id")):
        if row.group_id is not None:
            raise Conflict(
                f"The {row.type} of {row.date} is in a group already.",
                attr=attr,
                code=PART_OF_GROUP,
            )
    rate = rate_of_the_day(
        out.portfolio.currency, arrives.portfolio.currency, arrives.date, "in_id"
    )
    sides = (
        ShareLeg(out.portfolio, out.holding.stock, out.type, out.quantity, row=out),
        ShareLeg(
            portfolio=arrives.portfolio,
            stock=arrives.holding.stock,
            type=arrives.type,
            quantity=arrives.quantity,
            exchange_rate=rate,
            row=arrives,
        ),
    )
    return ShareLegs(list(sides))


def refuse_one_portfolio(out: Transaction, arrives: Transaction) -> None:
    """Raise DomainError where two rows to be linked are in one portfolio."""
    if out.portfolio_id == arrives.portfolio_id:
        raise DomainError(
            "Both transactions are in the same portfolio.",
            attr="in_id",
            code="circular_transfer",
        )


def refuse_far_apart(out: Transaction, arrives: Transaction, *, attr: str = "in_id") -> None:
    """Raise DomainError where two rows are not on the days of one transfer."""
    if not out.date <= arrives.date <= out.date + LINKED_WITHIN:
        raise no_pair(attr, "It must arrive on the day on which it left, or at most 30 days later.")


def no_pair(attr: str, detail: str) -> DomainError:
    """Return the error of two rows that are not two sides of one transfer."""
    return DomainError(detail, attr=attr, code="not_a_pair")


# --- Writing --------------------------------------------------------------------------------------


def _locked(legs: Sequence[ShareLeg], others: Iterable[Portfolio] = ()) -> dict[UUID, Portfolio]:
    return all_locked_as_read([*(leg.portfolio for leg in legs), *others])


def _write_legs(
    group: TransactionGroup,
    legs: Sequence[ShareLeg],
    old: Sequence[Transaction],
    day: date,
    booked_on: date | None,
) -> list[Transaction]:
    """Store `legs`, of instruments that have a row among `old` in that row."""
    marketdata.keep_instruments(stocks=[leg.stock for leg in legs])
    portfolios = by_pk(_own_portfolios(legs))
    left = {(row.portfolio_id, row.own_holding.stock_id, row.type): row for row in old}
    rows: list[Transaction] = []
    for leg in legs:
        portfolio = portfolios[leg.portfolio.pk]
        row = left.pop((portfolio.pk, leg.stock.pk, leg.type), None)
        if row is None and leg.row is not None:
            row = _standing(leg)
        is_new = row is None
        if row is None:
            row = Transaction(source=TransactionSource.MANUAL, portfolio=portfolio)
            row.sequence = next_sequence(portfolio)
            row.holding = holding_for(
                portfolio=portfolio, stock=leg.stock, company_name=leg.company_name
            )
        row.portfolio = portfolio
        _set_leg(row, leg, group, day, booked_on)
        validate(row)
        row.save(force_insert=is_new, force_update=not is_new)
        rows.append(row)
    return rows


def _own_portfolios(legs: Sequence[ShareLeg]) -> Iterable[Portfolio]:
    return Portfolio.objects.filter(pk__in={leg.portfolio.pk for leg in legs})


def _set_leg(
    row: Transaction,
    leg: ShareLeg,
    group: TransactionGroup,
    day: date,
    booked_on: date | None,
) -> None:
    is_in = RULES[leg.type].shares > 0
    if row.stood_as is None:
        row.date, row.booked_on, row.note = day, booked_on, group.note
    row.effective_date = day
    row.type = leg.type
    row.group = group
    row.quantity = leg.quantity
    if leg.takes_all and not row.quantity:
        row.quantity = ONE  # until the replay says how many there are
    row.exchange_rate = leg.exchange_rate
    row.cost_share, row.takes_all, row.cash_rate = leg.cost_share, leg.takes_all, leg.cash_rate
    row.settlement_currency = leg.settlement_currency
    row.settlement_amount = leg.settlement_amount
    row.commission = row.tax = ZERO
    if is_in:
        row.price = row.price if row.price is not None else ZERO
        row.carried = row.carried or Brought()
    else:
        row.price = None
        row.carried = Taken()


def _standing(leg: ShareLeg) -> Transaction:
    """Read the row that stands again, under the lock, and keep what it was."""
    assert leg.row is not None  # nosec B101  # for mypy
    row = (
        Transaction.objects.select_related("holding__stock", "holding__portfolio")
        .filter(pk=leg.row.pk, group__isnull=True)
        .first()
    )
    if row is None or row.updated_at != leg.row.updated_at:
        raise Conflict("The transaction was changed just now. Try again.", code="try_again")
    place = row.portfolio_id, row.own_holding.stock_id
    is_same_side = RULES[row.type].shares * RULES[leg.type].shares > 0
    is_other = not is_same_side or RULES[row.type].money or row.is_derived
    if place != (leg.portfolio.pk, leg.stock.pk) or is_other:
        raise DomainError(
            f"The {row.type} of {row.date} cannot become this leg of the group.",
            attr="out_id" if RULES[leg.type].shares < 0 else "transaction_id",
            code="not_a_pair",
        )
    row.stood_as = as_it_stood(row)
    return row


def _replay(rows: Sequence[Transaction], group: TransactionGroup) -> None:
    """Replay what the rows of a group connect; an error is at the quantity that goes out."""
    keep_links({row.portfolio_id for row in rows})
    try:
        replay_connected(holdings_of(rows), cause=rows[0])
    except InsufficientQuantity as error:
        if error.attr == "quantity" and group.kind != Kind.TRANSFER:
            error.attr = "quantity_out"
        raise


def _finish(portfolios: Iterable[Portfolio]) -> None:
    portfolios = list(portfolios)
    keep_links(pks_of(portfolios))
    for portfolio in portfolios:
        keep_openings(portfolio)


def _refuse_other_place(old: Sequence[Transaction], legs: Sequence[ShareLeg]) -> None:
    """Raise DomainError if what goes out would come from another holding than before."""
    before, now = old[0], legs[0]
    if (before.portfolio_id, before.own_holding.stock_id) != (now.portfolio.pk, now.stock.pk):
        raise DomainError(
            "A group cannot move to another holding. Delete it and record it there.",
            attr="holding_id",
            code="holding_fixed",
        )


def _refuse_repeated_id(group: TransactionGroup) -> None:
    """Raise Conflict if the portfolio has a group or transaction with this external id."""
    if group.external_id is None:
        return
    same = Q(portfolio=group.portfolio_id, external_id=group.external_id)
    groups = TransactionGroup.objects.filter(same).exclude(pk=group.pk)
    if groups.exists() or Transaction.objects.filter(same).exists():
        raise repeated_external_id(group.external_id)
