"""What a user says of the files of a kind, kept for the next file."""

from collections.abc import Mapping, Sequence

from django.db import transaction

from financeproj.history.services import record
from financeproj.users.models import User
from portfolios.models import ImportMapping
from portfolios.services.history import mapping_object


@transaction.atomic
def save_mapping(
    *,
    user: User,
    name: str,
    format_name: str,
    mapping: Mapping[str, object],
    header: Sequence[str] = (),
) -> ImportMapping:
    """Store a mapping under a name; one of the same name is replaced."""
    User.objects.select_for_update().get(pk=user.pk)
    stored = ImportMapping.objects.filter(user=user, name=name).first()
    before = stored.mapping if stored else None
    row = stored or ImportMapping(user=user, name=name)
    if before == mapping and row.header == list(header):
        return row
    row.format, row.mapping, row.header = format_name, dict(mapping), list(header)
    row.save()
    record(
        "changed" if stored else "created",
        mapping_object(row),
        before={"mapping": before} if stored else None,
        after={"mapping": row.mapping},
    )
    return row


@transaction.atomic
def delete_mapping(row: ImportMapping) -> None:
    """Forget a saved mapping, or all words of a format."""
    forgotten = mapping_object(row)
    row.delete()
    record("deleted", forgotten, before={"mapping": row.mapping})
