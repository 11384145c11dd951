"""Test the files and commands of docs/deploy.md and README.md."""

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import redis
import requests
import yaml
from django.conf import settings

from financeproj.core.shared import heavy_requests
from financeproj.environment import open_to_others
from tests.servers.processes import installation  # noqa: F401  (a fixture)
from tests.servers.services import free_port, own_postgres, own_redis  # noqa: F401

ROOT = Path(settings.BASE_DIR)
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text()
README = (ROOT / "README.md").read_text()


# --- Files ----------------------------------------------------------------------------------------


def stages():
    """Return the Dockerfile's stages as [[(instruction, rest)]]."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [
        line.split(None, 1)
        for line in text.splitlines()
        if line.strip() and not line.startswith("#")
    ]
    starts = [at for at, line in enumerate(lines) if line[0] == "FROM"]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def test_uploads_have_a_folder_of_their_own_with_room_for_ten():
    assert Path(settings.FILE_UPLOAD_TEMP_DIR) == ROOT / "var" / "uploads"
    assert 10 * settings.MAX_MULTIPART_BYTES < 256 * 1024**2  # in compose.yaml


def test_the_image_has_two_stages_no_root_and_a_health_check():
    build, final = stages()
    assert build[0][1].endswith(" AS build")
    assert any("pip install --require-hashes -r requirements.txt" in rest for _, rest in build)
    instructions = [name for name, _ in final]
    assert final[instructions.index("USER")][1] == "10001"
    assert (
        "RUN" not in instructions[instructions.index("USER") :]
    )  # what runs can change nothing of it
    assert final[instructions.index("HEALTHCHECK")][1].endswith(
        '["python", "-m", "financeproj.probe"]'
    )
    secrets = [
        rest
        for stage in stages()
        for name, rest in stage
        if name in ("ENV", "ARG") and "SECRET" in rest
    ]
    assert secrets == []


def test_the_dockerfile_passes_its_linter():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed: `make check` installs and runs it")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_starts_everything_after_the_migrations_on_read_only_file_systems():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"release", "web", "worker", "beat", "db", "redis"}
    assert services["release"]["command"] == ["python", "manage.py", "migrate", "--noinput"]
    for name in ("release", "web", "worker", "beat"):
        assert services[name]["read_only"] is True, name
        assert services[name]["tmpfs"] == [
            "/tmp:size=64m",
            "/app/var:size=256m,mode=0700,uid=10001,gid=10001",
        ], name
        assert services[name]["volumes"] == ["backups:/backups"], name
    for name in ("web", "worker", "beat"):
        waits = {
            other: condition["condition"]
            for other, condition in services[name]["depends_on"].items()
        }
        assert waits == {"release": "service_completed_successfully", "redis": "service_healthy"}, (
            name
        )
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]
    used = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}
    assert used == set(compose["volumes"])
    for name in ("db", "redis"):
        assert "ports" not in services[name], name


def test_redis_of_compose_asks_for_a_password():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    needed = "${REDIS_PASSWORD:?set it in .env}"
    assert compose["redis"]["environment"] == {"REDISCLI_AUTH": needed}
    for name in ("release", "web", "worker", "beat"):
        assert compose[name]["environment"]["REDIS_URL"] == f"redis://:{needed}@redis:6379/0"
    shell, option, script = compose["redis"]["command"]
    # As compose reads it; the image's entry point changes the user.
    script = script.replace("$$", "$").replace("docker-entrypoint.sh ", "")
    port = free_port()
    process = subprocess.Popen(
        [shell, option, f"{script} --port {port} --bind 127.0.0.1 --save '' --dir /tmp"],
        env={"PATH": os.environ["PATH"], "REDISCLI_AUTH": "secret"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert ping_until_it_answers(port, password="secret")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        assert "secret" not in Path(f"/proc/{process.pid}/cmdline").read_text()
    finally:
        end(process)


def ping_until_it_answers(port, **options):
    until = time.monotonic() + 20
    while True:
        try:
            return redis.Redis(port=port, **options).ping()
        except redis.ConnectionError:
            assert time.monotonic() < until
            time.sleep(0.05)


MEGABYTES = {"web": 2560, "worker": 1536, "beat": 384, "release": 1024, "db": 1024, "redis": 256}


def test_every_container_and_service_has_a_memory_limit():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert {name: one["mem_limit"] for name, one in compose.items()} == {
        name: f"{megabytes}m" for name, megabytes in MEGABYTES.items()
    }
    [unit] = re.findall(r"```ini\n(.*?)```", DOCUMENT, re.DOTALL)
    assert f"\nMemoryMax={MEGABYTES['web']}M\n" in unit
    assert "\nOOMPolicy=continue\n" in unit
    others = (
        f"`MemoryMax` is {MEGABYTES['worker']}M for the worker and {MEGABYTES['beat']}M for beat"
    )
    assert others in DOCUMENT
    # Temporary file systems count: /tmp, and /app/var with uploads and exports.
    costly = heavy_requests.AT_ONCE * 350
    assert settings.WEB_CONCURRENCY * 260 + costly + 256 + 64 < MEGABYTES["web"]


def test_the_processes_are_the_same_in_compose_and_the_procfile():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert lines["release"] == "python manage.py migrate --noinput"
    for name in ("release", "worker", "beat"):
        assert " ".join(compose[name]["command"]) == lines[name]
    command = next(rest for name, rest in stages()[1] if name == "CMD")
    assert re.sub(r'[\[\]",]+', " ", command).split() == lines["web"].split()


@pytest.mark.parametrize(("name", "begun"), [("worker", " ready."), ("beat", "Starting")])
def test_worker_and_beat_of_the_procfile_begin_with_lines_of_json(name, begun, installation):
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    process = subprocess.Popen(
        [sys.executable, "-m", *lines[name].split()],
        cwd=ROOT,
        env=installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert any(begun in json.loads(line)["event"] for line in process.stdout)
    finally:
        end(process)


def test_the_health_check_fails_when_the_server_does_not_run(live_server):
    port = live_server.url.rsplit(":", 1)[1]
    probe = [sys.executable, "-m", "financeproj.probe"]
    environment = {**os.environ, "ALLOWED_HOSTS": "localhost,finance.example.org"}
    assert subprocess.run(probe, cwd=ROOT, env=environment | {"PORT": port}).returncode == 0
    assert (
        subprocess.run(probe, cwd=ROOT, env=environment | {"PORT": str(free_port())}).returncode
        == 1
    )


# --- The proxy ------------------------------------------------------------------------------------

SLOW_CLIENTS = 200
HEADER_SECONDS = 10


def caddyfile(*, port, web_port):
    """Return Caddyfile.example for plain HTTP on `port`, with no other change."""
    text = (ROOT / "Caddyfile.example").read_text()
    for written, ours in (
        ("\nfinance.example.org {", f"\nhttp://127.0.0.1:{port} {{"),
        ("reverse_proxy 127.0.0.1:8000 ", f"reverse_proxy 127.0.0.1:{web_port} "),
        ("\n{\n", "\n{\n\tadmin off\n"),
    ):
        assert text.count(written) == 1
        text = text.replace(written, ours)
    return text


@pytest.fixture
def proxied(installation, tmp_path):
    """Start one web process behind the shipped proxy. Return the proxy's port."""
    program = Path(sys.executable).with_name("caddy")
    if not program.exists():
        pytest.skip("caddy is not installed: requirements-dev.txt has it")
    installation.environment |= {"TRUSTED_PROXIES": "1", "THROTTLE_ANON": "1000000/min"}
    installation.start_web()
    port = free_port()
    config = tmp_path / "Caddyfile"
    config.write_text(caddyfile(port=port, web_port=installation.environment["PORT"]))
    log = (tmp_path / "caddy.log").open("wb")
    process = subprocess.Popen(
        [program, "run", "--adapter", "caddyfile", "--config", config],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        stdout=log,
        stderr=log,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", process, seconds=30)
        yield port
    finally:
        process.terminate()
        process.wait(30)
        log.close()


class SlowClients:
    """Connections that send one byte each whenever `trickle` is called."""

    def __init__(self, port, count, begin):
        self.open = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]
        for connection in self.open:
            connection.sendall(begin)

    def trickle(self):
        for connection in list(self.open):
            try:
                connection.sendall(b"x")
                connection.setblocking(False)
                is_closed = connection.recv(4096) == b""
            except BlockingIOError:
                is_closed = False
            except OSError:
                is_closed = True
            connection.setblocking(True)
            if is_closed:
                self.open.remove(connection)
                connection.close()

    def close(self):
        for connection in self.open:
            connection.close()


