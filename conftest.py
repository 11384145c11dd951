"""Fixtures shared by the tests of all apps."""

import gc
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from rest_framework.test import APIClient

from financeproj.core.shared import locks
from financeproj.users.models import User
from marketdata import vectors as market_vectors
from marketdata.selectors import forget_legs
from portfolios.reports import histories, money_rows, vectors
from portfolios.valuation import holdings_and_prices, traded
from tests import history_watch
from tests.servers.cache import empty_cache
from tests.servers.processes import django_db_setup, first_database  # noqa: F401  (fixtures)
from tests.servers.yahoo import _no_network, yahoo  # noqa: F401  (fixtures; the first blocks the network in every test)

ROOT = Path(__file__).parent
PASSWORD = "correct horse battery"
# The files that take longest, in turns one that waits for servers and one that does not.
LONGEST = (
    "tests/browser/test_pages_hold.py",
    "integrations/statements/tests/test_samples.py",
    "tests/test_faults.py",
    "integrations/backups/tests/test_older_backups.py",
    "integrations/backups/tests/test_processes.py",
    "tests/test_admin_rights.py",
    "tests/browser/test_journey.py",
    "tests/test_schema_holds.py",
    "tests/browser/test_import_steps.py",
    "integrations/imports/tests/test_bad_input.py",
    "tests/test_history_walk_commands.py",
    "integrations/imports/tests/test_import.py",
    "tests/test_market_data_processes.py",
    "tests/test_admin_pages.py",
    "tests/test_deploy.py",
    "integrations/statements/tests/test_nordnet.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Keep test processes on one Redis apart."""
    from django.conf import settings

    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    settings.CACHES["default"]["KEY_PREFIX"] = f"test-{worker}"
    # Each test's client creates the middleware again, and whitenoise would scan all static
    # files each time.
    settings.WHITENOISE_AUTOREFRESH = True
    # Imported modules are not garbage, and scanning them takes time (as in gunicorn.conf.py).
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    history_watch.install()
    hypothesis.settings.register_profile(
        "untimed", deadline=None
    )  # the duration of an example proves nothing
    hypothesis.settings.load_profile("untimed")


@contextmanager
def untraced(config: pytest.Config, *, when: bool) -> Generator[None, None, None]:
    """Stop coverage inside this block if `when`; tracing doubles the time that Python takes."""
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
    """Do not trace the set-up of tests marked untraced: the demo's import takes as long as the
    test.

    The marker is our own. With pytest-cov's `no_cover`, both would resume coverage, and coverage
    that was started twice continues after it is stopped once.
    """
    with untraced(item.config, when=item.get_closest_marker("untraced") is not None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Do not trace the migrations of the test database."""
    with untraced(request.config, when=fixturedef.argname == "django_db_setup"):
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests with database access also use the embedded cache's file.

    Tests that copy the database are marked too, because pytest-django only creates the databases
    named by a marked test.
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


def _waits(item: pytest.Item) -> bool:
    """Return whether a test mostly waits for servers."""
    return not {"installation", "live_server"}.isdisjoint(getattr(item, "fixturenames", ()))


def by_turns(items: list[pytest.Item]) -> list[pytest.Item]:
    """Distribute the files whose tests mostly wait for servers evenly among the others.

    Test processes that take one file after the other then keep all cores busy. The longest files
    come first, so that none of them runs alone at the end.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [path for path, tests in files.items() if any(map(_waits, tests))]
    places: dict[Path, float] = {}
    for kind in (sorted(waiting), sorted(files.keys() - set(waiting), reverse=True)):
        places |= {path: number / len(kind) for number, path in enumerate(kind)}
    for number, name in enumerate(LONGEST):
        places[ROOT / name] = number - len(LONGEST)
    return [
        item
        for path in sorted(files, key=lambda path: (places[path], path))
        for item in files[path]
    ]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: Any
) -> None:
    """Remove the test database that an interrupted run may have left, with processes that use
    it.
    """
    from django.db import connection

    if connection.vendor == "postgresql":
        name = connection.ops.quote_name(connection.creation._get_test_db_name())
        with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def forget() -> None:
    """Clear this process's versioned caches: after a rollback, ids and versions are reused."""
    market_vectors.vector_cache.clear()
    vectors.vector_cache.clear()
    histories.instruments_cache.clear()
    holdings_and_prices.holdings_cache.clear()
    holdings_and_prices.prices_cache.clear()
    traded.trades_cache.clear()
    money_rows.money_rows_cache.clear()
    forget_legs()


@pytest.fixture(scope="module")
def module_db(django_db_setup: str, django_db_blocker: Any) -> Iterator[None]:  # noqa: F811
    """Keep what a module's fixtures store until its last test.

    What a test itself writes is rolled back after it, as everywhere.
    """
    from django.db import transaction

    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _nothing_remembered(request: pytest.FixtureRequest) -> None:
    """Clear cached answers, locks and throttles between tests."""
    locks._local.clear()
    forget()
    if "db" in request.fixturenames or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("_django_db_helper")
        empty_cache()
    return


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """Use a fast password hasher; test_passwords.py restores bcrypt."""
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
    """Return a client that is signed in as `user`."""
    return api_client(user)


@pytest.fixture
def anonymous() -> APIClient:
    return APIClient()


@pytest.fixture
def other_api(other_user: User) -> APIClient:
    return api_client(other_user)
