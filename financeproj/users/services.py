"""Writes about users and their sign-in."""

from datetime import date, timedelta
from decimal import Decimal

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from financeproj.core.errors import Conflict, DomainError
from financeproj.history.services import record
from financeproj.users.history import user_fields, user_object
from financeproj.users.models import TokenFamily, User
from financeproj.users.selectors import FAMILY_CLAIM, FAMILY_LIFETIME, live_family, uuid_of

# A client that sends one refresh token twice at once is not a thief.
DOUBLE_CALL = timedelta(seconds=10)


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
    """Set a new password and end all tokens of the user.

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


class SentToken(RefreshToken):
    """A refresh token as a client sends it, perhaps for the second time."""

    def check_blacklist(self) -> None:
        """Leave this to rotate_refresh_token, which ends the family of a token used twice."""


def issue_tokens(*, user: User, address: str, agent: str) -> RefreshToken:
    """Start a family of tokens for a user who has just signed in from `address`."""
    with transaction.atomic():
        family = TokenFamily.objects.create(user=user, address=address, agent=agent)
        return _new_token(family)


def _new_token(family: TokenFamily) -> RefreshToken:
    refresh = RefreshToken.for_user(family.user)
    refresh[FAMILY_CLAIM] = str(family.pk)
    time_left = family.created_at + FAMILY_LIFETIME - timezone.now()
    refresh.set_exp(lifetime=min(api_settings.REFRESH_TOKEN_LIFETIME, time_left))
    return refresh


def rotate_refresh_token(*, token: str, address: str, agent: str) -> RefreshToken:
    """Exchange an unused refresh token for a new one. Raises TokenError.

    A token that is used again ends its family, since either use may be a thief's; within ten
    seconds of the first use it is only refused. The user is locked first, as in change_password, so
    that no token outlives its password.
    """
    used = SentToken(token)  # type: ignore[arg-type]
    active_users = User.objects.select_for_update().filter(is_active=True)
    with transaction.atomic():
        try:
            user = active_users.filter(pk=used.get("user_id")).first()
        except ValidationError as error:  # the id is not a UUID
            raise TokenError("Token contained no recognizable user identification") from error
        successor = _successor(used, user, address, agent) if user else None
    if successor is None:  # raised here, so that the end of a family is kept
        raise TokenError("Token is blacklisted")
    return successor


def _successor(used: SentToken, user: User, address: str, agent: str) -> RefreshToken | None:
    """Return the token that follows `used`, or None if it must not be followed.

    A token that is not listed must not: a restored older backup does not know which were revoked.
    """
    now = timezone.now()
    if not OutstandingToken.objects.filter(jti=used.get("jti")).exists():
        return None
    # A token of a release without families starts one, named by its own id.
    is_of_family = FAMILY_CLAIM in used
    family_id = uuid_of(used.get(FAMILY_CLAIM) if is_of_family else used.get("jti"))
    if family_id is None:
        return None
    family = TokenFamily.objects.filter(pk=family_id, user=user).first()
    revoked = BlacklistedToken.objects.filter(token__jti=used.get("jti")).first()
    if revoked is not None:
        is_double_call = now - revoked.blacklisted_at <= DOUBLE_CALL
        if family is not None and family.ended_at is None and not is_double_call:
            end_family(family=family, action="token_reused")
        return None
    if family is None and not is_of_family:
        family = TokenFamily(pk=family_id, user=user)
    if family is None or family.ended_at or family.created_at <= now - FAMILY_LIFETIME:
        return None
    used.blacklist()
    family.last_used_at, family.address, family.agent = now, address, agent
    family.save()
    return _new_token(family)


@transaction.atomic
def end_family(*, family: TokenFamily, action: str) -> None:
    """End the access and refresh tokens of one sign-in; `action` says in the history why."""
    family.ended_at = timezone.now()
    family.save(update_fields=["ended_at"])
    record(action, user_object(family.user))


def end_all_sign_ins() -> None:
    """End every session and every token of all users, as after a restore."""
    Session.objects.all().delete()
    TokenFamily.objects.all().delete()
    OutstandingToken.objects.all().delete()


def prune_token_families() -> int:
    """Delete families that have reached their end; return how many rows. Safe to run twice."""
    oldest = timezone.now() - FAMILY_LIFETIME
    return TokenFamily.objects.filter(created_at__lt=oldest).delete()[0]


@transaction.atomic
def revoke_refresh_token(*, user: User, token: str) -> None:
    """Revoke one refresh token of the user. Raises TokenError, also for another user's token."""
    refresh_token = RefreshToken(token)  # type: ignore[arg-type]
    if refresh_token.get("user_id") != str(user.pk):
        raise TokenError("Token is invalid")
    refresh_token.blacklist()
    family = live_family(refresh_token.get(FAMILY_CLAIM))
    if family is not None:
        end_family(family=family, action="signed_out")
    else:
        record("signed_out", user_object(user))


@transaction.atomic
def revoke_refresh_tokens(*, user: User) -> None:
    """End all tokens of the user, access tokens too.

    Locks the user, so that no token is rotated meanwhile.
    """
    User.objects.select_for_update().get(pk=user.pk)
    unrevoked = OutstandingToken.objects.filter(user=user, blacklistedtoken__isnull=True)
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token=token) for token in unrevoked], ignore_conflicts=True
    )
    families = TokenFamily.objects.filter(user=user, ended_at=None)
    families.update(ended_at=timezone.now())


@receiver(pre_save, sender=OutstandingToken)
def forget_token(instance: OutstandingToken, **kwargs: object) -> None:
    """Keep the token's id and never its text, which would open the account."""
    instance.token = ""  # nosec B105  # no text


@receiver(post_save, sender=User)
def revoke_tokens_of_old_password(instance: User, created: bool, **kwargs: object) -> None:
    """Revoke them also when the admin or `changepassword` sets a password."""
    if getattr(instance, "_password", None) is None or created:
        return
    with transaction.atomic():
        revoke_refresh_tokens(user=instance)
        record("password_changed", user_object(instance))