@pytest.mark.parametrize("part", ["headers", "body"])
def test_two_hundred_slow_clients_hang_no_health_check(proxied, part):
    begin = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if part == "headers":
        begin += b"X-Slow: "
    else:
        begin += b"Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
    clients = SlowClients(proxied, SLOW_CLIENTS, begin)
    started = time.monotonic()
    slowest = 0.0
    try:
        while time.monotonic() < started + HEADER_SECONDS + 3:
            clients.trickle()
            asked = time.monotonic()
            answer = requests.get(f"http://127.0.0.1:{proxied}/healthz", timeout=5)
            slowest = max(slowest, time.monotonic() - asked)
            assert answer.status_code == 200
            time.sleep(0.3)
        assert slowest < 2
        # The proxy ends those that send no complete headers; a body has five minutes.
        assert len(clients.open) == (0 if part == "headers" else SLOW_CLIENTS)
    finally:
        clients.close()


@pytest.mark.parametrize("size", [20_900_000, 21_100_000])
def test_a_body_that_is_too_large_is_refused_by_the_application_through_the_proxy(proxied, size):
    url = f"http://127.0.0.1:{proxied}/api/v1/auth/login"
    for _ in range(5):
        refused = requests.post(url, data=b"x" * size, timeout=60)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (413, "too_large")


