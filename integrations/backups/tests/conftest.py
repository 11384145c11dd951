"""Fixtures for tests of backups and exports."""

import pytest
import time_machine
from django.contrib.contenttypes.models import ContentType

from integrations.backups.tests import release_files
from marketdata.sources import registry


@pytest.fixture(autouse=True)
def content_types_are_read_again():
    """A restore that a test takes back leaves ids in the cache that no row has any more."""
    ContentType.objects.clear_cache()
    yield
    ContentType.objects.clear_cache()


@pytest.fixture
def at_that_time(settings):
    """The moment at which the files of releases were made, and the sources of their figures."""
    for name, value in release_files.SOURCES.items():
        setattr(settings, name, value)
    registry.cache_clear()
    with time_machine.travel(release_files.NOW, tick=False):
        yield
    registry.cache_clear()
