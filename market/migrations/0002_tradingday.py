import django.db.models.functions.datetime
from core.db.row_security import GrantTable
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('market', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='TradingDay',
            fields=[
                ('date', models.DateField(primary_key=True, serialize=False)),
                ('opens_at', models.DateTimeField()),
                ('closes_at', models.DateTimeField()),
                ('settles_on', models.DateField(blank=True, null=True)),
                ('read_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['date'],
                'constraints': [models.CheckConstraint(condition=models.Q(('closes_at__gt', models.F('opens_at'))), name='market_day_closes_after_it_opens')],
            },
        ),
        GrantTable("market_tradingday", agents="SELECT"),
    ]
