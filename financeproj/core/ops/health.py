"""/healthz: the process lives. /readyz: what it needs answers."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


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
    elif not (cache.set("readyz", 1, 10), cache.get("readyz") == 1)[1]:
        raise OSError("the embedded cache does not keep what it is given")


def _broker() -> None:
    from pathlib import Path

    if settings.REDIS_URL:
        from celery import current_app

        from financeproj.core.shared.redis_outage import asking_redis

        with asking_redis(), current_app.connection_for_write() as broker:
            broker.connect()
    elif not Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"]).is_dir():
        raise OSError("the broker's folder is missing")


CHECKS: dict[str, Callable[[], Any]] = {"database": _database, "cache": _cache, "broker": _broker}
# Shown beside them, and no reason to be unready: apps put theirs in.
INFORMATION: dict[str, Callable[[], Any]] = {}


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database, the cache and the broker answer, else 503; the body says which."""
    states: dict[str, Any] = {}
    for name, check in CHECKS.items():
        try:
            check()
            states[name] = "ok"
        except Exception:  # noqa: BLE001  whatever it is, it is not ready; the log has the rest
            import structlog

            structlog.get_logger(__name__).warning("not_ready", part=name, exc_info=True)
            states[name] = "failed"
    ready = all(state == "ok" for state in states.values())
    states |= {name: tell() for name, tell in INFORMATION.items()}
    return JsonResponse(
        {"status": "ok" if ready else "failed", **states}, status=200 if ready else 503
    )
