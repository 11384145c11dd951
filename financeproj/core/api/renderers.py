"""JSON in and out with exact decimals."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from financeproj.core.errors import TooLarge


def _encode_other(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)  # lazy translations


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_encode_other)


def to_json(data: Any) -> bytes:
    """`data` as JSON: a Decimal with its exact digits as a number, a datetime in UTC with a Z, a
    UUID as text.

    Non-finite floats come out as null; a non-finite Decimal never gets this far
    (`core.fields.check_number`).
    """
    return _encoder.encode(data)


class ExactJSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else to_json(data)


class AlwaysJSON(DefaultContentNegotiation):
    """The API speaks JSON whatever `Accept` says: there is nothing to negotiate."""

    def select_renderer(
        self, request: Any, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], renderers[0].media_type


class ExactJSONParser(BaseParser):
    media_type = "application/json"
    renderer_class = ExactJSONRenderer

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The body with every fraction as an exact Decimal. NaN and Infinity are no JSON."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge("A JSON body may have 2.5 MB.")
        try:
            return _decoder.decode(body)
        except (msgspec.DecodeError, InvalidOperation, UnicodeDecodeError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {error}.") from error


_decoder = msgspec.json.Decoder(float_hook=Decimal)
