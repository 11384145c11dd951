"""Request every route anonymously, as another user and as the owner. A route that is not in CALLS
fails the first test.

`World.rows` are all rows that belong to the owner, found through the foreign keys: another user's
request may neither show nor change any of them.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zipfile import ZipFile

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver
from rest_framework_simplejwt.tokens import RefreshToken

from conftest import PASSWORD, api_client, forget
from financeproj import api as api_module
from financeproj.core.api.schema import EXAMPLES
from financeproj.core.api.throttling import AnonThrottle
from tests.openapi import answer_faults, operations
from tests.world import SECRET, STATEMENT, World, world  # noqa: F401  (world is a fixture)

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]
METHODS = ("get", "post", "put", "patch", "delete")


OF_ONE_PORTFOLIO = (
    "portfolios/<",
    "holdings/",
    "transactions/<",
    "transaction-groups/<",
    "imports/<",
)


class Call(NamedTuple):
    """A request about the owner's objects, with the status for the owner and for another user."""

    own: int
    other: int
    body: Callable[[World], dict[str, Any]] = lambda w: {}
    query: Callable[[World], dict[str, Any]] = lambda w: {}
    is_form: bool = False


def fixed(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda w: fields


def upload(w: World) -> dict[str, Any]:
    return {
        "portfolio_id": str(w.portfolio.pk),
        "file": SimpleUploadedFile("new.csv", STATEMENT.replace(b"5", b"7")),
    }


def conversion(w: World) -> dict[str, Any]:
    return {
        "kind": "conversion",
        "portfolio_id": str(w.portfolio.pk),
        "date": "2024-02-02",
        "currency": "NOK",
        "amount": 2300,
        "to_currency": "EUR",
        "to_amount": 200,
    }


def of_portfolio(w: World) -> dict[str, Any]:
    return {"portfolio_id": str(w.portfolio.pk)}


def new_trade(w: World) -> dict[str, Any]:
    return {
        "holding_id": str(w.holding.pk),
        "type": "buy",
        "date": "2024-08-01",
        "quantity": 1,
        "price": 150,
    }


def refresh(w: World) -> dict[str, Any]:
    return {"refresh": str(RefreshToken.for_user(w.user))}


PORTFOLIO = fixed(name="Renamed", currency="NOK")
ACCOUNT = fixed(name="Renamed", currency="NOK")
VALUE = fixed(date="2024-05-31", value=123)
CONTRIBUTION = fixed(amount=100, start="2024-05-01")
TRADE = fixed(type="dividend", date="2024-07-11", quantity=6, price=3)
PERIOD = fixed(start="2024-01-01", end="2024-12-31")

# These need no sign-in.
OPEN = {("post", "auth/login"), ("post", "auth/refresh")}
CALLS: dict[tuple[str, str], Call] = {
    ("post", "auth/login"): Call(200, 200, fixed(username="kari", password=PASSWORD)),
    ("post", "auth/refresh"): Call(200, 200, refresh),
    ("post", "auth/logout"): Call(204, 401, refresh),
    ("get", "sign-ins"): Call(200, 200),
    ("get", "status"): Call(200, 200),
    ("get", "users/me"): Call(200, 200),
    ("patch", "users/me"): Call(200, 200, fixed(email="new@example.org")),
    ("put", "users/me/retirement-goal"): Call(
        200, 200, fixed(retirement_goal_amount=1, retirement_goal_year=2060)
    ),
    ("put", "users/me/password"): Call(
        204, 204, fixed(current_password=PASSWORD, new_password="another long phrase")
    ),
    ("get", "currencies"): Call(200, 200),
    ("get", "stocks/search"): Call(200, 200, query=fixed(q="h")),
    ("get", "stocks/<str:ticker>"): Call(200, 404),
    ("patch", "stocks/<str:ticker>"): Call(200, 404, fixed(company_name="Renamed")),
    ("get", "stocks/<str:ticker>/price"): Call(200, 404),
    ("get", "stocks/<str:ticker>/prices"): Call(200, 404),
    ("post", "stocks/<str:ticker>/prices"): Call(201, 404, fixed(date="2024-08-01", close=910000)),
    ("delete", "stocks/<str:ticker>/prices/<str:date>"): Call(204, 404),
    ("get", "stocks/<str:ticker>/history"): Call(200, 404),
    ("get", "exchange-rates/<str:from>/<str:to>"): Call(200, 200),
    ("get", "exchange-rates/<str:from>/<str:to>/history"): Call(200, 200, query=PERIOD),
    ("get", "portfolios"): Call(200, 200),
    ("post", "portfolios"): Call(201, 201, fixed(name="New", currency="EUR")),
    ("put", "portfolios/order"): Call(200, 422, lambda w: {"ids": [str(w.portfolio.pk)]}),
    ("get", "portfolios/<uuid:pk>"): Call(200, 404),
    ("put", "portfolios/<uuid:pk>"): Call(200, 404, PORTFOLIO),
    ("patch", "portfolios/<uuid:pk>"): Call(200, 404, PORTFOLIO),
    ("delete", "portfolios/<uuid:pk>"): Call(204, 404),
    ("put", "portfolios/<uuid:pk>/used-credit"): Call(200, 404, fixed(used_credit=5)),
    ("get", "portfolios/<uuid:pk>/agreement"): Call(200, 404),
    ("get", "portfolios/<uuid:pk>/cash"): Call(200, 404),
    ("put", "portfolios/<uuid:pk>/cash"): Call(200, 404, fixed(cash=5)),
    ("put", "portfolios/<uuid:pk>/cash-from"): Call(
        200, 404, fixed(cash_from="2024-01-02", opening=[{"currency": "NOK", "amount": 100}])
    ),
    ("get", "portfolios/<uuid:pk>/statement"): Call(200, 404),
    ("get", "portfolios/<uuid:pk>/statement.csv"): Call(200, 404),
    ("get", "portfolios/<uuid:pk>/holdings"): Call(200, 404),
    ("get", "portfolios/<uuid:pk>/timeline"): Call(200, 404, query=PERIOD),
    ("get", "portfolios/<uuid:pk>/performance"): Call(200, 404, query=PERIOD),
    ("get", "portfolios/<uuid:pk>/performance/explain"): Call(200, 404, query=PERIOD),
    ("get", "portfolios/<uuid:pk>/bridge"): Call(200, 404, query=PERIOD),
    ("get", "portfolios/<uuid:pk>/allocation"): Call(200, 404),
    ("get", "portfolios/<uuid:pk>/realised-gains"): Call(200, 404, query=fixed(method="fifo")),
    ("get", "timeline"): Call(200, 200, query=PERIOD),
    ("get", "bridge"): Call(200, 200, query=PERIOD),
    ("get", "performance"): Call(200, 200, query=PERIOD),
    ("get", "allocation"): Call(200, 200),
    ("get", "history"): Call(200, 200),
    ("get", "held-back"): Call(200, 200),
    ("post", "held-back"): Call(
        200, 404, lambda w: {"ticker": w.ticker, "kind": "split", "accept": True}
    ),
    ("post", "held-back/<uuid:pk>"): Call(200, 404, fixed(accept=True)),
    ("get", "holdings/<uuid:pk>"): Call(200, 404),
    ("patch", "holdings/<uuid:pk>"): Call(200, 404, fixed(company_name="Renamed")),
    ("delete", "holdings/<uuid:pk>"): Call(204, 404),
    ("get", "holdings/<uuid:pk>/explain"): Call(200, 404),
    ("get", "holdings/<uuid:pk>/transactions"): Call(200, 404),
    ("get", "transactions"): Call(200, 200, query=of_portfolio),
    ("post", "transactions"): Call(201, 422, new_trade),
    ("get", "transaction-groups"): Call(200, 200),
    ("post", "transaction-groups"): Call(201, 422, conversion),
    ("get", "transaction-groups/<uuid:pk>"): Call(200, 404),
    ("put", "transaction-groups/<uuid:pk>"): Call(200, 404, conversion),
    ("delete", "transaction-groups/<uuid:pk>"): Call(204, 404),
    ("post", "transactions/bulk"): Call(201, 422, lambda w: {"transactions": [new_trade(w)]}),
    ("post", "transactions/import-csv"): Call(201, 422, upload, is_form=True),
    ("post", "transactions/import-csv/failed-rows"): Call(200, 422, upload, is_form=True),
    ("get", "transactions/export.csv"): Call(200, 404, query=of_portfolio),
    ("get", "transactions/<uuid:pk>"): Call(200, 404),
    ("put", "transactions/<uuid:pk>"): Call(200, 404, TRADE),
    ("patch", "transactions/<uuid:pk>"): Call(200, 404, TRADE),
    ("delete", "transactions/<uuid:pk>"): Call(204, 404),
    ("get", "imports"): Call(200, 200),
    ("get", "imports/formats"): Call(200, 200),
    ("get", "imports/mappings"): Call(200, 200),
    ("delete", "imports/mappings/<path:name>"): Call(204, 404),
    ("get", "imports/<uuid:pk>"): Call(200, 404),
    ("delete", "imports/<uuid:pk>"): Call(204, 404),
    ("get", "export"): Call(200, 200),
    ("get", "settings/ynab"): Call(200, 200),
    # The key is the server's: every user may choose any of its budgets
    # (SECURITY.md).
    ("post", "settings/ynab"): Call(200, 422, lambda w: {"budget_id": w.budget_id}),
    ("get", "settings/ynab/plans"): Call(200, 200),
    ("get", "ynab/accounts"): Call(200, 409),
    ("get", "ynab/accounts/<str:account_id>/balance"): Call(200, 409),
    ("post", "pension/accounts/<uuid:pk>/sync"): Call(201, 404),
    ("get", "net-worth"): Call(200, 200, query=PERIOD),
    ("get", "net-worth/explain"): Call(200, 200, query=PERIOD),
    ("get", "dashboard"): Call(200, 200),
    ("get", "pension/projection"): Call(
        200,
        404,
        query=lambda w: {"account_id": str(w.account.pk), "years": 2, "include_portfolios": True},
    ),
    ("get", "goal"): Call(200, 200),
    ("get", "pension/accounts"): Call(200, 200),
    ("post", "pension/accounts"): Call(201, 201, fixed(name="New", currency="NOK")),
    ("get", "pension/accounts/<uuid:pk>"): Call(200, 404),
    ("put", "pension/accounts/<uuid:pk>"): Call(200, 404, ACCOUNT),
    ("patch", "pension/accounts/<uuid:pk>"): Call(200, 404, ACCOUNT),
    ("delete", "pension/accounts/<uuid:pk>"): Call(204, 404),
    ("get", "pension/accounts/<uuid:pk>/values"): Call(200, 404),
    ("post", "pension/accounts/<uuid:pk>/values"): Call(201, 404, VALUE),
    ("put", "pension/accounts/<uuid:pk>/values/<uuid:value_id>"): Call(200, 404, VALUE),
    ("patch", "pension/accounts/<uuid:pk>/values/<uuid:value_id>"): Call(200, 404, VALUE),
    ("delete", "pension/accounts/<uuid:pk>/values/<uuid:value_id>"): Call(204, 404),
    ("get", "pension/accounts/<uuid:pk>/contributions"): Call(200, 404),
    ("post", "pension/accounts/<uuid:pk>/contributions"): Call(201, 404, CONTRIBUTION),
    ("put", "pension/accounts/<uuid:pk>/contributions/<uuid:contribution_id>"): Call(
        200, 404, CONTRIBUTION
    ),
    ("patch", "pension/accounts/<uuid:pk>/contributions/<uuid:contribution_id>"): Call(
        200, 404, CONTRIBUTION
    ),
    ("delete", "pension/accounts/<uuid:pk>/contributions/<uuid:contribution_id>"): Call(204, 404),
}


def routes() -> Iterator[tuple[str, str]]:
    """Return (method, route) of all routes of the API, except the catch-all."""
    for pattern in api_module.urlpatterns[:-1]:
        actions = getattr(pattern.callback, "actions", None)
        methods = actions or [
            name for name in METHODS if hasattr(pattern.callback.view_class, name)
        ]
        # The first request to a viewset adds HEAD to its actions.
        yield from ((method, str(pattern.pattern)) for method in methods if method != "head")


def path_of(route: str, w: World) -> str:
    """Return the route with the owner's ids."""
    first = route.split("/")[0]
    pk = {
        "holdings": w.holding,
        "transactions": w.transaction,
        "imports": w.import_batch,
        "pension": w.account,
        "held-back": w.held_back,
        "transaction-groups": w.group,
    }
    values = {
        "pk": pk.get(first, w.portfolio).pk,
        "value_id": w.value.pk,
        "contribution_id": w.plan.pk,
        "name": w.mapping,
        "ticker": w.ticker,
        "from": "EUR",
        "to": "NOK",
        "date": "2024-06-03",
        "account_id": w.ynab_account,
    }
    return "/api/v1/" + re.sub(r"<\w+:(\w+)>", lambda match: str(values[match[1]]), route)


def ask(client: Any, key: tuple[str, str], w: World) -> Any:
    method, route = key
    call = CALLS[key]
    query = "&".join(f"{name}={value}" for name, value in call.query(w).items())
    path = path_of(route, w) + (f"?{query}" if query else "")
    body = None if method in ("get", "delete") else call.body(w)
    return getattr(client, method)(path, body, **({"format": "multipart"} if call.is_form else {}))


def content_of(response: Any) -> bytes:
    """Return the text of an answer; for a ZIP, of its files."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if response.get("Content-Type") != "application/zip":
        return content
    with ZipFile(BytesIO(content)) as files:
        return b"\n".join(name.encode() + b"\n" + files.read(name) for name in files.namelist())


@pytest.fixture(autouse=True)
def _unthrottled(monkeypatch):
    monkeypatch.setattr(AnonThrottle, "rate", "1000/min", raising=False)


@pytest.fixture
def stranger(other_user):
    client = api_client(other_user)
    client.raise_request_exception = False
    return client


def test_every_route_of_the_api_is_walked():
    assert set(CALLS) == set(routes())


def test_every_route_needs_a_sign_in(world, anonymous):
    before, wrong = world.rows(), []
    for key in CALLS.keys() - OPEN:
        response = ask(anonymous, key, world)
        is_told = response.get("WWW-Authenticate", "").startswith("Bearer")
        if response.status_code != 401 or not is_told or SECRET in response.content.decode():
            wrong.append((key, response.status_code))
    assert wrong == []
    assert world.rows() == before


def test_another_user_neither_sees_nor_changes_anything(world, stranger):
    before, ids, wrong = world.rows(), world.ids(), []
    assert len(before) >= 10
    assert len(ids) >= 12
    for key, call in CALLS.items():
        if key in OPEN:
            continue  # the holder of the password or the token is the owner
        response = ask(stranger, key, world)
        content = content_of(response).decode()
        asked = path_of(key[1], world)
        leaks = [
            text
            for text in (SECRET, *ids)
            if text.lower() in content.lower() and text.lower() not in asked.lower()
        ]
        if response.status_code != call.other or leaks:
            wrong.append((key, response.status_code, leaks))
        assert world.rows() == before, key
    assert wrong == []


def test_the_owner_gets_answers_that_match_the_schema_and_the_log_names_the_portfolio(
    world, caplog
):
    wrong = []
    for key, call in CALLS.items():
        caplog.clear()
        with transaction.atomic():  # of one owner: each call finds what was there at the beginning
            response = ask(api_client(world.user) if key not in OPEN else api_client(), key, world)
            content = content_of(response)
            transaction.set_rollback(True)
        forget()
        name = described_as(key)
        faults = answer_faults(
            operations()[name], response.status_code, response.get("Content-Type", ""), content
        )
        is_of_one = key[1].startswith(OF_ONE_PORTFOLIO)
        is_of_one |= bool({"portfolio_id", "holding_id"} & {*call.query(world), *call.body(world)})
        lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
        [line] = [line for line in lines if line["event"] == "request_finished"]
        if line.get("portfolio_id") != (str(world.portfolio.pk) if is_of_one else None):
            faults = [*faults, line]
        if response.status_code != call.own or faults:
            wrong.append((name, response.status_code, faults))
        elif os.environ.get("RECORD_EXAMPLES"):
            record(name, key, world, response, content)
    assert wrong == []


def test_options_is_answered_everywhere(world):
    client = api_client(world.user)
    for _, route in CALLS:
        assert client.options(path_of(route, world)).status_code == 200, route


def _with_null(route, name):
    return route.replace(f"<str:{name}>", "a%00b").replace(f"<path:{name}>", "a%00b")


def test_a_null_character_in_the_address_is_refused_everywhere(world):
    """PostgreSQL cannot store null characters, so nothing can match one."""
    client = api_client(world.user)
    client.raise_request_exception = False
    asked, wrong = 0, []
    for key, call in CALLS.items():
        body = None if key[0] in ("get", "delete") else call.body(world)
        query = call.query(world)
        places = operations()[described_as(key)].get("parameters", [])
        asks = [
            (f"{path_of(key[1], world)}?{urlencode(query | {place['name']: text})}", 400)
            for place in places
            if place["in"] == "query"
            for text in ("\0", "a\0b")
        ]
        asks += [
            (
                path_of(_with_null(key[1], place["name"]), world) + f"?{urlencode(query)}",
                404,
            )
            for place in places
            if place["in"] == "path" and place["schema"].get("format") != "uuid"
        ]
        for address, status in asks:
            asked += 1
            response = getattr(client, key[0])(address, body)
            if response.status_code != status:
                wrong.append((key, address, response.status_code))
    assert asked > 90
    assert wrong == []


def described_as(key: tuple[str, str]) -> str:
    """Return `METHOD /path` as in the schema."""
    method, route = key
    return f"{method.upper()} /" + re.sub(r"<\w+:(\w+)>", r"{\1}", route).replace("{pk}", "{id}")


def record(name: str, key: tuple[str, str], w: World, response: Any, content: bytes) -> None:
    """Store the request and its answer as the operation's example (`make examples`)."""
    call = CALLS[key]
    names, values = name.split("/")[1:], path_of(key[1], w).removeprefix("/api/v1/").split("/")
    in_path = {
        part[1:-1]: value for part, value in zip(names, values, strict=True) if part.startswith("{")
    }
    body = call.body(w)
    if "file" in body:
        body["file"] = STATEMENT.decode()
    kind = response.get("Content-Type", "")
    text = "PK…" if kind == "application/zip" else content.decode()[:400]
    kept = json.loads(EXAMPLES.read_text()) if EXAMPLES.exists() else {}
    kept[name] = {
        "parameters": in_path | call.query(w),
        "request": shortened(body),
        "status": response.status_code,
        "response": shortened(json.loads(content)) if kind.startswith("application/json") else text,
    }
    EXAMPLES.write_text(json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False) + "\n")


