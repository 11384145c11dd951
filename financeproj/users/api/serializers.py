from datetime import datetime

from msgspec import Struct
from rest_framework import serializers

from financeproj.core.api.serializers import (
    ApiSerializer,
    CurrencyCodeField,
    ExactDecimalField,
    TextField,
)


class LoginSerializer(ApiSerializer):
    username = TextField(max_length=150)
    password = TextField(max_length=1024, trim_whitespace=False)


class TokensPayload(Struct, frozen=True):
    """The tokens of a signed-in user."""

    access: str
    refresh: str


class RefreshSerializer(ApiSerializer):
    refresh = TextField(max_length=4096)

    answer_fields = TokensPayload.__struct_fields__


class SignInPayload(Struct, frozen=True):
    """One attempt to sign in. `agent` is how the client describes itself."""

    at: datetime
    address: str
    agent: str
    success: bool


class UserSerializer(ApiSerializer):
    id = serializers.UUIDField(read_only=True)
    username = serializers.CharField(read_only=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    base_currency = CurrencyCodeField(required=False)
    retirement_goal_amount = ExactDecimalField(read_only=True, allow_null=True)
    retirement_goal_year = serializers.IntegerField(read_only=True, allow_null=True)
    date_joined = serializers.DateTimeField(read_only=True)

    set_by = dict.fromkeys(
        ("retirement_goal_amount", "retirement_goal_year"), "PUT /users/me/retirement-goal"
    )


class RetirementGoalSerializer(ApiSerializer):
    retirement_goal_amount = ExactDecimalField(allow_null=True, minimum=0, above_minimum=True)
    retirement_goal_year = serializers.IntegerField(allow_null=True, min_value=1, max_value=9999)

    answer_fields = tuple(UserSerializer().fields)


class PasswordSerializer(ApiSerializer):
    current_password = TextField(max_length=1024, trim_whitespace=False)
    new_password = TextField(max_length=1024, trim_whitespace=False)
