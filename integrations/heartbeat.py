"""Signs of life of the worker and of beat, kept in the cache."""

import threading
from typing import Any

from celery.signals import after_task_publish, beat_init, worker_ready, worker_shutdown
from django.core.cache import cache
from django.db import connections

HEARTBEAT = "worker-alive"
HEARTBEAT_SECONDS = 30
BEAT = "beat-alive"
BEAT_SECONDS = 150  # it sends something every minute

_stopping = threading.Event()


def worker_is_alive() -> bool:
    return bool(cache.get(HEARTBEAT))


def note_worker() -> None:
    """Record that a worker runs; call it every few seconds."""
    cache.set(HEARTBEAT, True, HEARTBEAT_SECONDS)


def beat_is_alive() -> bool:
    return bool(cache.get(BEAT))


def note_beat() -> None:
    """Record that beat runs; call it whenever beat sends a task."""
    cache.set(BEAT, True, BEAT_SECONDS)


@worker_ready.connect
def _start_heartbeat(**kwargs: Any) -> None:
    """Note the worker until it stops: requests give big files to a worker only while one runs."""

    def beat() -> None:
        while not _stopping.is_set():
            note_worker()
            connections.close_all()
            _stopping.wait(HEARTBEAT_SECONDS / 3)

    _stopping.clear()
    threading.Thread(target=beat, name="heartbeat", daemon=True).start()


@worker_shutdown.connect
def _stop_heartbeat(**kwargs: Any) -> None:
    _stopping.set()


@beat_init.connect
def _note_beat_with_tasks(**kwargs: Any) -> None:
    """Note beat with every task that it sends; the doctor asks for it."""

    def note(**kwargs: Any) -> None:
        note_beat()
        connections.close_all()

    note()
    after_task_publish.connect(note, weak=False)
