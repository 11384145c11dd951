"""Rows that only services may write in bulk: each write moves a version."""

from typing import Any

from django.db import models


class WrittenByServices(models.QuerySet[Any]):
    """Rows whose writes must bump a version: only `marketdata.services` may write in bulk."""

    def _refuse(self, what: str) -> None:
        raise TypeError(
            f"{self.model.__name__}.objects.{what} would leave its vector stale. "
            "Use marketdata.services."
        )

    def update(self, **kwargs: Any) -> int:
        self._refuse("update")
        return 0

    def delete(self) -> Any:
        self._refuse("delete")

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse("bulk_create")

    def bulk_update(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse("bulk_update")

    def as_service(self) -> "models.QuerySet[Any]":
        """Return the same rows with every write allowed, for `marketdata.services`."""
        using = self._db  # type: ignore[attr-defined]
        return models.QuerySet(self.model, query=self.query.chain(), using=using)


SeriesRows = models.Manager.from_queryset(WrittenByServices)
