"""Settings of gunicorn, which reads this file from its working directory."""

import gc
import os
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")

from django.conf import settings

logconfig_dict = settings.LOGGING  # also for gunicorn's own lines
# The application sits at the root; no client chooses SCRIPT_NAME or PATH_INFO.
forwarder_headers = ""
control_socket_disable = True  # unused, and its folder in the home directory may not be writable
bind = f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
worker_class = "gthread"
threads = settings.WEB_THREADS
timeout = 120
graceful_timeout = 30
keepalive = 5
# Processes are restarted regularly. Meanwhile, for some seconds, the other one serves all requests.
max_requests = 50_000
max_requests_jitter = 10_000
# The application writes its own access lines in JSON.
accesslog = None


def on_starting(server: object) -> None:
    """Remove the uploads that an earlier server left when it was killed.

    In the master process, once: a worker that is renewed leaves alone what the others receive.
    """
    for file in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir():
        with suppress(OSError):  # on a read-only disk; requests then answer `read_only`
            file.unlink()


def post_worker_init(worker: object) -> None:
    """Import yfinance in the background, because it takes a second or two."""
    from threading import Thread

    # The default, a garbage collection per 700 new objects, costs a request with a thousand rows a
    # tenth of its time.
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)

    from integrations.yahoo import warm_up

    Thread(target=warm_up, daemon=True).start()
