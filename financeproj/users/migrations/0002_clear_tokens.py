from django.db import migrations


def clear_tokens(apps, schema_editor):
    """Refresh tokens were stored in clear. Only their ids are needed."""
    OutstandingToken = apps.get_model("token_blacklist", "OutstandingToken")
    OutstandingToken.objects.using(schema_editor.connection.alias).update(token="")  # nosec B106


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0001_initial"),
        ("token_blacklist", "0013_alter_blacklistedtoken_options_and_more"),
    ]
    operations = [migrations.RunPython(clear_tokens, migrations.RunPython.noop)]
