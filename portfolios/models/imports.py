"""Imports of files, those that wait, and what a user calls an instrument of a statement."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from financeproj.core.db.fields import CurrencyField, ErrorsAtFields, ExactDecimalField
from financeproj.core.db.names import FOLDED
from marketdata.models import StockMetadata
from portfolios.models.portfolios import Portfolio

MAX_ALIAS_LENGTH = FOLDED * 200


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
    completed = models.PositiveIntegerField(default=0)  # of the duplicates
    ignored = models.PositiveIntegerField(default=0)
    # Transactions of money alone, and groups, that were made of the rows that are `created`.
    money_created = models.PositiveIntegerField(default=0)
    groups_created = models.PositiveIntegerField(default=0)
    # Rows that moved nothing: [{type, currency, count, amount}].
    ignored_sums = models.JSONField(default=list, blank=True)
    failed = models.PositiveIntegerField(default=0)
    checkpoint_count = models.PositiveIntegerField(default=0)
    # Whether it books the shares that stood before its rows.
    accepts_opening = models.BooleanField(default=False)
    # What stood before its rows and was not booked: [{currency, amount, date} or
    # {ticker, quantity, date}].
    opening = models.JSONField(default=list, blank=True)
    reconciled = models.BooleanField(null=True, blank=True)
    first_divergence = models.JSONField(null=True, blank=True)
    errors = models.JSONField(default=list, blank=True)
    # The same put together: one for an instrument, one for a word.
    problems = models.JSONField(default=list, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    instruments = models.JSONField(default=list, blank=True)
    mapping_name = models.CharField(
        max_length=100, blank=True, help_text="The saved mapping by which the file was read."
    )
    # Transaction → external id of equal rows that existed before and took the file's id. Undo
    # removes it again.
    adopted = models.JSONField(default=dict, blank=True, editable=False)
    # Transaction → its columns before this import completed it, to which undo returns.
    completed_rows = models.JSONField(default=dict, blank=True, editable=False)
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


class Checkpoint(models.Model):
    """What a file says stood at the end of a booking day: a balance, or a number of shares.

    It is never changed, and deleted with its import. `decimals` is how many the file writes in that
    column, `row` the line with the figure, `rows_of_day` how many rows of the file were booked on
    `day`: of several checkpoints for one day, the one with the most counts.
    """

    import_batch = models.ForeignKey(
        ImportBatch, on_delete=models.CASCADE, related_name="checkpoints", verbose_name="import"
    )
    currency = CurrencyField(null=True, blank=True)
    # An instrument that no holding protects can be deleted; what files said of it goes with it.
    stock = models.ForeignKey(
        StockMetadata,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="instrument",
    )
    day = models.DateField()
    amount = ExactDecimalField()
    decimals = models.PositiveSmallIntegerField()
    row = models.PositiveIntegerField()
    rows_of_day = models.PositiveIntegerField()

    class Meta:
        ordering = ["import_batch", "day", "row"]
        constraints = [
            models.CheckConstraint(
                condition=Q(currency__isnull=False, stock__isnull=True)
                | Q(currency__isnull=True, stock__isnull=False),
                name="checkpoint_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(currency__isnull=True) | Q(currency__regex=r"^[A-Z]{3}$"),
                name="checkpoint_currency_is_a_code",
            ),
            models.CheckConstraint(
                condition=Q(row__gte=1, rows_of_day__gte=1), name="checkpoint_has_a_row"
            ),
            models.UniqueConstraint(
                fields=["import_batch", "currency", "day"],
                condition=Q(currency__isnull=False),
                name="checkpoint_of_currency_once_a_day",
            ),
            models.UniqueConstraint(
                fields=["import_batch", "stock", "day"],
                condition=Q(stock__isnull=False),
                name="checkpoint_of_stock_once_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.amount} {self.currency or self.stock}"


class KnownRows(models.Model):
    """The rows of an import that the portfolio had already: transaction → line of the file.

    If the import that recorded one of them is undone, it goes over to this one. In a table of its
    own, because it can be as long as the file.
    """

    import_batch = models.OneToOneField(
        ImportBatch, on_delete=models.CASCADE, primary_key=True, related_name="known_rows"
    )
    rows = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"Rows that {self.import_batch} knew"


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


class ImportMapping(ErrorsAtFields):
    """What a user said of the files of one kind.

    Either a `mapping` saved under a name, with the `header` of its file by which it is found again,
    or the words of a broker's own format that were given a meaning, named as that format.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="import_mappings"
    )
    name = models.CharField(max_length=100)
    format = models.CharField(max_length=30)
    mapping = models.JSONField(default=dict)
    header = models.JSONField(default=list, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "mapping of files"
        verbose_name_plural = "mappings of files"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"],
                name="import_mapping_once",
                violation_error_message="The user has a mapping of this name already.",
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="import_mapping_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name
