from typing import Any

from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from financeproj.core.api.schema import refusals
from financeproj.core.api.views import ApiView
from financeproj.core.errors import DomainError
from financeproj.core.shared.proxies import client_address
from financeproj.users import services
from financeproj.users.api import serializers
from financeproj.users.api.authentication import user_of
from financeproj.users.lockout import count_failure, locked_out, seconds_locked
from financeproj.users.sign_ins import agent_of, sign_ins_of


def _tokens(refresh: RefreshToken) -> serializers.TokensPayload:
    return serializers.TokensPayload(access=str(refresh.access_token), refresh=str(refresh))


class OpenView(ApiView):
    """Serve clients without a token; an expired one in the header must not matter."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"  # RFC 6749, 5.1: tokens must not be cached
        return response


class LoginView(OpenView):
    @extend_schema(request=serializers.LoginSerializer, responses=serializers.TokensPayload)
    def post(self, request: Request) -> Response:
        form = serializers.LoginSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        username = form.validated_data["username"]
        user = authenticate(request=request._request, **form.validated_data)
        if user is None:
            if seconds := seconds_locked(request._request, username):
                raise locked_out(seconds)
            raise AuthenticationFailed(
                "The user name or the password is wrong.", code="invalid_credentials"
            )
        # Django's signal for a sign-in: stores its time and resets the count of failures.
        user_logged_in.send(sender=type(user), request=request._request, user=user)
        refresh = services.issue_tokens(
            user=user,
            address=client_address(request._request),
            agent=agent_of(request._request),
        )
        return Response(_tokens(refresh))


class RefreshView(OpenView):
    @extend_schema(request=serializers.RefreshSerializer, responses=serializers.TokensPayload)
    def post(self, request: Request) -> Response:
        """A refresh token works once: of two requests with the same one, one is refused."""
        form = serializers.RefreshSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            refresh = services.rotate_refresh_token(
                token=form.validated_data["refresh"],
                address=client_address(request._request),
                agent=agent_of(request._request),
            )
        except TokenError as error:
            raise InvalidToken(str(error)) from error
        return Response(_tokens(refresh))


class LogoutView(ApiView):
    @extend_schema(request=serializers.RefreshSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Revoke a refresh token of the signed-in user."""
        form = serializers.RefreshSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            services.revoke_refresh_token(
                user=user_of(request), token=form.validated_data["refresh"]
            )
        except TokenError as error:
            raise InvalidToken(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class SignInsView(ApiView):
    @extend_schema(responses=list[serializers.SignInPayload])
    def get(self, request: Request) -> Response:
        """Attempts to sign in as the signed-in user within 90 days, newest first, at most 1,000."""
        rows = [
            serializers.SignInPayload(row.at, row.address, row.agent, row.success)
            for row in sign_ins_of(user_of(request))
        ]
        return Response(rows)


class MeView(ApiView):
    @extend_schema(responses=serializers.UserSerializer)
    def get(self, request: Request) -> Response:
        return Response(serializers.UserSerializer(user_of(request)).data)

    @extend_schema(request=serializers.UserSerializer, responses=serializers.UserSerializer)
    def patch(self, request: Request) -> Response:
        form = serializers.UserSerializer(user_of(request), data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        user = services.update_user(user=user_of(request), **form.validated_data)
        return Response(serializers.UserSerializer(user).data)


class RetirementGoalView(ApiView):
    @extend_schema(
        request=serializers.RetirementGoalSerializer, responses=serializers.UserSerializer
    )
    def put(self, request: Request) -> Response:
        form = serializers.RetirementGoalSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = services.set_retirement_goal(
            user=user_of(request),
            amount=form.validated_data["retirement_goal_amount"],
            year=form.validated_data["retirement_goal_year"],
        )
        return Response(serializers.UserSerializer(user).data)


class PasswordView(ApiView):
    @extend_schema(request=serializers.PasswordSerializer, responses={204: None, **refusals(409)})
    def put(self, request: Request) -> Response:
        form = serializers.PasswordSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        # A stolen token must not help to guess the password.
        if seconds := seconds_locked(request._request, user_of(request).username):
            raise locked_out(seconds)
        try:
            services.change_password(user=user_of(request), **form.validated_data)
        except DomainError as error:
            if error.code == "wrong_password":
                count_failure(request._request, user_of(request).username)
            raise
        if request._request.session.session_key:
            user_of(request).refresh_from_db()
            update_session_auth_hash(request._request, user_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
