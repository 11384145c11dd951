"""JSON with exact decimals, in and out."""

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
    """Encode `data`: Decimals as numbers with their exact digits, times in UTC with a Z.

    Non-finite floats become null. Non-finite Decimals are refused on input
    (`core.db.fields.check_number`).
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
        if data is None:
            return b""
        return to_json(data)


class AlwaysJSON(DefaultContentNegotiation):
    """Answer with JSON, whatever `Accept` asks for."""

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
        """Parse the body, fractions as exact Decimals; NaN and Infinity are refused."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge("A JSON body is limited to 2.5 MB.")
        try:
            return _decoder.decode(body)
        except (msgspec.DecodeError, InvalidOperation, UnicodeDecodeError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {error}.") from error


_decoder = msgspec.json.Decoder(float_hook=Decimal)
