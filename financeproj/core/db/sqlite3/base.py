"""Django's backend of SQLite, which leaves no cursor behind where a transaction could not begin."""

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def _start_transaction_under_autocommit(self) -> None:
        """BEGIN as Django does it, but for closing the cursor.

        The error of a lock that is taken keeps Django's open cursor, in a cycle with its traceback.
        Whichever thread collects that garbage has to wait for the cursor's connection; if the
        collector holds the write lock, and that connection has begun to wait for it, neither gets
        on for the 30 seconds that SQLite waits.
        """
        with self.cursor() as cursor:
            cursor.execute(f"BEGIN {self.transaction_mode or ''}")
