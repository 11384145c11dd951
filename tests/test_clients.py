"""Test the example clients against a server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.processes import PASSWORD, installation  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parent.parent
UNREACHABLE = (
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "ERR_SOCKET_TIMEOUT",
)


@pytest.fixture
def site(installation, yahoo):
    """A server with a user; the file buys 10 shares that are worth 301.50 now, at 290."""
    listed = yahoo.list(
        "EQNR.OL", [290, 295, 301.5], currency="NOK", zone="Europe/Oslo", name="Equinor ASA"
    )
    (installation.place / "trades.csv").write_text(
        f"date,type,ticker,quantity,price,currency\n{min(listed.closes)},buy,EQNR.OL,10,290,NOK\n"
    )
    installation.start_web()
    installation.sign_in()
    return installation


def run(*command, cwd=ROOT):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def import_and_ask(site, password=PASSWORD):
    file = str(site.place / "trades.csv")
    return run(
        sys.executable, "clients/python/performance.py", site.url, "kari", password, "Nordic", file
    )


def test_the_python_example_imports_a_file_once_and_prints_the_performance(site):
    assert import_and_ask(site).stdout.splitlines() == [
        "1 transactions imported, 0 already imported",
        "Nordic: 3015.00 NOK, gain 115.00, return 3.97%",
    ]
    assert import_and_ask(site).stdout.startswith(
        "0 transactions imported, 1 already imported\nNordic: 3015.00 NOK"
    )
    refused = import_and_ask(site, "wrong")
    assert (refused.returncode, refused.stderr) == (
        1,
        "401: The user name or the password is wrong.\n",
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Compile the TypeScript client from the checked-in schema."""

    def lacking(reason):
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    if shutil.which("npm") is None:
        lacking("npm is not installed")
    place = tmp_path_factory.mktemp("client")
    client = place / "clients" / "typescript"
    shutil.copytree(
        ROOT / "clients" / "typescript",
        client,
        ignore=shutil.ignore_patterns("node_modules", "build", "schema.ts"),
    )
    (place / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "openapi.yaml", place / "docs")
    installed = run("npm", "ci", "--no-audit", "--no-fund", cwd=client)
    if installed.returncode and any(code in installed.stderr for code in UNREACHABLE):
        lacking(f"npm's registry cannot be reached: {installed.stderr[-300:]}")
    assert installed.returncode == 0, installed.stderr
    add_what_must_not_compile(client)
    for step in ("generate", "compile"):
        done = run("npm", "run", step, cwd=client)
        assert done.returncode == 0, done.stdout + done.stderr
    return client


def test_the_typescript_client_compiles_strictly_and_reads_the_same(built, site):
    assert import_and_ask(site).returncode == 0
    done = run("node", "build/performance.js", site.url, "kari", PASSWORD, cwd=built)
    assert (done.stdout, done.stderr) == ("Nordic: 3015 NOK, 3.97 %\n", "")


def add_what_must_not_compile(client):
    """Add a client that uses what the schema lacks; the compiler must report the marked line."""
    text = (client / "performance.ts").read_text()
    line = next(line for line in text.splitlines() if "data.end_value" in line)
    wrong = line.replace("data.end_value", "data.value_at_the_end")
    (client / "lacking.ts").write_text(text.replace(line, f"// @ts-expect-error\n{wrong}"))
    project = client / "tsconfig.json"
    project.write_text(
        project.read_text().replace('"performance.ts"', '"performance.ts", "lacking.ts"')
    )


def test_a_client_that_asks_for_what_the_schema_lacks_does_not_compile(built):
    assert (
        "@ts-expect-error\n  console.log(`${name}: ${data.value_at_the_end}"
        in (built / "lacking.ts").read_text()
    )
    assert (
        built / "build" / "lacking.js"
    ).exists()  # it was compiled with the others, and its error expected
