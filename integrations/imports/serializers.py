"""The shapes of requests and answers about statements."""

from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from financeproj.core.api.serializers import ApiSerializer, required_error
from integrations.imports.queue import progress_of
from integrations.statements.registry import AUTO, formats
from portfolios.models import ImportBatch
from portfolios.payloads import transaction_payload
from portfolios.services.importing import Outcome


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


# --- Answers --------------------------------------------------------------------------------------


class FormatSerializer(serializers.Serializer):
    format = serializers.CharField()
    label = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())
    example = serializers.CharField()


class RowErrorSerializer(serializers.Serializer):
    row = serializers.IntegerField(help_text="The line in the file; the header is 1.")
    column = serializers.CharField(allow_null=True)
    value = serializers.CharField(allow_null=True)
    code = serializers.CharField()
    detail = serializers.CharField()


class CandidateSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    name = serializers.CharField()
    exchange = serializers.CharField()
    currency = serializers.CharField(allow_null=True)


class ImportedInstrumentSerializer(serializers.Serializer):
    name = serializers.CharField()
    isin = serializers.CharField(allow_null=True)
    symbol = serializers.CharField(
        allow_null=True, required=False, help_text="What the broker calls it."
    )
    ticker = serializers.CharField(
        allow_null=True, help_text="null: say which it is with `instruments`."
    )
    currency = serializers.CharField(allow_null=True)
    resolved_by = serializers.CharField(allow_null=True)
    candidates = CandidateSerializer(many=True, required=False)


class IgnoredSumSerializer(serializers.Serializer):
    type = serializers.CharField()
    currency = serializers.CharField()
    count = serializers.IntegerField()
    amount = serializers.CharField()


class DivergenceSerializer(serializers.Serializer):
    row = serializers.IntegerField()
    expected = serializers.CharField()
    got = serializers.CharField()


@extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/Transaction"}})
class PreviewField(serializers.ListField):
    pass


class ImportSerializer(serializers.Serializer):
    id = serializers.UUIDField(allow_null=True)
    portfolio_id = serializers.UUIDField()
    file_name = serializers.CharField()
    format = serializers.CharField()
    encoding = serializers.CharField()
    delimiter = serializers.CharField()
    dry_run = serializers.BooleanField()
    state = serializers.ChoiceField(ImportBatch.State.choices)
    progress = serializers.FloatField()
    rows = serializers.IntegerField()
    created = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    ignored = serializers.IntegerField()
    failed = serializers.IntegerField()
    ignored_sums = IgnoredSumSerializer(many=True, help_text="What the ignored rows add up to.")
    reconciled = serializers.BooleanField(allow_null=True)
    first_divergence = DivergenceSerializer(allow_null=True)
    errors = RowErrorSerializer(many=True, help_text="At most 1,000.")
    warnings = serializers.ListField(child=serializers.CharField())
    instruments = ImportedInstrumentSerializer(many=True)
    preview = PreviewField(
        help_text="The first 50 transactions; empty in a list. Their ids are null in a dry run.",
    )
    created_at = serializers.DateTimeField(allow_null=True)


_ORDER = {name: place for place, name in enumerate((
    "row", "column", "value", "code", "detail", "type", "name", "isin", "ticker", "exchange", "currency", "resolved_by",
    "candidates", "count", "amount", "expected", "got",
))}  # fmt: skip


def _in_order(stored: Any) -> Any:
    """What a JSON column holds with its keys in one order: PostgreSQL keeps them in another."""
    if isinstance(stored, list):
        return [_in_order(one) for one in stored]
    if isinstance(stored, dict):
        return {
            name: _in_order(stored[name])
            for name in sorted(stored, key=lambda name: _ORDER.get(name, 99))
        }
    return stored


def import_json(import_batch: ImportBatch) -> dict[str, Any]:
    """A saved import, without a preview."""
    return {
        "id": import_batch.pk,
        "portfolio_id": import_batch.portfolio_id,
        "file_name": import_batch.file_name,
        "format": import_batch.format,
        "encoding": import_batch.encoding,
        "delimiter": import_batch.delimiter,
        "dry_run": False,
        "state": import_batch.state,
        "progress": progress_of(import_batch),
        "rows": import_batch.rows,
        "created": import_batch.created,
        "duplicates": import_batch.duplicates,
        "ignored": import_batch.ignored,
        "failed": import_batch.failed,
        "ignored_sums": _in_order(import_batch.ignored_sums),
        "reconciled": import_batch.reconciled,
        "first_divergence": _in_order(import_batch.first_divergence),
        "errors": _in_order(import_batch.errors),
        "warnings": import_batch.warnings,
        "instruments": _in_order(import_batch.instruments),
        "preview": [],
        "created_at": import_batch.created_at,
    }


def outcome_json(outcome: Outcome, *, dry_run: bool) -> dict[str, Any]:
    """What an import did, or would do: what was not saved has no id."""
    preview = [transaction_payload(row) for row in outcome.preview]
    if not outcome.is_saved:
        for shown in preview:
            shown.id = shown.holding_id = shown.import_id = None
    answer = import_json(outcome.import_batch) | {"dry_run": dry_run, "preview": preview}
    return answer if outcome.is_saved else answer | {"id": None}
