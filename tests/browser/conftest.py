"""Run the pages in Debian's Chromium through Playwright, against Django's live server."""

import os
import sqlite3
import time
from pathlib import Path
from threading import current_thread
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import connection
from django.test import Client
from playwright.sync_api import expect, sync_playwright

# The shell without a window takes half the processor time; either is Chromium.
CHROMIUM = next(
    filter(Path.exists, (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))), None
)
# Playwright's synchronous API keeps an event loop in this thread, in which Django would refuse to
# ask its database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
SIZES = {"wide": {"width": 1440, "height": 900}, "phone": {"width": 375, "height": 740}}


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        reason = "Chromium is not installed (apt install chromium-headless-shell)"
        if os.environ.get("TEST_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """A page and its problems: console errors (including policy violations) and foreign hosts."""

    def __init__(self, page, origin):
        self.page, self.origin = page, origin
        self.problems, self.calls, self.hosts = [], [], set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("request", self._request)
        page.on("response", lambda response: self.hosts.add(urlsplit(response.url).netloc))

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _request(self, request):
        address = urlsplit(request.url)
        if (
            address.scheme not in ("data", "blob")
            and f"{address.scheme}://{address.netloc}" != self.origin
        ):
            self.problems.append(f"another host: {request.url}")
        if address.path.startswith("/api/"):
            self.calls.append(request.url.removeprefix(self.origin))

    def sign_in(self, username, password):
        self.open("/login")
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", password)
        self.page.press("#id_password", "Enter")
        self.page.wait_for_url("**/dashboard")
        self.settle()

    def is_signed_in_as(self, user):
        """Set the session cookie directly, for tests of other things than sign-in."""
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        self.page.context.add_cookies(
            [{"name": name, "value": client.cookies[name].value, "url": self.origin}]
        )

    def open(self, path):
        self.page.goto(self.origin + path)
        self.settle()

    def settle(self):
        """Wait until no request is running and every panel is filled."""
        self.page.wait_for_load_state("networkidle")
        # Not wait_for_function, which evaluates strings: the policy refuses that.
        expect(self.page.locator("[aria-busy], .skeleton")).to_have_count(0, timeout=15_000)

    def api(self, path):
        """Fetch an API path from within the page."""
        return self.page.evaluate(
            "path => fetch('/api/v1' + path).then(answer => answer.json())", path
        )


@pytest.fixture
def requests_under_way():
    """Collect the threads of requests that the server is answering."""
    under_way = []

    def started(**kwargs):
        under_way.append(current_thread())

    def finished(**kwargs):
        under_way.remove(current_thread())

    request_started.connect(started, weak=False)
    request_finished.connect(finished, weak=False)
    yield under_way
    request_started.disconnect(started)
    request_finished.disconnect(finished)


@pytest.fixture
def visit(browser, live_server, requests_under_way):
    """Opens a browser of its own: visit(size, theme, locale). Nothing may have gone wrong in it at
    the end.

    `origin` is the site to look at, if not the test's own process.
    """
    opened = []

    def visit(size="wide", theme="light", locale="en-GB", origin=live_server.url):
        context = browser.new_context(
            viewport=SIZES[size], color_scheme=theme, locale=locale, timezone_id="UTC"
        )
        context.set_default_timeout(15_000)
        visitor = Visitor(context.new_page(), origin)
        opened.append((context, visitor))
        return visitor

    yield visit
    problems = [problem for _, visitor in opened for problem in visitor.problems]
    for context, visitor in opened:
        visitor.page.goto("about:blank")
        context.close()
    # A request that its page has left goes on in the server: emptying the database meanwhile ends
    # in a deadlock.
    until = time.monotonic() + 60  # SQLite itself may wait for 30
    while (
        answering := [one for one in requests_under_way if one.is_alive()]
    ) and time.monotonic() < until:
        time.sleep(0.02)
    assert answering == []
    assert problems == []


@pytest.fixture(scope="session")
def kept_demo():
    """Return the demo's database and password, made once; SQLite copies them quickly."""
    return {}


@pytest.fixture
def demo(transactional_db, settings, tmp_path, kept_demo):
    """Load the demo. Return the user's name and password."""
    settings.VAR_DIR = tmp_path
    if kept_demo:
        connection.ensure_connection()
        kept_demo["rows"].backup(connection.connection)
        return "demo", kept_demo["password"]
    call_command("make_demo", verbosity=0)
    password = (tmp_path / "demo_password").read_text()
    if connection.vendor == "sqlite":
        kept_demo.update(rows=sqlite3.connect(":memory:"), password=password)
        connection.connection.backup(kept_demo["rows"])
    return "demo", password
