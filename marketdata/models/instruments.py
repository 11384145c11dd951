"""What instruments are, and their latest price."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from financeproj.core.db.fields import (
    CurrencyField,
    ErrorsAtFields,
    ExactDecimalField,
    begun_somewhere,
    currency_constraint,
)
from financeproj.core.identifiers import MAX_TICKER_LENGTH, TICKER_PATTERN


class AssetType(models.TextChoices):
    STOCK = "stock"
    ETF = "etf"
    FUND = "fund"
    BOND = "bond"
    CRYPTO = "crypto"
    INDEX = "index"
    OTHER = "other"


class StockMetadata(ErrorsAtFields):
    """An instrument: a share, fund, bond, coin or index.

    Without an `owner` all users share it, as its source describes it. Until a source has described
    it, it belongs to the user who named it, as does one that is priced by hand (`source` manual).
    `described_currency` is the currency in which a source describes an instrument that stayed the
    user's because it is in another one. `believed_name` is what the last answer that was believed
    called it: another name with another price is another company. `renamed_to` is the ticker under
    which its source listed it last, if another.
    """

    MANUAL = "manual"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ticker = models.CharField(max_length=MAX_TICKER_LENGTH)
    company_name = models.CharField(max_length=200, blank=True)
    currency = CurrencyField()
    asset_type = models.CharField(max_length=10, choices=AssetType, default=AssetType.STOCK)
    exchange = models.CharField(max_length=60, blank=True)
    exchange_timezone = models.CharField(max_length=60, blank=True)
    sector = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=100, blank=True)
    isin = models.CharField("ISIN", max_length=12, blank=True)
    source = models.CharField(max_length=20)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="instruments",
    )
    described_currency = models.CharField(max_length=3, blank=True, editable=False)
    believed_name = models.CharField(
        max_length=200,
        blank=True,
        editable=False,
        help_text="What the source's last believed answer called it.",
    )
    renamed_to = models.CharField(
        max_length=MAX_TICKER_LENGTH,
        blank=True,
        editable=False,
        help_text="The ticker under which the source lists it now.",
    )
    version = models.PositiveBigIntegerField(default=0, editable=False)
    history_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "instrument"
        ordering = ["ticker"]
        constraints = [
            models.UniqueConstraint(
                fields=["ticker"],
                condition=Q(owner__isnull=True),
                name="instrument_ticker_shared",
                violation_error_message="There is an instrument of this ticker already.",
            ),
            models.UniqueConstraint(
                fields=["owner", "ticker"],
                condition=Q(owner__isnull=False),
                name="instrument_ticker_per_owner",
                violation_error_message="The owner has an instrument of this ticker already.",
            ),
            models.CheckConstraint(
                condition=Q(ticker__regex=f"^{TICKER_PATTERN}$"),
                name="instrument_ticker_is_plain",
                violation_error_message=(
                    "A ticker is made of capital letters, digits and . - = ^ _ & +"
                ),
            ),
            models.CheckConstraint(
                condition=~Q(source="manual", owner__isnull=True),
                name="instrument_by_hand_has_owner",
                violation_error_message="An instrument priced by hand has an owner.",
            ),
            currency_constraint("currency", "instrument_currency_is_a_code"),
        ]
        indexes = [models.Index(fields=["isin"], name="instrument_isin")]

    def __str__(self) -> str:
        return self.ticker

    @property
    def is_manual(self) -> bool:
        return self.source == self.MANUAL

    @property
    def has_history(self) -> bool:
        """Whether its source was asked for the whole history, or there is none to ask."""
        return self.is_manual or self.history_fetched_at is not None

    @property
    def has_known_closes(self) -> bool:
        """Whether the stored closes count. Those of a source do once its history is known: before,
        its splits are unknown too.
        """
        return self.has_history or self.owner_id is not None

    @property
    def is_unconfirmed(self) -> bool:
        """Whether no source has described it yet: what is stored is its owner's word."""
        return self.owner_id is not None and not self.is_manual


class StockQuote(ErrorsAtFields):
    """The last known price of an instrument, in its currency's major unit."""

    stock = models.OneToOneField(
        StockMetadata, on_delete=models.CASCADE, primary_key=True, related_name="quote"
    )
    price = ExactDecimalField()
    previous_close = ExactDecimalField(null=True, blank=True)
    as_of = models.DateTimeField()
    day = models.DateField(
        validators=[begun_somewhere],
        help_text="The trading day of the price, in the exchange's zone.",
    )
    fetched_at = models.DateTimeField()
    source = models.CharField(max_length=20)

    class Meta:
        verbose_name = "quote"
        constraints = [
            models.CheckConstraint(
                condition=Q(price__gte=0),
                name="quote_price_not_negative",
                violation_error_message="The price must be 0 or more.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.stock_id} {self.price}"
