"""Compare names without invisible characters and by NFKC: calculate their stored keys again."""

from django.db import migrations

from financeproj.core.db.names import name_key, renew_name_keys
from financeproj.core.identifiers import is_isin


def forwards(apps, schema_editor):
    renew_name_keys(apps.get_model("portfolios", "Portfolio").objects)
    renew_alias_keys(apps.get_model("portfolios", "InstrumentAlias").objects)


def renew_alias_keys(aliases):
    """Of a user's aliases that become equal, keep the one that was chosen last."""
    kept = set()
    rows = list(aliases.order_by("-updated_at", "-pk").values_list("pk", "user_id", "key"))
    changed = []
    for pk, user_id, key in rows:
        new_key = key if is_isin(key) else name_key(key)
        if not new_key or len(new_key) > 600 or (user_id, new_key) in kept:
            aliases.filter(pk=pk).delete()
            continue
        kept.add((user_id, new_key))
        if new_key != key:
            changed.append((pk, new_key))
    for pk, new_key in changed:
        aliases.filter(pk=pk).update(key=new_key)


class Migration(migrations.Migration):
    dependencies = [("portfolios", "0009_pending_import_requested_by")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
