"""Made-up requests to every operation of the schema: no 5xx, and no answer that the schema does not
describe.

Schemathesis makes the requests from the schema: its examples, the edges of every field, right
values and wrong ones. Here they get a token and the ids of things that are there, so that they come
past the path; each is rolled back, so that the next one finds everything again. `make fuzz` sends
all of them, and SCHEMA_EXAMPLES more to an operation.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)

from conftest import PASSWORD, forget
from financeproj.core.api.throttling import AnonThrottle, UserThrottle
from financeproj.users.models import User
from financeproj.users.services import issue_tokens
from marketdata import series
from marketdata.models import StockMetadata
from marketdata.services.price_refresh import refresh_stocks
from tests.openapi import operations
from tests.openapi import schema as described
from tests.servers import network
from tests.servers.yahoo import FakeYahoo
from tests.servers.ynab import KEY, ynab_server
from tests.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "0"))
# The short run in `make test` sends one of this many.
SAMPLE = 1 if EXAMPLES else 4
LEAST_SHARE = 0.8  # of the requests come past the token and the path

config = SchemathesisConfig.from_dict(
    {
        "checks": {
            # 409 and 422: what the schema allows may still break a rule.
            "positive_data_acceptance": {
                "expected-statuses": [200, 201, 202, 204, 304, 401, 403, 404, 409, 422]
            },
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 403, 404, 405, 409, 413, 415, 422]
            },
        },
    }
)


class Asked:
    """The requests so far by status; `past` counts those past the token and the path."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()

    @property
    def total(self) -> int:
        return self.statuses.total()

    @property
    def past(self) -> int:
        return self.total - sum(self.statuses[status] for status in (401, 403, 404, 405))


@pytest.fixture(scope="module")
def api_schema() -> Any:
    # A copy: schemathesis writes into what it is given.
    loaded = schemathesis.openapi.from_dict(deepcopy(described()), config=config)
    loaded.app = get_wsgi_application()
    return loaded


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


@pytest.fixture(scope="module")
def living(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Return one world for all requests."""
    patch = pytest.MonkeyPatch()
    logging.disable()  # thousands of unneeded lines
    ends = (request_started, request_finished)
    for end in ends:
        end.disconnect(
            close_old_connections
        )  # as Django's test client does: all requests share one transaction
    for throttle in (UserThrottle, AnonThrottle):
        patch.setattr(throttle, "rate", "1000000/min", raising=False)
    from django.conf import settings as django_settings

    yahoo = FakeYahoo()
    network.send_yahoo_to(yahoo.url)
    yahoo.list("EQNR.OL", [290, 295, 301.5], currency="NOK", zone="Europe/Oslo", name="Equinor ASA")
    yahoo.list_rate("EUR", "NOK", [11.5, 11.6, 11.7])
    with ynab_server() as ynab, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr(django_settings, "YNAB_BASE_URL", ynab.url)
        patch.setattr(django_settings, "YNAB_API_KEY", KEY)
        patch.setattr(
            django_settings, "PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"]
        )
        budget = ynab.plan("Household")
        account = budget.put(name="Pension", balance=250_000_120)
        world = make_world(User.objects.create_user("kari", password=PASSWORD), budget.id, account)
        stocks = list(StockMetadata.objects.filter(owner=None))
        refresh_stocks(stocks, full=True)  # else every request would, and be rolled back
        series.prepare([stock.pk for stock in stocks])
        yield world
        transaction.set_rollback(True)
    patch.undo()
    logging.disable(logging.NOTSET)
    for end in ends:
        end.connect(close_old_connections)
    network.send_yahoo_to(None)
    yahoo.stop()


def real_values(path: str, w: World) -> dict[str, Any]:
    """Return existing values by the name of the parameter or field."""
    first = path.removeprefix("/api/v1/").split("/")[0]
    things = {
        "holdings": w.holding,
        "transactions": w.transaction,
        "imports": w.import_batch,
        "pension": w.account,
    }
    is_of_own_instrument = re.fullmatch(r"/api/v1/stocks/\{ticker\}(/prices.*)?", path)
    return {
        "id": str(things.get(first, w.portfolio).pk),
        "value_id": str(w.value.pk),
        "contribution_id": str(w.plan.pk),
        "ticker": w.ticker if is_of_own_instrument else w.shared_ticker,
        "from": "EUR",
        "to": "NOK",
        "account_id": w.ynab_account if first == "ynab" else str(w.account.pk),
        "portfolio_id": str(w.portfolio.pk),
        "holding_id": str(w.holding.pk),
        "import_id": str(w.import_batch.pk),
        "budget_id": w.budget_id,
        "ynab_account_id": w.ynab_account,
        "currency": "NOK",
        "benchmark": "EQNR.OL",
        "date": "2024-08-01",
        "current_password": PASSWORD,
        "cursor": "",  # what a list gave before: nothing that could be made up
    }


def make_real(case: Any, w: World) -> None:
    """Replace generated values by existing ones, where the request is meant to be valid."""
    values = real_values(case.operation.path, w)
    made_up = (
        len(repr(case.body)) % 4 == 0
    )  # a quarter keeps what was made up in the body and the query
    for place, part in (("path", case.path_parameters), ("query", case.query), ("body", case.body)):
        component = case.meta and case.meta.components.get(place)
        is_right = component is None or component.mode == GenerationMode.POSITIVE
        if (
            is_right
            and isinstance(part, dict)
            and (place == "path" or not made_up or "cursor" in part)
        ):
            part.update({name: values[name] for name in part if name in values})


@pytest.mark.parametrize("name", operations())
def test_the_answer_is_in_the_schema(
    name: str, api_schema: Any, living: World, asked: Asked
) -> None:
    method, path = name.split()
    operation = api_schema[f"/api/v1{path}"][method]

    def send(case: Any) -> None:
        made = (case.method, case.path, case.path_parameters, case.query, case.headers, case.body)
        if crc32(repr(made).encode()) % SAMPLE:
            return
        make_real(case, living)
        token = issue_tokens(user=living.user, address="127.0.0.1", agent="").access_token
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept-Encoding": "identity",
        }  # the client here can't unpack
        try:
            with transaction.atomic():
                response = case.call(headers=headers)
                asked.statuses[response.status_code] += 1
                case.validate_response(response, headers=headers)
                transaction.set_rollback(True)
        finally:
            forget()

    # What schemathesis' plugin for pytest does, without making every operation's requests whenever
    # tests are collected.
    how = HypothesisTestConfig(
        project=api_schema.config,
        modes=list(HypothesisTestMode),
        settings=settings(
            max_examples=EXAMPLES or 2,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    create_test(operation=operation, test_func=send, config=how)()


def test_most_requests_came_past_the_token_and_the_path(asked: Asked) -> None:
    if EXAMPLES:
        share = f"{asked.past / asked.total:.1%}"
        print(f"\n{asked.total} requests, {share} past token and path: {dict(asked.statuses)}")  # noqa: T201
    assert asked.total >= (5000 if EXAMPLES >= 40 else 500)
    assert asked.past / asked.total >= LEAST_SHARE
