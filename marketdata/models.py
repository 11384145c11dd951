"""What instruments are and what they cost; exchange rates.

Prices and rates are written through `marketdata.services` only, which bumps the version that their
vectors carry.
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from financeproj.core.db.fields import (
    CurrencyField,
    ErrorsAtFields,
    ExactDecimalField,
    begun_somewhere,
    currency_constraint,
)
from financeproj.core.identifiers import MAX_TICKER_LENGTH, TICKER_PATTERN


class WrittenByServices(models.QuerySet[Any]):
    """Rows whose writes must bump a version: only `marketdata.services` may write in bulk."""

    def _refuse(self, what: str) -> None:
        raise TypeError(
            f"{self.model.__name__}.objects.{what} would leave its vector stale. "
            "Use marketdata.services."
        )

    def update(self, **kwargs: Any) -> int:
        self._refuse("update")
        return 0

    def delete(self) -> Any:
        self._refuse("delete")

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse("bulk_create")

    def bulk_update(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse("bulk_update")

    def as_service(self) -> "models.QuerySet[Any]":
        """Return the same rows with every write allowed, for `marketdata.services`."""
        using = self._db  # type: ignore[attr-defined]
        return models.QuerySet(self.model, query=self.query.chain(), using=using)


SeriesRows = models.Manager.from_queryset(WrittenByServices)


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
    called it: another name with another price is another company.
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


class HistoricalStockPrice(ErrorsAtFields):
    """A close as traded on its day: never adjusted for later splits or dividends, in the major
    unit.
    """

    stock = models.ForeignKey(StockMetadata, on_delete=models.CASCADE, related_name="prices")
    date = models.DateField(validators=[begun_somewhere])
    close = ExactDecimalField()
    source = models.CharField(max_length=20)

    objects = SeriesRows()

    class Meta:
        verbose_name = "close"
        ordering = ["-date"]
        constraints = [
            models.UniqueConstraint(
                fields=["stock", "date"],
                name="price_one_a_day",
                violation_error_message="That day has a price already.",
            ),
            models.CheckConstraint(
                condition=Q(close__gte=0),
                name="price_not_negative",
                violation_error_message="The price must be 0 or more.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.close}"


class StockSplit(ErrorsAtFields):
    """`ratio` new shares for one old share from the opening of `date`."""

    stock = models.ForeignKey(StockMetadata, on_delete=models.CASCADE, related_name="splits")
    date = models.DateField(validators=[begun_somewhere])
    ratio = ExactDecimalField()
    source = models.CharField(max_length=20)

    objects = SeriesRows()

    class Meta:
        verbose_name = "split"
        ordering = ["-date"]
        constraints = [
            models.UniqueConstraint(
                fields=["stock", "date"],
                name="split_one_a_day",
                violation_error_message="That day has a split already.",
            ),
            models.CheckConstraint(
                condition=Q(ratio__gt=0) & ~Q(ratio=1),
                name="split_ratio_makes_sense",
                violation_error_message="The ratio must be above 0 and not 1.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.ratio}:1"


class StockDividend(ErrorsAtFields):
    """Per share as paid, in the instrument's currency. Known from the source; never booked by
    itself.
    """

    stock = models.ForeignKey(StockMetadata, on_delete=models.CASCADE, related_name="dividends")
    date = models.DateField(validators=[begun_somewhere])
    amount = ExactDecimalField()
    source = models.CharField(max_length=20)

    absent_since = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text="The day of the first answer of the source that no longer has it.",
    )

    objects = SeriesRows()

    class Meta:
        verbose_name = "dividend"
        ordering = ["-date"]
        constraints = [
            models.UniqueConstraint(
                fields=["stock", "date"],
                name="dividend_one_a_day",
                violation_error_message="That day has a dividend already.",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="dividend_is_positive",
                violation_error_message="The amount must be above 0.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.amount}"


class CurrencyPair(models.Model):
    """One unit of `base` in `target`; carries the version of the pair's rates."""

    base = CurrencyField()
    target = CurrencyField()
    version = models.PositiveBigIntegerField(default=0, editable=False)
    fetched_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "currency pair"
        ordering = ["base", "target"]
        constraints = [
            models.UniqueConstraint(fields=["base", "target"], name="pair_once"),
            models.CheckConstraint(condition=~Q(base=F("target")), name="pair_of_two_currencies"),
            currency_constraint("base", "pair_base_is_a_code"),
            currency_constraint("target", "pair_target_is_a_code"),
        ]

    def __str__(self) -> str:
        return f"{self.base}/{self.target}"