def shortened(value: Any) -> Any:
    """Return lists with two items at most, and no tokens."""
    if isinstance(value, dict):
        parts = {name: shortened(part) for name, part in value.items()}
        for name in ("access", "refresh"):
            if name in parts:
                parts[name] = "eyJhbGciOi…"
        return parts
    return [shortened(part) for part in value[:2]] if isinstance(value, list) else value


# --- Outside the API ------------------------------------------------------------------------------

PUBLIC = {
    "healthz",
    "readyz",
    "api/schema",
    "api/docs",
    "api/redoc",
    "favicon.ico",
    "",  # leads to the dashboard
    "login",
    "logout",
    "i18n/language",
    "i18n/texts.js",
}


def pages() -> list[str]:
    """Return the routes outside the API and the admin."""
    return [str(one.pattern) for one in get_resolver().url_patterns if isinstance(one, URLPattern)]


def page_of(route: str, world: World) -> str:
    """Return the path of a page about the world's portfolio or instrument."""
    path = route.replace("<uuid:pk>", str(world.portfolio.pk))
    return "/" + path.replace("<str:ticker>", world.ticker)


def test_every_page_that_is_not_public_asks_for_a_sign_in(client, world):
    assert set(pages()) > PUBLIC
    for route in set(pages()) - PUBLIC:
        path = page_of(route, world)
        for method in ("get", "post"):
            response = getattr(client, method)(path)
            assert (response.status_code, response.get("Location", "")) in {
                (302, f"/login?next={path}"),
                (405, ""),
            }, path


