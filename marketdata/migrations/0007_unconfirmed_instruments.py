from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0006_words_of_constraints")]

    operations = [
        migrations.AddField(
            model_name="stockmetadata",
            name="described_currency",
            field=models.CharField(blank=True, default="", editable=False, max_length=3),
            preserve_default=False,
        ),
        migrations.RemoveConstraint(
            model_name="stockmetadata", name="instrument_owner_if_manual"
        ),
        migrations.AddConstraint(
            model_name="stockmetadata",
            constraint=models.CheckConstraint(
                condition=models.Q(("owner__isnull", True), ("source", "manual"), _negated=True),
                name="instrument_by_hand_has_owner",
                violation_error_message="An instrument priced by hand has an owner.",
            ),
        ),
    ]
