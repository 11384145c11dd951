"""Divide prices by hand by the user's splits: no longer doubt them, and find the splits fast."""

from django.db import migrations, models
from django.db.models import Exists, OuterRef


def trust_prices_by_hand(apps, schema_editor):
    splits = apps.get_model("marketdata", "StockSplit").objects.filter(stock=OuterRef("stock"))
    holdings = apps.get_model("portfolios", "Holding").objects
    by_hand = holdings.filter(stock__source="manual", unbooked_split_on__isnull=False)
    by_hand.exclude(Exists(splits)).update(unbooked_split_on=None)


class Migration(migrations.Migration):

    dependencies = [
        ("portfolios", "0023_dismissed_renames"),
        ("marketdata", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(
                condition=models.Q(("type", "split")),
                fields=["portfolio"],
                name="transaction_splits",
            ),
        ),
        migrations.RunPython(trust_prices_by_hand, migrations.RunPython.noop, elidable=False),
    ]
