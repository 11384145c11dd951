"""What a source said that is not believed, and what people answer to it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from financeproj.core.db.fields import (
    ErrorsAtFields,
    ExactDecimalField,
)
from marketdata.models.instruments import StockMetadata


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
