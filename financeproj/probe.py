"""The container's health check: exit with 0 if this container's server answers /healthz."""

import os
import sys
import urllib.request


def main() -> int:
    # The server refuses host names that are not in ALLOWED_HOSTS.
    host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".") or "localhost"
    url = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/healthz"
    try:
        probe = urllib.request.Request(url, headers={"Host": host})
        with urllib.request.urlopen(probe, timeout=4) as answer:  # nosec B310
            return 0 if answer.status == 200 else 1
    except OSError as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
