"""The shape of the upload of a file."""

from typing import Any, TypeVar

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from financeproj.core.api.serializers import ApiSerializer, required_error
from integrations.imports.mappings import BadMapping, read_mapping
from integrations.statements.registry import AUTO, formats

Decoded = TypeVar("Decoded")


class _JsonField(serializers.Field):
    """A field whose value is JSON text, as a form can carry it."""

    def decode(self, data: Any, shape: type[Decoded]) -> Decoded:
        """Return the value in the text, an empty object for an empty text."""
        try:
            return msgspec.json.decode(data or "{}", type=shape)
        except (msgspec.DecodeError, TypeError, RecursionError) as error:
            message = self.error_messages["invalid"]
            raise serializers.ValidationError(message, code="invalid") from error


@extend_schema_field(OpenApiTypes.STR)
class TextsField(_JsonField):
    """JSON text of an object from text to text."""

    default_error_messages = {"invalid": "Give a JSON object from text to text."}

    def to_internal_value(self, data: Any) -> dict[str, str]:
        return self.decode(data, dict[str, str])


@extend_schema_field(OpenApiTypes.STR)
class MappingField(_JsonField):
    """JSON text of a mapping."""

    default_error_messages = {"invalid": "Give a JSON object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        given = self.decode(data, dict[str, Any])
        try:
            read_mapping(given)
        except BadMapping as problem:
            raise serializers.ValidationError(str(problem), code=problem.code) from problem
        return given


class ImportCsvSerializer(ApiSerializer):
    file = serializers.FileField(allow_empty_file=True)  # an empty one has an error of its own
    portfolio_id = serializers.UUIDField()
    format = serializers.ChoiceField([AUTO, *(one.name for one in formats())], default=AUTO)
    dry_run = serializers.BooleanField(default=False)
    on_error = serializers.ChoiceField(["abort", "skip"], default="abort")
    accept_opening = serializers.BooleanField(
        default=False,
        help_text="Book the shares that were held before the file begins (`opening`), at the "
        "close of the day.",
    )
    date_format = serializers.ChoiceField(["dmy", "mdy"], required=False, allow_blank=True)
    decimal = serializers.ChoiceField(["point", "comma"], required=False, allow_blank=True)
    account = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="Which of the file's accounts, as the file names it, if it has several.",
    )
    mapping = MappingField(
        required=False,
        help_text="JSON: `columns` (our column → theirs), `types` (their word → our type or "
        "`ignore`), `date_format`, `decimal`, `currency`, `ticker_suffix`, `sheet`, `skip` (lines "
        "before the header). With columns the format is `mapped`. Our columns alone, without "
        "`columns`, are taken too.",
    )
    instruments = TextsField(
        required=False,
        help_text="JSON: an ISIN, a listing of it (`ISIN:currency`), or a name of the file → its "
        "ticker. Remembered.",
    )

    save_mapping_as = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="Keep the mapping under this name. Files with the same header are read by it.",
    )

    def validate_save_mapping_as(self, name: str) -> str:
        if name.casefold() in {AUTO, *(one.name for one in formats())}:
            raise serializers.ValidationError(
                f"{name} is a format. Choose another name.", code="reserved_name"
            )
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        mapping = read_mapping(attrs.get("mapping") or {})
        if mapping.columns:
            attrs["format"] = "mapped"
        elif attrs["format"] == "mapped":
            raise required_error("mapping", "The format mapped needs a mapping of columns.")
        if attrs.get("save_mapping_as") and not mapping.columns:
            raise required_error("mapping", "A mapping that is saved needs its columns.")
        return attrs
