"""Celery's queues, which task goes to which, and when beat starts what."""

from typing import Any

from celery.schedules import crontab
from kombu import Exchange, Queue

# Listed so that `celery worker` without options serves all queues.
DEFAULT_QUEUE = "maintenance"
QUEUES = [
    Queue(name, Exchange(name), routing_key=name) for name in ("maintenance", "prices", "imports")
]
ROUTES = {
    "marketdata.tasks.*": {"queue": "prices"},
    "integrations.tasks.*": {"queue": "imports"},
    "integrations.imports.tasks.*": {"queue": "imports"},
}
SCHEDULE: dict[str, dict[str, Any]] = {
    "refresh quotes": {
        "task": "portfolios.tasks.refresh_quotes",
        "schedule": crontab(minute="*/15"),
    },
    "refresh rates": {"task": "portfolios.tasks.refresh_rates", "schedule": crontab(minute=7)},
    "refresh pensions' rates": {
        "task": "pensions.tasks.refresh_rates",
        "schedule": crontab(minute=9),
    },
    "refresh histories": {
        "task": "portfolios.tasks.refresh_histories",
        "schedule": crontab(hour=2, minute=23),
    },
    "learn ISINs": {"task": "portfolios.tasks.learn_isins", "schedule": crontab(minute=31)},
    "look up instruments": {
        "task": "marketdata.tasks.look_up_instruments",
        "schedule": crontab(),
    },
    "forget old look-ups": {
        "task": "marketdata.tasks.forget_old_look_ups",
        "schedule": crontab(hour=3, minute=21),
    },
    # Late in the day, so that the value of a month's last day gets that date.
    "sync pensions": {
        "task": "integrations.ynab.tasks.sync_pensions",
        "schedule": crontab(hour=23, minute=20),
    },
    "resume imports": {"task": "integrations.imports.tasks.resume_imports", "schedule": crontab()},
    "prune history": {
        "task": "financeproj.history.tasks.prune_history",
        "schedule": crontab(hour=3, minute=11),
    },
    "flush expired tokens": {
        "task": "financeproj.users.tasks.flush_tokens",
        "schedule": crontab(hour=3, minute=41),
    },
}
NIGHTLY_BACKUP = {"task": "integrations.tasks.back_up", "schedule": crontab(hour=4, minute=11)}
