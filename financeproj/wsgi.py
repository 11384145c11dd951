"""The web process: gunicorn financeproj.wsgi."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from financeproj.core.checks import refuse_wrong_configuration

django_application = get_wsgi_application()
SCHEME_HEADERS = {"HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PROTOCOL", "HTTP_X_FORWARDED_SSL"}


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Django's application. gunicorn believes what a peer on this machine says about HTTPS: TRUSTED_PROXIES decides."""
    if settings.TRUSTED_PROXIES == 0 and SCHEME_HEADERS & environ.keys():
        environ["wsgi.url_scheme"] = "http"
    return django_application(environ, start_response)


refuse_wrong_configuration()
