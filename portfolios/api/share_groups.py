"""The bodies of groups that move shares: transfers, exchanges, spin-offs, exercised rights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext, gettext_noop
from msgspec import UNSET, Struct, UnsetType
from rest_framework import serializers as drf

from financeproj.core.api.serializers import (
    ApiSerializer,
    CurrencyCodeField,
    DayField,
    ExactDecimalField,
    PastDateField,
    PatternField,
    TextField,
    required_error,
)
from financeproj.core.errors import DomainError
from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.money import strip_zeros
from financeproj.users.models import User
from marketdata import services as marketdata
from portfolios import selectors
from portfolios.calc.kinds import RULES
from portfolios.models import (
    ACTION_KIND_CHOICES,
    TRANSFER_KIND_CHOICES,
    Holding,
    Transaction,
    TransactionGroup,
    TransactionSource,
)
from portfolios.payloads import HoldingState, TransactionPayload, transaction_payload
from portfolios.reports.group_states import cost_moved, group_states
from portfolios.services.actions import COST_SHARE_UNKNOWN, Action, Cash, NewTarget

Kind = TransactionGroup.Kind
MOST_TARGETS = 50
Day = date  # within a class that has a field `date`


class GroupWarning(Struct):
    code: str
    detail: str


class GroupTarget(Struct):
    """What came in; `rate` converts the cost into the currency of the instrument."""

    transaction_id: UUID | None
    ticker: str
    currency: str
    quantity: ReadOnlyDecimal
    cost_share: ReadOnlyDecimal | None
    rate: ReadOnlyDecimal | None


class GroupCash(Struct):
    """What was received (above 0) or paid; `rate` converts it into the portfolio's currency."""

    currency: str
    amount: ReadOnlyDecimal
    rate: ReadOnlyDecimal | None
    cost_share: ReadOnlyDecimal | None


class GroupPayload(Struct):
    """A group with its legs, what leaves first. Lists have neither `before` nor `after`.

    `holding_id`, `quantity_out` (null: all), `targets` and `cash` are of groups that move shares.
    """

    id: UUID | None
    kind: Kind
    label: str
    date: Day
    portfolio_id: UUID
    holding_id: UUID | None
    quantity_out: ReadOnlyDecimal | None
    targets: list[GroupTarget]
    cash: GroupCash | None
    transactions: list[TransactionPayload]
    cost_moved: ReadOnlyDecimal | None
    note: str
    external_id: str | None
    source: TransactionSource
    import_id: UUID | None
    warnings: list[GroupWarning]
    before: list[HoldingState] | UnsetType = UNSET
    after: list[HoldingState] | UnsetType = UNSET


GROUP_FIELDS = GroupPayload.__struct_fields__


class ShareTransferSerializer(ApiSerializer):
    """`quantity` shares of a holding move to another portfolio."""

    answer_fields = GROUP_FIELDS

    kind = drf.ChoiceField(TRANSFER_KIND_CHOICES)
    holding_id = drf.UUIDField()
    quantity = ExactDecimalField(minimum=0, above_minimum=True)
    to_portfolio_id = drf.UUIDField()
    date = PastDateField()
    rate = ExactDecimalField(
        required=False,
        minimum=0,
        above_minimum=True,
        help_text="From the portfolio's currency into the other's; the day's by default.",
    )
    booked_on = DayField(required=False, allow_null=True)
    note = TextField(max_length=500, required=False, allow_blank=True)


class LinkSerializer(ApiSerializer):
    """Two transactions that stand become one transfer."""

    answer_fields = GROUP_FIELDS

    kind = drf.ChoiceField(TRANSFER_KIND_CHOICES)
    out_id = drf.UUIDField()
    in_id = drf.UUIDField()
    note = TextField(max_length=500, required=False, allow_blank=True)


class ActionTargetSerializer(ApiSerializer):
    """What comes in: `ticker` and `quantity`, or a transaction that stands."""

    answer_fields = GroupTarget.__struct_fields__

    ticker = PatternField(r"^[A-Za-z0-9.^=_&+-]+$", max_length=40, required=False)
    company_name = TextField(max_length=200, required=False, allow_blank=True)
    currency = CurrencyCodeField(required=False)
    quantity = ExactDecimalField(required=False, minimum=0, above_minimum=True)
    cost_share = ExactDecimalField(
        required=False,
        minimum=0,
        maximum=1,
        help_text="Its part of the cost that moves, by market value of the day when left out.",
    )
    rate = ExactDecimalField(
        required=False,
        minimum=0,
        above_minimum=True,
        help_text="From the currency of what goes into its own; the day's by default.",
    )
    transaction_id = drf.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "transaction_id" not in attrs:
            for name in ("ticker", "quantity"):
                if name not in attrs:
                    raise required_error(name)
        return attrs


