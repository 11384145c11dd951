"""Serializer fields and the base class of every app's serializers."""

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from financeproj.core.api.errors import fields_of
from financeproj.core.api.unknown_names import other_name
from financeproj.core.currencies import is_currency
from financeproj.core.db.fields import check_number, stored_digits
from financeproj.core.identifiers import MAJOR_CURRENCIES, major_currency
from financeproj.core.money import strip_zeros

EARLIEST_DATE = date(1900, 1, 1)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class StrictBooleanField(serializers.BooleanField):
    """Take true and false alone: DRF also reads 0, "no" and the like."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class ExactDecimalField(serializers.Field):
    """Keep a number exactly: JSON number or numeric text in, JSON number out.

    `minimum` is inclusive unless `above_minimum`; `maximum` is inclusive.
    """

    default_error_messages = {
        "invalid": _("Enter a number."),
        "too_small": _("Enter a number of {minimum} or more."),
        "not_above": _("Enter a number above {minimum}."),
        "too_big": _("Enter a number of {maximum} or less."),
    }

    def __init__(
        self,
        *,
        minimum: int | None = None,
        above_minimum: bool = False,
        maximum: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.minimum = minimum
        self.above_minimum = above_minimum
        self.maximum = maximum
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | str | Decimal):
            self.fail("invalid")
        if isinstance(data, str) and (len(data) > 100 or "_" in data or not data.isascii()):
            self.fail("invalid")
        try:
            value = Decimal(data)
            check_number(value, digits=stored_digits())
        except InvalidOperation:
            self.fail("invalid")
        except DjangoValidationError as error:
            raise ValidationError(fields_of(error)["non_field_errors"]) from error
        if self.minimum is not None and value < self.minimum:
            self.fail("too_small", minimum=self.minimum)
        if self.above_minimum and value == self.minimum:
            self.fail("not_above", minimum=self.minimum)
        if self.maximum is not None and value > self.maximum:
            self.fail("too_big", maximum=self.maximum)
        return value + 0  # -0 becomes 0

    def to_representation(self, value: Decimal) -> Decimal:
        return strip_zeros(value)


class _OnlyText:
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):  # DRF's own field accepts an integer as text
            self.fail("invalid")  # type: ignore[attr-defined]
        return super().to_internal_value(data)  # type: ignore[misc]


class TextField(_OnlyText, serializers.CharField):
    """Accept text only, not numbers."""


class PatternField(_OnlyText, serializers.RegexField):
    """Accept text that matches a pattern, not numbers."""


class CurrencyCodeField(TextField):
    """Accept an ISO 4217 currency in circulation, upper or lower case; return upper case."""

    default_error_messages = {
        "unknown_currency": _("{code} is not a currency in circulation (ISO 4217)."),
        "minor_currency": _(
            "{code} is a hundredth of {major}. Divide prices by 100 and use {major}."
        ),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=3, max_length=3, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = str(super().to_internal_value(data))
        # upper() would turn the dotless ı of ıSK into I, and the minor units GBp and ZAc into
        # GBP and ZAR.
        has_one_case = text.isupper() or text.islower()
        code = text.upper() if text.isascii() and has_one_case else text
        if code in MAJOR_CURRENCIES:
            self.fail("minor_currency", code=text, major=major_currency(code))
        if len(code) == 3 and not is_currency(code):
            self.fail("unknown_currency", code=code)
        return code


class DayField(serializers.DateField):
    """Accept a date from 1900 on."""

    default_error_messages = {"out_of_range": _("The date must be 1900-01-01 or later.")}

    def to_internal_value(self, value: Any) -> date:
        # ISO 8601 also has 20240531 and 2024-W22-5.
        if isinstance(value, str) and not DAY.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        day: date = super().to_internal_value(value)
        if day < EARLIEST_DATE:
            self.fail("out_of_range")
        return day


class PastDateField(DayField):
    """Accept a date from 1900 to today (in TIME_ZONE)."""

    default_error_messages = {"future_date": _("The date {date} is in the future.")}

    def to_internal_value(self, value: Any) -> date:
        day = super().to_internal_value(value)
        if day > timezone.localdate():
            self.fail("future_date", date=day)
        return day


class ApiSerializer(serializers.Serializer):
    """Read a body: refuse unknown fields, and treat an optional field that is null as absent.

    Fields that only the call's answer has are ignored, so that a client can send back what it got.
    A PATCH that changes a field which another call sets is refused, if the serializer was given the
    `instance`.
    """

    answer_fields: Collection[str] = ()
    # By field: the call that sets it.
    set_by: Mapping[str, str] = {}

    def to_internal_value(self, data: Any) -> Any:
        problems: dict[str, Any] = {}
        if isinstance(data, dict):
            problems = self._unknown_fields(data) | self._fields_of_other_calls(data)
            data = {
                name: value
                for name, value in data.items()
                if value is not None or not self._may_be_absent(name)
            }
        fields = None
        try:
            fields = super().to_internal_value(data)
        except ValidationError as error:
            problems |= error.detail  # type: ignore[arg-type]
        if problems:
            raise ValidationError(problems)
        return fields

    def _may_be_absent(self, name: str) -> bool:
        """Return whether null means "absent" for the field."""
        field = self.fields.get(name)
        if field is None or field.allow_null:
            return False
        return self.partial or not field.required

    def _unknown_fields(self, data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        problems = {}
        settable = [name for name, field in self.fields.items() if not field.read_only]
        for name in data:
            if name not in self.fields and name not in self.answer_fields:
                detail = f'Unknown field "{name[:100]}". {other_name(name, settable)}'
                problems[name] = [ErrorDetail(detail, code="unknown_field")]
        return problems

    def _fields_of_other_calls(self, data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        problems: dict[str, list[ErrorDetail]] = {}
        if not self.partial or self.instance is None:
            return problems
        for name, call in self.set_by.items():
            if name in data and not is_same(data[name], getattr(self.instance, name)):
                detail = f"This call does not change {name}. Use {call}."
                problems[name] = [ErrorDetail(detail, code="read_only")]
        return problems


def is_same(given: Any, stored: Decimal | int | date | None) -> bool:
    """Compare a value of a body with a stored one; numbers as clients do, as floats."""
    if given is None or stored is None:
        return given is stored
    if isinstance(given, bool):
        return False
    if isinstance(stored, date):
        return bool(given == stored.isoformat())
    try:
        return float(given) == float(stored)
    except (TypeError, ValueError):
        return False


class NoFieldsSerializer(ApiSerializer):
    """Read the body of a call that takes no fields."""


def required_error(field: str, detail: str = "This field is required.") -> ValidationError:
    return ValidationError({field: [ErrorDetail(detail, code="required")]})
