"""Let a transaction return capital, and a leg of a group carry its cost."""

import portfolios.models.carried
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portfolios', '0014_checkpoint_count'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='transaction',
            name='transaction_quantity_positive',
        ),
        migrations.RemoveConstraint(
            model_name='transaction',
            name='transaction_gain_of_a_sale',
        ),
        migrations.RemoveConstraint(
            model_name='transaction',
            name='transaction_type_of_a_holding',
        ),
        migrations.RemoveConstraint(
            model_name='transaction',
            name='transaction_has_price_and_rate',
        ),
        migrations.RemoveConstraint(
            model_name='transaction',
            name='transaction_type_known',
        ),
        migrations.AddField(
            model_name='transaction',
            name='carried',
            field=portfolios.models.carried.CarriedField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='transaction',
            name='type',
            field=models.CharField(choices=[('buy', 'Buy'), ('sell', 'Sell'), ('dividend', 'Dividend'), ('interest', 'Interest'), ('fee', 'Fee'), ('tax', 'Tax'), ('return_of_capital', 'Return Of Capital'), ('split', 'Split'), ('transfer_in', 'Transfer In'), ('transfer_out', 'Transfer Out'), ('exchange_in', 'Exchange In'), ('exchange_out', 'Exchange Out'), ('deposit', 'Deposit'), ('withdrawal', 'Withdrawal'), ('conversion', 'Conversion'), ('opening', 'Opening'), ('adjustment', 'Adjustment')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('quantity', 0), ('type', 'exchange_out')), ('quantity__gt', 0), _connector='OR'), name='transaction_quantity_positive', violation_error_message='The quantity must be above 0.'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('holding__isnull', True), ('type__in', ['buy', 'sell', 'dividend', 'interest', 'fee', 'tax', 'return_of_capital', 'split', 'transfer_in', 'transfer_out', 'exchange_in', 'exchange_out']), _connector='OR'), name='transaction_type_of_a_holding'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['split', 'transfer_out', 'exchange_in', 'exchange_out']), models.Q(('exchange_rate__isnull', False), ('price__isnull', False)), ('holding__isnull', True), _connector='OR'), name='transaction_has_price_and_rate'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['buy', 'sell', 'dividend', 'interest', 'fee', 'tax', 'return_of_capital', 'split', 'transfer_in', 'transfer_out', 'exchange_in', 'exchange_out', 'deposit', 'withdrawal', 'conversion', 'opening', 'adjustment'])), name='transaction_type_known'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('realised_gain__isnull', True), ('type__in', ['sell', 'return_of_capital', 'exchange_out']), _connector='OR'), name='transaction_gain_of_a_sale'),
        ),
    ]
