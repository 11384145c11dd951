"""Test the same commands on PostgreSQL and Redis."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.servers.services import with_services

pytestmark = with_services

ROOT = Path(__file__).resolve().parent.parent
SERVER = "postgres://postgres@127.0.0.1:5432"
REDIS_URL = "redis://127.0.0.1:6379/14"


@pytest.fixture(scope="module")
def environment():
    """The variables of an installation on a database of its own, which is dropped afterwards."""
    admin = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=3)
    name = f"finance_{secrets.token_hex(4)}"
    admin.execute(f'CREATE DATABASE "{name}"')
    yield {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": f"{SERVER}/{name}",
        "REDIS_URL": REDIS_URL,
    }
    admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    admin.close()


def manage(environment, *arguments):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    ).stdout


def test_an_installation_on_postgresql_and_redis_is_made_and_filled(environment):
    manage(environment, "migrate", "--verbosity", "0")
    password = ROOT / "var" / "demo_password"
    before = password.read_text() if password.exists() else None
    try:
        assert "transactions imported" in manage(environment, "make_demo")
    finally:
        password.write_text(before) if before else password.unlink()
    with psycopg.connect(environment["DATABASE_URL"]) as database:
        holdings = database.execute(
            "SELECT count(*) FROM portfolios_holding WHERE current_quantity > 0"
        ).fetchone()
        oversold = database.execute(
            "SELECT count(*) FROM portfolios_holding WHERE current_quantity < 0"
        ).fetchone()
    assert holdings[0] >= 6
    assert oversold[0] == 0
