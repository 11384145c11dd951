"""Portfolios, their holdings and what the user entered for them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from financeproj.core.db.fields import (
    CurrencyField,
    ErrorsAtFields,
    ExactDecimalField,
    currency_constraint,
)
from financeproj.core.db.names import FOLDED, Named
from financeproj.core.identifiers import MAX_TICKER_LENGTH
from marketdata.models import StockMetadata


class CashFromBy(models.TextChoices):
    MANUAL = "manual"
    IMPORT = "import"


class Portfolio(Named, ErrorsAtFields):
    """Holdings at one broker, reported in one currency.

    `used_credit` and `cash` are the latest of the dated `PortfolioBalance` rows. From the day
    `cash_from` on, both follow from the transactions instead. `cash_from_by` is who set or cleared
    that day last; empty if nothing ever did. `version` increases with every change of the
    portfolio's transactions.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="portfolios"
    )
    name = models.CharField(max_length=100)
    name_key = models.CharField(max_length=FOLDED * 100, editable=False)
    brokerage_firm = models.CharField(max_length=100, blank=True)
    currency = CurrencyField()
    used_credit = ExactDecimalField(default=0)
    cash = ExactDecimalField(default=0)
    cash_from = models.DateField(null=True, blank=True, editable=False)
    cash_from_by = models.CharField(
        max_length=8, choices=CashFromBy, blank=True, default="", editable=False
    )
    position = models.PositiveIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    # Shares moved between it and another portfolio, so that a writer locks both.
    is_linked = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["position", "created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name_key"],
                name="portfolio_name_once_per_user",
                violation_error_message="There is a portfolio of this name already.",
                violation_error_code="duplicate_name",
            ),
            models.CheckConstraint(condition=~Q(name_key=""), name="portfolio_has_a_name"),
            models.CheckConstraint(
                condition=Q(used_credit__gte=0),
                name="portfolio_credit_not_negative",
                violation_error_message="Used credit must be 0 or more.",
            ),
            currency_constraint("currency", "portfolio_currency_is_a_code"),
            models.CheckConstraint(
                condition=Q(cash_from__isnull=True) | Q(cash_from_by__in=CashFromBy.values),
                name="portfolio_cash_from_is_set_by",
            ),
        ]


class PortfolioBalance(ErrorsAtFields):
    """Cash or used credit of a portfolio from `date` on, as the user entered it."""

    class Kind(models.TextChoices):
        CASH = "cash"
        CREDIT = "credit"

    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="balances")
    kind = models.CharField(max_length=6, choices=Kind)
    date = models.DateField()
    amount = ExactDecimalField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-date"]
        constraints = [
            models.UniqueConstraint(fields=["portfolio", "kind", "date"], name="balance_one_a_day"),
            models.CheckConstraint(
                condition=Q(kind="cash") | Q(amount__gte=0),
                name="balance_credit_not_negative",
                violation_error_message="Used credit must be 0 or more.",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["cash", "credit"]), name="balance_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.date} {self.amount}"


class OpeningBalance(ErrorsAtFields):
    """What a person said stood in a currency on the evening before the portfolio's `cash_from`.

    The transaction of type `opening` in that currency follows from it.
    """

    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="openings")
    currency = CurrencyField()
    amount = ExactDecimalField()

    class Meta:
        ordering = ["currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["portfolio", "currency"], name="opening_balance_once_a_currency"
            ),
            currency_constraint("currency", "opening_balance_currency_is_a_code"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class Holding(models.Model):
    """One instrument in one portfolio.

    The figures are the rounded result of replaying its transactions. `average_cost_per_share` is in
    the instrument's currency, the other amounts in the portfolio's. `version` increases whenever
    its transactions change.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="holdings")
    stock = models.ForeignKey(
        StockMetadata, on_delete=models.PROTECT, related_name="holdings", verbose_name="instrument"
    )
    company_name = models.CharField(max_length=200, blank=True)
    current_quantity = ExactDecimalField(default=0, editable=False)
    average_cost_per_share = ExactDecimalField(null=True, blank=True, editable=False)
    cost_basis = ExactDecimalField(default=0, editable=False)
    realised_gain = ExactDecimalField(default=0, editable=False)
    income = ExactDecimalField(default=0, editable=False)
    charges = ExactDecimalField(default=0, editable=False)
    first_transaction_on = models.DateField(null=True, blank=True, editable=False)
    last_transaction_on = models.DateField(null=True, blank=True, editable=False)
    # The day of a split of the source that could not be booked, because a later sale would exceed
    # what it leaves.
    unbooked_split_on = models.DateField(null=True, blank=True, editable=False)
    # The ids of the source's splits (`HeldBack`) that wait for the user's word about this holding,
    # with the reason of each.
    waiting_splits = models.JSONField(default=dict, blank=True, editable=False)
    # The ticker to which the instrument was renamed, where the user does not want to follow it.
    dismissed_rename = models.CharField(
        max_length=MAX_TICKER_LENGTH, blank=True, default="", editable=False
    )
    version = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["portfolio", "stock"]
        constraints = [
            models.UniqueConstraint(
                fields=["portfolio", "stock"], name="holding_once_per_portfolio"
            ),
            models.CheckConstraint(
                condition=Q(current_quantity__gte=0), name="holding_quantity_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(cost_basis__gte=0), name="holding_cost_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(current_quantity=0, average_cost_per_share__isnull=True)
                | Q(current_quantity__gt=0, average_cost_per_share__gte=0),
                name="holding_average_while_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stock} in {self.portfolio}"

    @property
    def is_closed(self) -> bool:
        return not self.current_quantity

    @property
    def name(self) -> str:
        """The user's own name of the instrument, else the source's."""
        return self.company_name or self.stock.company_name

    @property
    def is_rename_dismissed(self) -> bool:
        """Whether the user does not want to follow the new ticker of the instrument."""
        renamed_to = self.stock.renamed_to
        return bool(renamed_to) and self.dismissed_rename == renamed_to


class DismissedSplit(models.Model):
    """A split of the source that the user deleted from a holding. It is not booked again."""

    holding = models.ForeignKey(Holding, on_delete=models.CASCADE, related_name="dismissed_splits")
    date = models.DateField()
    ratio = ExactDecimalField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["holding", "date"], name="dismissed_split_once"),
            models.CheckConstraint(condition=Q(ratio__gt=0), name="dismissed_split_ratio_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.ratio}:1"
