"""The OpenAPI schema: every operation lists its error statuses and shows a real example."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, get_origin

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_array_type
from msgspec import Struct

import financeproj.core.api.payload_schema  # noqa: F401  (registers how answers are described)

ErrorType: TypeAlias = Literal["validation_error", "client_error", "server_error"]
ERROR_TYPES = get_args(ErrorType)
EXAMPLES = Path(__file__).with_name("examples.json")
REQUEST_ID = "0f0a6a1c-6f0c-4f0e-9f57-2f6f8f0f3c11"

# By status: its meaning, and an example of an error (code, detail, attr).
REFUSALS: dict[int, tuple[str, tuple[str, str, str | None]]] = {
    400: (
        "The request cannot be read",
        ("parse_error", "The body is not valid JSON: it is truncated.", None),
    ),
    401: (
        "The token is missing, invalid or expired",
        ("not_authenticated", "Sign in first.", None),
    ),
    403: (
        "The CSRF token of the session is missing",
        ("permission_denied", "CSRF Failed: CSRF token missing.", None),
    ),
    404: (
        "Not found, or another user's",
        ("not_found", "Not found.", None),
    ),
    409: ("Conflicts with stored data", ("conflict", "This contradicts what is stored.", None)),
    413: (
        "Too large",
        (
            "too_large",
            "The request is too large. JSON is limited to 2.5 MB, a file to 20 MB.",
            None,
        ),
    ),
    415: (
        "The media type is not supported",
        ("unsupported_media_type", 'Unsupported media type "text/plain".', None),
    ),
    422: (
        "A field is invalid or a rule is broken",
        ("required", "This field is required.", "name"),
    ),
    429: (
        "Too many requests, failed sign-ins, or costly requests at once (`too_many_at_once`)",
        ("throttled", "Request was throttled.", None),
    ),
    502: (
        "A third party sent an invalid answer or refused our key",
        ("upstream_bad_answer", "The source sent an invalid answer.", None),
    ),
    503: (
        "A third party or the database is unavailable",
        ("busy", "The database is busy. Try again.", None),
    ),
    504: (
        "A third party did not answer in time",
        ("upstream_timeout", "The source did not answer in time.", None),
    ),
}
RETRY_AFTER = {
    "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait."}
}


class ErrorItemPayload(Struct):
    code: str
    detail: str
    attr: str | None


class ErrorPayload(Struct):
    """The envelope of every error."""

    type: ErrorType
    errors: list[ErrorItemPayload]
    request_id: str | None


def refusals(*statuses: int) -> dict[int, Any]:
    """List error statuses for `extend_schema(responses=…)`.

    Needed only for those that do not follow from an operation's parameters and body.
    """
    return dict.fromkeys(statuses, ErrorPayload)


THIRD_PARTY = refusals(502, 503, 504)


class ApiSchema(AutoSchema):
    def get_operation_id(self) -> str:
        return super().get_operation_id().replace(".", "_")

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Also of `list[SomePayload]`, by which the operation gets its name."""
        declared = self.get_response_serializers() if serializer is None else serializer
        if isinstance(declared, dict) and declared:
            declared = declared[min(declared, key=str)]
        return get_origin(declared) is list or bool(super()._is_list_view(serializer))

    def _get_response_for_code(
        self,
        serializer: Any,
        status_code: str,
        media_types: list[str] | None = None,
        direction: str = "response",
    ) -> dict[str, Any]:
        """Describe an answer; that of `list[SomePayload]` is an array, and a page where there are
        pages.
        """
        is_list = get_origin(serializer) is list
        item = get_args(serializer)[0] if is_list else serializer
        response: dict[str, Any] = super()._get_response_for_code(
            item, status_code, media_types, direction
        )
        if is_list and not self._is_list_view(item):
            for media in response["content"].values():
                media["schema"] = build_array_type(media["schema"])
        return response

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and not parameter.get("required"):
                parameter["allowEmptyValue"] = True  # counts as absent
        error = self.resolve_serializer(ErrorPayload, "response")  # type: ignore[arg-type]
        reference = error.ref
        responses = operation["responses"]
        declared = {
            int(status)
            for status, response in responses.items()
            if response.get("content", {}).get("application/json", {}).get("schema") == reference
        }
        for status in declared:
            del responses[str(status)]
        for status in declared | self._refused(operation):
            responses.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
        operation["responses"] = dict(sorted(responses.items()))
        _show(operation, examples().get(f"{self.method} {self.path.removeprefix('/api/v1')}"))
        return operation

    def _refused(self, operation: dict[str, Any]) -> set[int]:
        """Return the error statuses that follow from the operation's parameters and body."""
        places = {parameter["in"] for parameter in operation.get("parameters", [])}
        statuses = {400, 401, 429, 503}
        if self.method != "GET" and self.view.authentication_classes:
            statuses.add(403)
        if "path" in places:
            statuses.add(404)
        if "query" in places:
            statuses |= {422}
        if "requestBody" in operation:
            statuses |= {413, 415, 422}
        return statuses


