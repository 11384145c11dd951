"""Instruments of files that are looked up, and what the sources answered."""

from django.conf import settings
from django.db import models

from financeproj.core.identifiers import MAX_TICKER_LENGTH


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
