"""Large answers: 304 when the client has it already, else JSON, compressed."""

import gzip
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags
from rest_framework.request import Request

from financeproj.core.api.renderers import to_json

WORTH_COMPRESSING = 1024
# Level 1 takes a tenth of the time of the default 6, and makes JSON a tenth larger.
LEVEL = 1


def stamp(*parts: Any) -> str:
    """A short text that changes with any of `parts`, which say themselves fully by repr()."""
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def answer_unless_known(request: Request, version: str, make: Callable[[], Any]) -> HttpResponse:
    """304 if the client's `If-None-Match` names `version`, else what `make` returns, as JSON.

    `version` must change with whatever the answer is made of.
    """
    etag = f'W/"{version}"'  # weak: the compressed answer is another sequence of bytes
    known = parse_etags(request.headers.get("If-None-Match", ""))
    response: HttpResponse
    if "*" in known or version in {tag.removeprefix("W/").strip('"') for tag in known}:
        response = HttpResponseNotModified()
    else:
        body = to_json(make())
        response = HttpResponse(body, content_type="application/json")
        if len(body) > WORTH_COMPRESSING and "gzip" in request.headers.get("Accept-Encoding", ""):
            response.content = gzip.compress(body, LEVEL, mtime=0)
            response["Content-Encoding"] = "gzip"
            response["Content-Length"] = str(len(response.content))
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["Vary"] = "Accept-Encoding, Authorization, Cookie"
    return response
