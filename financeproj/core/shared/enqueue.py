"""Send a task to a worker. The database holds the work, so beat can resend a lost message."""

from contextlib import nullcontext
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from financeproj.core.shared.redis_outage import asking_redis

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def enqueue_on_commit(task: Any, *args: Any) -> None:
    """Send `task` after the commit; if the broker is down, log it and go on."""

    def send() -> None:
        try:
            guard = asking_redis() if settings.REDIS_URL else nullcontext()
            with guard:
                task.delay(*args)
        except Exception:
            log.warning("broker_unavailable", task=task.name, exc_info=True)

    transaction.on_commit(send)
