import core.db.columns
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    """
    How much of each order the cash ledger was told of.

    What was filled before there was a ledger, the broker's books tell it alone.
    """

    dependencies = [
        ('ledger', '0001_initial'),
        ('trading', '0002_audit'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='posted_quantity',
            field=core.db.columns.QuantityColumn(decimal_places=9, default=Decimal('0'), editable=False, max_digits=24),
        ),
        migrations.RunSQL(
            "UPDATE trading_order SET posted_quantity = filled_quantity WHERE filled_quantity > 0",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('posted_quantity__gte', 0), ('posted_quantity__lt', Decimal('10000000000000000'))), name='trading_order_posted'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('posted_quantity__lt', models.F('filled_quantity'))), fields=['created_at'], name='trading_order_untold'),
        ),
    ]
