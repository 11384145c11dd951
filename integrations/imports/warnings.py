"""Warn about what is not an error in a file but may be a mistake."""

from typing import TypeAlias

from integrations.statements.base import Statement
from portfolios.models import ImportBatch, Portfolio

NAME_SHOWN = 80
UNREAD_NAMED = 10
REVERSED_NAMED = 20
WORDS_NAMED = 20
ASKED_AT_ONCE = 500


# An entry of ImportBatch.warnings: `code`, `detail` and, for one row, `row`.
Entry: TypeAlias = dict[str, object]


def warnings_of(portfolio: Portfolio, read: Statement) -> list[Entry]:
    """Return what a person should look at before importing `read` into `portfolio`."""
    return [
        *_unread_columns(read),
        *_unknown_words(read),
        *_other_account(portfolio, read),
    ]


def _unread_columns(read: Statement) -> list[Entry]:
    if not read.unread:
        return []
    named = read.unread[:UNREAD_NAMED]
    names = ", ".join(name[:NAME_SHOWN].replace("\x00", "") for name in named)
    left = len(read.unread) - len(named)
    if left:
        names += f" and {left} more"
    detail = f"Ignored columns: {names}. Rename any that should be imported."
    return [{"code": "ignored_columns", "detail": detail}]


def _unknown_words(read: Statement) -> list[Entry]:
    warnings: list[Entry] = []
    for line, word in read.unknown_words[:WORDS_NAMED]:
        shown = word[:NAME_SHOWN].replace("\x00", "")
        detail = (
            f"{shown} is not a known type of this format. The broker's balance moves by the "
            "amount, so it is an adjustment. If you know what it is, change the transaction."
        )
        warnings.append({"code": "unknown_word", "detail": detail, "row": line})
    return warnings


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
