"""The Celery application; its settings are the CELERY_* ones of settings.py."""

import logging
import os
from typing import Any

import structlog
from celery import Celery, signals
from django.dispatch import receiver
from django_structlog.celery import signals as structlog_signals
from django_structlog.celery.steps import DjangoStructLogInitStep

from financeproj.core.ops.checks import refuse_wrong_configuration

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")

app = Celery("financeproj")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()
# A package inside an app is not looked into.
app.autodiscover_tasks(["integrations.imports", "integrations.ynab"])


@signals.celeryd_init.connect
@signals.beat_init.connect
def begin_with_right_settings_only(**kwargs: Any) -> None:
    """Before the first task: neither worker nor beat may go on with a default where a variable was
    meant.
    """
    refuse_wrong_configuration()


@signals.worker_process_init.connect
def lead_an_own_group(**kwargs: Any) -> None:
    """A signal to the worker's group is the worker's alone, which lets its processes finish what
    they are at.

    Without Redis they share one queue: of two that are told to end at once, one can die with the
    lock that the other has just left, and the worker would wait for it for ever.
    """
    os.setpgrp()


@signals.setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Connected so that Celery does not put its own handlers over ours."""
    logging.getLogger("celery").setLevel(logging.INFO)


@receiver(structlog_signals.bind_extra_task_metadata)
def name_the_task(task: Any, **kwargs: Any) -> None:
    """Every line of a task tells which it is."""
    structlog.contextvars.bind_contextvars(task=task.name)