class HistoricalExchangeRate(ErrorsAtFields):
    """Units of the pair's target for one unit of its base on `date`."""

    pair = models.ForeignKey(CurrencyPair, on_delete=models.CASCADE, related_name="rates")
    date = models.DateField(validators=[begun_somewhere])
    rate = ExactDecimalField()
    source = models.CharField(max_length=20)

    objects = SeriesRows()

    class Meta:
        verbose_name = "exchange rate"
        ordering = ["-date"]
        constraints = [
            models.UniqueConstraint(
                fields=["pair", "date"],
                name="rate_one_a_day",
                violation_error_message="That day has a rate already.",
            ),
            models.CheckConstraint(
                condition=Q(rate__gt=0),
                name="rate_is_positive",
                violation_error_message="The rate must be above 0.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.rate}"


class HeldBack(ErrorsAtFields):
    """What a source said that is not believed, or was not at first: a split, dividend, price or
    rate.

    `value` is a ratio of new shares to old ones, an amount per share, a close as traded, or a rate,
    `before` what stood before or what it was compared with. Of splits every one that a source knows
    has a row, believed ones too. A split is answered by each user (`HeldBackAnswer`), everything
    else once for all. `marketdata.services.held_back` writes the rows.
    """

    class Kind(models.TextChoices):
        SPLIT = "split", _("Split")
        DIVIDEND = "dividend", _("Dividend")
        PRICE = "price", _("Price")
        RATE = "rate", _("Exchange rate")

    class State(models.TextChoices):
        HELD_BACK = "held_back", _("Held back")
        BELIEVED = "believed", _("Believed")
        ACCEPTED = "accepted", _("Accepted")
        DISMISSED = "dismissed", _("Dismissed")
        WITHDRAWN = "withdrawn", _("Withdrawn by the source")

    class Reason(models.TextChoices):
        PRICE_FACTOR = "price_factor", _("A price factor, or a stock dividend")
        NOT_SHOWN = "not_shown", _("No close shows this split yet")
        USER_DIFFERS = "user_differs", _("You recorded another split within 7 days")
        NEEDED = "needed", _("Withdrawn by the source, but a later sale needs it")
        LARGE_DIVIDEND = "large_dividend", _("More than 20 % of the close before")
        NOT_POSITIVE = "not_positive", _("Not above 0")
        JUMP = "jump", _("Moved by more than 60 % without a split")
        UNIT_SLIP = "unit_slip", _("Looks like another unit, e.g. pence for pounds")
        UNADJUSTED = "unadjusted", _("Looks like a price before or after a split")
        OTHER_NAME = "other_name", _("The source names another company")
        OTHER_CURRENCY = "other_currency", _("The source quotes another currency")
        RESTATED = "restated", _("The source changed the close of a past day")
        FAR_FROM_ECB = "far_from_ecb", _("More than 20 % from the ECB's rate")
        FOLLOWS = "follows", _("Near a value that is held back")
        OTHER_SIDE = "other_side", _("On another level than the latest closes")
        RETURNED = "returned", _("Between a jump and the return to the level before it")
        FACTOR_OF_TEN = "factor_of_ten", _("Off by a factor of 10, 100 or 1,000")
        INVERTED = "inverted", _("Looks like the inverse rate")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=8, choices=Kind)
    stock = models.ForeignKey(
        StockMetadata,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="held_back",
        verbose_name="instrument",
    )
    pair = models.ForeignKey(
        "CurrencyPair", on_delete=models.CASCADE, null=True, blank=True, related_name="held_back"
    )
    date = models.DateField()
    value = ExactDecimalField()
    before = ExactDecimalField(null=True, blank=True)
    reason = models.CharField(max_length=20, choices=Reason, blank=True)
    state = models.CharField(max_length=9, choices=State, default=State.HELD_BACK)
    source = models.CharField(max_length=20)
    since = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(
        default=timezone.now, help_text="When the source last said it and it was held back."
    )
    absent_since = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text="The day of the first answer that no longer has this split or dividend.",
    )

    class Meta:
        verbose_name = "held-back value"
        ordering = ["-date", "-since"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "stock", "date", "value"],
                condition=~Q(state="withdrawn"),
                name="held_back_once_an_instrument",
            ),
            models.UniqueConstraint(
                fields=["kind", "pair", "date", "value"],
                condition=~Q(state="withdrawn"),
                name="held_back_once_a_pair",
            ),
            models.CheckConstraint(
                condition=Q(kind="rate", stock__isnull=True, pair__isnull=False)
                | Q(
                    kind__in=["split", "dividend", "price"],
                    stock__isnull=False,
                    pair__isnull=True,
                ),
                name="held_back_of_an_instrument_or_pair",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["held_back", "believed", "accepted", "dismissed", "withdrawn"]
                ),
                name="held_back_state_known",
            ),
        ]
        indexes = [
            models.Index(fields=["stock", "kind", "state"], name="held_back_of_stock"),
            models.Index(fields=["pair", "state"], name="held_back_of_pair"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.value}"


class HeldBackAnswer(models.Model):
    """A user's word about a split of a source, for the holdings of that user alone."""

    held_back = models.ForeignKey(HeldBack, on_delete=models.CASCADE, related_name="answers")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="held_back_answers"
    )
    accepted = models.BooleanField()
    answered_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "answer to a held-back split"
        verbose_name_plural = "answers to held-back splits"
        constraints = [
            models.UniqueConstraint(fields=["held_back", "user"], name="held_back_answered_once")
        ]

    def __str__(self) -> str:
        if self.accepted:
            return f"{self.held_back} accepted"
        return f"{self.held_back} dismissed"


