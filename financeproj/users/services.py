"""Writes about users and their sign-in."""

from datetime import date
from decimal import Decimal

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from financeproj.core.errors import Conflict, DomainError
from financeproj.history.services import record
from financeproj.users.history import user_fields, user_object
from financeproj.users.models import User


def update_user(*, user: User, **changes: object) -> User:
    """Set `email` and `base_currency`. Raises ValidationError."""
    for name, value in changes.items():
        setattr(user, name, value)
    user.full_clean(exclude=["password"])
    with transaction.atomic():
        before = user_fields(User.objects.select_for_update().get(pk=user.pk))
        user.save(update_fields=list(changes))
        record("changed", user_object(user), before=before, after=user_fields(user))
    return user


def set_retirement_goal(
    *, user: User, amount: Decimal | None, year: int | None, today: date | None = None
) -> User:
    """Set the goal: `amount` (above 0, in today's money and base currency) by the end of `year`.

    None clears either. Raises DomainError (`past_year`) and ValidationError.
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
    """Set a new password and revoke all refresh tokens of the user.

    Raises DomainError (`wrong_password`), ValidationError (a weak password) and Conflict
    (`password_changed`, by another request); then nothing changes.
    """
    if not user.check_password(current_password):
        raise DomainError(
            "The current password is wrong.", attr="current_password", code="wrong_password"
        )
    try:
        validate_password(new_password, user)
    except ValidationError as error:
        raise ValidationError({"new_password": error.error_list}) from error
    previous_hash = user.password
    new_hash = make_password(new_password)  # slow by design, therefore before the transaction
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        if user.password != previous_hash:
            raise Conflict(
                "Another request has just changed the password. Sign in again.",
                code="password_changed",
            )
        user.password = new_hash
        user.save(update_fields=["password"])
        revoke_refresh_tokens(user=user)
        record("password_changed", user_object(user))


@transaction.atomic
def rotate_refresh_token(*, token: str) -> RefreshToken:
    """Exchange an unused refresh token for a new one. Raises TokenError.

    The user is locked first, as in change_password, so that no token outlives its password. A token
    that is not listed is refused: a restored older backup does not know which were revoked.
    """
    used = RefreshToken(token)  # type: ignore[arg-type]
    active_users = User.objects.select_for_update().filter(is_active=True)
    try:
        user = active_users.filter(pk=used.get("user_id")).first()
    except ValidationError as error:  # the id is not a UUID
        raise TokenError("Token contained no recognizable user identification") from error
    is_listed = OutstandingToken.objects.filter(jti=used.get("jti")).exists()
    if user is None or not is_listed or not used.blacklist()[1]:  # type: ignore[index]
        raise TokenError("Token is blacklisted")
    return RefreshToken.for_user(user)


@transaction.atomic
def revoke_refresh_token(*, user: User, token: str) -> None:
    """Revoke one refresh token of the user. Raises TokenError, also for another user's token."""
    refresh_token = RefreshToken(token)  # type: ignore[arg-type]
    if refresh_token.get("user_id") != str(user.pk):
        raise TokenError("Token is invalid")
    refresh_token.blacklist()
    record("signed_out", user_object(user))


@transaction.atomic
def revoke_refresh_tokens(*, user: User) -> None:
    """Sign the user out everywhere, locking the user so that no token is rotated meanwhile."""
    User.objects.select_for_update().get(pk=user.pk)
    unrevoked = OutstandingToken.objects.filter(user=user, blacklistedtoken__isnull=True)
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token=token) for token in unrevoked], ignore_conflicts=True
    )


@receiver(pre_save, sender=OutstandingToken)
def forget_token(instance: OutstandingToken, **kwargs: object) -> None:
    """Keep the token's id and never its text, which would open the account."""
    instance.token = ""


@receiver(post_save, sender=User)
def revoke_tokens_of_old_password(instance: User, created: bool, **kwargs: object) -> None:
    """Revoke them also when the admin or `changepassword` sets a password."""
    if getattr(instance, "_password", None) is None or created:
        return
    with transaction.atomic():
        revoke_refresh_tokens(user=instance)
        record("password_changed", user_object(instance))
