"""The web process, started by: gunicorn financeproj.wsgi"""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from financeproj.core.ops.checks import refuse_wrong_configuration

if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # Requests share a pool of connections. It is not in the settings because a Celery worker has
    # one thread, and a pool does not survive its fork. Our backend checks pooled connections.
    settings.DATABASES["default"].update(CONN_MAX_AGE=0, CONN_HEALTH_CHECKS=False)
    settings.DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": settings.WEB_THREADS,
        "timeout": 2,  # how long a request waits for an unreachable server
        # No attempts in the background, whose pauses grow: the next request tries.
        "reconnect_timeout": 0,
    }

django_application = get_wsgi_application()
SCHEME_HEADERS = {"HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PROTOCOL", "HTTP_X_FORWARDED_SSL"}


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Run Django. Gunicorn trusts HTTPS headers of local peers; TRUSTED_PROXIES decides here."""
    if settings.TRUSTED_PROXIES == 0 and SCHEME_HEADERS & environ.keys():
        environ["wsgi.url_scheme"] = "http"
    return django_application(environ, start_response)


refuse_wrong_configuration()