class StockVector(models.Model):
    """The closes of an instrument as one float64 a calendar day from `first_day`, read only at
    `version`.
    """

    stock = models.OneToOneField(
        StockMetadata, on_delete=models.CASCADE, primary_key=True, related_name="vector"
    )
    version = models.PositiveBigIntegerField()
    first_day = models.DateField(null=True)
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.stock} at {self.version}"


class PairVector(models.Model):
    """The rates of a pair as one float64 a calendar day from `first_day`, NaN without one, read
    only at `version`.
    """

    pair = models.OneToOneField(
        CurrencyPair, on_delete=models.CASCADE, primary_key=True, related_name="vector"
    )
    version = models.PositiveBigIntegerField()
    first_day = models.DateField(null=True)
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.pair} at {self.version}"


class LookUpAnswer(models.Model):
    """What the sources said of an ISIN or a ticker that a file names.

    `found` are instruments as `InstrumentInfo` has them: none where no source knows the text, one
    without a currency where the source has no prices of the ticker.
    """

    text = models.CharField(primary_key=True, max_length=MAX_TICKER_LENGTH)
    found = models.JSONField(default=list, blank=True)
    answered_at = models.DateTimeField()

    class Meta:
        verbose_name = "answer to a look-up"
        verbose_name_plural = "answers to look-ups"

    def __str__(self) -> str:
        return self.text


class LookUp(models.Model):
    """An instrument of a user's file that waits until the worker asks the sources about it.

    It is named by its ISIN, else by the broker's `symbol`, which may be a ticker. `currency` is
    that of its rows, empty if unknown. `place` counts the user's waiting instruments, so that
    those of several users take turns.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="look_ups"
    )
    isin = models.CharField("ISIN", max_length=12, blank=True)
    symbol = models.CharField(max_length=MAX_TICKER_LENGTH, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    place = models.PositiveIntegerField()
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField()

    class Meta:
        verbose_name = "look-up"
        ordering = ["attempts", "place", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "isin", "symbol", "currency"], name="look_up_waits_once"
            )
        ]

    def __str__(self) -> str:
        return self.isin or self.symbol
