"""Fixtures for tests of pensions."""

from datetime import date
from decimal import Decimal as D

import pytest

from pensions import services


@pytest.fixture
def account(user):
    return services.create_account(user=user, name="Fripolise", currency="NOK")


@pytest.fixture
def valued(account):
    """`account` with three values, entered out of order."""
    for day, value in (
        (date(2024, 3, 31), "103000.5"),
        (date(2024, 1, 31), "100000"),
        (date(2024, 2, 29), "101500.25"),
    ):
        services.record_value(account=account, on=day, value=D(value))
    return account
