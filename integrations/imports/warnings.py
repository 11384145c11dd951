"""What is no error of a file but may be a mistake."""

from datetime import date

from integrations.statements.base import Statement
from portfolios.models import ImportBatch, Portfolio, Transaction

NAME_SHOWN = 80
UNREAD_NAMED, TAKEN_BACK_NAMED = 10, 20


ASKED_AT_ONCE = 500


def warnings_of(portfolio: Portfolio, read: Statement) -> list[str]:
    """What is no error but may be a mistake."""
    warnings = []
    if read.unread:
        names = ", ".join(
            name[:NAME_SHOWN].replace("\x00", "") for name in read.unread[:UNREAD_NAMED]
        )
        more = (
            f" and {len(read.unread) - UNREAD_NAMED} more"
            if len(read.unread) > UNREAD_NAMED
            else ""
        )
        warnings.append(
            f"Not read, because no column of this format has that name: {names}{more}. If it holds something that "
            "counts, rename the column."
        )
    warnings += [
        f"The broker took back what line {read.taken_back[external_id]} says, but it is recorded here: delete the "
        f"{kind} of {ticker} on {day}."
        for external_id, kind, ticker, day in _recorded(portfolio, list(read.taken_back))[
            :TAKEN_BACK_NAMED
        ]
    ]
    last = (
        ImportBatch.objects.filter(
            portfolio=portfolio, format=read.format, state=ImportBatch.State.DONE
        )
        .exclude(account="")
        .values_list("account", flat=True)
        .first()
    )
    if read.account and last and last != read.account:
        warnings.append(
            f"This file is of the account {read.account}, the last one of this portfolio was of {last}."
        )
    return warnings


def _recorded(portfolio: Portfolio, external_ids: list[str]) -> list[tuple[str, str, str, date]]:
    """(external id, type, ticker, date) of the transactions that have one of these ids."""
    recorded = []
    for start in range(0, len(external_ids), ASKED_AT_ONCE):
        chunk = external_ids[start : start + ASKED_AT_ONCE]
        rows = Transaction.objects.filter(portfolio=portfolio, external_id__in=chunk)
        columns = rows.values_list("external_id", "type", "holding__stock__ticker", "date")
        for external_id, kind, ticker, day in columns:
            recorded.append((external_id or "", kind, ticker, day))
    return recorded
