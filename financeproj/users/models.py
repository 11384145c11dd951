"""The user of the application, the owner of portfolios and pensions."""

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

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
