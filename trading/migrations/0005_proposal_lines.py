from django.db import migrations


class Migration(migrations.Migration):
    """What a proposal proposes, line by line."""

    dependencies = [
        ('trading', '0004_orders_and_controls'),
    ]

    operations = []
