"""Ask YNAB through the gateway: one call for a thing at a time, limits, circuit and deadline."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils.crypto import salted_hmac

from integrations.ynab.client import UnknownToYnab
from marketdata import gateway
from marketdata.sources import KeyRefused

# YNAB allows 200 requests an hour a token, which other programs of the user may use too.
PARTY = gateway.Party("ynab", calls_per_second=2, burst=20, calls_per_hour=60)

ROOT_CACHE_SECONDS = REFUSAL_CACHE_SECONDS = 24 * 3600


def new_deadline() -> float:
    """Return until when a request may wait for YNAB in all, by the clock of time.monotonic()."""
    return time.monotonic() + settings.MARKET_DATA_TIMEOUT_SECONDS


def ask(
    key: str,
    run: Callable[[str, float], Any],
    keep: Callable[[Any], None],
    is_kept: Callable[[], bool],
    deadline: float,
) -> None:
    """Ask at `/plans`, and if YNAB never answered there, once more at `/budgets` on a 404.

    `run` gets the root and the seconds left. Raises a SourceError.
    """
    roots = _roots()
    for root in roots:
        seconds = deadline - time.monotonic()
        call = gateway.Call(
            key=key,
            party=PARTY,
            run=partial(run, root, seconds),
            keep=partial(_keep_with_root, root, keep),
            is_kept=is_kept,
        )
        try:
            gateway.ask(call, seconds=seconds)
            return
        except UnknownToYnab:
            if root == roots[-1]:
                raise
        except KeyRefused as error:
            cache.set(_refusal_key(), str(error), REFUSAL_CACHE_SECONDS)
            raise


def _keep_with_root(root: str, keep: Callable[[Any], None], answer: Any) -> None:
    cache.set(_root_key(), root, ROOT_CACHE_SECONDS)
    cache.delete(_refusal_key())
    keep(answer)


def last_refusal() -> KeyRefused | None:
    """Return the refusal of the key after which YNAB has answered nothing else.

    Stale balances must not hide it, whatever fails now.
    """
    detail = cache.get(_refusal_key())
    if detail is None:
        return None
    return KeyRefused(detail)


def _refusal_key() -> str:
    """Return a cache key of the API key's own, so that a new key starts without a refusal.

    It has a digest: the API key itself is kept nowhere.
    """
    return f"ynab:refused:{key_digest()}"


def key_digest() -> str:
    return salted_hmac("ynab", settings.YNAB_API_KEY).hexdigest()[:16]


def _root_key() -> str:
    return f"ynab:root:{settings.YNAB_BASE_URL}"


def _roots() -> list[str]:
    known = cache.get(_root_key())
    if known:
        return [known]
    return ["plans", "budgets"]
