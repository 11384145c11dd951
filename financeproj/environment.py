"""Variables of the environment, each converted and checked.

A wrong one never raises here: it is noted in CONFIGURATION_PROBLEMS, and `financeproj.core.ops.checks`
turns each note into a system check.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import environ

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION_PROBLEMS: list[str] = []
HOST = re.compile(r"\*|[a-z0-9.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)


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


def number(name: str, default: int, least: int, most: int) -> int:
    """The variable `name` as a whole number between the two, both included."""
    found: int = read(name, default, between(least, most), f"a whole number from {least} to {most}")
    return found


def boolean(text: str) -> bool:
    return {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }[text.lower()]


def between(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not least <= (found := int(text)) <= most:
            raise ValueError
        return found

    return convert


def one_of(*choices: str) -> Callable[[str], str]:
    return lambda text: {choice.lower(): choice for choice in choices}[text.lower()]


def comma_separated(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def host_names(text: str) -> list[str]:
    """What Django compares with a request's Host: no scheme, no port; a point in front stands for
    subdomains too.
    """
    listed = comma_separated(text)
    if not listed or not all(HOST.fullmatch(host) for host in listed):
        raise ValueError
    return listed


def check_url(text: str, *schemes: str) -> None:
    """Raises ValueError if it has another scheme, no host, or no possible port."""
    parts = urlsplit(text)
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise ValueError


def origins(text: str) -> list[str]:
    listed = comma_separated(text)
    for origin in listed:
        check_url(origin, "http", "https")
    return listed


def throttle_rate(text: str) -> str:
    count, period = text.split("/")
    return f"{between(1, 1_000_000_000)(count)}/{one_of('s', 'sec', 'm', 'min', 'h', 'hour', 'd', 'day')(period)}"


def time_zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError
    return text


def currency_code(text: str) -> str:
    if not (len(text) == 3 and text.isascii() and text.isalpha()):
        raise ValueError
    return text.upper()


def http_url(text: str) -> str:
    check_url(text, "http", "https")
    return text.rstrip("/")


def redis_url(text: str) -> str:
    check_url(text, "redis", "rediss")
    int(urlsplit(text).path.strip("/") or 0)  # the number of a database
    return text


def database(text: str) -> dict[str, Any]:
    config = dict(environ.Env.db_url_config(text))
    # environ quotes what is no URL and goes on; a host of SQLite is a slash too few, and processes
    # share no memory.
    host, name = config.get("HOST", ""), config["NAME"]
    if config.get("ENGINE") == "django.db.backends.sqlite3":
        file = ROOT / name
        if (
            host
            or name == ":memory:"
            or file.is_dir()
            or not os.access(file.parent, os.W_OK | os.X_OK)
        ):
            raise ValueError
    elif config.get("ENGINE") != "django.db.backends.postgresql" or "%" in host or not name:
        raise ValueError
    return config
