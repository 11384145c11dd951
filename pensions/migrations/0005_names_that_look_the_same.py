"""Compare names without invisible characters and by NFKC: calculate their stored keys again."""

from django.db import migrations

from financeproj.core.db.names import renew_name_keys


def forwards(apps, schema_editor):
    renew_name_keys(apps.get_model("pensions", "PensionAccount").objects)


class Migration(migrations.Migration):
    dependencies = [("pensions", "0004_longer_folded_names")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
