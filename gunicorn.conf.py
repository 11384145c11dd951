"""How gunicorn serves, which finds this file in the folder that it is started in."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")

from django.conf import settings

logconfig_dict = settings.LOGGING  # gunicorn's own lines too
control_socket_disable = (
    True  # nobody speaks to it, and its place in the home folder may not be writable
)
bind = f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
worker_class = "gthread"
threads = settings.WEB_THREADS
timeout = 120
graceful_timeout = 30
keepalive = 5
# A process is renewed now and then, for years; while it begins anew the other one has everybody for
# seconds.
max_requests = 50_000
max_requests_jitter = 10_000
# Access lines are the application's own, in JSON.
accesslog = None


def post_worker_init(worker: object) -> None:
    """The import of yfinance takes a second or two: in the background now, not while somebody waits
    for a price.
    """
    from threading import Thread

    # Looking for cycles after every 700 new objects costs a request with a thousand rows a tenth of
    # its time.
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)

    from integrations.yahoo import warm_up

    Thread(target=warm_up, daemon=True).start()
