"""Test that a missing or invalid variable is reported in a sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KEY = "mJ2vW8kQ0z" * 6


def run(*command, **variables):
    environment = {"PATH": os.environ["PATH"], "SECRET_KEY": KEY, "DEBUG": "false", **variables}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {
            "SECRET_KEY": " ",
            "DEBUG": "perhaps",
            "DATABASE_URL": "mysql://localhost/x",
            "REDIS_URL": "http://localhost",
            "TIME_ZONE": "Norway/Bergen",
            "DEFAULT_BASE_CURRENCY": "KRONER",
            "MARKET_DATA_CACHE_SECONDS": "99999999999999",
            "MARKET_DATA_TIMEOUT_SECONDS": "soon",
            "YNAB_BASE_URL": ",",
            "ACCESS_TOKEN_MINUTES": "0",
            "REFRESH_TOKEN_DAYS": "1000000000",
            "ALLOWED_HOSTS": "http://example.org",
            "CORS_ALLOWED_ORIGINS": "example.org",
            "THROTTLE_USER": "many",
            "LOG_LEVEL": "LOUD",
            "TRUSTED_PROXIES": "one",
            "PORT": "abc",
            "WEB_CONCURRENCY": "abc",
        },
        {
            "DATABASE_URL": "postgres://[bad",
            "REDIS_URL": "redis://localhost:abc/0",
            "MARKET_DATA_TIMEOUT_SECONDS": "99999999999",
            "YNAB_BASE_URL": "https://localhost:99999",
            "ACCESS_TOKEN_MINUTES": "99999999999999",
            "REFRESH_TOKEN_DAYS": "3000000",  # would end after the year 9999
            "ALLOWED_HOSTS": "example.org:443",
            "CORS_ALLOWED_ORIGINS": "https://",
            "TRUSTED_PROXIES": "-1",
            "PORT": "99999",
            "WEB_CONCURRENCY": "0",
        },
        {
            "DATABASE_URL": "postgres://[bad/x",
            "REDIS_URL": "redis://localhost/first",
            "ALLOWED_HOSTS": ",",
        },
        {
            "DATABASE_URL": "sqlite://",
            "REDIS_URL": "unix:///run/redis.sock",
        },  # Celery has no such broker
        {"DATABASE_URL": "sqlite://var/db.sqlite3"},
    ],
)
def test_wrong_variables_are_named_in_a_sentence_each(wrong):
    output = run(
        "-c",
        "from financeproj.settings import CONFIGURATION_PROBLEMS as p; print(*p, sep='\\n')",
        **wrong,
    )
    assert [name for name in wrong if f"{name} must be" not in output.stdout] == []
    assert output.stdout.count("must be") == len(output.stdout.splitlines()) == len(wrong)
    assert output.returncode == 0, output.stderr


def test_a_command_says_what_is_wrong_and_does_nothing():
    result = run("manage.py", "check", DEBUG="perhaps", PORT="abc")
    assert result.returncode == 1
    assert [name for name in ("DEBUG", "PORT") if f"{name} must be" not in result.stderr] == []
    assert result.stderr.count("must be") == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["no-folder/db.sqlite3", "."])
def test_a_database_that_cannot_be_made_is_a_sentence_before_migrations(name, tmp_path):
    result = run("manage.py", "migrate", DATABASE_URL=f"sqlite:///{tmp_path / name}")
    assert result.returncode == 1
    assert "DATABASE_URL must be sqlite:///path, where a file can be written, or" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    "public",
    [{"ALLOWED_HOSTS": "finance.example.org"}, {"ALLOWED_HOSTS": "*"}, {"HOST": "0.0.0.0"}],
)
def test_debug_with_a_public_host_refuses_to_start_and_is_a_finding_of_the_doctor(public):
    served = run("-c", "import financeproj.wsgi", DEBUG="true", **public)
    assert served.returncode == 3
    assert "DEBUG must be false where others can reach the server" in served.stderr
    doctor = run("manage.py", "doctor", DEBUG="true", **public)
    assert doctor.returncode == 1
    assert "configuration: DEBUG must be false where others can reach" in doctor.stdout


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost"])
def test_debug_on_this_machine_starts(host):
    found = run("-c", "import financeproj.wsgi", DEBUG="true", HOST=host)
    assert (found.returncode, found.stderr) == (0, "")


CREATE = """
from pathlib import Path
from financeproj.environment import close_to_others, open_to_others
folder = Path({folder!r})
print([str(path.relative_to(folder)) for path in open_to_others(folder)])
close_to_others(folder)
print(open_to_others(folder))
import financeproj.settings
(folder / "later").mkdir()
(folder / "later" / "file").touch()
print(open_to_others(folder))
"""


def test_var_and_all_in_it_is_for_its_owner_alone(tmp_path):
    folder = tmp_path / "var"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "db.sqlite3").touch()
    (folder / "db.sqlite3").chmod(0o644)
    (folder / "closed").touch(0o600)
    (folder / "closed").chmod(0o600)
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    (folder / "link").symlink_to(outside)
    printed = run("-c", CREATE.format(folder=str(folder))).stdout.splitlines()
    assert printed == ["['.', 'db.sqlite3']", "[]", "[]"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "db.sqlite3").stat().st_mode & 0o777 == 0o600
    assert outside.stat().st_mode & 0o777 == 0o644


def test_the_key_for_development_is_kept_for_its_owner_alone():
    code = (
        "from financeproj import settings as s; from pathlib import Path;"
        "file = s.VAR_DIR / 'secret_key';"
        "print(oct(file.stat().st_mode & 0o777), file.read_text() == s.SECRET_KEY)"
    )
    first, second = (run("-c", code, SECRET_KEY="", DEBUG="true") for _ in range(2))
    assert first.stdout == second.stdout == "0o600 True\n"


def test_right_settings_have_nothing_to_complain_about():
    most = {
        "MARKET_DATA_CACHE_SECONDS": "2592000",
        "MARKET_DATA_TIMEOUT_SECONDS": "300",
        "ACCESS_TOKEN_MINUTES": "43200",
        "REFRESH_TOKEN_DAYS": "3650",
        "TRUSTED_PROXIES": "10",
        "PORT": "65535",
        "WEB_CONCURRENCY": "100",
        "REDIS_URL": "rediss://user:p%40ss@localhost:6380/15",
        "DATABASE_URL": "postgres://finance:a[b#c@db.example.org:5432/finance",
        "ALLOWED_HOSTS": "finance.example.org, .example.net,[::1]",
    }
    result = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **most)
    assert result.returncode == 0, result.stderr


def test_options_in_the_database_address_are_kept():
    output = run(
        "-c",
        "from financeproj.settings import DATABASES; print(DATABASES['default']['OPTIONS'])",
        DATABASE_URL="postgres://finance:word@db.example.org/finance"
        "?sslmode=require&connect_timeout=9",
    )
    assert output.stdout == "{'connect_timeout': 9, 'sslmode': 'require'}\n"


def test_the_table_of_the_readme_and_the_example_name_the_same_variables():
    table = (ROOT / "README.md").read_text().split("## Environment")[1].split("\n## ")[0]
    documented = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    example = set(re.findall(r"^(?:# )?(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert documented == example