def test_another_users_page_is_not_found(client, other_user, world):
    client.force_login(other_user)
    for route in set(pages()) - PUBLIC:
        response = client.get(page_of(route, world))
        assert response.status_code == (404 if "<" in route else 200)
        assert SECRET not in response.content.decode()


def admin_paths() -> Iterator[str]:
    def walk(patterns: Any, prefix: str) -> Iterator[str]:
        for one in patterns:
            text = prefix + str(one.pattern)
            if isinstance(one, URLPattern):
                yield text
            else:
                yield from walk(one.url_patterns, text)

    for text in walk(admin.site.get_urls(), "/admin/"):
        filled = re.sub(r"<uuid:\w+>", "00000000-0000-4000-8000-000000000000", text)
        filled = re.sub(r"<\w+:\w+>", "1", filled)
        if not re.search(
            r"[\^$?(\\]", filled
        ):  # the pattern for whatever is left, and one for an app's name
            yield filled


def test_the_admin_is_for_staff_alone(client, user):
    paths = list(admin_paths())
    assert len(paths) > 60
    signed_in = Client()
    signed_in.force_login(user)
    for path in paths:
        if path in ("/admin/login/", "/admin/logout/"):
            continue
        for visitor in (client, signed_in):
            response = visitor.get(path)
            assert (response.status_code, response["Location"].split("?")[0]) == (
                302,
                "/admin/login/",
            ), path
