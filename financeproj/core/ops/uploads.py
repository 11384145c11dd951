"""Uploads are bounded while they stream in, not once they are here."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class BoundedUploadHandler(FileUploadHandler):
    """First in the chain: stops a body of more than MAX_UPLOAD_BYTES where it passes them."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > settings.MAX_UPLOAD_BYTES:
            # Django's own, which becomes 413 on the pages and in the admin too
            raise RequestDataTooBig
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
