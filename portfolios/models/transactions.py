"""The ledger: transactions, what belongs together, and the arrays made of them."""

import uuid

from django.db import models
from django.db.models import Q

from financeproj.core.db.fields import ErrorsAtFields, ExactDecimalField
from portfolios.calc.kinds import UNPRICED_TYPES, TransactionType
from portfolios.models.imports import ImportBatch
from portfolios.models.portfolios import Holding, Portfolio

TRANSACTION_TYPES = [(kind.value, kind.label) for kind in TransactionType]


class TransactionSource(models.TextChoices):
    MANUAL = "manual"
    IMPORT = "import"
    MARKET_DATA = "market_data"


class Transaction(ErrorsAtFields):
    """One entry of a holding's ledger; docs/definitions.md says what each type does.

    `price` and `commission` are in the instrument's currency, `exchange_rate` turns it into the
    portfolio's. `sequence` is the order of entry in the portfolio. `imported_as` is the
    fingerprint of the row in its file, by which duplicates are found even after an edit.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    holding = models.ForeignKey(Holding, on_delete=models.CASCADE, related_name="transactions")
    # Repeats holding.portfolio, so that the database can keep external ids and the order of entry
    # unique.
    portfolio = models.ForeignKey(
        Portfolio, on_delete=models.CASCADE, related_name="transactions", editable=False
    )
    type = models.CharField(max_length=12, choices=TRANSACTION_TYPES)
    date = models.DateField()
    # The day on which it counts: `date`, or the source's day of a split that the user entered a few
    # days earlier or later.
    effective_date = models.DateField(editable=False)
    sequence = models.PositiveBigIntegerField(editable=False)
    quantity = ExactDecimalField()
    price = ExactDecimalField(null=True, blank=True)
    commission = ExactDecimalField(default=0)
    exchange_rate = ExactDecimalField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True)
    external_id = models.CharField(max_length=200, null=True, blank=True)
    source = models.CharField(
        max_length=11, choices=TransactionSource, default=TransactionSource.MANUAL, editable=False
    )
    import_batch = models.ForeignKey(
        ImportBatch,
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="transactions",
        editable=False,
    )
    imported_as = models.CharField(max_length=200, blank=True, editable=False)
    average_cost_per_share_at_transaction = ExactDecimalField(null=True, blank=True, editable=False)
    realised_gain = ExactDecimalField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-date", "-sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["portfolio", "sequence"], name="transaction_order_of_entry"
            ),
            models.UniqueConstraint(
                fields=["portfolio", "external_id"],
                condition=Q(external_id__isnull=False),
                name="transaction_external_id_once",
                violation_error_message=(
                    "The portfolio has a transaction with this external id already."
                ),
                violation_error_code="duplicate_external_id",
            ),
            models.CheckConstraint(
                condition=~Q(external_id=""), name="transaction_external_id_not_empty"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0),
                name="transaction_quantity_positive",
                violation_error_message="The quantity must be above 0.",
            ),
            models.CheckConstraint(
                condition=Q(price__isnull=True) | Q(price__gte=0),
                name="transaction_price_not_negative",
                violation_error_message="The price must be 0 or more.",
            ),
            models.CheckConstraint(
                condition=Q(commission__gte=0),
                name="transaction_commission_not_negative",
                violation_error_message="The commission must be 0 or more.",
            ),
            models.CheckConstraint(
                condition=Q(exchange_rate__isnull=True) | Q(exchange_rate__gt=0),
                name="transaction_rate_positive",
                violation_error_message="The exchange rate must be above 0.",
            ),
            models.CheckConstraint(
                condition=Q(type__in=list(UNPRICED_TYPES))
                | Q(price__isnull=False, exchange_rate__isnull=False),
                name="transaction_has_price_and_rate",
            ),
            models.CheckConstraint(
                condition=~Q(type="split", quantity=1), name="transaction_split_changes_something"
            ),
            models.CheckConstraint(
                condition=Q(type__in=list(TransactionType)), name="transaction_type_known"
            ),
            models.CheckConstraint(
                condition=Q(source__in=TransactionSource.values), name="transaction_source_known"
            ),
            models.CheckConstraint(
                condition=Q(realised_gain__isnull=True) | Q(type="sell"),
                name="transaction_gain_of_a_sale",
            ),
        ]
        indexes = [
            models.Index(fields=["holding", "date", "sequence"], name="transaction_ledger"),
            models.Index(fields=["portfolio", "date", "sequence"], name="transaction_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.type} {self.quantity}"


class TransactionVector(models.Model):
    """The portfolio's transactions as arrays, at its `version` (`portfolios.reports.vectors`)."""

    portfolio = models.OneToOneField(
        Portfolio, on_delete=models.CASCADE, primary_key=True, related_name="vector"
    )
    version = models.PositiveBigIntegerField()
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.portfolio} at {self.version}"