def add_refusals(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Add the error answers that operations refer to by status (a drf-spectacular hook)."""
    error = {"$ref": "#/components/schemas/Error"}
    responses = {}
    for status, (meaning, example) in REFUSALS.items():
        media = {"schema": error, "example": _envelope(status, *example)}
        responses[str(status)] = {
            "description": meaning,
            "content": {"application/json": media},
        }
    responses["429"]["headers"] = RETRY_AFTER
    result["components"]["responses"] = responses
    return result


def _error_type(status: int) -> str:
    if status == 422:
        return "validation_error"
    return "server_error" if status >= 500 else "client_error"


def _envelope(status: int, code: str, detail: str, attr: str | None) -> dict[str, Any]:
    return {
        "type": _error_type(status),
        "errors": [{"code": code, "detail": detail, "attr": attr}],
        "request_id": REQUEST_ID,
    }


@cache
def examples() -> dict[str, Any]:
    """Return real requests and answers by `METHOD /path`, as recorded by `make examples`."""
    if not EXAMPLES.exists():
        return {}
    return json.loads(EXAMPLES.read_text())


def _show(operation: dict[str, Any], example: dict[str, Any] | None) -> None:
    """Add the example to the parameters, the request and the answer."""
    if example is None:
        return
    for parameter in operation.get("parameters", []):
        if parameter["name"] in example["parameters"]:
            parameter["example"] = example["parameters"][parameter["name"]]
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media["example"] = example["request"]
    for media in operation["responses"][str(example["status"])].get("content", {}).values():
        media["example"] = example["response"]


class ExactNumber(OpenApiSerializerFieldExtension):
    target_class = "financeproj.core.api.serializers.ExactDecimalField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        """Describe a number; a request may also send it as text, with all its digits."""
        field: Any = self.target
        number: dict[str, Any] = {"type": "number"}
        if direction == "response" or field.read_only:
            return number
        if field.minimum is not None:
            number |= {"exclusiveMinimum" if field.above_minimum else "minimum": field.minimum}
        if field.maximum is not None:
            number |= {"maximum": field.maximum}
        text = {
            "type": "string",
            "pattern": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$",
            "maxLength": 100,
        }
        return {"oneOf": [number, text]}


class NullIsLeftOut(OpenApiSerializerExtension):
    target_class = "financeproj.core.api.serializers.ApiSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        """Allow null in optional fields: it counts as absent."""
        if direction == "request":
            for field in self.target.fields.values():
                if not field.read_only and (not field.required or auto_schema.method == "PATCH"):
                    field.allow_null = True
        return auto_schema._map_serializer(self.target, direction, bypass_extensions=True)


__all__ = ["THIRD_PARTY", "ApiSchema", "ErrorPayload", "refusals"]
