"""A user's export written into a file."""

from typing import IO

from financeproj.core.db.rows import snapshot
from financeproj.users.models import User
from integrations.archives import ArchiveWriter
from integrations.exports.files import BOM, FILES, KIND, VERSION, csv_lines

CHUNK = 2000


def write_export(*, user: User, file: IO[bytes]) -> dict[str, int]:
    """Write everything of `user` into `file`, as it was at one moment; file name → rows.

    Rows are read and written in chunks, so that any number of them needs little memory. There is no
    password, no token and no key in it.
    """
    archive = ArchiveWriter(file, kind=KIND, version=VERSION)
    with snapshot() as using:
        for one in FILES:
            # The subqueries of a queryset go where it goes.
            rows = one.rows(User.objects.using(using).get(pk=user.pk)).using(using)
            header = BOM.encode() + b"".join(csv_lines([one.header]))
            archive.add(
                one.name, csv_lines(rows.values_list(*one.lookups).iterator(CHUNK)), header=header
            )
    archive.close(username=user.username)
    return {entry["name"]: entry["rows"] for entry in archive.files}
