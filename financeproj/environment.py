"""Variables of the environment, each converted and checked.

A wrong one never raises here: it is noted in CONFIGURATION_PROBLEMS, and `financeproj.core.checks` turns each note
into a system check.
"""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import environ

CONFIGURATION_PROBLEMS: list[str] = []


def read(name: str, default: Any, convert: Callable[[str], Any], expects: str) -> Any:
    """The variable `name` converted, or `default` when unset or empty; a wrong value is noted."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return convert(text)
    except (ValueError, KeyError):
        CONFIGURATION_PROBLEMS.append(f"{name} must be {expects}.")
        return default


def boolean(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        text.lower()
    ]


def positive(text: str) -> int:
    if (number := int(text)) <= 0:
        raise ValueError
    return number


def one_of(*choices: str) -> Callable[[str], str]:
    return lambda text: {choice.lower(): choice for choice in choices}[text.lower()]


def comma_separated(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def origins(text: str) -> list[str]:
    listed = comma_separated(text)
    if any(urlsplit(origin).scheme not in ("http", "https") or not urlsplit(origin).netloc for origin in listed):
        raise ValueError
    return listed


def throttle_rate(text: str) -> str:
    count, period = text.split("/")
    return f"{positive(count)}/{one_of('s', 'sec', 'm', 'min', 'h', 'hour', 'd', 'day')(period)}"


def time_zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError
    return text


def currency_code(text: str) -> str:
    if not (len(text) == 3 and text.isascii() and text.isalpha()):
        raise ValueError
    return text.upper()


def http_url(text: str) -> str:
    return origins(text)[0].rstrip("/")


def redis_url(text: str) -> str:
    if urlsplit(text).scheme not in ("redis", "rediss", "unix"):
        raise ValueError
    return text


def database(text: str) -> dict[str, Any]:
    config = dict(environ.Env.db_url_config(text))
    if config.get("ENGINE") not in ("django.db.backends.sqlite3", "django.db.backends.postgresql"):
        raise ValueError
    return config
