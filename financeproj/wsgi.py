"""The web process: gunicorn financeproj.wsgi."""

import os
import sys
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")

from django.conf import settings
from django.core.checks import Error, run_checks
from django.core.wsgi import get_wsgi_application

django_application = get_wsgi_application()
SCHEME_HEADERS = {"HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PROTOCOL", "HTTP_X_FORWARDED_SSL"}


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Django's application. gunicorn believes what a peer on this machine says about HTTPS: TRUSTED_PROXIES decides."""
    if settings.TRUSTED_PROXIES == 0 and SCHEME_HEADERS & environ.keys():
        environ["wsgi.url_scheme"] = "http"
    return django_application(environ, start_response)


# gunicorn runs no system checks: a wrong setting must be a sentence here too, before the first request.
problems = [check for check in run_checks(tags=["configuration"]) if isinstance(check, Error)]
if problems:
    sys.stderr.writelines(f"{problem.msg} {problem.hint}\n" for problem in problems)
    sys.exit(3)  # gunicorn's "worker failed to boot": it stops instead of trying again
