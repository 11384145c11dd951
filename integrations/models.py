"""YNAB plans with their last known balances, the record of each sync, and backups."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class YnabBudget(models.Model):
    """A plan (once: budget) at YNAB as it last was.

    `accounts` has each account by its id, with amounts in milliunits. `currency` is empty
    while unknown; every account of a plan is in the plan's currency.
    """

    id = models.CharField(primary_key=True, max_length=64)
    name = models.CharField(max_length=255, blank=True)
    verified = models.BooleanField(default=False)
    currency = models.CharField(max_length=3, blank=True)
    currency_fetched_at = models.DateTimeField(null=True, blank=True)
    accounts = models.JSONField(default=dict, blank=True)
    accounts_fetched_at = models.DateTimeField(null=True, blank=True)
    server_knowledge = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = "YNAB budget"

    def __str__(self) -> str:
        return self.name or self.id


class YnabSettings(models.Model):
    """Which budget a user reads."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="ynab_settings",
    )
    budget = models.ForeignKey(YnabBudget, on_delete=models.PROTECT, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "YNAB settings"
        verbose_name_plural = "YNAB settings"

    def __str__(self) -> str:
        return f"{self.user}: {self.budget}"


class AssignedBudget(models.Model):
    """A budget that staff assigned to a user, who may read it and sees no other."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="assigned_budgets"
    )
    budget = models.ForeignKey(YnabBudget, on_delete=models.CASCADE, related_name="assignments")
    assigned_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "assigned YNAB budget"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "budget"],
                name="budget_assigned_once",
                violation_error_message="This budget is assigned to the user already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.budget}"


class SyncRun(models.Model):
    """One attempt to take a user's linked pension accounts' balances from YNAB.

    `accounts`: [{account_id, name, outcome, detail}], an entry for each linked account.
    """

    class Trigger(models.TextChoices):
        NIGHTLY = "nightly"
        MANUAL = "manual"

    class Outcome(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        ATTENTION = "attention", "needs attention"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sync_runs"
    )
    trigger = models.CharField(max_length=7, choices=Trigger)
    outcome = models.CharField(max_length=9, choices=Outcome, default=Outcome.RUNNING)
    detail = models.CharField(max_length=300, blank=True)
    accounts = models.JSONField(default=list, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "sync run"
        ordering = ["-started_at", "-id"]
        indexes = [models.Index(fields=["user", "-started_at"], name="sync_run_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(trigger__in=["nightly", "manual"]), name="sync_run_trigger_known"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["running", "done", "attention", "failed"]),
                name="sync_run_outcome_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.started_at:%Y-%m-%d %H:%M} {self.outcome}"


class Backup(models.Model):
    """One attempt to back up the whole database.

    `proved`: the file was read back and compared. `path` is empty without a file. These rows
    are about files of this installation, and therefore not in the backups themselves.
    """

    made_at = models.DateTimeField()
    path = models.CharField(max_length=500, blank=True)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    rows = models.PositiveBigIntegerField(default=0)
    proved = models.BooleanField(default=False)
    detail = models.CharField(max_length=500, blank=True, help_text="Why it is not proved.")

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        result = self.detail
        if self.proved:
            result = "proved"
        return f"{self.made_at:%Y-%m-%d %H:%M} {result}"
