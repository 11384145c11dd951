from django.db import migrations
from django.db.models import F

from financeproj.core.money import significant_digits, round_for_storage


def round_ratios(apps, schema_editor):
    """As marketdata has just done with the splits of the source, of which these are the bookings."""
    transactions = apps.get_model("portfolios", "Transaction")
    holdings = apps.get_model("portfolios", "Holding")
    for row in transactions.objects.filter(type="split", source="market_data").iterator():
        if significant_digits(row.quantity) > 15:
            transactions.objects.filter(pk=row.pk).update(quantity=round_for_storage(row.quantity))
            holdings.objects.filter(pk=row.holding_id).update(version=F("version") + 1)
    dismissed = apps.get_model("portfolios", "DismissedSplit")
    for row in dismissed.objects.iterator():
        if significant_digits(row.ratio) > 15:
            dismissed.objects.filter(pk=row.pk).update(ratio=round_for_storage(row.ratio))


class Migration(migrations.Migration):
    dependencies = [
        ("portfolios", "0004_holding_version"),
        ("marketdata", "0004_split_ratios_of_fifteen_digits"),
    ]

    operations = [migrations.RunPython(round_ratios, migrations.RunPython.noop)]
