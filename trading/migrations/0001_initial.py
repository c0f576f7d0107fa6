import core.clock
import core.db.columns
import core.ids
import django.db.models.deletion
from decimal import Decimal
from core.db.row_security import EnableRowSecurity
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('core', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CashBalance',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='accounts.brokerageaccount')),
                ('cash', core.db.columns.MoneyColumn(decimal_places=2, max_digits=18)),
                ('buying_power', core.db.columns.MoneyColumn(decimal_places=2, max_digits=18)),
                ('withdrawable', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('currency', models.CharField(default='USD', max_length=8)),
                ('version', models.BigIntegerField(default=1)),
                ('fetched_at', models.DateTimeField(help_text='When the broker was last read.')),
                ('changed_at', models.DateTimeField(db_default=core.clock.Now())),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('cash__lt', Decimal('10000000000000000'))), name='trading_cash_cash'), models.CheckConstraint(condition=models.Q(('buying_power__lt', Decimal('10000000000000000'))), name='trading_cash_buying_power')],
            },
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('PENDING', 'Pending'), ('HELD', 'Held'), ('SENDING', 'Sending'), ('ACCEPTED', 'Accepted'), ('REJECTED', 'Rejected'), ('UNKNOWN', 'Unknown'), ('NEEDS_REVIEW', 'Needs Review'), ('CANCELED', 'Canceled')], default='PENDING', max_length=16)),
                ('vendor_status', models.CharField(blank=True, help_text="The vendor's own word, kept even when unknown to us.", max_length=64)),
                ('reason', models.CharField(blank=True, help_text='Why it is in this state, in words for people.', max_length=300)),
                ('reason_code', models.CharField(blank=True, max_length=64)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('looks', models.PositiveSmallIntegerField(default=0)),
                ('lease_holder', models.UUIDField(blank=True, editable=False, null=True)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('due_at', models.DateTimeField(db_default=core.clock.Now(), help_text='When the sweep should look at it next.')),
                ('sealed_payload', models.BinaryField(blank=True, null=True)),
                ('sealed_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('sent_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('settled_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('broker_account_id', models.CharField(editable=False, max_length=64)),
                ('broker_order_id', models.CharField(blank=True, max_length=64)),
                ('symbol', models.CharField(max_length=32)),
                ('side', models.CharField(choices=[('BUY', 'Buy'), ('SELL', 'Sell')], max_length=4)),
                ('order_type', models.CharField(choices=[('MARKET', 'Market'), ('LIMIT', 'Limit')], max_length=8)),
                ('time_in_force', models.CharField(choices=[('DAY', 'Day'), ('GTC', 'Gtc')], max_length=4)),
                ('quantity', core.db.columns.QuantityColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('notional', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('limit_price', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('verdict', models.JSONField(default=dict, help_text='What the risk rules said, and why.')),
                ('placed_by', models.CharField(help_text='The credential that asked for it.', max_length=600)),
                ('filled_quantity', core.db.columns.QuantityColumn(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('average_price', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('booked_quantity', core.db.columns.QuantityColumn(decimal_places=9, default=Decimal('0'), editable=False, max_digits=24)),
                ('reserved_cash', core.db.columns.MoneyColumn(decimal_places=2, default=Decimal('0'), editable=False, max_digits=18)),
                ('reserved_quantity', core.db.columns.QuantityColumn(decimal_places=9, default=Decimal('0'), editable=False, max_digits=24)),
                ('broker_record', models.JSONField(blank=True, default=dict, help_text="The broker's own words, as it last told them.")),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Execution',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('execution_id', models.CharField(max_length=128, unique=True)),
                ('symbol', models.CharField(max_length=32)),
                ('side', models.CharField(choices=[('BUY', 'Buy'), ('SELL', 'Sell')], max_length=4)),
                ('quantity', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('price', core.db.columns.PriceColumn(decimal_places=9, max_digits=24)),
                ('at', models.DateTimeField()),
                ('is_busted', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='executions', to='trading.order')),
            ],
        ),
        migrations.CreateModel(
            name='Position',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('symbol', models.CharField(max_length=32)),
                ('asset_id', models.CharField(blank=True, max_length=64)),
                ('asset_class', models.CharField(blank=True, max_length=32)),
                ('exchange', models.CharField(blank=True, max_length=32)),
                ('quantity', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('available_quantity', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('average_entry_price', core.db.columns.PriceColumn(decimal_places=9, max_digits=24)),
                ('cost_basis', models.DecimalField(decimal_places=9, max_digits=24)),
                ('is_marginable', models.BooleanField(blank=True, null=True)),
                ('previous_close', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('updated_at', models.DateTimeField(db_default=core.clock.Now())),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
            ],
        ),
        migrations.CreateModel(
            name='Proposal',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('run_id', models.UUIDField()),
                ('tool_call_id', models.CharField(max_length=128)),
                ('symbol', models.CharField(max_length=32)),
                ('side', models.CharField(choices=[('BUY', 'Buy'), ('SELL', 'Sell')], max_length=4)),
                ('quantity', core.db.columns.QuantityColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('notional', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('quote_price', core.db.columns.PriceColumn(decimal_places=9, max_digits=24)),
                ('quote_as_of', models.DateTimeField()),
                ('price_low', core.db.columns.PriceColumn(decimal_places=9, max_digits=24)),
                ('price_high', core.db.columns.PriceColumn(decimal_places=9, max_digits=24)),
                ('hash', models.CharField(editable=False, max_length=64)),
                ('state', models.CharField(choices=[('PENDING', 'Pending'), ('APPROVED', 'Approved'), ('REJECTED', 'Rejected'), ('EXPIRED', 'Expired')], default='PENDING', max_length=16)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('expires_at', models.DateTimeField()),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('order', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='proposal', to='trading.order')),
            ],
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('approved_by', models.CharField(max_length=600)),
                ('hash', models.CharField(max_length=64)),
                ('text', models.CharField(max_length=300)),
                ('price', core.db.columns.PriceColumn(decimal_places=9, help_text='The market price at that moment.', max_digits=24)),
                ('at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('proposal', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='approval', to='trading.proposal')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('state__in', ['PENDING', 'SENDING', 'UNKNOWN'])), fields=['due_at'], name='trading_order_due'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['account', '-created_at'], name='trading_order_of_account'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(models.Q(('state__in', ['REJECTED', 'CANCELED']), _negated=True), models.Q(('state', 'ACCEPTED'), ('vendor_status__in', ['canceled', 'expired', 'filled', 'rejected', 'replaced']), _negated=True)), fields=['account'], name='trading_order_working'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'NEEDS_REVIEW', 'CANCELED'])), name='trading_order_state'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('side__in', ['BUY', 'SELL'])), name='trading_order_side'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('notional__isnull', False), ('quantity__isnull', True)), models.Q(('notional__isnull', True), ('quantity__isnull', False)), _connector='OR'), name='trading_order_one_size'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0), ('quantity__lt', Decimal('10000000000000000'))), name='trading_order_quantity'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('notional__gt', 0), ('notional__lt', Decimal('10000000000000000'))), name='trading_order_notional'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('limit_price__gt', 0), ('limit_price__lt', Decimal('10000000000000000'))), name='trading_order_limit_price'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('filled_quantity__gte', 0), ('filled_quantity__lt', Decimal('10000000000000000')), ('booked_quantity__gte', 0), ('booked_quantity__lt', Decimal('10000000000000000'))), name='trading_order_filled'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('reserved_cash__gte', 0), ('reserved_cash__lt', Decimal('10000000000000000')), ('reserved_quantity__gte', 0), ('reserved_quantity__lt', Decimal('10000000000000000'))), name='trading_order_reserved'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.UniqueConstraint(condition=models.Q(('broker_order_id', ''), _negated=True), fields=('broker_order_id',), name='trading_broker_order_once'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'ACCEPTED'), _negated=True), models.Q(('broker_order_id', ''), _negated=True), _connector='OR'), name='trading_accepted_has_broker_id'),
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(fields=['account', '-at'], name='trading_execution_of_account'),
        ),
        migrations.AddConstraint(
            model_name='execution',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0), ('quantity__lt', Decimal('10000000000000000'))), name='trading_execution_quantity'),
        ),
        migrations.AddConstraint(
            model_name='execution',
            constraint=models.CheckConstraint(condition=models.Q(('price__gt', 0), ('price__lt', Decimal('10000000000000000'))), name='trading_execution_price'),
        ),
        migrations.AddConstraint(
            model_name='position',
            constraint=models.UniqueConstraint(fields=('account', 'symbol'), name='trading_position_once'),
        ),
        migrations.AddConstraint(
            model_name='position',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__lt', Decimal('10000000000000000'))), name='trading_position_quantity'),
        ),
        migrations.AddConstraint(
            model_name='position',
            constraint=models.CheckConstraint(condition=models.Q(('available_quantity__lt', Decimal('10000000000000000'))), name='trading_position_available'),
        ),
        migrations.AddConstraint(
            model_name='position',
            constraint=models.CheckConstraint(condition=models.Q(('cost_basis__lt', Decimal('10000000000000000'))), name='trading_position_cost_basis'),
        ),
        migrations.AddIndex(
            model_name='proposal',
            index=models.Index(condition=models.Q(('state', 'PENDING')), fields=['expires_at'], name='trading_proposal_pending'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.UniqueConstraint(fields=('run_id', 'tool_call_id'), name='trading_proposal_once'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'APPROVED', 'REJECTED', 'EXPIRED'])), name='trading_proposal_state'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('side__in', ['BUY', 'SELL'])), name='trading_proposal_side'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('notional__isnull', False), ('quantity__isnull', True)), models.Q(('notional__isnull', True), ('quantity__isnull', False)), _connector='OR'), name='trading_proposal_one_size'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('order__isnull', True), ('state', 'APPROVED'), _connector='OR'), name='trading_proposal_order_approved'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('price_high__gte', models.F('quote_price')), ('price_low__lte', models.F('quote_price'))), name='trading_proposal_band'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0), ('quantity__lt', Decimal('10000000000000000'))), name='trading_proposal_quantity'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('notional__gt', 0), ('notional__lt', Decimal('10000000000000000'))), name='trading_proposal_notional'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('quote_price__gt', 0), ('quote_price__lt', Decimal('10000000000000000'))), name='trading_proposal_quote_price'),
        ),
        EnableRowSecurity('trading_order'),
        EnableRowSecurity('trading_execution'),
        EnableRowSecurity('trading_position'),
        EnableRowSecurity('trading_cashbalance'),
        # All that an agent may write; nothing acts upon it without an approval.
        EnableRowSecurity('trading_proposal', agents='SELECT, INSERT'),
        EnableRowSecurity('trading_approval', agents=''),
    ]
