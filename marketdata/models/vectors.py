"""Series as arrays, as reports read them."""

from django.db import models

from marketdata.models.instruments import StockMetadata
from marketdata.models.rates import CurrencyPair


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
