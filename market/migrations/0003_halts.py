from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("market", "0002_tradingday")]

    operations = [
        migrations.AddField(
            model_name="instrument",
            name="halted_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When the exchange has last stopped its trading.",
                null=True,
            ),
        ),
    ]