class ActionCashSerializer(ApiSerializer):
    currency = CurrencyCodeField()
    amount = ExactDecimalField(help_text="Received above 0, paid below 0.")
    rate = ExactDecimalField(
        required=False,
        minimum=0,
        above_minimum=True,
        help_text="Into the portfolio's currency; the day's by default.",
    )
    cost_share = ExactDecimalField(required=False, minimum=0, maximum=1)

    def validate_amount(self, amount: Decimal) -> Decimal:
        if not amount:
            raise drf.ValidationError("The amount must not be 0.", code="wrong_sign")
        return amount


class ActionSerializer(ApiSerializer):
    """What a company did to its shares."""

    answer_fields = GROUP_FIELDS

    kind = drf.ChoiceField(ACTION_KIND_CHOICES)
    holding_id = drf.UUIDField(required=False)
    out_id = drf.UUIDField(required=False)
    date = PastDateField()
    label = TextField(  # type: ignore[assignment]  # a field of the body, not of DRF
        max_length=100, required=False, allow_blank=True
    )
    quantity_out = ExactDecimalField(
        required=False, minimum=0, help_text="All that is held when left out."
    )
    targets = ActionTargetSerializer(many=True)
    cash = ActionCashSerializer(required=False)
    note = TextField(max_length=500, required=False, allow_blank=True)
    external_id = TextField(max_length=200, required=False, allow_blank=True, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "holding_id" not in attrs and "out_id" not in attrs:
            raise required_error("holding_id")
        return attrs

    def validate_targets(self, targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(targets) > MOST_TARGETS:
            raise drf.ValidationError(f"Name at most {MOST_TARGETS} targets.", code="too_many")
        return targets

    def validate_quantity_out(self, quantity: Decimal) -> Decimal | None:
        if not quantity and self.initial_data.get("kind") != Kind.SPIN_OFF:
            raise drf.ValidationError("Enter a number above 0.", code="not_above")
        return quantity


# --- Answers --------------------------------------------------------------------------------------


def is_of_shares(group: TransactionGroup) -> bool:
    """Whether the group moves shares; its `transactions` are read."""
    return any(row.holding_id is not None for row in group.transactions.all())


def sorted_legs(group: TransactionGroup) -> list[Transaction]:
    """Return the legs of a group whose `transactions` are read, what leaves first."""

    def comes_in(row: Transaction) -> bool:
        if row.holding_id is None:
            return (row.settlement_amount or 0) > 0
        return RULES[row.type].shares > 0

    return sorted(group.transactions.all(), key=lambda row: (comes_in(row), row.sequence))


def group_payload(group: TransactionGroup, *, with_states: bool = False) -> GroupPayload:
    """Show a group whose `transactions` are read."""
    legs = sorted_legs(group)
    shown = [transaction_payload(row, ()) for row in legs]
    payload = GroupPayload(
        id=group.pk,
        kind=Kind(group.kind),
        label=group.label,
        date=max(row.date for row in legs),
        portfolio_id=group.portfolio_id,
        holding_id=None,
        quantity_out=None,
        targets=[],
        cash=None,
        transactions=shown,
        cost_moved=None,
        note=group.note,
        external_id=group.external_id,
        source=shown[0].source,
        import_id=group.import_batch_id,
        warnings=[GroupWarning(code, gettext(WARNINGS[code])) for code in group.warnings],
    )
    if with_states:
        payload.before = payload.after = []
    if not is_of_shares(group):
        return payload
    out, *targets = legs
    payload.holding_id = out.holding_id
    payload.quantity_out = None if out.takes_all else strip_zeros(out.quantity)
    payload.targets = [_target_shown(row) for row in targets]
    payload.cash = _cash_shown(out)
    payload.cost_moved = cost_moved(targets)
    if with_states:
        payload.before, payload.after = group_states(legs)
    return payload


def _target_shown(row: Transaction) -> GroupTarget:
    stock = row.own_holding.stock
    return GroupTarget(
        transaction_id=row.pk,
        ticker=stock.ticker,
        currency=stock.currency,
        quantity=strip_zeros(row.quantity),
        cost_share=None if row.cost_share is None else strip_zeros(row.cost_share),
        rate=None if row.exchange_rate is None else strip_zeros(row.exchange_rate),
    )


def _cash_shown(out: Transaction) -> GroupCash | None:
    if out.settlement_amount is None:
        return None
    return GroupCash(
        currency=out.settlement_currency or out.portfolio.currency,
        amount=strip_zeros(out.settlement_amount),
        rate=None if out.exchange_rate is None else strip_zeros(out.exchange_rate),
        cost_share=None if out.cost_share is None else strip_zeros(out.cost_share),
    )


def body_of_shares(group: TransactionGroup, legs: Sequence[Transaction]) -> dict[str, Any]:
    """Return a stored group as the body of a request: what a change leaves out stays so."""
    out, *targets = legs
    body: dict[str, Any] = {"holding_id": str(out.holding_id), "note": group.note}
    if group.kind == Kind.TRANSFER:
        [arrives] = targets
        return body | {
            "quantity": out.quantity,
            "to_portfolio_id": str(arrives.portfolio_id),
            "date": max(out.date, arrives.date).isoformat(),
            "rate": arrives.exchange_rate,
            "booked_on": out.booked_on and out.booked_on.isoformat(),
        }
    shown = _cash_shown(out)
    cash = None
    if shown is not None:
        cash = {"currency": shown.currency, "amount": shown.amount, "rate": shown.rate}
        cash["cost_share"] = shown.cost_share
    return body | {
        "label": group.label,
        "external_id": group.external_id,
        "quantity_out": None if out.takes_all else out.quantity,
        "cash": cash,
        "targets": [
            {
                "ticker": row.own_holding.stock.ticker,
                "quantity": row.quantity,
                "cost_share": row.cost_share,
                "rate": row.exchange_rate,
            }
            for row in targets
        ],
    }


WARNINGS = {
    COST_SHARE_UNKNOWN: gettext_noop(
        "A cost share could not be worked out, because a price of the day is unknown. Enter it if "
        "you know it; the totals are right with any share."
    )
}


# --- From bodies ----------------------------------------------------------------------------------


def action_of(
    user: User, body: dict[str, Any], *, stands: TransactionGroup | None = None
) -> Action:
    """Return the action that a validated body describes. Raises DomainError.

    The group that `stands` may be named by its own legs.
    """
    out_row = None
    if "out_id" in body:
        out_row = _row_of(user, body["out_id"], "out_id", stands)
        holding = out_row.own_holding
        if body.get("holding_id") not in (None, holding.pk):
            raise DomainError(
                "out_id is a transaction of another holding. Leave out holding_id.",
                attr="holding_id",
                code="holding_mismatch",
            )
        body.setdefault("quantity_out", out_row.quantity)
    else:
        holding = holding_of(user, body["holding_id"])
    targets: list[NewTarget] = []
    for place, target in enumerate(body["targets"]):
        with _within(f"targets.{place}"):
            targets.append(_target_of(user, target, stands))
    cash = body.get("cash")
    return Action(
        kind=body["kind"],
        holding=holding,
        date=body["date"],
        targets=targets,
        quantity_out=body.get("quantity_out"),
        cash=None if cash is None else Cash(**cash),
        out_row=out_row if out_row is None or out_row.group_id is None else None,
    )


def _target_of(user: User, body: dict[str, Any], stands: TransactionGroup | None) -> NewTarget:
    ticker, currency = body.get("ticker"), body.get("currency")
    name = body.get("company_name", "")
    given: dict[str, Any] = {"cost_share": body.get("cost_share"), "rate": body.get("rate")}
    if "transaction_id" not in body:
        stock = marketdata.instrument_for_trade(
            user=user, ticker=ticker or "", currency=currency, company_name=name
        )
        return NewTarget(stock, body["quantity"], company_name=name, **given)
    row = _row_of(user, body["transaction_id"], "transaction_id", stands)
    stock = row.own_holding.stock
    if ticker is not None and ticker.upper() != stock.ticker:
        raise DomainError(
            f"The transaction is of {stock.ticker}. Leave out ticker.",
            attr="ticker",
            code="holding_mismatch",
        )
    quantity = body.get("quantity") or row.quantity
    return NewTarget(stock, quantity, row=row if row.group_id is None else None, **given)


def _row_of(user: User, pk: UUID, attr: str, stands: TransactionGroup | None = None) -> Transaction:
    """Return a transaction with shares that is in no group but `stands`. Raises DomainError."""
    row = _any_row_of(user, pk, attr, stands)
    if row.holding_id is None:
        raise DomainError(
            "You have no such transaction of shares.", attr=attr, code="unknown_transaction"
        )
    return row


def _any_row_of(
    user: User, pk: UUID, attr: str, stands: TransactionGroup | None = None
) -> Transaction:
    row = selectors.transactions_visible_to(user).filter(pk=pk).first()
    if row is None:
        raise DomainError("You have no such transaction.", attr=attr, code="unknown_transaction")
    if row.group_id not in (None, stands and stands.pk):
        raise DomainError(
            f"The {row.type} of {row.date} is in a group already.", attr=attr, code="part_of_group"
        )
    return row


def rows_to_link(user: User, body: dict[str, Any]) -> tuple[Transaction, Transaction]:
    """Return the two sides that a validated body names, both of shares or both of money alone.

    Raises DomainError.
    """
    out = _any_row_of(user, body["out_id"], "out_id")
    arrives = _any_row_of(user, body["in_id"], "in_id")
    if (out.holding_id is None) != (arrives.holding_id is None):
        raise DomainError(
            "One is of shares and the other of money alone.", attr="in_id", code="not_a_pair"
        )
    return out, arrives


def holding_of(user: User, pk: UUID) -> Holding:
    """Return a holding that a body names. Raises DomainError."""
    holding = selectors.holdings_visible_to(user).filter(pk=pk).first()
    if holding is None:
        raise DomainError("You have no such holding.", attr="holding_id", code="unknown_holding")
    return holding


@contextmanager
def _within(place: str) -> Iterator[None]:
    """Let an error name the part of the body that it is about."""
    try:
        yield
    except DomainError as error:
        error.attr = f"{place}.{error.attr or 'ticker'}"
        raise
