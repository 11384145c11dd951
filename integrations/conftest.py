"""Fixtures for tests of integrations: YNAB as a local server, and a user with a budget there."""

import pytest

from integrations.ynab.services import choose_budget
from tests.servers.ynab import KEY, ynab_server


@pytest.fixture
def ynab(settings):
    """A running stand-in for YNAB, which the settings point to."""
    with ynab_server() as server:
        settings.YNAB_BASE_URL = server.url
        settings.YNAB_API_KEY = KEY
        yield server


@pytest.fixture
def api(api):
    """A server error is an answer to look at, as it is for a client, not an exception."""
    api.raise_request_exception = False
    return api


@pytest.fixture
def plan(ynab):
    return ynab.plan("Household", "NOK")


@pytest.fixture
def budget(ynab, plan, user):
    """The user's budget is `plan`; what setting it took is forgotten."""
    choose_budget(user=user, budget_id=plan.id)
    ynab.requests.clear()
    return plan
