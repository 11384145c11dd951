"""Closes, splits and dividends of instruments, by day."""

from django.db import models
from django.db.models import Q

from financeproj.core.db.fields import (
    ErrorsAtFields,
    ExactDecimalField,
    begun_somewhere,
)
from marketdata.models.instruments import StockMetadata
from marketdata.models.series_rows import SeriesRows


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
