"""YNAB's API over HTTP: one request in, plain values out (https://api.ynab.com).

The key is read from settings where the header is written and is nowhere else: YNAB's own words
never reach a message of ours (an answer may repeat the header), and errors do not carry the request
that caused them.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
from django.conf import settings
from requests.auth import AuthBase

from marketdata.sources import (
    BadAnswer,
    KeyRefused,
    RateLimited,
    Refusal,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    UnknownTicker,
)

CONNECT_SECONDS = 5
LARGEST_ANSWER = 5_000_000
MILLIUNITS_LIMIT = 10**18

# What YNAB reports by `error.name` (https://api.ynab.com/#errors), in our words.
REFUSALS = {
    "unauthorized": "The YNAB API key is wrong or has been revoked.",
    "subscription_lapsed": "The YNAB subscription has lapsed.",
    "trial_expired": "The YNAB trial has expired.",
    "unauthorized_scope": "The YNAB API key does not allow this.",
    "data_limit_reached": "YNAB's limit on the amount of data has been reached.",
}


# YNAB answered that it has no such plan or account. A malformed id is another Refusal (status 400).
# The gateway counts neither as a failure.
UnknownToYnab = UnknownTicker


@dataclass(frozen=True, slots=True)
class Account:
    """Balances in milliunits, thousandths of the plan's currency; negative is owed."""

    id: str
    name: str
    type: str
    balance: int
    cleared_balance: int
    uncleared_balance: int
    closed: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """`server_knowledge` is what to send with the next delta request."""

    accounts: tuple[Account, ...]
    server_knowledge: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`currency` is empty where YNAB gives none."""

    id: str
    name: str
    currency: str


PLAN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_plan_id(text: str) -> bool:
    """Return whether `text` may be part of a path at YNAB."""
    return PLAN_ID.fullmatch(text) is not None


def from_milliunits(amount: int) -> Decimal:
    """1234500 → 1234.500, exactly."""
    return Decimal(amount).scaleb(-3)


# --- Requests -------------------------------------------------------------------------------------


def plans(root: str, *, seconds: float) -> list[Plan]:
    """Return the plans that the key opens.

    `root` is `plans`, or `budgets` as they were called until 2026.
    """
    return parse_plans(_get(f"/{root}", {}, seconds))


def plan_id_of(root: str, alias: str, *, knowledge: int | None, seconds: float) -> str:
    """Return the id of the plan that YNAB means by `last-used` or `default`.

    With `knowledge` YNAB leaves out of the answer what has not changed since. Raises UnknownToYnab.
    """
    query = {}
    if knowledge is not None:
        query["last_knowledge_of_server"] = str(knowledge)
    return parse_plan_id(_get(f"/{root}/{alias}", query, seconds))


def plan_currency(root: str, plan_id: str, *, seconds: float) -> str:
    """Return the plan's currency, empty if YNAB gives none. Raises UnknownToYnab."""
    return parse_currency(_get(f"/{root}/{plan_id}/settings", {}, seconds))


def accounts(root: str, plan_id: str, *, knowledge: int | None, seconds: float) -> Accounts:
    """Return all accounts, or with `knowledge` those changed or deleted since.

    Raises UnknownToYnab.
    """
    query = {}
    if knowledge is not None:
        query["last_knowledge_of_server"] = str(knowledge)
    return parse_accounts(_get(f"/{root}/{plan_id}/accounts", query, seconds))


Value = TypeVar("Value")


