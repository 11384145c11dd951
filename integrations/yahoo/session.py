"""yfinance made ready for this process, and its errors as ours.

What its code (1.7.0) demands, and why this module looks as it does:

- With `hide_exceptions` a failure looks like an empty frame. It is off.
- Any status from 400 on makes it fetch a cookie and a crumb and repeat, so a 429 would be answered
  with more calls, and its exception has lost Retry-After. `Session` raises before it gets that far.
- Its time-outs are per request, and it makes up to six: `Session` gives every request what is left
  of the call's time, and little of it to the cookie's and crumb's.
- It keeps answers, failures too, in an `lru_cache` for the life of the process.
- It must not be used before a fork, because its session would be shared. It is imported at the
  first call, and forgotten in a child.
"""

import json
import math
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings

from marketdata.sources import (
    BadAnswer,
    NoData,
    RateLimited,
    Refusal,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    UnknownTicker,
)

DATA_PATHS = ("/v8/finance/chart", "/v1/finance/search")
# For requests other than the data's: Yahoo mostly answers without them, so they must not use up
# the time.
COOKIE_SECONDS = 2.0
RATE_LIMITED = "Yahoo is rate-limiting us (HTTP 429)."
TOO_LATE = "Yahoo did not answer in time."
UNKNOWN = "Yahoo does not know this ticker."
NO_DATA = "Yahoo has no prices of these days."
# What Yahoo writes, with status 400, of an instrument without trades in the days asked for.
NO_DATA_AT_YAHOO = "data doesn't exist"

# A term of a split that makes no ratio.
ODD_RATIO = re.compile(rb'"(?:numerator|denominator)":\s*(?:0(?:\.0)?|NaN|null)\s*[,}]')

_call = threading.local()
log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@contextmanager
def asking() -> Iterator[Any]:
    """Give yfinance, with a time limit on all requests inside. Raises a SourceError."""
    _call.ends = time.monotonic() + settings.MARKET_DATA_TIMEOUT_SECONDS
    try:
        yield yfinance(os.getpid())
    except SourceError:
        _forget_answers()
        raise
    except Exception as error:
        _forget_answers()
        raise _source_error(error) from error
    finally:
        del _call.ends


def _seconds_left() -> float:
    now = time.monotonic()
    return getattr(_call, "ends", now + settings.MARKET_DATA_TIMEOUT_SECONDS) - now


@cache
def yfinance(process: int) -> Any:
    """Return yfinance made ready for this process."""
    import yfinance
    from curl_cffi import requests
    from yfinance.data import YfData

    class Session(requests.Session):
        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
            is_data = urlsplit(url).path.startswith(DATA_PATHS)
            left = _seconds_left()
            if left <= 0:
                raise SourceTimeout(TOO_LATE)
            kwargs["timeout"] = left
            if not is_data:
                kwargs["timeout"] = min(left / 4, COOKIE_SECONDS)
            response = super().request(method, url, *args, **kwargs)
            if is_data:
                _check(response)
                _leave_out_odd_splits(response)
            return response

    folder = settings.VAR_DIR / "yfinance"
    _forget_dead_processes(folder)
    yfinance.set_tz_cache_location(str(folder / str(process)))
    yfinance.config.debug.hide_exceptions = False
    YfData(session=Session(impersonate="chrome"))
    return yfinance


def _check(response: Any) -> None:
    """Raise the SourceError of a status that means that there is no answer."""
    status = response.status_code
    if status == 429:
        raise RateLimited(RATE_LIMITED, _retry_after(response))
    if status == 404:
        raise UnknownTicker(UNKNOWN)
    if status in (400, 422):
        if NO_DATA_AT_YAHOO in response.text.lower():
            raise NoData(NO_DATA)
        raise Refusal(f"Yahoo refuses this question (HTTP {status}).")
    if status >= 500:
        raise SourceUnavailable(f"Yahoo is unavailable (HTTP {status}).")


def _leave_out_odd_splits(response: Any) -> None:
    """Take splits without a ratio out of an answer: for one, yfinance refuses all of it."""
    if not ODD_RATIO.search(response.content):
        return
    body = response.json()
    for result in body["chart"]["result"]:
        splits = result["events"]["splits"]
        for key, split in list(splits.items()):
            if not (_is_term(split.get("numerator")) and _is_term(split.get("denominator"))):
                del splits[key]
    response.content = json.dumps(body).encode()


def _is_term(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value != 0


def _retry_after(response: Any) -> float | None:
    """Return the seconds of the Retry-After header, which holds seconds or an HTTP date."""
    text = (response.headers.get("Retry-After") or "").strip()
    if text.isdigit():
        return float(text)
    try:
        seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(1.0, seconds)


def _source_error(error: Exception) -> SourceError:
    """Return our error for what yfinance, or the library below it, raised."""
    from curl_cffi.requests import exceptions as http
    from yfinance import exceptions as yahoo

    if isinstance(error, yahoo.YFRateLimitError):
        return RateLimited(RATE_LIMITED)
    if isinstance(error, http.Timeout):
        return SourceTimeout(TOO_LATE)
    if isinstance(error, http.InvalidJSONError):
        return BadAnswer("Yahoo's answer is not JSON.")
    if isinstance(error, http.RequestException | OSError):
        return SourceUnavailable("Yahoo cannot be reached.")
    if isinstance(error, yahoo.YFDataException):
        return SourceUnavailable("Yahoo reports that it is down.")
    return BadAnswer(f"Could not read Yahoo's answer ({type(error).__name__}: {error})"[:300])


def _forget_answers() -> None:
    from yfinance.data import YfData

    YfData.cache_get.cache_clear()


def warm_up() -> None:
    """Import yfinance, which takes a second or two, before a user waits for it.

    For a process that has just begun.
    """
    yfinance(os.getpid())
    log.info("market_data_ready", source="yahoo")


def server_time() -> datetime | None:
    """Return the time of Yahoo's clock, from the Date header of any answer.

    For a machine that has no other clock to compare its own with.
    """
    from curl_cffi import requests

    answer: Any = requests.Session(impersonate="chrome").request(
        "HEAD", "https://query1.finance.yahoo.com/", timeout=3
    )
    date_header = answer.headers.get("Date")
    if not date_header:
        return None
    return parsedate_to_datetime(date_header)


# --- Processes ------------------------------------------------------------------------------------


def _forget_dead_processes(folder: Path) -> None:
    """Delete the caches of processes that have ended."""
    for old in folder.glob("[0-9]*"):
        try:
            os.kill(int(old.name), 0)
        except ProcessLookupError:
            shutil.rmtree(old, ignore_errors=True)
        except OSError:
            continue


def _after_fork() -> None:
    """Give a child a session of its own: the parent's connections and locks are not its own."""
    if "yfinance.data" in sys.modules:
        meta = sys.modules["yfinance.data"].SingletonMeta
        meta._instances, meta._lock = {}, threading.Lock()
    yfinance.cache_clear()


os.register_at_fork(after_in_child=_after_fork)
