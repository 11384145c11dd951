"""Answer what is held back: accept it, or dismiss it."""

from django.core.exceptions import PermissionDenied
from django.db import transaction

from financeproj.core.errors import Conflict
from financeproj.history.services import HistoryObject, record
from financeproj.users.models import User
from marketdata import services as marketdata
from marketdata.models import HeldBack, HeldBackAnswer
from portfolios.models import (
    DismissedSplit,
    Holding,
    Portfolio,
    Transaction,
    TransactionSource,
    TransactionType,
)
from portfolios.services.ledger_rows import lock_portfolios
from portfolios.services.replay import InsufficientQuantity, replay_holding

RIGHT_TO_ANSWER = "marketdata.change_heldback"


def answer_held_back(*, user: User, row: HeldBack, accept: bool) -> None:
    """Accept or dismiss `row`: a split for the user's own holdings, anything else for all users.

    Raises PermissionDenied where only staff may answer, and Conflict where the source withdrew the
    value, or a later sale would exceed what is held.
    """
    if row.kind == HeldBack.Kind.SPLIT:
        _answer_split(user=user, row=row, accept=accept)
        return
    if not (user.is_staff and user.has_perm(RIGHT_TO_ANSWER)):
        raise PermissionDenied
    if accept:
        marketdata.accept_held_back(row=row)
    else:
        marketdata.dismiss_held_back(row=row)


@transaction.atomic
def _answer_split(*, user: User, row: HeldBack, accept: bool) -> None:
    """Keep the user's word about a split and replay the user's holdings of the instrument."""
    lock_portfolios(Portfolio.objects.filter(user=user).values_list("pk", flat=True))
    of_user = Holding.objects.filter(portfolio__user=user, stock=row.stock_id)
    holdings = list(of_user.select_related("portfolio", "stock"))
    answer = HeldBackAnswer.objects.filter(held_back=row, user=user).first()
    before = None if answer is None else answer.accepted
    HeldBackAnswer.objects.update_or_create(held_back=row, user=user, defaults={"accepted": accept})
    for holding in holdings:
        # Next to the answer, since an export has the splits that were dismissed from a holding.
        dismissed = DismissedSplit.objects.filter(holding=holding, date=row.date)
        if accept:
            dismissed.filter(ratio=row.value).delete()
        elif not dismissed.exists():
            DismissedSplit.objects.create(holding=holding, date=row.date, ratio=row.value)
    booked = 0
    for holding in holdings:
        try:
            booked += replay_holding(holding)
        except InsufficientQuantity as error:
            raise Conflict(error.detail, code=error.code) from error
    if before is accept:
        return
    assert row.stock is not None  # nosec B101  # a split has an instrument
    of = HistoryObject(type="instrument", id=row.stock.pk, label=row.stock.ticker, owner_id=user.pk)
    action = "held_back_dismissed"
    if accept:
        action = "held_back_accepted"
    fields = {"date": row.date, "value": row.value, "reason": row.reason}
    record(action, of, before=fields, counts={"transactions": booked})


def accept_booked_splits(*, user: User) -> None:
    """Accept for `user` the held-back splits that are booked in the user's holdings.

    An export has what was booked, not the answers: they follow from it after an import.
    """
    booked = Transaction.objects.filter(
        portfolio__user=user, source=TransactionSource.MARKET_DATA, type=TransactionType.SPLIT
    )
    days = set(booked.values_list("holding__stock_id", "date", "quantity"))
    stock_ids = {stock_id for stock_id, _, _ in days}
    rows = HeldBack.objects.filter(
        kind=HeldBack.Kind.SPLIT, state=HeldBack.State.HELD_BACK, stock__in=stock_ids
    )
    answers = [
        HeldBackAnswer(held_back=row, user=user, accepted=True)
        for row in rows.exclude(answers__user=user)
        if (row.stock_id, row.date, row.value) in days
    ]
    HeldBackAnswer.objects.bulk_create(answers)
