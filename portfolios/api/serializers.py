"""The shapes of requests about portfolios."""

from typing import Any

from rest_framework import serializers

from financeproj.core.api.serializers import (
    ApiSerializer,
    CurrencyCodeField,
    DayField,
    ExactDecimalField,
    PastDateField,
    PatternField,
    StrictBooleanField,
    TextField,
    required_error,
)
from portfolios.models import MONEY_TYPE_CHOICES, TRADE_TYPE_CHOICES
from portfolios.payloads import PortfolioPayload, TransactionPayload
from portfolios.valuation import ValuedHolding


class PortfolioInputSerializer(ApiSerializer):
    name = TextField(max_length=100)
    brokerage_firm = TextField(max_length=100, required=False, allow_blank=True)
    currency = CurrencyCodeField()
    used_credit = ExactDecimalField(required=False, minimum=0)

    answer_fields = PortfolioPayload.__struct_fields__
    set_by = {
        "cash": "PUT /portfolios/{id}/cash",
        "cash_from": "PUT /portfolios/{id}/cash-from",
        "position": "PUT /portfolios/order",
    }


class UsedCreditSerializer(ApiSerializer):
    answer_fields = PortfolioPayload.__struct_fields__

    used_credit = ExactDecimalField(minimum=0)
    date = PastDateField(required=False)


# The answer of `GET /portfolios/{id}/cash`.
CASH_FIELDS = ("cash_from", "cash", "used_credit", "currencies", "missing", "missing_why")


class CashSerializer(ApiSerializer):
    answer_fields = (*PortfolioPayload.__struct_fields__, *CASH_FIELDS)

    cash = ExactDecimalField()
    date = PastDateField(required=False)


class OpeningSerializer(ApiSerializer):
    currency = CurrencyCodeField()
    amount = ExactDecimalField()


class CashFromSerializer(ApiSerializer):
    answer_fields = CASH_FIELDS

    cash_from = PastDateField(allow_null=True)
    opening = OpeningSerializer(many=True, required=False)

    def validate_opening(self, openings: list[dict[str, Any]]) -> list[dict[str, Any]]:
        currencies = {one["currency"] for one in openings}
        if len(currencies) != len(openings):
            raise serializers.ValidationError("Name each currency once.", code="duplicate_opening")
        return openings


class OrderSerializer(ApiSerializer):
    ids = serializers.ListField(child=serializers.UUIDField(), max_length=10_000)


class HoldingInputSerializer(ApiSerializer):
    company_name = TextField(max_length=200, required=False, allow_blank=True)
    rename_dismissed = StrictBooleanField(
        required=False, help_text="Whether to stay with the ticker, not to follow `renamed_to`."
    )

    answer_fields = ValuedHolding.__struct_fields__

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise required_error("company_name")
        return attrs


class BookedSerializer(ApiSerializer):
    """The fields that every transaction has."""

    date = PastDateField()
    tax = ExactDecimalField(
        required=False, minimum=0, help_text="Withheld tax, stamp duty, transaction tax."
    )
    settlement_currency = CurrencyCodeField(
        required=False, help_text="What the money went through; the portfolio's by default."
    )
    booked_on = DayField(
        required=False, allow_null=True, help_text="The broker's booking day, if not `date`."
    )
    note = TextField(max_length=500, required=False, allow_blank=True)
    external_id = TextField(max_length=200, required=False, allow_blank=True, allow_null=True)

    answer_fields = TransactionPayload.__struct_fields__


class TransactionChangeSerializer(BookedSerializer):
    """The fields of a transaction that can be given, and given again in an edit."""

    type = serializers.ChoiceField(TRADE_TYPE_CHOICES)
    quantity = ExactDecimalField(minimum=0, above_minimum=True)
    price = ExactDecimalField(
        required=False, minimum=0, help_text="Not needed for split and transfer_out."
    )
    commission = ExactDecimalField(required=False, minimum=0)
    exchange_rate = ExactDecimalField(
        required=False,
        minimum=0,
        above_minimum=True,
        help_text="Looked up on the date when left out.",
    )
    settlement_amount = ExactDecimalField(
        required=False,
        allow_null=True,
        help_text="The broker's own signed amount; without it, the formula stands.",
    )
    force = StrictBooleanField(
        required=False, help_text="Record a split that the holding has already."
    )


class ShareLegSerializer(TransactionChangeSerializer):
    """A leg of a transfer of shares."""

    type = serializers.ChoiceField(TRADE_TYPE_CHOICES, required=False)


class MoneyChangeSerializer(BookedSerializer):
    """The fields of a transaction of money alone.

    `amount` is signed as it moves the balance. A body with `settlement_amount` is read by that.
    """

    type = serializers.ChoiceField(MONEY_TYPE_CHOICES)
    amount = ExactDecimalField(required=False)
    settlement_amount = ExactDecimalField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and data.get("settlement_amount") is not None:
            data = {name: value for name, value in data.items() if name != "amount"}
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        amount = attrs.pop("amount", None)
        if amount is not None:
            attrs.setdefault("settlement_amount", amount)
        if "settlement_amount" not in attrs and not self.partial:
            raise required_error("amount")
        return attrs


class MoneyInputSerializer(MoneyChangeSerializer):
    """A transaction of money alone."""

    portfolio_id = serializers.UUIDField()
    currency = CurrencyCodeField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        for name in ("holding_id", "ticker"):
            if self.initial_data.get(name) is not None:
                detail = f"A {attrs['type']} has no instrument. Leave out {name}."
                raise serializers.ValidationError({name: [detail]})
        currency = attrs.pop("currency", None)
        settled_in = attrs.setdefault("settlement_currency", currency)
        if currency is not None and currency != settled_in:
            raise serializers.ValidationError(
                {
                    "currency": [
                        serializers.ErrorDetail(
                            "currency and settlement_currency differ. Give one of them.",
                            code="currency_mismatch",
                        )
                    ]
                }
            )
        return attrs


class TransactionInputSerializer(TransactionChangeSerializer):
    """`holding_id`, or `portfolio_id` with `ticker`."""

    holding_id = serializers.UUIDField(required=False)
    portfolio_id = serializers.UUIDField(required=False)
    ticker = PatternField(r"^[A-Za-z0-9.^=_&+-]+$", max_length=40, required=False)
    company_name = TextField(max_length=200, required=False, allow_blank=True)
    currency = CurrencyCodeField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "holding_id" not in attrs:
            missing = [name for name in ("portfolio_id", "ticker") if name not in attrs]
            if missing:
                detail = "Give holding_id, or portfolio_id and ticker."
                raise serializers.ValidationError(
                    {name: [serializers.ErrorDetail(detail, code="required")] for name in missing}
                )
        return attrs
