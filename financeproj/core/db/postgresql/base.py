"""Django's backend of PostgreSQL, whose pool does without every connection of a server that went
away.
"""

from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection that answers; OperationalError where none can be had.

        psycopg_pool's own check tries one kept connection after the other, and pauses a second and
        longer between them: after PostgreSQL's restart, which breaks them all, requests would run
        out of time with the server back.
        """
        connection = super().get_new_connection(conn_params)
        if self.pool:
            try:
                self.pool.check_connection(connection)
            except self.Database.OperationalError:
                self.pool.drain()
                self.pool.putconn(connection)
                connection = super().get_new_connection(conn_params)
        return connection
