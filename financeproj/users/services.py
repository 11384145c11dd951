"""Writes about users and their sign-in."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from financeproj.core.errors import Conflict, DomainError
from financeproj.users.models import User


def update_user(*, user: User, **changes: Any) -> User:
    """Set `email` and `base_currency`. Raises ValidationError."""
    for name, value in changes.items():
        setattr(user, name, value)
    user.full_clean(exclude=["password"])
    user.save(update_fields=list(changes))
    return user


def set_retirement_goal(
    *, user: User, amount: Decimal | None, year: int | None, today: date | None = None
) -> User:
    """`amount` in today's money of the base currency (above 0), due at the end of `year`; None
    clears either.
    """
    today = today or timezone.localdate()
    if year is not None and year < today.year:
        raise DomainError(
            f"The year must be {today.year} or later.",
            attr="retirement_goal_year",
            code="past_year",
        )
    return update_user(user=user, retirement_goal_amount=amount, retirement_goal_year=year)


def change_password(*, user: User, current_password: str, new_password: str) -> None:
    """Set a new password and kill every refresh token of the user.

    Raises DomainError (`wrong_password`, or the first rule the new one breaks); then nothing
    changes.
    """
    if not user.check_password(current_password):
        raise DomainError(
            "This is not your current password.", attr="current_password", code="wrong_password"
        )
    try:
        validate_password(new_password, user)
    except ValidationError as error:
        raise ValidationError({"new_password": error.error_list}) from error
    known, hashed = (
        user.password,
        make_password(new_password),
    )  # slow on purpose: before the transaction
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        if user.password != known:
            raise Conflict("The password was changed at this moment.", code="password_changed")
        user.password = hashed
        user.save(update_fields=["password"])
        revoke_refresh_tokens(user=user)


@transaction.atomic
def rotate_refresh_token(*, token: str) -> RefreshToken:
    """A new refresh token for one that has not been used yet, which is dead from now on. Raises
    TokenError.

    The user is locked first, as in change_password: a token never outlives the password that it was
    got with. One that is not listed is refused: restoring an older backup forgets which were revoked.
    """
    used = RefreshToken(token)  # type: ignore[arg-type]
    try:
        user = (
            User.objects.select_for_update().filter(pk=used.get("user_id"), is_active=True).first()
        )
    except ValidationError as error:  # no UUID
        raise TokenError("Token contained no recognizable user identification") from error
    is_listed = OutstandingToken.objects.filter(jti=used.get("jti")).exists()
    if user is None or not is_listed or not used.blacklist()[1]:
        raise TokenError("Token is blacklisted")
    return RefreshToken.for_user(user)


def revoke_refresh_token(*, user: User, token: str) -> None:
    """End one of the user's refresh tokens. Raises TokenError, also for somebody else's."""
    alive = RefreshToken(token)  # type: ignore[arg-type]
    if alive.get("user_id") != str(user.pk):
        raise TokenError("Token is invalid")
    alive.blacklist()


@transaction.atomic
def revoke_refresh_tokens(*, user: User) -> None:
    """Sign the user out everywhere; the user is locked, so that no token is rotated in between."""
    User.objects.select_for_update().get(pk=user.pk)
    alive = OutstandingToken.objects.filter(user=user, blacklistedtoken__isnull=True)
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token=token) for token in alive], ignore_conflicts=True
    )


@receiver(post_save, sender=User)
def forget_tokens_of_the_old_password(instance: User, created: bool, **kwargs: Any) -> None:
    """Also when the password was set in the admin or by `changepassword`."""
    if instance._password is not None and not created:
        revoke_refresh_tokens(user=instance)
