"""How the system is doing, for the admin's first page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from integrations.backups.services import newest_backup
from integrations.models import SyncRun
from marketdata import gateway
from marketdata.models import HeldBack, StockMetadata, StockQuote
from portfolios.selectors import held_stock_ids, troubled_imports

STALE_AFTER = timedelta(days=1)
BACKUP_AGE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to know: `is_well` is None where there is nothing to judge."""

    label: str
    says: str
    is_well: bool | None
    url: str = ""


def system_status() -> list[Line]:
    """Return a line each for prices, circuits, the last sync and backup, and failed imports.

    A fixed number of queries.
    """
    return [*_prices(), *_circuits(), _last_sync(), _last_backup(), _failed_imports()]


def _list(model: str, **filters: str) -> str:
    url = reverse(f"admin:{model}_changelist")
    if filters:
        url += f"?{urlencode(filters)}"
    return url


def _ago(when: datetime) -> str:
    return f"{timesince(when)} ago"


def _prices() -> list[Line]:
    held = held_stock_ids()
    quotes = StockQuote.objects.filter(stock_id__in=held)
    fetched_at = dict(quotes.values_list("stock_id", "fetched_at"))
    by_hand = StockMetadata.objects.filter(pk__in=held, source=StockMetadata.MANUAL)
    asked = fetched_at.keys() - set(by_hand.values_list("pk", flat=True))
    times = sorted(fetched_at[pk] for pk in asked)
    stale = sum(when < timezone.now() - STALE_AFTER for when in times)
    unpriced = len(held - fetched_at.keys())
    held_back = HeldBack.objects.filter(state=HeldBack.State.HELD_BACK).count()
    instruments = "marketdata_stockmetadata"
    return [
        Line(
            "Prices",
            f"{stale} stale; {_oldest_of(times, len(held))}",
            not stale,
            _list(instruments, price="stale"),
        ),
        Line(
            "Unpriced",
            f"{unpriced} held instruments",
            not unpriced,
            _list(instruments, price="unpriced"),
        ),
        Line(
            "Held back",
            f"{held_back} to accept or dismiss",
            not held_back,
            _list("marketdata_heldback"),
        ),
    ]


def _oldest_of(times: Sequence[datetime], held: int) -> str:
    if not times:
        return "no priced holdings"
    return f"of {held} held instruments the oldest was fetched {_ago(times[0])}"


def _circuits() -> list[Line]:
    lines = []
    for name, circuit in sorted(gateway.state().items()):
        is_well = circuit["state"] == "closed" and not circuit["failures"]
        lines.append(Line(f"Circuit of {name}", _circuit_says(circuit), is_well))
    return lines


def _circuit_says(circuit: dict[str, Any]) -> str:
    count = circuit["failures"]
    failures = f"{count} failure{pluralize(count)}"
    if circuit["state"] == "closed":
        if not count:
            return "closed"
        return f"closed, {failures} in a row: {circuit['reason']}"
    next_try = "now"
    if circuit["retry_after_seconds"]:
        next_at = timezone.localtime() + timedelta(seconds=circuit["retry_after_seconds"])
        next_try = f"{next_at:%H:%M:%S}"
    return f"paused after {failures}, next try {next_try}: {circuit['reason']}"


def _last_sync() -> Line:
    run = SyncRun.objects.order_by("-started_at").first()
    if run is None:
        return Line("YNAB sync", "never", None, _list("integrations_syncrun"))
    says = f"{run.get_outcome_display()}, {_ago(run.started_at)}"
    is_well = run.outcome in (SyncRun.Outcome.DONE, SyncRun.Outcome.RUNNING)
    return Line("YNAB sync", says, is_well, _list("integrations_syncrun"))


def _last_backup() -> Line:
    newest, url = newest_backup(), _list("integrations_backup")
    if newest is None:
        if settings.BACKUP_DIR:
            return Line("Backup", "none yet", False, url)
        return Line("Backup", "BACKUP_DIR is not set", None, url)
    is_well = not newest.fault and timezone.now() - newest.made_at < BACKUP_AGE
    return Line("Backup", f"{_ago(newest.made_at)}, {newest.fault or 'proved'}", is_well, url)


def _failed_imports() -> Line:
    count = troubled_imports().count()
    says = f"{count} failed or differing from the file's own balance"
    return Line("Imports", says, not count, _list("portfolios_importbatch", trouble="yes"))