class _Bearer(AuthBase):
    """Write the header; as `auth` it also keeps requests from using a password of ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {settings.YNAB_API_KEY}"
        return request


@cache
def _session() -> requests.Session:
    session = requests.Session()
    session.auth = _Bearer()
    session.headers.update({"Accept": "application/json", "User-Agent": "financeproj"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _get(path: str, query: dict[str, str], seconds: float) -> dict[str, Any]:
    """Return the `data` of an answer, within some `seconds` (the gateway holds the deadline).

    Raises a SourceError.
    """
    error: SourceError
    try:
        response = _session().get(
            settings.YNAB_BASE_URL + path,
            params=query,
            timeout=(min(CONNECT_SECONDS, seconds), seconds),
            allow_redirects=False,
            stream=True,
        )
        with response:
            if response.status_code != requests.codes.ok:
                error = _error_of(response.status_code, response.headers, _beginning(response))
            else:
                return _data(_body(response))
    except requests.Timeout:
        error = SourceTimeout("YNAB did not answer in time.")
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        error = BadAnswer("YNAB's answer broke off.")
    except requests.RequestException as raised:
        # Reading the body, requests reports a time-out as a ConnectionError.
        if "Read timed out" in str(raised):
            error = SourceTimeout("YNAB did not answer in time.")
        else:
            error = SourceUnavailable("YNAB cannot be reached.")
    except SourceError:
        raise
    except Exception as raised:  # noqa: BLE001
        # The text of a ValueError may quote the header that cannot be sent: leave it out.
        error = SourceUnavailable(f"YNAB cannot be asked ({type(raised).__name__}).")
    raise error  # outside of `except`: what requests raised holds the request with its header


def _body(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise BadAnswer("YNAB's answer is too large.")
    return bytes(body)


def _beginning(response: requests.Response) -> bytes:
    """Return as much of an error's body as can hold `error.name`."""
    try:
        return next(response.iter_content(10_000), b"")
    except requests.RequestException:
        return b""


def _error_of(status: int, headers: Any, body: bytes) -> SourceError:
    if status in (401, 403):
        return KeyRefused(REFUSALS.get(_error_name(body), "YNAB refused the API key."))
    if status == 404:
        return UnknownToYnab("YNAB has no such plan or account.")
    if status == 429:
        return RateLimited(
            "YNAB's limit of requests an hour is reached.", _retry_after(headers.get("Retry-After"))
        )
    if status >= 500:
        return SourceUnavailable(
            f"YNAB is unavailable (status {status}).", _retry_after(headers.get("Retry-After"))
        )
    if status in (400, 422):
        return Refusal(f"YNAB refuses this question (status {status}).")
    return BadAnswer(f"YNAB answered with status {status}.")


def _error_name(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["name"])
    except (ValueError, TypeError, KeyError):
        return ""


def _retry_after(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or an HTTP date."""
    if not header:
        return None
    try:
        return max(0.0, float(int(header)))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


# --- Answers --------------------------------------------------------------------------------------


def _data(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)["data"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadAnswer("YNAB's answer is not JSON of the known form.") from None
    if not isinstance(data, dict):
        raise BadAnswer("YNAB's answer has no data.")
    return data


def _field(row: object, name: str, kind: type[Value]) -> Value:
    value: object = None
    if isinstance(row, dict):
        value = row.get(name)
    # A bool is an int to isinstance.
    if type(value) is not kind or not isinstance(value, kind):
        raise BadAnswer(f"YNAB's answer has no usable {name}.")
    return value


def _milliunits(row: object, name: str) -> int:
    amount = _field(row, name, int)
    if abs(amount) >= MILLIUNITS_LIMIT:
        raise BadAnswer(f"YNAB's answer has an impossible {name}.")
    return amount


def parse_plans(data: dict[str, Any]) -> list[Plan]:
    rows = data.get("plans", data.get("budgets"))
    if not isinstance(rows, list):
        raise BadAnswer("YNAB's answer has no plans.")
    found = []
    for row in rows:
        plan_id, name = _field(row, "id", str), _field(row, "name", str)
        found.append(Plan(plan_id, name, _currency_in(row)))
    return found


def parse_plan_id(data: dict[str, Any]) -> str:
    return _field(data.get("plan", data.get("budget")), "id", str)


def parse_currency(data: dict[str, Any]) -> str:
    return _currency_in(_field(data, "settings", dict))


def _currency_in(row: dict[str, Any]) -> str:
    currency_format = row.get("currency_format")
    if currency_format is None:
        return ""
    code: str = _field(currency_format, "iso_code", str)
    return code.upper()


def parse_accounts(data: dict[str, Any]) -> Accounts:
    rows = _field(data, "accounts", list)
    return Accounts(
        accounts=tuple(_account(row) for row in rows),
        server_knowledge=_field(data, "server_knowledge", int),
    )


def _account(row: Any) -> Account:
    return Account(
        id=_field(row, "id", str),
        name=_field(row, "name", str),
        type=_field(row, "type", str),
        balance=_milliunits(row, "balance"),
        cleared_balance=_milliunits(row, "cleared_balance"),
        uncleared_balance=_milliunits(row, "uncleared_balance"),
        closed=_field(row, "closed", bool),
        deleted=_field(row, "deleted", bool),
    )
