"""Watch what services write: a change without an entry in the history fails the test."""

import re
import sys
import threading
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.backends.utils import CursorWrapper

WATCHED_TABLES = frozenset(
    {
        "portfolios_portfolio",
        "portfolios_portfoliobalance",
        "portfolios_transaction",
        "portfolios_importbatch",
        "pensions_pensionaccount",
        "pensions_pensionvalueentry",
        "pensions_contributionplan",
        "integrations_ynabsettings",
        "users_user",
    }
)
HISTORY_TABLE = "history_historyentry"
WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(?P<table>\w+)"?', re.IGNORECASE)
ASSIGNED = re.compile(r'"(\w+)" = ')
# What follows from other rows is not an act of its own: the replay writes it, and the version that
# caches carry.
DERIVED_COLUMNS = frozenset(
    {
        "average_cost_per_share_at_transaction",
        "effective_date",
        "realised_gain",
        "updated_at",
        "version",
    }
)
PROJECT = re.compile(
    r"(financeproj|marketdata|portfolios|pensions|integrations)\.(?!(.*\.)?tests\.)"
)
SERVICE = re.compile(r"[\w.]*\bservices\b")


class _State(threading.local):
    """The transactions that are open in this thread, and what was written in the outermost."""

    def __init__(self) -> None:
        self.open: list[bool] = []
        self.tables: set[str] = set()
        self.entries = 0


_state = _State()


def install() -> None:
    """Watch every connection and every transaction of this process."""
    CursorWrapper.execute = _watched(CursorWrapper.execute)
    CursorWrapper.executemany = _watched(CursorWrapper.executemany)
    enter, leave = transaction.Atomic.__enter__, transaction.Atomic.__exit__

    def watched_enter(atomic: transaction.Atomic) -> None:
        enter(atomic)
        is_watched = any(_state.open) or _is_opened_by_the_project()
        if is_watched and not any(_state.open):
            _state.tables, _state.entries = set(), 0
        _state.open.append(is_watched)

    def watched_exit(atomic: transaction.Atomic, kind: Any, error: Any, traceback: Any) -> None:
        was_watched = _state.open.pop()
        leave(atomic, kind, error, traceback)
        is_outermost = was_watched and not any(_state.open)
        if is_outermost and error is None and _state.tables and not _state.entries:
            names = ", ".join(sorted(_state.tables))
            raise AssertionError(f"Written without an entry in the history: {names}.")

    transaction.Atomic.__enter__ = watched_enter
    transaction.Atomic.__exit__ = watched_exit


def _watched(execute: Callable[..., Any]) -> Callable[..., Any]:
    def watched(cursor: CursorWrapper, sql: Any, params: Any = None) -> Any:
        result = execute(cursor, sql, params)
        written = WRITE.match(sql) if any(_state.open) and isinstance(sql, str) else None
        if written and not _is_derived(sql):
            _note(written["table"])
        return result

    return watched


def _is_derived(sql: str) -> bool:
    before_where = sql.split(" WHERE ")[0]
    columns = set(ASSIGNED.findall(before_where))
    return bool(columns) and columns <= DERIVED_COLUMNS


def _note(table: str) -> None:
    if table == HISTORY_TABLE:
        _state.entries += 1
    elif table in WATCHED_TABLES and _is_called_by_a_service():
        _state.tables.add(table)


def _is_opened_by_the_project() -> bool:
    """Whether the transaction is opened by our code, and not by a test or by Django."""
    frame = sys._getframe(2)
    module = frame.f_globals.get("__name__", "")
    if module == "contextlib":  # the function that is decorated
        function = frame.f_locals.get("func")
        module = getattr(function, "__module__", "")
    return PROJECT.match(f"{module}.") is not None


def _is_called_by_a_service() -> bool:
    frame = sys._getframe(3)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if PROJECT.match(f"{module}.") and SERVICE.match(module):
            return True
        frame = frame.f_back
    return False
