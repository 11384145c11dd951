"""Read and check environment variables.

A wrong one does not raise: CONFIGURATION_PROBLEMS collects the problems, and
`financeproj.core.ops.checks` reports each as a system check.
"""

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import environ

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION_PROBLEMS: list[str] = []
Value = TypeVar("Value")
OTHERS = 0o077  # the bits of a file's mode that grant rights to others than its owner
RATE_PERIODS = ("s", "sec", "m", "min", "h", "hour", "d", "day")
MAX_RATE = 1_000_000_000
HOST = re.compile(r"\*|[a-z0-9.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)


def read(name: str, default: Value, convert: Callable[[str], Value], expects: str) -> Value:
    """Return the variable converted; `default` if it is unset, empty or wrong (a problem then)."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return convert(text)
    except (ValueError, KeyError):
        CONFIGURATION_PROBLEMS.append(f"{name} must be {expects}.")
        return default


def close_to_others(folder: Path) -> None:
    """Take away all rights of others to `folder` and what is in it; leave what cannot be changed.

    The doctor reports what stays open.
    """
    for path in open_to_others(folder):
        with suppress(OSError):  # of another user, deleted meanwhile, or a read-only file system
            path.chmod(path.stat().st_mode & ~OTHERS & 0o7777)


def open_to_others(folder: Path) -> list[Path]:
    """Return `folder` and what is in it, as far as others than the owner have rights to it."""
    found: list[Path] = []
    for path in (folder, *folder.rglob("*")):
        with suppress(OSError):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and mode & OTHERS:
                found.append(path)
    return found


def number(name: str, default: int, minimum: int, maximum: int) -> int:
    """Return the variable as an integer from `minimum` to `maximum`."""
    return read(name, default, between(minimum, maximum), f"an integer from {minimum} to {maximum}")


def boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError


def between(minimum: int, maximum: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        value = int(text)
        if not minimum <= value <= maximum:
            raise ValueError
        return value

    return convert


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a converter that accepts `choices` in upper or lower case."""
    by_lower_case = {choice.lower(): choice for choice in choices}

    def convert(text: str) -> str:
        return by_lower_case[text.lower()]

    return convert


def comma_separated(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def host_names(text: str) -> list[str]:
    """Parse host names without scheme and port; a leading dot includes subdomains."""
    hosts = comma_separated(text)
    if not hosts:
        raise ValueError
    for host in hosts:
        if not HOST.fullmatch(host):
            raise ValueError
    return hosts


def check_url(text: str, *schemes: str) -> None:
    """Raise ValueError for another scheme, a missing host or an impossible port."""
    parts = urlsplit(text)
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise ValueError


def origins(text: str) -> list[str]:
    parsed = comma_separated(text)
    for origin in parsed:
        check_url(origin, "http", "https")
    return parsed


def throttle_rate(text: str) -> str:
    count, period = text.split("/")
    checked_count = between(1, MAX_RATE)(count)
    checked_period = one_of(*RATE_PERIODS)(period)
    return f"{checked_count}/{checked_period}"


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
    int(urlsplit(text).path.strip("/") or 0)  # the path is a database number
    return text


def database(text: str) -> dict[str, Any]:
    config = dict(environ.Env.db_url_config(text))
    if config.get("ENGINE") == "django.db.backends.sqlite3":
        _check_sqlite(config)
    elif config.get("ENGINE") == "django.db.backends.postgresql":
        _check_postgresql(config)
    else:
        raise ValueError
    return config


def _check_sqlite(config: dict[str, Any]) -> None:
    """Raise ValueError unless the file can be written.

    A host means that the URL has a slash too few. Processes cannot share a database in memory. A
    disk that became read-only is not a wrong setting: requests answer `read_only`.
    """
    if config.get("HOST") or config["NAME"] == ":memory:":
        raise ValueError
    file = ROOT / config["NAME"]
    if file.is_file() and os.statvfs(file).f_flag & os.ST_RDONLY:
        return
    if file.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK):
        raise ValueError


def _check_postgresql(config: dict[str, Any]) -> None:
    """Raise ValueError without a name, or if environ percent-encoded an invalid host."""
    if not config["NAME"] or "%" in config.get("HOST", ""):
        raise ValueError
