"""Write a user's export into a file."""

from typing import IO

from financeproj.core.db.rows import snapshot
from financeproj.users.models import User
from integrations.archives import ArchiveWriter
from integrations.exports.cells import BOM, csv_lines
from integrations.exports.files import KIND, VERSION, files_of

CHUNK = 2000


def write_export(*, user: User, file: IO[bytes]) -> dict[str, int]:
    """Write everything that belongs to `user`, as it is at one moment; file name → rows.

    Rows are read and written in chunks: any number of them needs little memory. The export has no
    password, token or key.
    """
    archive = ArchiveWriter(file, kind=KIND, version=VERSION)
    with snapshot() as using:
        # The subqueries of a queryset use the database of the user that they are made with.
        user = User.objects.using(using).get(pk=user.pk)
        for one in files_of(VERSION):
            rows = one.rows(user).using(using).values_list(*one.lookups)
            header = BOM.encode() + b"".join(csv_lines([one.header(VERSION)]))
            archive.add(one.name, csv_lines(rows.iterator(CHUNK)), header=header)
    archive.close(username=user.username)
    return {entry["name"]: entry["rows"] for entry in archive.files}
