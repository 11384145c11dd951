"""Portfolios, their holdings and transactions, and the imports that transactions came from."""

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
from marketdata.models import StockMetadata
from portfolios.calc.kinds import UNPRICED_TYPES, TransactionType

MAX_ALIAS_LENGTH = FOLDED * 200


class Portfolio(ErrorsAtFields, Named):
    """Holdings at one broker, reported in one currency.

    `used_credit` and `cash` are the latest of the dated `PortfolioBalance` rows. `version`
    increases with every change of the portfolio's transactions.
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
    position = models.PositiveIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0, editable=False)
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
    # The day of a split that makes the value doubtful: the source's split could not be booked
    # (a later sale would exceed what it leaves), or prices entered by hand may not include it.
    unbooked_split_on = models.DateField(null=True, blank=True, editable=False)
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


class ImportBatch(models.Model):
    """One import of one file, with its result."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        UNDONE = "undone"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    portfolio = models.ForeignKey(Portfolio, on_delete=models.CASCADE, related_name="imports")
    file_name = models.CharField(max_length=255)
    file_sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=30)
    encoding = models.CharField(max_length=20)
    delimiter = models.CharField(max_length=1)
    account = models.CharField(
        max_length=100, blank=True, help_text="The broker's number of the account."
    )
    state = models.CharField(max_length=8, choices=State, default=State.DONE)
    progress = models.FloatField(default=1)
    rows = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    ignored = models.PositiveIntegerField(default=0)
    # Rows about cash alone: [{type, currency, count, amount}].
    ignored_sums = models.JSONField(default=list, blank=True)
    failed = models.PositiveIntegerField(default=0)
    reconciled = models.BooleanField(null=True, blank=True)
    first_divergence = models.JSONField(null=True, blank=True)
    errors = models.JSONField(default=list, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    instruments = models.JSONField(default=list, blank=True)
    # Transaction → external id of equal rows that existed before and took the file's id. Undo
    # removes it again.
    adopted = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "import"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["running", "done", "failed", "undone"]),
                name="import_state_known",
            ),
            models.CheckConstraint(
                condition=Q(progress__gte=0, progress__lte=1), name="import_progress_is_a_fraction"
            ),
            models.CheckConstraint(
                condition=Q(
                    rows=models.F("created")
                    + models.F("duplicates")
                    + models.F("ignored")
                    + models.F("failed")
                )
                | ~Q(state__in=["done", "undone"]),
                name="import_counts_add_up",
            ),
        ]

    def __str__(self) -> str:
        if not self.created_at:
            return self.file_name
        return f"{self.file_name} ({self.created_at:%Y-%m-%d %H:%M})"


class PendingImport(models.Model):
    """The file of an import that waits for a worker, kept until the import is finished.

    `options` are those of the request. `attempts` counts how often a worker began: one that was
    killed leaves the row, and another worker starts again.
    """

    import_batch = models.OneToOneField(
        ImportBatch, on_delete=models.CASCADE, primary_key=True, related_name="pending"
    )
    content = models.BinaryField()
    options = models.JSONField(default=dict)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    attempts = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.import_batch)


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


class TransactionVector(models.Model):
    """The portfolio's transactions as arrays, at its `version` (`portfolios.reports.vectors`)."""

    portfolio = models.OneToOneField(
        Portfolio, on_delete=models.CASCADE, primary_key=True, related_name="vector"
    )
    version = models.PositiveBigIntegerField()
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.portfolio} at {self.version}"


class InstrumentAlias(ErrorsAtFields):
    """The ticker that a user chose for an instrument of a statement.

    `key` is an ISIN, or the broker's name as `name_key` writes it.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="instrument_aliases"
    )
    key = models.CharField(max_length=MAX_ALIAS_LENGTH)
    ticker = models.CharField(max_length=40)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "instrument of a statement"
        verbose_name_plural = "instruments of statements"
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "key"],
                name="instrument_alias_once",
                violation_error_message="The user has a ticker for this name already.",
            ),
            models.CheckConstraint(condition=~models.Q(key=""), name="instrument_alias_has_a_key"),
        ]

    def __str__(self) -> str:
        return f"{self.key} is {self.ticker}"
