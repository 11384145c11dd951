"""Put the errors of earlier imports together, as new ones are."""

from django.db import migrations, models

ROWS_NAMED = 20
AT_ONCE = 100


def group_errors(apps, schema_editor):
    batches = apps.get_model("portfolios", "ImportBatch")
    changed = []
    for batch in batches.objects.exclude(errors=[]).only("pk", "errors").iterator(AT_ONCE):
        batch.problems = problems_of(batch.errors)
        changed.append(batch)
        if len(changed) == AT_ONCE:
            batches.objects.bulk_update(changed, ["problems"])
            changed = []
    batches.objects.bulk_update(changed, ["problems"])


def problems_of(errors):
    groups = {}
    for error in errors:
        key = (error["code"], error.get("column"), error["detail"])
        if key not in groups:
            shown = {name: value for name, value in error.items() if name != "row"}
            groups[key] = {**shown, "count": 0, "rows": [], "sample": ""}
        group = groups[key]
        group["count"] += 1
        if len(group["rows"]) < ROWS_NAMED:
            group["rows"].append(error["row"])
    return list(groups.values())


class Migration(migrations.Migration):

    dependencies = [
        ("portfolios", "0021_openings_of_shares"),
    ]

    operations = [
        migrations.AddField(
            model_name="importbatch",
            name="problems",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.RunPython(group_errors, migrations.RunPython.noop, elidable=False),
    ]
