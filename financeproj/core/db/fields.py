"""Model fields for exact numbers and currency codes, and what rows of them must keep to."""

from collections.abc import Iterator
from datetime import date, timedelta
from datetime import timezone as zone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError, ValidationError
from django.db import models, router
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from financeproj.core.money import (
    MAX_DECIMAL_PLACES,
    MAX_MAGNITUDE,
    SIGNIFICANT_DIGITS,
    significant_digits,
    strip_zeros,
)

POSTGRESQL_DIGITS = 28
FARTHEST_AHEAD = zone(timedelta(hours=14))  # the Line Islands


def not_in_future(day: date) -> None:
    """Raise ValidationError for a day after today (in TIME_ZONE)."""
    if day > timezone.localdate():
        raise ValidationError(
            _("The date %(date)s is in the future."), code="future_date", params={"date": day}
        )


def latest_day() -> date:
    """The latest date on earth now: an exchange ahead of TIME_ZONE may have one after our today,
    none a later one.
    """
    return timezone.localdate(timezone=FARTHEST_AHEAD)


def begun_somewhere(day: date) -> None:
    """Raise ValidationError for a day that has not begun anywhere yet."""
    if day > latest_day():
        not_in_future(day)


def check_number(value: Decimal, *, digits: int = SIGNIFICANT_DIGITS) -> None:
    """Raise ValidationError unless `value` is finite, in range and needs at most `digits`
    significant digits.
    """
    if not value.is_finite():
        raise ValidationError(_("Enter a number."), code="invalid")
    if not value:
        return
    if value.adjusted() >= MAX_MAGNITUDE:
        raise ValidationError(_("Enter a number below 10^15."), code="out_of_range")
    if value.adjusted() < -MAX_DECIMAL_PLACES:  # before anything that would round it to 0
        raise ValidationError(_("This is too close to 0 to be kept."), code="too_precise")
    if significant_digits(value) > digits:
        raise ValidationError(
            _("At most %(digits)s significant digits can be kept without rounding."),
            code="too_precise",
            params={"digits": digits},
        )
    if -int(value.normalize().as_tuple().exponent) > MAX_DECIMAL_PLACES:
        raise ValidationError(
            _("At most %(places)s decimal places can be kept."),
            code="too_precise",
            params={"places": MAX_DECIMAL_PLACES},
        )


class ExactDecimalField(models.DecimalField):
    """A Decimal kept digit by digit: an unconstrained numeric on PostgreSQL, 15 significant digits
    on SQLite.

    Django's own field has a fixed scale, which would round a crypto price on PostgreSQL and pad 0.1
    to 0.1000 on both. Nothing is rounded here: what needs more digits is refused by `check_number`
    in validation.
    """

    if TYPE_CHECKING:  # on a row it is the value

        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: Any, value: Any) -> None: ...

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"], kwargs["decimal_places"] = (
            MAX_MAGNITUDE + MAX_DECIMAL_PLACES,
            MAX_DECIMAL_PLACES,
        )
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def get_internal_type(self) -> str:
        # keeps Django's SQLite converter away, which quantises to decimal_places
        return "ExactDecimalField"

    def db_type(self, connection: Any) -> str:
        return "numeric" if connection.vendor == "postgresql" else "decimal"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        # repr() is the shortest text that reads back as this float: exact for up to 15 digits.
        return Decimal(repr(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = self.to_python(value)
        if value is None or connection.vendor == "postgresql" or not isinstance(value, Decimal):
            return value
        # A number and not its text: a constraint checked before saving compares two parameters, and
        # SQLite compares texts letter by letter. 15 digits are exact as a float.
        return float(value)

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        if value is not None:
            from django.db import connection

            check_number(
                value,
                digits=SIGNIFICANT_DIGITS if connection.vendor == "sqlite" else POSTGRESQL_DIGITS,
            )

    @property
    def validators(self) -> list[Any]:
        return []  # check_number replaces DecimalValidator

    def value_to_string(self, obj: Any) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else format(strip_zeros(value), "f")

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"max_digits": None, "decimal_places": None, **kwargs})


class CurrencyField(models.CharField):
    """An ISO 4217 code. Its shape is also a constraint: see `currency_constraint`."""

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: Any, value: Any) -> None: ...

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 3
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_length"]
        return name, path, args, kwargs

    def validate(self, value: Any, model_instance: Any) -> None:
        from financeproj.core.currencies import is_currency

        super().validate(value, model_instance)
        if value and not is_currency(value):
            raise ValidationError(
                _("%(value)s is not a currency in circulation (ISO 4217)."),
                code="unknown_currency",
                params={"value": value},
            )


class ErrorsAtFields(models.Model):
    """A row of which a broken constraint is an error of the field that the constraint names last:
    of the date in "one price of an instrument on a date".
    """

    class Meta:
        abstract = True

    def validate_constraints(self, exclude: Any = None) -> None:
        errors: dict[str, list[ValidationError]] = {}
        using = router.db_for_write(type(self), instance=self)
        for model, constraints in self.get_constraints():
            checks = [one for one in constraints if type(one) is models.CheckConstraint]
            hold = self._hold(model, checks, exclude, using)
            for constraint in constraints:
                if hold and constraint in checks:
                    continue
                try:
                    constraint.validate(model, self, exclude=exclude, using=using)
                except ValidationError as error:
                    errors.setdefault(_named_by(constraint)[-1], []).append(error)
        if errors:
            raise ValidationError(errors)

    def _hold(
        self, model: Any, checks: list[models.CheckConstraint], exclude: Any, using: str
    ) -> bool:
        """Whether all `checks` hold, in one query: one each took a quarter of the time of recording
        a transaction.

        False also where that can't be said for all together, since a field is left out.
        """
        together = Q(*(one.condition for one in checks))
        values = self._get_field_expression_map(meta=model._meta, exclude=exclude)
        try:
            return bool(checks) and together.check(values, using=using)
        except FieldError:
            return False


def _named_by(constraint: Any) -> list[str]:
    if isinstance(constraint, models.UniqueConstraint):
        return list(constraint.fields)
    return [lookup.partition("__")[0] for lookup, _ in _leaves(constraint.condition)]


def _leaves(condition: Q) -> Iterator[Any]:
    for child in condition.children:
        if isinstance(child, Q):
            yield from _leaves(child)
        else:
            yield child


def currency_constraint(field: str, name: str) -> models.CheckConstraint:
    """Three capital letters, in the database itself."""
    return models.CheckConstraint(
        condition=Q(**{f"{field}__regex": r"^[A-Z]{3}$"}),
        name=name,
        violation_error_message=_("A currency code is three capital letters."),
    )
