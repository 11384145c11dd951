"""How the system is doing, for the admin's first page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from integrations.backups.services import newest_backup
from integrations.models import SyncRun
from marketdata import gateway
from marketdata.models import HeldBackPrice, StockMetadata, StockQuote
from portfolios.selectors import held_stock_ids, troubled_imports

STALE_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to know: `is_well` is None where there is nothing to judge."""

    label: str
    says: str
    is_well: bool | None
    url: str = ""


def system_status() -> list[Line]:
    """Freshness, what has no price, held-back prices, circuits, the last sync and backup, failed
    imports.

    A fixed number of queries.
    """
    return [*_prices(), *_circuits(), _last_sync(), _last_backup(), _failed_imports()]


def _list(model: str, **filters: str) -> str:
    return reverse(f"admin:{model}_changelist") + (f"?{urlencode(filters)}" if filters else "")


def _ago(when: datetime) -> str:
    return f"{timesince(when)} ago"


def _prices() -> list[Line]:
    held = held_stock_ids()
    quotes = dict(
        StockQuote.objects.filter(stock_id__in=held).values_list("stock_id", "fetched_at")
    )
    manual = set(
        StockMetadata.objects.filter(pk__in=held, source=StockMetadata.MANUAL).values_list(
            "pk", flat=True
        )
    )
    asked = [when for pk, when in quotes.items() if pk not in manual]
    stale = sum(when < timezone.now() - STALE_AFTER for when in asked)
    unpriced = len(held - quotes.keys())
    held_back = HeldBackPrice.objects.count()
    oldest = (
        f"of {len(held)} held instruments the oldest was fetched {_ago(min(asked))}"
        if asked
        else "nothing held"
    )
    instruments, waiting = "marketdata_stockmetadata", f"{held_back} to accept or reject"
    return [
        Line("Prices", f"{stale} stale; {oldest}", not stale, _list(instruments, price="stale")),
        Line(
            "Unpriced",
            f"{unpriced} held instruments",
            not unpriced,
            _list(instruments, price="unpriced"),
        ),
        Line("Quarantined prices", waiting, not held_back, _list("marketdata_heldbackprice")),
    ]


def _circuits() -> list[Line]:
    lines = []
    for name, circuit in sorted(gateway.state().items()):
        is_well = circuit["state"] == "closed" and not circuit["failures"]
        says = circuit["state"].replace("_", " ")
        if circuit["retry_after_seconds"]:
            says += f" for {circuit['retry_after_seconds']} s more"
        if count := circuit["failures"]:
            says += f", {count} failure{pluralize(count)} in a row: {circuit['reason']}"
        lines.append(Line(f"Circuit of {name}", says, is_well))
    return lines


def _last_sync() -> Line:
    run = SyncRun.objects.order_by("-started_at").first()
    if run is None:
        return Line("YNAB sync", "never", None, _list("integrations_syncrun"))
    says = f"{run.get_outcome_display()}, {_ago(run.started_at)}"
    is_well = run.outcome in (SyncRun.Outcome.DONE, SyncRun.Outcome.RUNNING)
    return Line("YNAB sync", says, is_well, _list("integrations_syncrun"))


def _last_backup() -> Line:
    """More than two days is too old."""
    newest, url = newest_backup(), _list("integrations_backup")
    if newest is None:
        told = "none yet" if settings.BACKUP_DIR else "no BACKUP_DIR is set"
        return Line("Backup", told, False if settings.BACKUP_DIR else None, url)
    is_well = not newest.fault and timezone.now() - newest.made_at < timedelta(days=2)
    return Line("Backup", f"{_ago(newest.made_at)}, {newest.fault or 'proved'}", is_well, url)


def _failed_imports() -> Line:
    count = troubled_imports().count()
    says = f"{count} failed or differing from the file's own balance"
    return Line("Imports", says, not count, _list("portfolios_importbatch", trouble="yes"))
