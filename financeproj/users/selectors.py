"""Reads about users' sign-ins."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from financeproj.users.models import TokenFamily

FAMILY_CLAIM = "family"
FAMILY_LIFETIME = timedelta(days=90)


def live_family(claim: object) -> TokenFamily | None:
    """Return the family that a token names, with its user; None once it has ended."""
    family_id = uuid_of(claim)
    if family_id is None:
        return None
    live = TokenFamily.objects.filter(
        ended_at=None, created_at__gt=timezone.now() - FAMILY_LIFETIME
    )
    return live.select_related("user").filter(pk=family_id).first()


def uuid_of(claim: object) -> UUID | None:
    try:
        return UUID(str(claim))
    except ValueError:
        return None
