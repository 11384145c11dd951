"""Let transactions move money: columns, groups, and what a person said stood in a currency."""

import django.db.models.deletion
import django.db.models.functions.math
import financeproj.core.db.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portfolios', '0011_splits_that_wait'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='OpeningBalance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', financeproj.core.db.fields.CurrencyField()),
                ('amount', financeproj.core.db.fields.ExactDecimalField()),
            ],
            options={
                'ordering': ['currency'],
            },
        ),
        migrations.CreateModel(
            name='TransactionGroup',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('conversion', 'Conversion'), ('transfer', 'Transfer')], max_length=12)),
                ('label', models.CharField(blank=True, max_length=100)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('external_id', models.CharField(blank=True, max_length=200, null=True)),
                ('is_linked', models.BooleanField(default=False, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='transaction',
            name='transaction_has_price_and_rate',
        ),
        migrations.RemoveConstraint(
            model_name='transaction',
            name='transaction_type_known',
        ),
        migrations.RemoveConstraint(
            model_name='transaction',
            name='transaction_source_known',
        ),
        migrations.AddField(
            model_name='portfolio',
            name='cash_from',
            field=models.DateField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='portfolio',
            name='cash_from_by',
            field=models.CharField(blank=True, choices=[('manual', 'Manual'), ('import', 'Import')], default='', editable=False, max_length=8),
        ),
        migrations.AddField(
            model_name='transaction',
            name='booked_on',
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='transaction',
            name='settlement_amount',
            field=financeproj.core.db.fields.ExactDecimalField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='transaction',
            name='settlement_currency',
            field=financeproj.core.db.fields.CurrencyField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='transaction',
            name='tax',
            field=financeproj.core.db.fields.ExactDecimalField(default=0),
        ),
        migrations.AlterField(
            model_name='transaction',
            name='holding',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='transactions', to='portfolios.holding'),
        ),
        migrations.AlterField(
            model_name='transaction',
            name='source',
            field=models.CharField(choices=[('manual', 'Manual'), ('import', 'Import'), ('market_data', 'Market Data'), ('derived', 'Derived')], default='manual', editable=False, max_length=11),
        ),
        migrations.AlterField(
            model_name='transaction',
            name='type',
            field=models.CharField(choices=[('buy', 'Buy'), ('sell', 'Sell'), ('dividend', 'Dividend'), ('interest', 'Interest'), ('fee', 'Fee'), ('tax', 'Tax'), ('split', 'Split'), ('transfer_in', 'Transfer In'), ('transfer_out', 'Transfer Out'), ('deposit', 'Deposit'), ('withdrawal', 'Withdrawal'), ('conversion', 'Conversion'), ('opening', 'Opening'), ('adjustment', 'Adjustment')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='portfolio',
            constraint=models.CheckConstraint(condition=models.Q(('cash_from__isnull', True), ('cash_from_by__in', ['manual', 'import']), _connector='OR'), name='portfolio_cash_from_is_set_by'),
        ),
        migrations.AddField(
            model_name='openingbalance',
            name='portfolio',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='openings', to='portfolios.portfolio'),
        ),
        migrations.AddField(
            model_name='transactiongroup',
            name='import_batch',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='groups', to='portfolios.importbatch'),
        ),
        migrations.AddField(
            model_name='transactiongroup',
            name='portfolio',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='groups', to='portfolios.portfolio'),
        ),
        migrations.AddField(
            model_name='transaction',
            name='group',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='transactions', to='portfolios.transactiongroup'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('tax__gte', 0)), name='transaction_tax_not_negative', violation_error_message='The tax must be 0 or more.'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('settlement_currency__isnull', True), ('settlement_currency__regex', '^[A-Z]{3}$'), _connector='OR'), name='transaction_settlement_currency_is_a_code', violation_error_message='A currency code is three capital letters.'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('holding__isnull', False), models.Q(('commission', 0), ('price', django.db.models.functions.math.Abs('settlement_amount')), ('quantity', 1), ('settlement_currency__isnull', False), ('type__in', ['interest', 'fee', 'tax', 'deposit', 'withdrawal', 'conversion', 'opening', 'adjustment'])), _connector='OR'), name='transaction_of_money_alone'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('holding__isnull', False), ('settlement_amount__gt', 0), ('settlement_amount__lt', 0), _connector='OR'), name='transaction_of_money_not_zero'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('holding__isnull', True), ('type__in', ['buy', 'sell', 'dividend', 'interest', 'fee', 'tax', 'split', 'transfer_in', 'transfer_out']), _connector='OR'), name='transaction_type_of_a_holding'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('type', 'deposit'), _negated=True), ('settlement_amount__gt', 0), _connector='OR'), name='transaction_deposit_is_positive'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('type', 'withdrawal'), _negated=True), ('settlement_amount__lt', 0), _connector='OR'), name='transaction_withdrawal_is_negative'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.UniqueConstraint(condition=models.Q(('type', 'opening')), fields=('portfolio', 'settlement_currency'), name='transaction_opening_once_a_currency', violation_error_code='duplicate_opening', violation_error_message='The portfolio has an opening in this currency already.'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['split', 'transfer_out']), models.Q(('exchange_rate__isnull', False), ('price__isnull', False)), ('holding__isnull', True), _connector='OR'), name='transaction_has_price_and_rate'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['buy', 'sell', 'dividend', 'interest', 'fee', 'tax', 'split', 'transfer_in', 'transfer_out', 'deposit', 'withdrawal', 'conversion', 'opening', 'adjustment'])), name='transaction_type_known'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['manual', 'import', 'market_data', 'derived'])), name='transaction_source_known'),
        ),
        migrations.AddConstraint(
            model_name='openingbalance',
            constraint=models.UniqueConstraint(fields=('portfolio', 'currency'), name='opening_balance_once_a_currency'),
        ),
        migrations.AddConstraint(
            model_name='openingbalance',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='opening_balance_currency_is_a_code', violation_error_message='A currency code is three capital letters.'),
        ),
    ]
