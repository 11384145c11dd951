"""What accepting a held-back split would change in a user's holdings."""

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _
from msgspec.structs import replace as copy_row

from financeproj.core.money import round_for_storage, strip_zeros
from financeproj.users.models import User
from marketdata.models import HeldBack
from marketdata.selectors import KnownSplit, known_splits
from portfolios.calc.ledger import Oversold, replay
from portfolios.models import DismissedSplit, Holding
from portfolios.services.ledger_rows import LedgerRow, stored_rows
from portfolios.services.split_booking import Dismissed, settle_splits


def effects_of_splits(*, user: User, pks: Collection[UUID]) -> dict[UUID, str]:
    """Return by held-back split what accepting it changes, a sentence for each holding.

    Writes nothing; a fixed number of queries.
    """
    holdings = Holding.objects.filter(portfolio__user=user).exclude(waiting_splits={})
    concerned = list(holdings.select_related("portfolio", "stock"))
    if not concerned or not pks:
        return {}
    known = known_splits([holding.stock_id for holding in concerned], user_id=user.pk)
    rows = stored_rows(concerned)
    dismissed: dict[UUID, list[Dismissed]] = {}
    deleted = DismissedSplit.objects.filter(holding__in=concerned)
    for holding_id, day, ratio in deleted.values_list("holding_id", "date", "ratio"):
        dismissed.setdefault(holding_id, []).append((day, ratio))
    effects: dict[UUID, list[str]] = {}
    for pk in pks:
        for holding in concerned:
            if str(pk) in holding.waiting_splits:
                splits = known[holding.stock_id]
                deleted_ones = dismissed.get(holding.pk, [])
                then = _quantity_with(holding, rows[holding.pk], splits, deleted_ones, pk)
                effects.setdefault(pk, []).append(_sentence(holding, then))
    return {pk: " ".join(sentences) for pk, sentences in effects.items()}


def _sentence(holding: Holding, then: Decimal | None) -> str:
    if then is None:
        text = _("%(portfolio)s: a later sale would exceed the shares that are left.")
        return text % {"portfolio": holding.portfolio.name}
    text = _("%(portfolio)s: %(then)s shares instead of %(now)s.")
    return text % {
        "portfolio": holding.portfolio.name,
        "then": format(strip_zeros(then), "f"),
        "now": format(strip_zeros(holding.current_quantity), "f"),
    }


def _quantity_with(
    holding: Holding,
    rows: list[LedgerRow],
    known: list[KnownSplit],
    dismissed: list[Dismissed],
    accepted: UUID,
) -> Decimal | None:
    """Return the shares with the split `accepted`, None where a sale would exceed them.

    The holding is changed in memory alone.
    """
    copies = [copy_row(row) for row in rows]
    waiting, unbooked_on = holding.waiting_splits, holding.unbooked_split_on
    splits = []
    for split in known:
        if split.pk == accepted:
            split = replace(split, state=HeldBack.State.ACCEPTED)
        splits.append(split)
    settled, _gone = settle_splits(holding, copies, known=splits, dismissed=dismissed)
    holding.waiting_splits, holding.unbooked_split_on = waiting, unbooked_on
    try:
        position, _steps = replay(settled)
    except Oversold:
        return None
    return round_for_storage(position.quantity)
