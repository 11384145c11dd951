"""The user of the application, the owner of portfolios and pensions."""

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from financeproj.core.db.fields import (
    CurrencyField,
    ErrorsAtFields,
    ExactDecimalField,
    currency_constraint,
)


def default_base_currency() -> str:
    return settings.DEFAULT_BASE_CURRENCY


class User(ErrorsAtFields, AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    base_currency = CurrencyField(default=default_base_currency)
    retirement_goal_amount = ExactDecimalField(null=True, blank=True)
    retirement_goal_year = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(9999)]
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            currency_constraint("base_currency", "user_base_currency_is_a_code"),
            models.CheckConstraint(
                condition=Q(retirement_goal_amount__isnull=True) | Q(retirement_goal_amount__gt=0),
                name="user_retirement_goal_is_positive",
                violation_error_message="A retirement goal is an amount above 0.",
            ),
        ]


class TokenFamily(models.Model):
    """The refresh tokens that follow one sign-in, with the access tokens made from them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    address = models.GenericIPAddressField()
    agent = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name_plural = "token families"


class SignIn(models.Model):
    """One attempt to sign in.

    `user` is `None` for an unknown name. `name_key` is a keyed hash of the name as typed, which may
    be a password typed into the wrong field. `network` is the address that limits count by.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        User,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    name_key = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    address = models.GenericIPAddressField()
    network = models.GenericIPAddressField()
    agent = models.CharField(max_length=255, blank=True)
    success = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(fields=["user", "-at"], name="sign_ins_of_user"),
            models.Index(fields=["name_key", "-at"], name="sign_ins_of_name"),
        ]
