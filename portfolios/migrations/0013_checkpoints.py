"""Keep what files say stood on a day, and what rows moved as they were imported."""

import django.db.models.deletion
import financeproj.core.db.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketdata', '0011_reasons_to_hold_back'),
        ('portfolios', '0012_money'),
    ]

    operations = [
        migrations.AddField(
            model_name='transaction',
            name='imported_amount',
            field=financeproj.core.db.fields.ExactDecimalField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='transaction',
            name='imported_currency',
            field=financeproj.core.db.fields.CurrencyField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='transaction',
            name='imported_on',
            field=models.DateField(blank=True, editable=False, null=True),
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', financeproj.core.db.fields.CurrencyField(blank=True, null=True)),
                ('day', models.DateField()),
                ('amount', financeproj.core.db.fields.ExactDecimalField()),
                ('decimals', models.PositiveSmallIntegerField()),
                ('row', models.PositiveIntegerField()),
                ('rows_of_day', models.PositiveIntegerField()),
                ('import_batch', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='checkpoints', to='portfolios.importbatch', verbose_name='import')),
                ('stock', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='marketdata.stockmetadata', verbose_name='instrument')),
            ],
            options={
                'ordering': ['import_batch', 'day', 'row'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('currency__isnull', False), ('stock__isnull', True)), models.Q(('currency__isnull', True), ('stock__isnull', False)), _connector='OR'), name='checkpoint_of_one_thing'), models.CheckConstraint(condition=models.Q(('currency__isnull', True), ('currency__regex', '^[A-Z]{3}$'), _connector='OR'), name='checkpoint_currency_is_a_code'), models.CheckConstraint(condition=models.Q(('row__gte', 1), ('rows_of_day__gte', 1)), name='checkpoint_has_a_row'), models.UniqueConstraint(condition=models.Q(('currency__isnull', False)), fields=('import_batch', 'currency', 'day'), name='checkpoint_of_currency_once_a_day'), models.UniqueConstraint(condition=models.Q(('stock__isnull', False)), fields=('import_batch', 'stock', 'day'), name='checkpoint_of_stock_once_a_day')],
            },
        ),
    ]
