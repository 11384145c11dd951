"""What is held back or was believed of a source, as one user sees it."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from financeproj.users.models import User
from marketdata.models import HeldBack, HeldBackAnswer
from portfolios.models import Holding, Transaction, TransactionSource

Kind = HeldBack.Kind
State = HeldBack.State
RIGHT_TO_VIEW = "marketdata.view_heldback"


@dataclass(frozen=True, slots=True)
class HeldBackForUser:
    """A row with the state and reason that it has for the user."""

    row: HeldBack
    state: str
    reason: str

    @property
    def detail(self) -> str:
        """Say the reason in words."""
        if not self.reason:
            return ""
        return str(HeldBack.Reason(self.reason).label)


def held_back_for(user: User, *, state: str = State.HELD_BACK) -> list[HeldBackForUser]:
    """Return what the user may answer, the newest first: splits and dividends of the own holdings.

    Staff with the right also see prices, rates and all dividends. A fixed number of queries.
    """
    holdings = list(Holding.objects.filter(portfolio__user=user).select_related("portfolio"))
    waiting = _waiting_in(holdings)
    booked: set[tuple[UUID, object]] = set()
    if state == State.BELIEVED:
        booked = _booked_splits(user)
    found = []
    for row in _rows_visible_to(user, holdings):
        seen = _as_seen(row, waiting, booked)
        if seen.state == state:
            found.append(seen)
    return found


def held_back_as_seen(user: User, pk: UUID) -> HeldBackForUser | None:
    """Return one row as the user sees it, None if it is not the user's to see."""
    holdings = list(Holding.objects.filter(portfolio__user=user))
    row = _rows_visible_to(user, holdings).filter(pk=pk).first()
    if row is None:
        return None
    return _as_seen(row, _waiting_in(holdings), _booked_splits(user))


def named(user: User, *, ticker: str, kind: str) -> list[HeldBack] | None:
    """Return what is held back of an instrument or pair for the user; None without any row of it.

    `ticker` of a rate is its pair, e.g. `EUR/NOK`.
    """
    holdings = list(Holding.objects.filter(portfolio__user=user))
    rows = _rows_visible_to(user, holdings).filter(kind=kind)
    if kind == Kind.RATE:
        base, _slash, target = ticker.partition("/")
        rows = rows.filter(pair__base=base, pair__target=target)
    else:
        rows = rows.filter(stock__ticker=ticker)
    found = list(rows)
    if not found:
        return None
    waiting, booked = _waiting_in(holdings), _booked_splits(user)
    seen = [_as_seen(row, waiting, booked) for row in found]
    return [one.row for one in seen if one.state == State.HELD_BACK]


def _waiting_in(holdings: Iterable[Holding]) -> dict[str, str]:
    """Return the reasons of the splits that wait in `holdings`, by id."""
    waiting: dict[str, str] = {}
    for holding in holdings:
        waiting |= holding.waiting_splits
    return waiting


def _rows_visible_to(user: User, holdings: Iterable[Holding]) -> QuerySet[HeldBack]:
    stock_ids = {holding.stock_id for holding in holdings}
    visible = Q(stock__in=stock_ids, kind__in=(Kind.SPLIT, Kind.DIVIDEND))
    if user.is_staff and user.has_perm(RIGHT_TO_VIEW):
        visible |= Q(kind__in=(Kind.DIVIDEND, Kind.PRICE, Kind.RATE))
    answer = HeldBackAnswer.objects.filter(held_back=OuterRef("pk"), user=user)
    rows = HeldBack.objects.filter(visible).select_related("stock", "pair")
    rows = rows.annotate(answer=Subquery(answer.values("accepted")[:1]))
    return rows.order_by("-since", "-date", "pk")


def _booked_splits(user: User) -> set[tuple[UUID, object]]:
    """Return (instrument, day) of the source's splits that are booked in the user's holdings."""
    rows = Transaction.objects.filter(
        portfolio__user=user, source=TransactionSource.MARKET_DATA, type="split"
    )
    return set(rows.values_list("holding__stock_id", "date"))


def _as_seen(
    row: HeldBack, waiting: dict[str, str], booked: set[tuple[UUID, object]]
) -> HeldBackForUser:
    """Return a split with the user's own state; "" where it concerns no holding of the user."""
    if row.kind != Kind.SPLIT:
        return HeldBackForUser(row, row.state, row.reason)
    answer = row.answer  # type: ignore[attr-defined]  # annotated
    if answer is False:
        return HeldBackForUser(row, State.DISMISSED, row.reason)
    if str(row.pk) in waiting:
        return HeldBackForUser(row, State.HELD_BACK, waiting[str(row.pk)])
    if row.state == State.WITHDRAWN:
        return HeldBackForUser(row, row.state, row.reason)
    if answer:
        return HeldBackForUser(row, State.ACCEPTED, row.reason)
    if row.state == State.BELIEVED and (row.stock_id, row.date) in booked:
        return HeldBackForUser(row, State.BELIEVED, row.reason)
    return HeldBackForUser(row, "", row.reason)