# --- Commands -------------------------------------------------------------------------------------


def commands_of(text, heading, end):
    """Return the sh blocks between two headings."""
    part = text[text.index(heading) : text.index(end)]
    return re.findall(r"```sh\n(.*?)```", part, re.DOTALL)


PASSWORD_OF_REDIS = "a-long-password"


class Clean:
    """A new folder with only the code, and an unprivileged user to work there."""

    def __init__(self, place):
        self.place = place
        self.home = place / "home"
        self.code = place / "financeproj"
        self.code.mkdir()
        self.home.mkdir()
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout
        for name in filter(None, listed.decode().split("\0")):
            (self.code / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.code / name)
        self.user = None
        if os.getuid() == 0:
            self.user = pwd.getpwnam("nobody")
            place.chmod(0o755)
            for path in [self.home, self.code, *self.code.rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        names = (
            "PIP_INDEX_URL",
            "PIP_CONFIG_FILE",
            "PIP_CERT",
            "SSL_CERT_FILE",
            "http_proxy",
            "https_proxy",
        )
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            **{name: os.environ[name] for name in names if name in os.environ},
        }

    def start(self, script, **environment):
        kwargs = (
            {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
            if self.user
            else {}
        )
        return subprocess.Popen(
            ["bash", "-euc", script],
            cwd=self.code,
            env=self.environment | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **kwargs,
        )

    def run(self, script, given="", **environment):
        process = self.start(script, **environment)
        said, _ = process.communicate(given, timeout=900)
        assert process.returncode == 0, f"{script}\n{said[-5000:]}"
        return said


@pytest.fixture(scope="module")
def clean():
    if os.environ.get("DEPLOY_TEST") != "1":
        pytest.skip("`make deploy-test` runs it: it installs every package, which takes minutes")
    with tempfile.TemporaryDirectory(
        prefix="clean-"
    ) as place:  # pytest's own folders are closed to others
        yield Clean(Path(place))


def wait_for(url, process, seconds=600, **kwargs):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, process.stdout.read()[-5000:]
        try:
            answer = requests.get(url, timeout=5, **kwargs)
            if answer.ok:
                return answer
        except requests.RequestException:
            pass
        time.sleep(0.5)
    raise AssertionError(f"{url} does not answer")


def end(process):
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)


