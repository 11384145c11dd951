from django.db import migrations
from django.db.models import F

from financeproj.core.money import significant_digits, round_for_storage


def round_ratios(apps, schema_editor):
    """A third came from the source as 0.3333333333333333: more digits than an import of one's own export may have."""
    splits = apps.get_model("marketdata", "StockSplit")
    stocks = apps.get_model("marketdata", "StockMetadata")
    for split in splits.objects.iterator():
        if significant_digits(split.ratio) > 15:
            splits.objects.filter(pk=split.pk).update(ratio=round_for_storage(split.ratio))
            stocks.objects.filter(pk=split.stock_id).update(version=F("version") + 1)


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0003_held_back_prices_and_vectors")]

    operations = [migrations.RunPython(round_ratios, migrations.RunPython.noop)]
