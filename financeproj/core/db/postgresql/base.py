"""Django's PostgreSQL backend, with a pool that drops all connections after a restart."""

from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection that answers, or raise OperationalError.

        psycopg_pool's own check tries one connection after the other, with pauses of a second and
        more. After a restart of PostgreSQL breaks them all, requests would time out although the
        server is back.
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
