"""Made-up requests to every operation of the schema: no 5xx, and no answer that the schema does not
describe.

Each request is rolled back, so that the next one finds everything again. `make fuzz` sends many
more, to a real server (tests/test_fuzz.py).
"""

import logging
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction

from conftest import PASSWORD, forget
from financeproj.core.api.throttling import AnonThrottle, UserThrottle
from financeproj.users.models import User
from financeproj.users.services import issue_tokens
from marketdata import series
from marketdata.models import StockMetadata
from marketdata.services.price_refresh import refresh_stocks
from tests import made_up
from tests.made_up import Asked, make_real, send_all
from tests.openapi import operations
from tests.servers import network
from tests.servers.simulated import shorten_histories
from tests.servers.yahoo import FakeYahoo
from tests.servers.ynab import KEY, ynab_server
from tests.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]
SAMPLE = 6  # one of this many requests is sent
LEAST_SHARE = 0.75  # of the requests come past the token and the path


@pytest.fixture(scope="module")
def api_schema() -> Any:
    loaded = made_up.api_schema()
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
    shorten_histories(patch)
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


@pytest.mark.parametrize("name", operations())
def test_the_answer_is_in_the_schema(
    name: str, api_schema: Any, living: World, asked: Asked
) -> None:
    ids = living.values()

    def send(case: Any) -> None:
        made = (case.method, case.path, case.path_parameters, case.query, case.headers, case.body)
        if crc32(repr(made).encode()) % SAMPLE:
            return
        make_real(case, ids)
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

    send_all(api_schema, name, send, examples=2)


def test_most_requests_came_past_the_token_and_the_path(asked: Asked) -> None:
    assert asked.total >= 500
    assert asked.past / asked.total >= LEAST_SHARE
