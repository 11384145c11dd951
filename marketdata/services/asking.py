"""How long to wait for sources, and which of them failed just now."""

import time
from datetime import date

from django.conf import settings

from financeproj.core.shared.locks import change

# The first day that a source is asked for.
EARLIEST_DAY = date(1990, 1, 1)
# How long a request that has an older answer waits for a call of another request.
PATIENCE_SECONDS = 2.0
# No user waits for a task, but a worker must not hang either.
TASK_SECONDS = 60.0
# A page view does not ask again for what another failed to get within this time.
REMEMBER_FAILURE_SECONDS = 60


def time_limit() -> float:
    """Return how many seconds a request may wait for sources."""
    return float(settings.MARKET_DATA_TIMEOUT_SECONDS)


def failed_just_now(key: str) -> bool:
    """Return whether `note_failure` was called for `key` a short while ago."""
    failed_at = change(
        f"gave-up:{key}", lambda held: held, timeout_seconds=REMEMBER_FAILURE_SECONDS
    )
    return bool(failed_at)


def note_failure(key: str) -> None:
    """Remember for a short while that `key` could not be fetched."""
    change(f"gave-up:{key}", lambda _: time.time(), timeout_seconds=REMEMBER_FAILURE_SECONDS)
