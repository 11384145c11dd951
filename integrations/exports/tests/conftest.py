"""Fixtures for tests of exports."""

from integrations.backups.tests.conftest import at_that_time  # noqa: F401
