"""The history: one entry for each act that changed something."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from financeproj.core.db.fields import ExactJSONField


class Door(models.TextChoices):
    """The way by which a change came in."""

    PAGE = "page"
    API = "api"
    TOKEN = "token"  # nosec B105  # the name of a door
    ADMIN = "admin"
    COMMAND = "command"
    IMPORT = "import"
    SOURCE = "source"


class HistoryQuerySet(models.QuerySet["HistoryEntry"]):
    def update(self, **values: Any) -> int:
        raise TypeError("The history is append-only: entries are not changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("The history is append-only: use services.prune_history.")


class HistoryEntry(models.Model):
    """One act: when, who, through which door, on what, and which fields changed.

    `owner` is the user whose objects it concerns, `None` for what all users share. `object_id`,
    `within_id` and `portfolio_id` are not foreign keys, because entries outlive what they name.
    `changes` is {field: [before, after]} with the names of the API, `counts` {name: number}.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    door = models.CharField(max_length=7, choices=Door)
    request_id = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=40)
    object_type = models.CharField(max_length=30)
    object_id = models.CharField(max_length=64, blank=True)
    object_label = models.CharField(max_length=255, blank=True)
    portfolio_id = models.UUIDField(null=True, blank=True)
    within_id = models.UUIDField(null=True, blank=True)
    changes = ExactJSONField(default=dict)
    counts = ExactJSONField(default=dict)

    objects = HistoryQuerySet.as_manager()

    class Meta:
        verbose_name = "history entry"
        verbose_name_plural = "history"
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="history_newest"),
            models.Index(fields=["owner", "-at"], name="history_of_owner"),
            models.Index(fields=["object_id", "-at"], name="history_of_object"),
            models.Index(fields=["within_id", "-at"], name="history_within"),
            models.Index(fields=["portfolio_id", "-at"], name="history_of_portfolio"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(door__in=Door.values), name="history_door_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action} {self.object_label}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("The history is append-only: entries are not changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("The history is append-only: use services.prune_history.")
