"""The column in which a leg of a group has what it carries."""

from typing import Any

from django.db import models

from financeproj.core.db.fields import TextField
from portfolios.calc.carried import Carried, decode_carried, encode_carried


class CarriedField(TextField[Carried | None, Carried | None]):
    """`portfolios.calc.carried` as JSON text, whose decimals are text too and keep their digits."""

    _pyi_private_set_type: Carried | None  # type: ignore[assignment]
    _pyi_private_get_type: Carried | None  # type: ignore[assignment]

    def get_prep_value(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):  # text is JSON already, as a backup has it
            return value
        return encode_carried(value)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Carried | None:
        return None if value is None else decode_carried(value)

    def to_python(self, value: Any) -> Any:
        return decode_carried(value) if isinstance(value, str) and value else value or None

    def value_to_string(self, obj: models.Model) -> str:
        value = self.value_from_object(obj)
        return "" if value is None else encode_carried(value)
