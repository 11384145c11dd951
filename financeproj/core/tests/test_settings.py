"""A missing or wrong variable is a sentence, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KEY = "mJ2vW8kQ0z" * 6


def run(*command, **variables):
    environment = {"PATH": os.environ["PATH"], "SECRET_KEY": KEY, "DEBUG": "false", **variables}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", " "),
        ("DEBUG", "perhaps"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("REDIS_URL", "http://localhost"),
        ("TIME_ZONE", "Norway/Bergen"),
        ("DEFAULT_BASE_CURRENCY", "KRONER"),
        ("MARKET_DATA_TIMEOUT_SECONDS", "soon"),
        ("ACCESS_TOKEN_MINUTES", "0"),
        ("CORS_ALLOWED_ORIGINS", "example.org"),
        ("THROTTLE_USER", "many"),
        ("LOG_LEVEL", "LOUD"),
        ("TRUSTED_PROXIES", "one"),
    ],
)
def test_a_wrong_variable_is_named_in_a_sentence(name, value):
    result = run("manage.py", "check", **{name: value})
    assert result.returncode == 1
    assert f"{name} must be" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("-c", "import financeproj.wsgi"),
        ("-m", "celery", "-A", "financeproj", "worker", "--concurrency", "1"),
        ("-m", "celery", "-A", "financeproj", "beat", "--pidfile="),
    ],
    ids=["web", "worker", "beat"],
)
def test_no_process_starts_with_a_wrong_variable(command):
    result = run(*command, SECRET_KEY="", TIME_ZONE="Norway/Bergen")
    assert result.returncode == 3
    assert "SECRET_KEY must be set" in result.stderr
    assert "TIME_ZONE must be" in result.stderr
    assert "Traceback" not in result.stderr


def test_right_settings_have_nothing_to_complain_about():
    result = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", ALLOWED_HOSTS="finance.example.org")
    assert result.returncode == 0, result.stderr
