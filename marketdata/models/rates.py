"""Pairs of currencies and their rates, by day."""

from django.db import models
from django.db.models import F, Q

from financeproj.core.db.fields import (
    CurrencyField,
    ErrorsAtFields,
    ExactDecimalField,
    begun_somewhere,
    currency_constraint,
)
from marketdata.models.series_rows import SeriesRows


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
