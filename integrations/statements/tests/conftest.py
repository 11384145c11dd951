"""Fixtures for tests of statement formats."""

import pytest

from integrations.conftest import Upload
from portfolios import services


@pytest.fixture
def account(api, user):
    """Return a function: `account("EUR")(data=...)` imports into a new portfolio."""

    def make(currency):
        return Upload(
            api, services.create_portfolio(user=user, name=f"In {currency}", currency=currency)
        )

    return make
