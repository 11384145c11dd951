"""Keep how many checkpoints an import told."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portfolios', '0013_checkpoints'),
    ]

    operations = [
        migrations.AddField(
            model_name='importbatch',
            name='checkpoint_count',
            field=models.PositiveIntegerField(default=0),
        ),
    ]
