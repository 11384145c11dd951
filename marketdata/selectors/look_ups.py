"""Read what the sources said of ISINs and tickers of files, and what still waits for an answer."""

from collections.abc import Collection, Iterable
from datetime import timedelta

import msgspec
from django.db.models import Q
from django.utils import timezone

from financeproj.users.models import User
from marketdata.models import LookUp, LookUpAnswer
from marketdata.sources import InstrumentInfo

# How long it stands that no source knows a text.
NOTHING_STANDS = timedelta(days=1)

# An instrument that waits: its ISIN, the broker's symbol and the currency of its rows.
Key = tuple[str, str, str]


def answers_to(texts: Collection[str]) -> dict[str, list[InstrumentInfo]]:
    """Return what the sources said, by ISIN or ticker; texts without a valid answer are absent."""
    if not texts:
        return {}
    stands = ~Q(found=[]) | Q(answered_at__gt=timezone.now() - NOTHING_STANDS)
    rows = LookUpAnswer.objects.filter(stands, text__in=texts)
    answers: dict[str, list[InstrumentInfo]] = {}
    for text, found in rows.values_list("text", "found"):
        answers[text] = msgspec.convert(found, list[InstrumentInfo])
    return answers


def waiting_keys(user: User) -> set[Key]:
    """Return what of the user waits for the worker."""
    rows = LookUp.objects.filter(user=user)
    return set(rows.values_list("isin", "symbol", "currency"))


def waiting_look_ups(limit: int, without: Iterable[int]) -> list[LookUp]:
    """Return the next look-ups for the worker: the least often tried, the users taking turns."""
    return list(LookUp.objects.exclude(pk__in=without)[:limit])
