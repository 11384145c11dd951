"""Fixtures for tests of backups and exports."""

import pytest
import time_machine

from integrations.backups.tests import release_files
from marketdata.sources import registry


@pytest.fixture
def at_that_time(settings):
    """The moment at which the files of releases were made, and the sources of their figures."""
    for name, value in release_files.SOURCES.items():
        setattr(settings, name, value)
    registry.cache_clear()
    with time_machine.travel(release_files.NOW, tick=False):
        yield
    registry.cache_clear()
