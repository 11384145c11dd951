"""The shape of the upload of a file."""

from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from financeproj.core.api.serializers import ApiSerializer, required_error
from integrations.statements.registry import AUTO, formats


@extend_schema_field(OpenApiTypes.STR)
class TextsField(serializers.Field):
    """JSON text of an object from text to text, as a form can carry it."""

    default_error_messages = {"invalid": "Give a JSON object from text to text."}

    def to_internal_value(self, data: Any) -> dict[str, str]:
        try:
            return msgspec.json.decode(data or "{}", type=dict[str, str])
        except (msgspec.DecodeError, TypeError, RecursionError) as error:
            raise serializers.ValidationError(
                self.error_messages["invalid"], code="invalid"
            ) from error


class ImportCsvSerializer(ApiSerializer):
    file = serializers.FileField(allow_empty_file=True)  # an empty one has an error of its own
    portfolio_id = serializers.UUIDField()
    format = serializers.ChoiceField([AUTO, *(one.name for one in formats())], default=AUTO)
    dry_run = serializers.BooleanField(default=False)
    on_error = serializers.ChoiceField(["abort", "skip"], default="abort")
    date_format = serializers.ChoiceField(["dmy", "mdy"], required=False, allow_blank=True)
    decimal = serializers.ChoiceField(["point", "comma"], required=False, allow_blank=True)
    mapping = TextsField(
        required=False, help_text="JSON for the format `mapped`: our column → theirs."
    )
    instruments = TextsField(
        required=False, help_text="JSON: an ISIN or a name of the file → its ticker. Remembered."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("mapping"):
            attrs["format"] = "mapped"
        elif attrs["format"] == "mapped":
            raise required_error("mapping", "The format mapped needs a mapping of columns.")
        return attrs
