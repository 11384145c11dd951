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


def worker_is_alive() -> bool:
    return bool(cache.get(HEARTBEAT))


def note_worker() -> None:
    """Called by a worker every few seconds."""
    cache.set(HEARTBEAT, True, HEARTBEAT_SECONDS)


def beat_is_alive() -> bool:
    return bool(cache.get(BEAT))


def note_beat() -> None:
    """Called by beat with all that it sends."""
    cache.set(BEAT, True, BEAT_SECONDS)


_stopping = threading.Event()


@worker_ready.connect
def _show_signs_of_life(**kwargs: Any) -> None:
    """Requests give big files to a worker only while there is one."""

    def beat() -> None:
        while not _stopping.is_set():
            note_worker()
            connections.close_all()
            _stopping.wait(HEARTBEAT_SECONDS / 3)

    _stopping.clear()
    threading.Thread(target=beat, name="signs-of-life", daemon=True).start()


@worker_shutdown.connect
def _fall_silent(**kwargs: Any) -> None:
    _stopping.set()


@beat_init.connect
def _show_that_beat_lives(**kwargs: Any) -> None:
    """For the doctor: as long as beat sends tasks, it is well."""

    def note(**kwargs: Any) -> None:
        note_beat()
        connections.close_all()

    note()
    after_task_publish.connect(note, weak=False)
