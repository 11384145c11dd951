"""Take groups of shares apart: what becomes of their legs."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from financeproj.core.errors import Conflict
from financeproj.core.money import EXACT, ONE, round_for_storage
from portfolios.calc.carried import Brought
from portfolios.calc.kinds import TransactionType
from portfolios.models import Holding, Portfolio, Transaction, TransactionGroup
from portfolios.services.ledger_rows import holding_ids_of
from portfolios.services.openings import keep_openings
from portfolios.services.replay import InsufficientQuantity, replay_connected

# The numbers that a row has back when its group is deleted.
KEPT = (
    "quantity",
    "price",
    "commission",
    "tax",
    "exchange_rate",
    "settlement_currency",
    "settlement_amount",
)
TEXTS = ("settlement_currency",)


def as_it_stood(row: Transaction) -> dict[str, str | None]:
    """Return what a row needs to have back when its group is deleted."""
    stood: dict[str, str | None] = {"type": row.type}
    for name in KEPT:
        value = getattr(row, name)
        stood[name] = None if value is None else str(value)
    return stood


def release(rows: Iterable[Transaction]) -> None:
    """Delete legs, and make of those that stood before what they were."""
    for row in rows:
        if row.stood_as is None:
            row.delete()
            continue
        row.type = row.stood_as["type"]
        for name in KEPT:
            value = row.stood_as.get(name)
            is_number = value is not None and name not in TEXTS
            setattr(row, name, Decimal(value) if is_number else value)
        _forget_group(row)
        row.save(force_update=True)


def unlink_others(
    groups: "QuerySet[TransactionGroup]", going: "QuerySet[Transaction]"
) -> list[Holding]:
    """Delete `groups`, some of whose legs are `going` to be deleted.

    The other legs become plain transactions, at the cost that they carried. Returns the holdings of
    those with shares, which must be replayed once the others are deleted.
    """
    pks = list(groups.values_list("pk", flat=True))
    if not pks:
        return []
    others = Transaction.objects.filter(group__in=pks, holding__isnull=False)
    left = list(others.exclude(pk__in=going.values("pk")))
    for row in left:
        make_plain(row)
        row.save(force_update=True)
    TransactionGroup.objects.filter(pk__in=pks).delete()
    return holdings_of(left)


def replay_left(holdings: Iterable[Holding]) -> None:
    """Replay holdings that lost the other side of a leg.

    Raises Conflict (`insufficient_quantity`) if a later sale needs what is gone.
    """
    holdings = list(holdings)
    if not holdings:
        return
    keep_links({holding.portfolio_id for holding in holdings})
    try:
        replay_connected(holdings)
    except InsufficientQuantity as error:
        raise Conflict(error.detail, code=error.code) from error
    for portfolio in {holding.portfolio for holding in holdings}:
        keep_openings(portfolio)


def keep_links(portfolio_ids: Iterable[UUID]) -> None:
    """Set of each portfolio whether shares move between it and another."""
    elsewhere = Transaction.objects.filter(
        group=OuterRef("group"),
        group__kind=TransactionGroup.Kind.TRANSFER,
        holding__isnull=False,
    ).exclude(portfolio=OuterRef("portfolio"))
    moving = Transaction.objects.filter(
        Exists(elsewhere), portfolio=OuterRef("pk"), holding__isnull=False, group__isnull=False
    )
    portfolios = Portfolio.objects.filter(pk__in=list(portfolio_ids))
    portfolios.filter(Exists(moving), is_linked=False).update(is_linked=True)
    portfolios.filter(~Exists(moving), is_linked=True).update(is_linked=False)


def holdings_of(rows: Iterable[Transaction]) -> list[Holding]:
    """Return the holdings of rows with shares, each once."""
    holdings = Holding.objects.filter(pk__in=holding_ids_of(rows))
    return list(holdings.select_related("portfolio", "stock").order_by("pk"))


def make_plain(row: Transaction) -> None:
    """Make of a leg a plain transfer in or out, at the cost that it carried (not saved)."""
    if isinstance(row.carried, Brought):
        _set_carried_cost(row, row.carried)
        row.type = TransactionType.TRANSFER_IN
    else:
        row.type = TransactionType.TRANSFER_OUT
        row.exchange_rate = row.settlement_currency = row.settlement_amount = None
    _forget_group(row)


def _forget_group(row: Transaction) -> None:
    row.group = row.carried = row.stood_as = row.cost_share = row.cash_rate = None
    row.takes_all = False
    row.realised_gain = None
    row.effective_date = row.date


def _set_carried_cost(row: Transaction, carried: Brought) -> None:
    """Let a row have as its own price and rate what it carried."""
    row.price = round_for_storage(EXACT.divide(carried.cost_c, row.quantity))
    row.exchange_rate = ONE
    if carried.cost_c and carried.cost_p:
        row.exchange_rate = round_for_storage(EXACT.divide(carried.cost_p, carried.cost_c))