def test_the_two_commands_of_the_readme(clean):
    demo, test = re.findall(
        r"^make (\w+)", re.search(r"```\n(make demo.*?)```", README, re.DOTALL)[1], re.MULTILINE
    )
    assert (demo, test) == ("demo", "test")
    port = free_port()
    process = clean.start("make demo", PORT=str(port))
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", process)
        password = (clean.code / "var" / "demo_password").read_text()
        body = {"username": "demo", "password": password}
        token = requests.post(
            f"http://127.0.0.1:{port}/api/v1/auth/login", json=body, timeout=30
        ).json()["access"]
        portfolios = requests.get(
            f"http://127.0.0.1:{port}/api/v1/portfolios",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        ).json()
        assert [one["name"] for one in portfolios] == ["Nordic savings", "Wall Street"]
        assert open_to_others(clean.code / "var") == []
    finally:
        end(process)
    # All tests again would be all of CI again: that the command sets itself up and runs is what
    # matters here.
    assert " passed" in clean.run("make test", PYTEST_ADDOPTS="financeproj/core --no-cov")


def test_the_steps_of_the_deployment(clean, own_postgres, own_redis):
    own_redis.client().config_set("requirepass", PASSWORD_OF_REDIS)
    with psycopg.connect(own_postgres.url, autocommit=True) as admin:
        admin.execute("CREATE USER finance")
        admin.execute("CREATE DATABASE finance OWNER finance")
    for made in (".venv", "var", ".env", "staticfiles"):
        shutil.rmtree(clean.code / made) if (clean.code / made).is_dir() else (
            clean.code / made
        ).unlink(missing_ok=True)
    port, backups = free_port(), clean.home / "backups"
    install, configure, prepare, serve, doctor = commands_of(
        DOCUMENT, "## Without containers", "## The proxy"
    )
    clean.run(install)
    for written, ours in (
        ("127.0.0.1:5432", f"127.0.0.1:{own_postgres.port}"),
        (":password@127.0.0.1:6379", f":{PASSWORD_OF_REDIS}@127.0.0.1:{own_redis.port}"),
        ("/srv/backups/finance", str(backups)),
    ):
        assert configure.count(written) == 1
        configure = configure.replace(written, ours)
    clean.run(configure)
    assert (clean.code / ".env").stat().st_mode & 0o777 == 0o600
    clean.run(prepare, given="correct horse battery\n")
    assert serve.count("PORT=8000") == 1
    process = clean.start(serve.replace("PORT=8000", f"PORT={port}"))
    behind_a_proxy = {
        "Host": "finance.example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "192.0.2.1",
    }
    url = f"http://127.0.0.1:{port}"
    try:
        assert wait_for(f"{url}/readyz", process, headers=behind_a_proxy).json()["status"] == "ok"
        redirect = requests.get(
            f"{url}/login",
            headers={"Host": "finance.example.org"},
            allow_redirects=False,
            timeout=30,
        )
        assert (redirect.status_code, redirect.headers["Location"]) == (
            301,
            "https://finance.example.org/login",
        )
        body = {"username": "kari", "password": "correct horse battery"}
        login = requests.post(
            f"{url}/api/v1/auth/login", json=body, headers=behind_a_proxy, timeout=30
        )
        assert login.status_code == 200
        until = time.monotonic() + 90
        while "All is well." not in (said := _said(clean, doctor)) and time.monotonic() < until:
            time.sleep(3)
        assert "All is well." in said
        [backup] = commands_of(DOCUMENT, "## Upgrade", "Then put the new code")
        assert ", proved." in clean.run(backup)
        assert len(list(backups.glob("*.zip"))) == 1
    finally:
        end(process)
    [upgrade] = commands_of(DOCUMENT, "Then put the new code", "## Rollback")
    clean.run(upgrade)


def _said(clean, script):
    process = clean.start(script)
    return process.communicate(timeout=120)[0]
