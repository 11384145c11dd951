"""Fixtures that every app's tests share."""

import gc
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from rest_framework.test import APIClient

from financeproj.core.shared import locks
from financeproj.users.models import User
from marketdata import series
from marketdata.selectors import forget_legs
from portfolios import inputs
from portfolios.reports import vectors
from tests.servers.cache import empty_cache
from tests.servers.processes import django_db_setup, first_database  # noqa: F401  (fixtures)
from tests.servers.yahoo import _no_network, yahoo  # noqa: F401  (fixtures; the first closes the network to every test)

PASSWORD = "correct horse battery"


def pytest_configure(config: pytest.Config) -> None:
    """Two test processes on one Redis share nothing in it."""
    from django.conf import settings

    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    settings.CACHES["default"]["KEY_PREFIX"] = f"test-{worker}"
    # Each test's client makes the middleware anew, and whitenoise would look through all static
    # files each time.
    settings.WHITENOISE_AUTOREFRESH = True
    # What was imported is no garbage, and looking for it takes time (as in gunicorn.conf.py).
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    hypothesis.settings.register_profile(
        "untimed", deadline=None
    )  # how long an example takes proves nothing
    hypothesis.settings.load_profile("untimed")


@contextmanager
def untraced(config: pytest.Config, *, when: bool) -> Generator[None, None, None]:
    """Nothing in here counts as covered, `when` so; tracing doubles the time that Python takes."""
    controller = getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    if controller is None or not controller.started or not when:
        yield
        return
    controller.pause()
    try:
        yield
    finally:
        controller.resume()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What is marked untraced is not traced while it is set up either: the demo's import takes as
    long as the test.

    The marker is our own: at pytest-cov's `no_cover` both would resume, and coverage that was
    started twice goes on when it is stopped once.
    """
    with untraced(item.config, when=item.get_closest_marker("untraced") is not None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """The migrations of the test database are not traced."""
    with untraced(request.config, when=fixturedef.argname == "django_db_setup"):
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that may use the database may use the embedded cache's file too.

    One that copies the database is marked too: pytest-django makes only those that a marked test
    names.
    """
    from django.conf import settings

    databases = list(settings.DATABASES)
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        marker = item.get_closest_marker("django_db")
        if marker is None and not names & {
            "db",
            "transactional_db",
            "live_server",
            "django_db_setup",
        }:
            continue
        options = dict(marker.kwargs) if marker else {}
        if names & {"transactional_db", "live_server"}:
            options["transaction"] = True
        options.setdefault("databases", databases)
        item.add_marker(pytest.mark.django_db(**options), append=False)
    items[:] = by_turns(items)


def by_turns(items: list[pytest.Item]) -> list[pytest.Item]:
    """The files whose tests start servers, and mostly wait for them, evenly among those that
    calculate: test processes that take one file after the other keep all cores busy.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [
        path
        for path, tests in files.items()
        if any(
            {"installation", "live_server"} & set(getattr(test, "fixturenames", ()))
            for test in tests
        )
    ]
    places: dict[Path, float] = {}
    for kind in (sorted(waiting), sorted(files.keys() - set(waiting), reverse=True)):
        places |= {path: number / len(kind) for number, path in enumerate(kind)}
    return [
        item
        for path in sorted(files, key=lambda path: (places[path], path))
        for item in files[path]
    ]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: Any
) -> None:
    """A run that was broken off may have left its test database, and processes that hold it: it
    goes first.
    """
    from django.db import connection

    if connection.vendor == "postgresql":
        name = connection.ops.quote_name(connection.creation._get_test_db_name())
        with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def forget() -> None:
    """What this process keeps by version: after a rollback the next rows get the same ids and
    versions.
    """
    series.kept.clear()
    vectors.kept.clear()
    inputs.kept.clear()
    inputs.kept_prices.clear()
    forget_legs()


@pytest.fixture(autouse=True)
def _nothing_remembered(request: pytest.FixtureRequest) -> None:
    """No cached answer, lock or throttle of one test reaches the next."""
    locks._local.clear()
    forget()
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("_django_db_helper")
        empty_cache()
    return


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """bcrypt's cost is its point, but not in every test; test_passwords.py puts it back."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(username: str = "kari", **fields: Any) -> User:
        return User.objects.create_user(username=username, password=PASSWORD, **fields)

    return make


@pytest.fixture
def user(make_user: Callable[..., User]) -> User:
    return make_user()


@pytest.fixture
def other_user(make_user: Callable[..., User]) -> User:
    return make_user("ola")


def api_client(user: User | None = None) -> APIClient:
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


@pytest.fixture
def api(user: User) -> APIClient:
    """A client signed in as `user`."""
    return api_client(user)


@pytest.fixture
def anonymous() -> APIClient:
    return APIClient()


@pytest.fixture
def other_api(other_user: User) -> APIClient:
    return api_client(other_user)
