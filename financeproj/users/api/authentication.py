"""Who asks: by access token or by session. From then on the lines of the log name them."""

from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken

from financeproj.users.models import User


def user_of(request: HttpRequest) -> User:
    """Return the signed-in user of a request. Raises NotAuthenticated if there is none."""
    user = request.user
    if not isinstance(user, User):
        raise NotAuthenticated
    return user


class _Logged:
    def authenticate(self, request: Request) -> Any:
        found = super().authenticate(request)  # type: ignore[misc]
        if found is not None:
            structlog.contextvars.bind_contextvars(user_id=str(found[0].pk))
        return found


class ByToken(_Logged, JWTAuthentication):
    def get_user(self, validated_token: Any) -> Any:
        try:
            return super().get_user(validated_token)
        except ValidationError as error:  # signed with our key, and its user id is no UUID
            raise InvalidToken("Token contained no recognizable user identification") from error


class BySession(_Logged, SessionAuthentication):
    pass


class ByTokenScheme(SimpleJWTScheme):
    target_class = "financeproj.users.api.authentication.ByToken"


class BySessionScheme(SessionScheme):
    target_class = "financeproj.users.api.authentication.BySession"
