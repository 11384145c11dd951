"""How users appear in the history."""

from financeproj.core.db.rows import fields_of
from financeproj.history.services import HistoryObject
from financeproj.users.models import User

FIELDS = (
    "username",
    "email",
    "base_currency",
    "retirement_goal_amount",
    "retirement_goal_year",
    "is_active",
    "is_staff",
    "is_superuser",
)


def user_object(user: User) -> HistoryObject:
    return HistoryObject(type="user", id=user.pk, label=user.username, owner_id=user.pk)


def user_fields(user: User) -> dict[str, object]:
    """Return what the history keeps of a user; the password is not among it."""
    return fields_of(user, FIELDS)
