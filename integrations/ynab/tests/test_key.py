"""Test that the YNAB key appears only in the header of our requests."""

import base64
import io
import json
import logging

import pytest
import structlog
from celery.signals import before_task_publish
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from financeproj.celery import app
from financeproj.core.ops.logging import logging_config
from integrations.models import SyncRun, YnabBudget, YnabSettings
from integrations.ynab import client as ynab_client
from integrations.ynab.tasks import sync_pensions
from marketdata import gateway
from pensions import services
from pensions.models import PensionAccount
from tests.servers.cache import empty_cache
from tests.servers.ynab import KEY
from tests.stored import stored_models, stored_rows

MODES = [
    "ok",
    "echo",
    400,
    401,
    403,
    404,
    409,
    429,
    500,
    503,
    "html",
    "truncated",
    "cut",
    "no_data",
    "list",
    "redirect",
]
# Also as it would look inside of a pickle that the cache keeps as text.
TRACES = (
    KEY,
    *(base64.b64encode(b" " * shift + KEY.encode())[4:-4].decode() for shift in range(3)),
)


@pytest.fixture
def log_lines():
    """Collect the lines of all loggers down to DEBUG, in both formats."""
    streams = []
    root = logging.getLogger()
    level = root.level
    handlers = []
    for log_format in ("json", "console"):
        line = logging_config(log_format=log_format, level="DEBUG")["formatters"]["line"]
        handler = logging.StreamHandler(stream := io.StringIO())
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=line["foreign_pre_chain"], processors=line["processors"]
            )
        )
        handlers.append(handler)
        streams.append(stream)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    loud = {
        name: logging.getLogger(name).level
        for name in ("urllib3", "requests", "django.request", "celery")
    }
    for name in loud:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield lambda: "\n".join(stream.getvalue() for stream in streams)
    for handler in handlers:
        root.removeHandler(handler)
    root.setLevel(level)
    for name, old in loud.items():
        logging.getLogger(name).setLevel(old)


@pytest.fixture
def task_messages():
    """Collect the messages to the broker, header and body; the broker is in memory."""
    sent = []

    def note(sender=None, body=None, headers=None, **kwargs):
        sent.append(json.dumps([sender, body, headers, kwargs], default=str))

    before_task_publish.connect(note)
    yield sent
    before_task_publish.disconnect(note)


def database_dump():
    return str([stored_rows(model) for model in stored_models()])


def cache_dump():
    if django_settings.REDIS_URL:
        from django_redis import get_redis_connection

        redis = get_redis_connection("default")
        ours = redis.scan_iter(cache.make_key("*", version="*"))  # the prefix of this test process
        return "\n".join(f"{key!r} {redis.get(key)!r}" for key in ours)
    with connections["cache"].cursor() as cursor:
        cursor.execute("SELECT name, value FROM cached")
        return "\n".join(f"{key} {value}" for key, value in cursor.fetchall())


def forgive():
    """Close the circuit and reset the rate limit, so that the next mode is called too."""
    empty_cache()
    assert gateway.state()["ynab"]["state"] == "closed"


def url(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.mark.untraced
def test_the_key_is_found_nowhere(
    transactional_db, settings, api, user, ynab, plan, log_lines, task_messages
):
    user.is_staff = user.is_superuser = True
    user.save()
    at_ynab = plan.put(name="Pension", balance=1_000)
    account = services.create_account(user=user, name="Pension", currency="NOK")
    PensionAccount.objects.filter(pk=account.pk).update(ynab_account_id=at_ynab)
    page = Client(raise_request_exception=False)
    page.force_login(user)
    calls = [
        lambda: api.post("/api/v1/settings/ynab", {"budget_id": plan.id}),
        lambda: api.get("/api/v1/settings/ynab"),
        lambda: api.get("/api/v1/ynab/accounts"),
        lambda: api.get(f"/api/v1/ynab/accounts/{at_ynab}/balance"),
        lambda: api.post(f"/api/v1/pension/accounts/{account.pk}/sync"),
        lambda: api.post(
            "/api/v1/pension/accounts", {"name": "X", "currency": "EUR", "ynab_account_id": at_ynab}
        ),
        lambda: page.post(url(YnabSettings, "add"), {"user": str(user.pk), "budget_id": plan.id}),
        lambda: page.post(
            url(PensionAccount, "changelist"),
            {"action": "sync_now", "_selected_action": [str(account.pk)]},
        ),
        *(
            lambda model=model: page.get(url(model, "changelist"))
            for model in (SyncRun, YnabSettings, YnabBudget)
        ),
        lambda: page.get(url(PensionAccount, "change", account.pk)),
        lambda: page.get("/readyz"),
    ]
    answers, kept = [], []
    statuses = set()
    for mode in MODES:
        ynab.mode = mode
        for call in calls:
            response = call()
            statuses.add(response.status_code)
            answers.append(response.content.decode() + str(response.headers))
        sync_pensions()
        kept.append(cache_dump())
        forgive()
    assert {200, 201, 409, 502, 503} <= statuses

    # An error of our own, in the middle of a request to YNAB.
    ynab.mode = "ok"
    for debug in (False, True):
        settings.DEBUG = debug
        for broken in ("parse_accounts", "parse_currency"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ynab_client, broken, lambda data: 1 / 0)
                YnabBudget.objects.update(currency_fetched_at=None, accounts_fetched_at=None)
                answers += [call().content.decode() for call in calls]
                sync_pensions()
                kept.append(cache_dump())
                forgive()
    answers.append(page.get("/api/schema").content.decode())
    with app.connection_for_write("memory://") as broker:
        sync_pensions.apply_async(connection=broker)

    said = {
        "logs": log_lines(),
        "answers": "\n".join(answers),
        "task messages": "\n".join(task_messages),
        "database": database_dump(),
        "cache": "\n".join(kept) + cache_dump(),
    }
    assert KEY in "".join(filter(None, ynab.keys)), (
        "the key was never sent: this test searches for nothing"
    )
    assert "ZeroDivisionError" in said["logs"]
    assert "sync_pensions" in said["task messages"]
    assert plan.id in said["database"]
    assert plan.id in said["cache"]
    found = [name for name, text in said.items() for trace in TRACES if trace in text]
    assert found == []


@pytest.mark.django_db
def test_the_search_would_find_the_key(log_lines):
    """Check that the search of the test above finds a key that is there."""
    try:
        raise ValueError(f"key {KEY}")
    except ValueError:
        logging.getLogger("anything").exception("words")
    assert KEY in log_lines()
    cache.set("kept", KEY, 60)
    assert KEY in cache_dump()


@pytest.mark.django_db
def test_a_run_that_fails_keeps_no_more_than_our_words(user, ynab, budget):
    linked = services.create_account(
        user=user, name="Own", currency="NOK", ynab_account_id=budget.put(name="Own", balance=1)
    )
    ynab.mode = "echo"
    sync_pensions()
    run = SyncRun.objects.get()
    assert (run.outcome, run.detail) == ("failed", "The YNAB API key is wrong or has been revoked.")
    assert linked.values.count() == 0
    assert run.started_at <= timezone.now()
