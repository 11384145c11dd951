"""Warn about what is not an error in a file but may be a mistake."""

from itertools import islice
from typing import TypeAlias

from integrations.statements.base import Statement
from portfolios.models import ImportBatch, Portfolio, Transaction

NAME_SHOWN = 80
UNREAD_NAMED = 10
REVERSED_NAMED = 20
ASKED_AT_ONCE = 500


# An entry of ImportBatch.warnings: `code`, `detail` and, for one row, `row`.
Entry: TypeAlias = dict[str, object]


def warnings_of(portfolio: Portfolio, read: Statement) -> list[Entry]:
    """Return what a person should look at before importing `read` into `portfolio`."""
    return [
        *_unread_columns(read),
        *_reversed_but_recorded(portfolio, read),
        *_other_account(portfolio, read),
    ]


def _unread_columns(read: Statement) -> list[Entry]:
    if not read.unread:
        return []
    named = read.unread[:UNREAD_NAMED]
    names = ", ".join(name[:NAME_SHOWN].replace("\x00", "") for name in named)
    left = len(read.unread) - len(named)
    more = f" and {left} more" if left else ""
    detail = f"Ignored columns: {names}{more}. Rename any that should be imported."
    return [{"code": "ignored_columns", "detail": detail}]


def _reversed_but_recorded(portfolio: Portfolio, read: Statement) -> list[Entry]:
    """Name transactions of an earlier file that the broker reverses in this one."""
    warnings: list[Entry] = []
    external_ids = iter(read.reversed_ids)
    while batch := list(islice(external_ids, ASKED_AT_ONCE)):
        recorded = Transaction.objects.filter(portfolio=portfolio, external_id__in=batch)
        for external_id, kind, ticker, day in recorded.values_list(
            "external_id", "type", "holding__stock__ticker", "date"
        ):
            line = read.reversed_ids[external_id or ""]
            detail = (
                f"The broker reversed line {line}, but it is recorded here. "
                f"Delete the {kind} of {ticker} on {day}."
            )
            warnings.append({"code": "reversed_but_recorded", "detail": detail, "row": line})
    return warnings[:REVERSED_NAMED]


def _other_account(portfolio: Portfolio, read: Statement) -> list[Entry]:
    done = ImportBatch.objects.filter(
        portfolio=portfolio, format=read.format, state=ImportBatch.State.DONE
    )
    previous = done.exclude(account="").values_list("account", flat=True).first()
    if not read.account or not previous or previous == read.account:
        return []
    detail = (
        f"This file is from account {read.account}; the previous import was from account "
        f"{previous}."
    )
    return [{"code": "other_account", "detail": detail}]
