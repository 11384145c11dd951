"""Which of the listings that sources give for one instrument a file means."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

# Of a long list only the first ones are asked for their currency.
ASKED_FOR_CURRENCY = 5


@dataclass(slots=True)
class Listing:
    """One listing of an instrument; `currency` is empty while unknown."""

    ticker: str
    name: str = ""
    exchange: str = ""
    currency: str = ""


def fitting(listings: Sequence[Listing], currency: str, asked: Container[str]) -> Listing | None:
    """Return the first listing in `currency`, None if none is certain to be meant.

    A single one is taken too, if the file gives no currency, or if its own stays unknown although
    its ticker is among those `asked`.
    """
    for listing in listings:
        if currency and listing.currency == currency:
            return listing
    if len(listings) != 1:
        return None
    [only] = listings
    if not currency or (not only.currency and only.ticker in asked):
        return only
    return None


def to_ask_about(listings: Sequence[Listing], asked: Container[str]) -> list[str]:
    """Return the tickers whose currency is to be asked for, where none of `listings` fits."""
    first = listings[:ASKED_FOR_CURRENCY]
    return [one.ticker for one in first if not one.currency and one.ticker not in asked]
