"""Health checks: /healthz for the process, /readyz also for what it needs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    if settings.REDIS_URL:
        from django_redis import get_redis_connection

        get_redis_connection("default").ping()
        return
    cache.set("readyz", 1, 10)
    if cache.get("readyz") != 1:
        raise OSError("the embedded cache does not store values")


def _broker() -> None:
    if settings.REDIS_URL:
        from celery import current_app

        from financeproj.core.shared.redis_outage import asking_redis

        with asking_redis(), current_app.connection_for_write() as broker:
            broker.connect()
        return
    folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"]
    if not Path(folder).is_dir():
        raise OSError(f"the broker's folder {folder} is missing")


CHECKS: dict[str, Callable[[], Any]] = {"database": _database, "cache": _cache, "broker": _broker}
# Shown as well, without effect on the status. Apps add theirs.
INFORMATION: dict[str, Callable[[], Any]] = {}


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if database, cache and broker work, else 503; the body says which failed."""
    states: dict[str, Any] = {}
    for name, check in CHECKS.items():
        try:
            check()
            states[name] = "ok"
        except Exception:
            log.warning("not_ready", part=name, exc_info=True)
            states[name] = "failed"
    ready = all(state == "ok" for state in states.values())
    states |= {name: describe() for name, describe in INFORMATION.items()}
    if not ready:
        return JsonResponse({"status": "failed", **states}, status=503)
    return JsonResponse({"status": "ok", **states})
