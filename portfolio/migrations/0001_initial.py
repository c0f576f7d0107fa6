import core.db.columns
import django.db.models.deletion
from core.db.row_security import EnableRowSecurity, GrantTable
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    """What accounts were worth at the end of a day."""

    initial = True

    dependencies = [
        ('accounts', '0003_closing'),
        ('core', '0002_audit'),
    ]

    operations = [
        migrations.CreateModel(
            name='BookValuation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('CLOSE', "after the session's close")], default='CLOSE', max_length=8)),
                ('day', models.DateField()),
                ('at', models.DateTimeField()),
                ('finished_at', models.DateTimeField()),
                ('account_count', models.BigIntegerField()),
                ('incomplete_count', models.BigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('day', 'kind'), name='portfolio_book_valued_once')],
            },
        ),
        migrations.CreateModel(
            name='Valuation',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('CLOSE', "after the session's close")], default='CLOSE', max_length=8)),
                ('day', models.DateField(help_text='The calendar day of New York.')),
                ('at', models.DateTimeField()),
                ('total_value', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('cash', core.db.columns.MoneyColumn(decimal_places=2, max_digits=18)),
                ('day_return', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('is_complete', models.BooleanField(help_text='Everything that it holds had a price.')),
                ('as_of', models.DateTimeField(blank=True, null=True)),
                ('epoch', models.CharField(max_length=48)),
                ('seq', models.BigIntegerField()),
                ('source', models.CharField(choices=[('PUBLISHED', 'the prices that sockets follow'), ('ASKED', "these, and the vendor's answer for those that lacked")], max_length=12)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'day', 'kind'), name='portfolio_valuation_once'), models.CheckConstraint(condition=models.Q(models.Q(('is_complete', True), ('total_value__isnull', False)), models.Q(('day_return', None), ('is_complete', False), ('total_value', None)), _connector='OR'), name='portfolio_valuation_whole_or_nothing'), models.CheckConstraint(condition=models.Q(('total_value__lt', Decimal('10000000000000000'))), name='portfolio_valuation_total'), models.CheckConstraint(condition=models.Q(('cash__lt', Decimal('10000000000000000'))), name='portfolio_valuation_cash'), models.CheckConstraint(condition=models.Q(('day_return__lt', Decimal('10000000000000000'))), name='portfolio_valuation_return')],
            },
        ),
        EnableRowSecurity("portfolio_valuation", agents="SELECT"),
        GrantTable("portfolio_bookvaluation", app="SELECT, INSERT"),
    ]
