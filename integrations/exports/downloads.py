"""Answer with a file that is written under a lease."""

from collections.abc import Callable, Hashable, Iterable
from tempfile import TemporaryFile
from typing import IO

from django.conf import settings
from django.http import FileResponse

from financeproj.core.shared.heavy_requests import heavy_request


def download(
    user_id: Hashable, write: Callable[[IO[bytes]], None], name: str, content_type: str
) -> FileResponse:
    """Answer with what `write` puts into a temporary file. Raises TooManyAtOnce.

    A fault is then an error, not a broken file, and a slow reader holds neither a snapshot of the
    database nor a lease.
    """
    file = TemporaryFile(dir=settings.VAR_DIR)  # noqa: SIM115  (the response closes it)
    try:
        with heavy_request(user_id):
            write(file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)


def csv_download(user_id: Hashable, lines: Iterable[str]) -> FileResponse:
    """Answer with lines of transactions. Raises TooManyAtOnce."""

    def write(file: IO[bytes]) -> None:
        for line in lines:
            file.write(line.encode())

    return download(user_id, write, "transactions.csv", "text/csv; charset=utf-8")
