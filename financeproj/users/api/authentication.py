"""Authentication by access token or session; log lines name the user from then on."""

from typing import Any

import structlog
from django.http import HttpRequest
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken

from financeproj.users.models import User
from financeproj.users.selectors import FAMILY_CLAIM, live_family


def user_of(request: HttpRequest) -> User:
    """Return the signed-in user of a request. Raises NotAuthenticated if there is none."""
    user = request.user
    if not isinstance(user, User):
        raise NotAuthenticated
    return user


class _LogsUser:
    def authenticate(self, request: Request) -> Any:
        user_and_token = super().authenticate(request)  # type: ignore[misc]
        if user_and_token is not None:
            user, _token = user_and_token
            structlog.contextvars.bind_contextvars(user_id=str(user.pk))
        return user_and_token


class TokenAuthentication(_LogsUser, JWTAuthentication):
    def get_raw_token(self, header: bytes) -> bytes | None:
        """Return the token after `Bearer` in any case: the scheme's name has none (RFC 9110)."""
        scheme, *rest = header.split(None, 1) or [b""]
        if scheme.lower() == b"bearer":
            header = b" ".join([b"Bearer", *rest])
        return super().get_raw_token(header)

    def get_user(self, validated_token: Any) -> Any:
        """Return the token's user. Raises InvalidToken once its family has ended."""
        family = live_family(validated_token.get(FAMILY_CLAIM))
        if family is None or str(family.user_id) != validated_token.get("user_id"):
            raise InvalidToken("Token has ended")
        if not family.user.is_active:
            raise AuthenticationFailed("User is inactive", code="user_inactive")
        return family.user


class BrowserSessionAuthentication(_LogsUser, SessionAuthentication):
    pass


class TokenScheme(SimpleJWTScheme):
    target_class = "financeproj.users.api.authentication.TokenAuthentication"


class BrowserSessionScheme(SessionScheme):
    target_class = "financeproj.users.api.authentication.BrowserSessionAuthentication"
