"""Budgets are assigned to users; until now everyone could read every budget of the API key."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

ALIASES = ["last-used", "default"]


def make_the_oldest_user_superuser(apps, schema_editor):
    """Only staff may assign budgets, and an installation needs one of them."""
    users = apps.get_model("users", "User").objects
    if users.filter(is_superuser=True).exists():
        return
    oldest = users.filter(is_active=True).order_by("date_joined", "pk").first()
    if oldest is not None:
        users.filter(pk=oldest.pk).update(is_superuser=True, is_staff=True)


def assign_chosen_budgets(apps, schema_editor):
    """Assign the budget that each user has chosen, but not what YNAB picks for an alias.

    Staff and the only user keep an alias until YNAB names the budget; others have none.
    """
    users = apps.get_model("users", "User").objects
    chosen = apps.get_model("integrations", "YnabSettings").objects
    assigned = apps.get_model("integrations", "AssignedBudget").objects
    is_only_user = users.count() == 1
    rows = chosen.exclude(budget__in=ALIASES).values_list("user", "budget")
    for user_id, budget_id in list(rows):
        assigned.get_or_create(user_id=user_id, budget_id=budget_id)
    if not is_only_user:
        chosen.filter(budget__in=ALIASES, user__is_staff=False).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0002_backup"),
        ("users", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="AssignedBudget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("assigned_at", models.DateTimeField(auto_now_add=True)),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="assignments",
                        to="integrations.ynabbudget",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="assigned_budgets",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "assigned YNAB budget",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "budget"),
                        name="budget_assigned_once",
                        violation_error_message="This budget is assigned to the user already.",
                    )
                ],
            },
        ),
        migrations.RunPython(make_the_oldest_user_superuser, migrations.RunPython.noop),
        migrations.RunPython(assign_chosen_budgets, migrations.RunPython.noop),
    ]
