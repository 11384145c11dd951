"""Bounds on what a request brings: by the length that it states, then while it streams in.

Nothing of an upload outlives its request: files are closed, and deleted with that, however the
request ends. What a killed process leaves in FILE_UPLOAD_TEMP_DIR goes when the server starts
(gunicorn.conf.py).
"""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from financeproj.core.api.error_pages import too_large

# How much of a refused body is read and dropped after the answer, and for how long.
DROPPED_BYTES = 32_000_000
DROPPING_SECONDS = 5


def bounded_bodies(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Refuse a body that is too large before reading any of it, and close a request's uploads.

    Middleware. The body of a request without a Content-Length is empty for Django.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        is_form_with_files = request.content_type == "multipart/form-data"
        limit = (
            settings.MAX_MULTIPART_BYTES
            if is_form_with_files
            else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )
        if _stated_length(request) > limit:
            response = too_large(request)
        else:
            response = _answer_and_close_uploads(request)
        # Django has no public way to do something after the answer.
        response._resource_closers.append(  # type: ignore[attr-defined]
            lambda: _drop_unread_body(request)
        )
        return response

    def _answer_and_close_uploads(request: HttpRequest) -> HttpResponse:
        try:
            return get_response(request)
        finally:
            if request.content_type == "multipart/form-data":
                _close_uploads(request)

    return answer


def _drop_unread_body(request: HttpRequest) -> None:
    """Read what is left of the body and drop it, when the answer has been sent.

    A connection that is closed with unread data is reset, and then a client or a proxy that is
    still sending may never see the answer.
    """
    deadline = time.monotonic() + DROPPING_SECONDS
    left = DROPPED_BYTES
    while left > 0 and time.monotonic() < deadline:
        try:
            chunk = request.read(65_536)
        except UnreadablePostError:
            return  # the client is gone
        if not chunk:
            return
        left -= len(chunk)


def _stated_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # as Django reads it


def _close_uploads(request: HttpRequest) -> None:
    for handler in request.upload_handlers:
        if isinstance(handler, BoundedUploadHandler):
            handler.close_files()


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """Streams files of at most MAX_UPLOAD_BYTES together into temporary files, for signed-in users
    alone.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.received = 0
        self.files: list[TemporaryUploadedFile] = []

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        # The pages and the admin read a form to check its CSRF token, before any view asks who
        # sends it. The API sets the user that a token stands for before it reads the body.
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            raise PermissionDenied
        super().new_file(*args, **kwargs)
        self.files.append(self.file)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > settings.MAX_UPLOAD_BYTES:
            self.close_files()
            # Django's own, which becomes 413 on the pages and in the admin too
            raise RequestDataTooBig
        super().receive_data_chunk(raw_data, start)

    def close_files(self) -> None:
        """Close the files, also those that are not complete, which deletes them."""
        for file in self.files:
            file.close()
