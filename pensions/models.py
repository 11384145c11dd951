"""Pension accounts, their values and contributions."""

import datetime
import uuid
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from financeproj.core.db.fields import (
    CurrencyField,
    ErrorsAtFields,
    ExactDecimalField,
    currency_constraint,
    not_in_future,
)
from financeproj.core.db.names import FOLDED, Named


class PensionAccounts(models.QuerySet["PensionAccount"]):
    def with_current_value(self) -> "PensionAccounts":
        """Annotate `current_value` and `current_value_date`, None without an entry."""
        latest = PensionValueEntry.objects.filter(account=OuterRef("pk")).order_by("-date")
        return self.annotate(
            current_value=Subquery(latest.values("value")[:1]),
            current_value_date=Subquery(latest.values("date")[:1]),
        )


class PensionAccount(Named, ErrorsAtFields):
    """A pension account. `ynab_account_id` is the YNAB account to fetch its balance from."""

    # What `with_current_value` adds.
    current_value: Decimal | None
    current_value_date: datetime.date | None

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pension_accounts"
    )
    name = models.CharField(max_length=100)
    name_key = models.CharField(max_length=FOLDED * 100, editable=False)
    currency = CurrencyField()
    ynab_account_id = models.CharField("YNAB account id", max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PensionAccounts.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name_key"],
                name="pension_account_name_once_per_user",
                violation_error_message="There is a pension account of this name already.",
                violation_error_code="duplicate_name",
            ),
            models.CheckConstraint(condition=~Q(name_key=""), name="pension_account_has_a_name"),
            currency_constraint("currency", "pension_account_currency_is_a_code"),
        ]


class PensionValueEntry(ErrorsAtFields):
    """The value of an account on a day, in its currency."""

    class Source(models.TextChoices):
        MANUAL = "manual"
        YNAB = "ynab"
        IMPORT = "import"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(PensionAccount, on_delete=models.CASCADE, related_name="values")
    date = models.DateField(validators=[not_in_future])
    value = ExactDecimalField()
    source = models.CharField(max_length=6, choices=Source, default=Source.MANUAL)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "pension value"
        ordering = ["-date"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "date"],
                name="pension_value_one_a_day",
                violation_error_message="The account has a value on this date already.",
                violation_error_code="duplicate_date",
            ),
            models.CheckConstraint(
                condition=Q(value__gte=0),
                name="pension_value_not_negative",
                violation_error_message="A pension value must be 0 or more.",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["manual", "ynab", "import"]),
                name="pension_value_source_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.value}"


class ContributionPlan(ErrorsAtFields):
    """Regular payments into an account: `amount`, in its currency, from `start` on.

    `growth` is the yearly rise as a fraction: from the plan's first anniversary on amount·(1 +
    growth), and so on.
    """

    class Frequency(models.TextChoices):
        MONTHLY = "monthly"
        QUARTERLY = "quarterly"
        YEARLY = "yearly"

    MONTHS = {Frequency.MONTHLY: 1, Frequency.QUARTERLY: 3, Frequency.YEARLY: 12}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(
        PensionAccount, on_delete=models.CASCADE, related_name="contributions"
    )
    amount = ExactDecimalField()
    frequency = models.CharField(max_length=9, choices=Frequency, default=Frequency.MONTHLY)
    start = models.DateField()
    end = models.DateField(
        null=True, blank=True, help_text="The last day on which something is paid."
    )
    growth = ExactDecimalField(default=0, help_text="Yearly, as a fraction: 0.03 is 3 %.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "contribution plan"
        ordering = ["start", "created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="contribution_amount_positive",
                violation_error_message="The amount must be above 0.",
            ),
            models.CheckConstraint(
                condition=Q(growth__gt=-1, growth__lte=10),
                name="contribution_growth_in_range",
                violation_error_message="The growth must be above -1 and at most 10.",
            ),
            models.CheckConstraint(
                condition=Q(end__isnull=True) | Q(end__gte=models.F("start")),
                name="contribution_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(frequency__in=["monthly", "quarterly", "yearly"]),
                name="contribution_frequency_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.frequency}"

    def clean(self) -> None:
        if self.start and self.end and self.end < self.start:
            message = _("The end must not be before the start.")
            raise ValidationError({"end": ValidationError(message, code="end_before_start")})

    @property
    def months(self) -> int:
        """Return the months from one payment to the next."""
        return self.MONTHS[self.Frequency(self.frequency)]
