"""Model fields for exact numbers and currency codes, and the rules for their values."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from datetime import timezone as zone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from django.core.exceptions import FieldError, ValidationError
from django.db import connection, models, router
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
    """Return the latest date on earth now, which can be one day after today in TIME_ZONE."""
    return timezone.localdate(timezone=FARTHEST_AHEAD)


def begun_somewhere(day: date) -> None:
    """Raise ValidationError for a day that has not begun anywhere on earth."""
    if day > latest_day():
        not_in_future(day)


def check_number(value: Decimal, *, digits: int = SIGNIFICANT_DIGITS) -> None:
    """Raise ValidationError unless `value` is finite, in range and has few enough digits.

    `digits` limits the significant digits.
    """
    if not value.is_finite():
        raise ValidationError(_("Enter a number."), code="invalid")
    if not value:
        return
    if value.adjusted() >= MAX_MAGNITUDE:
        raise ValidationError(_("Enter a number below 10^15."), code="out_of_range")
    if value.adjusted() < -MAX_DECIMAL_PLACES:  # before a calculation rounds it to 0
        raise ValidationError(_("This number is too close to 0 to be stored."), code="too_precise")
    if significant_digits(value) > digits:
        raise ValidationError(
            _("At most %(digits)s significant digits can be stored without rounding."),
            code="too_precise",
            params={"digits": digits},
        )
    if -int(value.normalize().as_tuple().exponent) > MAX_DECIMAL_PLACES:
        raise ValidationError(
            _("At most %(places)s decimal places can be stored."),
            code="too_precise",
            params={"places": MAX_DECIMAL_PLACES},
        )


def stored_digits() -> int:
    """Return how many significant digits the database stores exactly."""
    return SIGNIFICANT_DIGITS if connection.vendor == "sqlite" else POSTGRESQL_DIGITS


SetType = TypeVar("SetType", contravariant=True)
GetType = TypeVar("GetType", covariant=True)

# The stubs have fields with the types of what is set and got; Django's classes know of none.
if TYPE_CHECKING:
    DecimalField = models.DecimalField
    CharField = models.CharField
    TextField = models.TextField
else:

    class Typed:
        def __class_getitem__(cls, types: object) -> type:
            return cls

    class DecimalField(Typed, models.DecimalField): ...

    class CharField(Typed, models.CharField): ...

    class TextField(Typed, models.TextField): ...


class ExactDecimalField(DecimalField[SetType, GetType]):
    """Store a Decimal exactly: unconstrained numeric on PostgreSQL, 15 digits on SQLite.

    Django's own field has a fixed scale: it rounds crypto prices on PostgreSQL and pads 0.1 to
    0.1000 on both. Nothing is rounded here; `check_number` refuses more digits in validation.
    """

    _pyi_private_set_type: Decimal | int
    _pyi_private_get_type: Decimal

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = MAX_MAGNITUDE + MAX_DECIMAL_PLACES
        kwargs["decimal_places"] = MAX_DECIMAL_PLACES
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def get_internal_type(self) -> str:
        # Another name than Django's, whose SQLite converter quantises to decimal_places.
        return "ExactDecimalField"

    def db_type(self, connection: Any) -> str:
        return "numeric" if connection.vendor == "postgresql" else "decimal"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        # repr() is the shortest text for this float: exact up to 15 digits.
        return Decimal(repr(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = self.to_python(value)
        if value is None or connection.vendor == "postgresql" or not isinstance(value, Decimal):
            return value
        # As a float, exact up to 15 digits. Constraints are checked before saving by comparing
        # parameters, and SQLite compares text character by character.
        return float(value)

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        if value is not None:
            check_number(value, digits=stored_digits())

    @property
    def validators(self) -> list[Any]:
        return []  # check_number replaces DecimalValidator

    def value_to_string(self, obj: Any) -> str:
        value: Decimal | None = getattr(obj, self.attname)
        if value is None:
            return ""
        return format(strip_zeros(value), "f")

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"max_digits": None, "decimal_places": None, **kwargs})


class CurrencyField(CharField[SetType, GetType]):
    """An ISO 4217 code; `currency_constraint` checks its shape in the database."""

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
    """Report a failed constraint on the last field it names, e.g. on date for (stock, date)."""

    class Meta:
        abstract = True

    def validate_constraints(self, exclude: Any = None) -> None:
        errors: dict[str, list[ValidationError]] = {}
        using = router.db_for_write(type(self), instance=self)
        for model, constraints in self.get_constraints():
            checks = _checks_without(constraints, exclude or ())
            checks_hold = self._hold(model, checks, exclude, using)
            for constraint in constraints:
                is_check = type(constraint) is models.CheckConstraint
                if is_check and (checks_hold or constraint not in checks):
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
        """Return whether all `checks` hold, with one query.

        One query each took half of the time of recording a transaction. False also if they cannot
        be checked together.
        """
        together = Q(*(one.condition for one in checks))
        named = {name for one in checks for name in _named_by(one)}
        every = self._get_field_expression_map(  # type: ignore[attr-defined]
            meta=model._meta, exclude=exclude
        )
        values = {name: every[name] for name in named & every.keys()}
        try:
            return bool(checks) and together.check(values, using=using)
        except FieldError:
            return False


def _checks_without(
    constraints: Iterable[models.BaseConstraint], exclude: Collection[str]
) -> list[models.CheckConstraint]:
    """Return the check constraints that name none of the excluded fields."""
    checks: list[models.CheckConstraint] = []
    excluded = set(exclude)
    for one in constraints:
        if type(one) is not models.CheckConstraint:
            continue
        if excluded.isdisjoint(_named_by(one)):
            checks.append(one)
    return checks


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
    """Require three capital letters in the database."""
    return models.CheckConstraint(
        condition=Q(**{f"{field}__regex": r"^[A-Z]{3}$"}),
        name=name,
        violation_error_message=_("A currency code is three capital letters."),
    )


class ExactJSONField(TextField[SetType, GetType]):
    """JSON text whose numbers keep their exact decimals: a fraction is read as a Decimal.

    Django's JSONField would make it a float. Values are objects and lists of text, numbers, dates
    and UUIDs; the latter two come back as text.
    """

    _pyi_private_set_type: dict[str, Any]  # type: ignore[assignment]
    _pyi_private_get_type: dict[str, Any]  # type: ignore[assignment]

    def get_prep_value(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):  # text is JSON already, as a backup has it
            return value
        return encode_exactly(value).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else decode_exactly(value)

    def to_python(self, value: Any) -> Any:
        return decode_exactly(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        return encode_exactly(self.value_from_object(obj)).decode()


_exact_json = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
_exact_json_decoder = msgspec.json.Decoder(float_hook=Decimal)


def encode_exactly(value: Any) -> bytes:
    return _exact_json.encode(value)


def decode_exactly(text: str) -> Any:
    return _exact_json_decoder.decode(text)
