"""Fixtures shared with the other tests of integrations."""

from integrations.tests.conftest import dump, portfolio, upload  # noqa: F401
