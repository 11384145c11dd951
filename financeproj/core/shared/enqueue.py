"""Waking a worker. The work itself stands in the database: a lost message is made good by beat."""

from contextlib import nullcontext
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from financeproj.core.shared.redis_outage import asking_redis

log = structlog.get_logger(__name__)


def enqueue_on_commit(task: Any, *args: Any) -> None:
    """Send `task` after the commit; a broker that is down costs the request nothing but a log
    line.
    """

    def send() -> None:
        try:
            with asking_redis() if settings.REDIS_URL else nullcontext():
                task.delay(*args)
        except Exception:
            log.warning("broker_unavailable", task=task.name, exc_info=True)

    transaction.on_commit(send)
