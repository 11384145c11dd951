"""Sign-ins and failures: their rows and log lines, and the limit per account."""

import math
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core import signing
from django.db.models import Q, QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from financeproj.core.shared.proxies import client_address, network_of
from financeproj.users.models import SignIn, User

KEPT = timedelta(days=90)
# Rows of names that no user has serve the limit alone.
KEPT_OF_UNKNOWN_NAMES = timedelta(days=1)
ACCOUNT_LIMIT = 50
ACCOUNT_PERIOD = timedelta(hours=1)
AGENT_LENGTH = 255
LISTED = 1000
PRUNED_AT_ONCE = 1000
BROWSER_COOKIE = "known_browser"
BROWSER_SALT = "financeproj.users.known_browser"
USERS_OF_A_BROWSER = 5

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def agent_of(request: HttpRequest) -> str:
    """Return the client's description of itself, cut to what is stored."""
    return str(request.META.get("HTTP_USER_AGENT", ""))[:AGENT_LENGTH]


def sign_ins_of(user: User) -> QuerySet[SignIn]:
    """Return the newest sign-ins and failures of a user within 90 days."""
    recent = SignIn.objects.filter(user=user, at__gt=timezone.now() - KEPT)
    return recent.order_by("-at", "-id")[:LISTED]


def seconds_account_locked(request: HttpRequest, username: str) -> int | None:
    """Return for how long the limit per account refuses this client, None if it does not.

    Browsers and addresses from which the account signed in are exempt, or a stranger could lock
    its owner out. Names that no user has are counted alike, or the answer would tell which exist.
    """
    now = timezone.now()
    failures = SignIn.objects.filter(
        name_key=_name_key(username), success=False, at__gt=now - ACCOUNT_PERIOD
    )
    newest = failures.order_by("-at").values_list("at", flat=True)
    oldest_that_counts = next(iter(newest[ACCOUNT_LIMIT - 1 : ACCOUNT_LIMIT]), None)
    if oldest_that_counts is None or _is_known_client(request, username):
        return None
    return max(1, math.ceil((oldest_that_counts + ACCOUNT_PERIOD - now).total_seconds()))


def _is_known_client(request: HttpRequest, username: str) -> bool:
    successes = SignIn.objects.filter(
        name_key=_name_key(username), success=True, at__gt=timezone.now() - KEPT
    )
    if successes.filter(network=network_of(client_address(request))).exists():
        return True
    users = [UUID(key) for key in _users_of_browser(request)]
    return User.objects.filter(pk__in=users, username=username).exists() if users else False


def _name_key(username: str) -> str:
    return salted_hmac("financeproj.users.sign_in", username, algorithm="sha256").hexdigest()


@receiver(user_logged_in)
def note_sign_in(request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    if request is None:
        return
    _add(request, user.get_username(), user, success=True)
    request.signed_in_user = user  # type: ignore[attr-defined]  # remember_browser reads it
    log.info("signed_in", **_described(request, user))


@receiver(user_login_failed)
def note_failure(
    credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Store and log a failure; of attempts during a lockout there is only the log line."""
    if request is None:
        return
    username = str(credentials.get("username") or "")
    user = None
    if "\0" not in username:  # PostgreSQL cannot look for it
        user = User.objects.filter(username=username).first()
    is_locked_out = bool(getattr(request, "axes_locked_out", False))
    if not is_locked_out:
        _add(request, username, user, success=False)
    log.warning("sign_in_failed", locked_out=is_locked_out, **_described(request, user))


def _add(request: HttpRequest, username: str, user: User | None, *, success: bool) -> None:
    address = client_address(request)
    SignIn.objects.create(
        user=user,
        name_key=_name_key(username),
        address=address,
        network=network_of(address),
        agent=agent_of(request),
        success=success,
    )


def _described(request: HttpRequest, user: User | None) -> dict[str, Any]:
    return {
        "user_id": str(user.pk) if user else None,
        "address": client_address(request),
        "agent": agent_of(request),
    }


def browser_cookie(request: HttpRequest, user: User) -> str:
    """Return the signed cookie by which this browser is known to have signed in `user`."""
    users = _users_of_browser(request)
    users.pop(str(user.pk), None)
    newest = list(users.items())[-(USERS_OF_A_BROWSER - 1) :]
    now = int(timezone.now().timestamp())
    return signing.dumps({**dict(newest), str(user.pk): now}, salt=BROWSER_SALT)


def _users_of_browser(request: HttpRequest) -> dict[str, int]:
    """Return {user id: time of the sign-in}, within 90 days, as the browser's cookie says."""
    try:
        users = signing.loads(request.COOKIES.get(BROWSER_COOKIE, ""), salt=BROWSER_SALT)
    except signing.BadSignature:
        return {}
    oldest = (timezone.now() - KEPT).timestamp()
    return {key: at for key, at in users.items() if at > oldest}


def prune_sign_ins() -> int:
    """Delete rows older than 90 days, of unknown names a day; return how many."""
    now = timezone.now()
    is_old = Q(at__lt=now - KEPT) | Q(user=None, at__lt=now - KEPT_OF_UNKNOWN_NAMES)
    expired = SignIn.objects.filter(is_old).order_by("at")
    deleted = 0
    while keys := list(expired.values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
        deleted += SignIn.objects.filter(pk__in=keys).delete()[0]
    return deleted
