"""Django's SQLite backend, which closes its cursor when a transaction cannot begin."""

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def _start_transaction_under_autocommit(self) -> None:
        """Begin a transaction and close the cursor even on failure.

        Django leaves it open: the error of a taken lock keeps the cursor in a reference cycle with
        its traceback. The thread that collects this garbage waits for the cursor's connection. If
        it holds the write lock while that connection waits for the same lock, both hang for the
        30 seconds of SQLite's timeout.
        """
        with self.cursor() as cursor:
            cursor.execute(f"BEGIN {self.transaction_mode or ''}")  # type: ignore[attr-defined]
