"""Rename the model Import to ImportBatch, with the columns and permissions named after it."""

from django.db import migrations

ACTIONS = ("add", "change", "delete", "view")


def rename_permissions(apps, old, new):
    """Let users and groups keep their rights: a permission is found by its codename.

    Django renames the content type of a renamed model, and leaves its permissions. Where they do
    not exist yet, as in a new database, `migrate` makes them with their new names at its end.
    """
    permissions = apps.get_model("auth", "Permission").objects
    for action in ACTIONS:
        permissions.filter(
            codename=f"{action}_{old}",
            content_type__app_label="portfolios",
            content_type__model__in=[old, new],
        ).update(codename=f"{action}_{new}")


def forwards(apps, schema_editor):
    rename_permissions(apps, "import", "importbatch")


def backwards(apps, schema_editor):
    rename_permissions(apps, "importbatch", "import")


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("portfolios", "0007_words_of_constraints"),
    ]

    operations = [
        migrations.RenameModel("Import", "ImportBatch"),
        migrations.RenameField("PendingImport", "statement", "import_batch"),
        migrations.RenameField("Transaction", "statement", "import_batch"),
        migrations.AlterModelOptions(
            name="importbatch",
            options={"ordering": ["-created_at", "-id"], "verbose_name": "import"},
        ),
        migrations.RunPython(forwards, backwards),
    ]
