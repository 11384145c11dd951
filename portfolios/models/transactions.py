"""The ledger: transactions, what belongs together, and the arrays made of them."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Abs

from financeproj.core.db.fields import CurrencyField, ErrorsAtFields, ExactDecimalField
from portfolios.calc.kinds import (
    ENTERED_TYPES,
    MONEY_TYPES,
    REALISING_TYPES,
    TYPES_OF_HOLDINGS,
    UNPRICED_TYPES,
    TransactionType,
)
from portfolios.models.carried import CarriedField
from portfolios.models.imports import ImportBatch
from portfolios.models.portfolios import Holding, Portfolio

TRANSACTION_TYPES = [(kind.value, kind.label) for kind in TransactionType]
TRADE_TYPE_CHOICES = [choice for choice in TRANSACTION_TYPES if choice[0] in ENTERED_TYPES]
MONEY_TYPE_CHOICES = [choice for choice in TRANSACTION_TYPES if choice[0] in MONEY_TYPES]


class TransactionSource(models.TextChoices):
    MANUAL = "manual"
    IMPORT = "import"
    MARKET_DATA = "market_data"
    DERIVED = "derived"


class TransactionGroup(ErrorsAtFields):
    """Transactions that are entered, changed and undone together, its legs."""

    class Kind(models.TextChoices):
        CONVERSION = "conversion"
        TRANSFER = "transfer"
        EXCHANGE = "exchange"
        SPIN_OFF = "spin_off"
        EXERCISE = "exercise"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="groups")
    kind = models.CharField(max_length=12, choices=Kind)
    label = models.CharField(max_length=100, blank=True)
    note = models.CharField(max_length=500, blank=True)
    external_id = models.CharField(max_length=200, null=True, blank=True)
    # Its legs stood before as rows of their own, and stay when the group is deleted.
    is_linked = models.BooleanField(default=False, editable=False)
    # The codes of what was not known when it was entered.
    warnings = models.JSONField(default=list, blank=True, editable=False)
    import_batch = models.ForeignKey(
        ImportBatch,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="groups",
        editable=False,
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.label}".strip()


# What companies do to their shares.
ACTION_KINDS = (
    TransactionGroup.Kind.EXCHANGE,
    TransactionGroup.Kind.SPIN_OFF,
    TransactionGroup.Kind.EXERCISE,
)
ACTION_KIND_CHOICES = [(kind.value, kind.label) for kind in ACTION_KINDS]
TRANSFER_KIND_CHOICES = [(TransactionGroup.Kind.TRANSFER.value, "Transfer")]


class Transaction(ErrorsAtFields):
    """One entry of a portfolio's ledger; docs/definitions.md says what each type does.

    `price`, `commission` and `tax` are in the instrument's currency, `exchange_rate` turns it into
    the portfolio's. `settlement_amount` is the broker's own signed amount in `settlement_currency`;
    empty, the formula stands, in the portfolio's currency. A row of money alone has no holding; its
    `settlement_amount` is what it moves, and `price` is that without its sign. `sequence` is the
    order of entry in the portfolio. `imported_as` is the fingerprint of the row in its file, by
    which duplicates are found even after an edit; `imported_amount` in `imported_currency`, booked
    on `imported_on`, is what it moved as it was imported. These three are empty for rows that
    earlier releases imported.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    holding = models.ForeignKey(
        Holding, on_delete=models.CASCADE, null=True, blank=True, related_name="transactions"
    )
    # Repeats holding.portfolio, so that the database can keep external ids and the order of entry
    # unique.
    portfolio = models.ForeignKey(
        Portfolio, on_delete=models.CASCADE, related_name="transactions", editable=False
    )
    type = models.CharField(max_length=20, choices=TRANSACTION_TYPES)
    date = models.DateField()
    # The day on which it counts: `date`, or the source's day of a split that the user entered a few
    # days earlier or later.
    effective_date = models.DateField(editable=False)
    sequence = models.PositiveBigIntegerField(editable=False)
    quantity = ExactDecimalField()
    price = ExactDecimalField(null=True, blank=True)
    commission = ExactDecimalField(default=0)
    tax = ExactDecimalField(default=0)
    exchange_rate = ExactDecimalField(null=True, blank=True)
    settlement_currency = CurrencyField(null=True, blank=True)
    settlement_amount = ExactDecimalField(null=True, blank=True)
    # The broker's booking day, if it is another than `date`.
    booked_on = models.DateField(null=True, blank=True)
    group = models.ForeignKey(
        TransactionGroup,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="transactions",
        editable=False,
    )
    # Of an exchange_in, its part of the cost that moves; of an exchange_out, that of the cash.
    cost_share = ExactDecimalField(null=True, blank=True, editable=False)
    # An exchange_out whose quantity is all that is held.
    takes_all = models.BooleanField(default=False, editable=False)
    # Of an exchange_in, units of its instrument's currency for one unit of the cash that was paid.
    cash_rate = ExactDecimalField(null=True, blank=True, editable=False)
    # The columns that a row had before it became a leg. Deleting the group gives them back.
    stood_as = models.JSONField(null=True, blank=True, editable=False)
    # What a leg of a group takes out or brings in; it follows from the replay of its chain.
    carried = CarriedField(null=True, blank=True, editable=False)
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
    imported_currency = CurrencyField(null=True, blank=True, editable=False)
    imported_amount = ExactDecimalField(null=True, blank=True, editable=False)
    imported_on = models.DateField(null=True, blank=True, editable=False)
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
                condition=Q(type="exchange_out", quantity=0) | Q(quantity__gt=0),
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
                condition=Q(tax__gte=0),
                name="transaction_tax_not_negative",
                violation_error_message="The tax must be 0 or more.",
            ),
            models.CheckConstraint(
                condition=Q(settlement_currency__isnull=True)
                | Q(settlement_currency__regex=r"^[A-Z]{3}$"),
                name="transaction_settlement_currency_is_a_code",
                violation_error_message="A currency code is three capital letters.",
            ),
            models.CheckConstraint(
                condition=Q(holding__isnull=False)
                | Q(
                    type__in=list(MONEY_TYPES),
                    quantity=1,
                    commission=0,
                    settlement_currency__isnull=False,
                    price=Abs("settlement_amount"),
                ),
                name="transaction_of_money_alone",
            ),
            models.CheckConstraint(
                condition=Q(holding__isnull=False)
                | Q(settlement_amount__gt=0)
                | Q(settlement_amount__lt=0),
                name="transaction_of_money_not_zero",
            ),
            models.CheckConstraint(
                condition=Q(holding__isnull=True) | Q(type__in=list(TYPES_OF_HOLDINGS)),
                name="transaction_type_of_a_holding",
            ),
            models.CheckConstraint(
                condition=~Q(type="deposit") | Q(settlement_amount__gt=0),
                name="transaction_deposit_is_positive",
            ),
            models.CheckConstraint(
                condition=~Q(type="withdrawal") | Q(settlement_amount__lt=0),
                name="transaction_withdrawal_is_negative",
            ),
            models.UniqueConstraint(
                fields=["portfolio", "settlement_currency"],
                condition=Q(type="opening"),
                name="transaction_opening_once_a_currency",
                violation_error_message="The portfolio has an opening in this currency already.",
                violation_error_code="duplicate_opening",
            ),
            models.CheckConstraint(
                condition=Q(exchange_rate__isnull=True) | Q(exchange_rate__gt=0),
                name="transaction_rate_positive",
                violation_error_message="The exchange rate must be above 0.",
            ),
            models.CheckConstraint(
                condition=Q(type__in=list(UNPRICED_TYPES))
                | Q(price__isnull=False, exchange_rate__isnull=False)
                | Q(holding__isnull=True),
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
                condition=Q(realised_gain__isnull=True) | Q(type__in=list(REALISING_TYPES)),
                name="transaction_gain_of_a_sale",
            ),
        ]
        indexes = [
            models.Index(fields=["holding", "date", "sequence"], name="transaction_ledger"),
            models.Index(fields=["portfolio", "date", "sequence"], name="transaction_newest"),
            models.Index(
                fields=["portfolio"],
                condition=models.Q(type=TransactionType.SPLIT),
                name="transaction_splits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.type} {self.quantity}"

    @property
    def is_money_alone(self) -> bool:
        return self.holding_id is None

    @property
    def own_holding(self) -> Holding:
        """The holding of a row with shares. Raises TypeError for a row of money alone."""
        if self.holding is None:
            raise TypeError(f"The {self.type} of {self.date} has no holding.")
        return self.holding

    @property
    def is_derived(self) -> bool:
        """Whether it follows from other rows, and cannot be edited."""
        return self.source == TransactionSource.DERIVED


class TransactionVector(models.Model):
    """The portfolio's transactions as arrays, at its `version` (`portfolios.reports.vectors`)."""

    portfolio = models.OneToOneField(
        Portfolio, on_delete=models.CASCADE, primary_key=True, related_name="vector"
    )
    version = models.PositiveBigIntegerField()
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.portfolio} at {self.version}"
