"""Measure the latency of /healthz while a client requests the largest timeline in a loop."""

import os
import secrets
import subprocess
import sys

LIMIT = 5


def main() -> bool:
    """Print the ratio of the two p99 values. Return whether it is within the limit."""
    environment = {
        **os.environ,
        "REDIS_URL": "",
        "LOG_LEVEL": "ERROR",
        "THROTTLE_USER": "1000000/min",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "SECURE_SSL": "false",
        "DJANGO_SETTINGS_MODULE": "financeproj.settings",
    }
    command = [sys.executable, "-m", "benchmarks.healthz"]
    printed = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout
    idle, busy = map(float, printed.split()[-2:])
    print(f"healthz_p99: {busy / idle:.1f} x idle while L is requested in a loop (limit {LIMIT})")
    print(f"healthz_p99: {idle * 1e3:.1f} ms idle, {busy * 1e3:.1f} ms busy")
    return busy / idle <= LIMIT


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
