"""Fixtures shared with the other tests of integrations."""

from integrations.tests.conftest import portfolio  # noqa: F401
