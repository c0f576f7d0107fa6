import core.clock
import core.db.columns
import core.ids
import django.db.models.deletion
from core.db.append_only import AppendOnly
from core.db.audit_trail import AuditChanges
from core.db.row_security import EnableRowSecurity, GrantTable
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_closing'),
        ('trading', '0003_posted_quantity'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='order',
            options={'permissions': [('cancel_order', 'May have the broker cancel an order'), ('settle_order', 'May settle an order of which nobody knows')]},
        ),
        migrations.CreateModel(
            name='KillSwitch',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('scope', models.CharField(choices=[('GLOBAL', 'Global'), ('ACCOUNT', 'Account'), ('PRINCIPAL', 'Principal')], max_length=9)),
                ('target', models.CharField(blank=True, max_length=600)),
                ('user_id', models.CharField(blank=True, editable=False, max_length=255)),
                ('reason', models.CharField(max_length=300)),
                ('cancels_open', models.BooleanField(default=False, help_text='Orders that the broker already has were to be canceled, too.')),
                ('ordered_by', models.CharField(max_length=300)),
                ('ordered_at', models.DateTimeField(db_default=core.clock.Now())),
                ('lift_reason', models.CharField(blank=True, max_length=300)),
                ('lifted_by', models.CharField(blank=True, max_length=300)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'permissions': [('order_killswitch', 'May stop orders'), ('lift_killswitch', 'May let orders pass again')],
            },
        ),
        migrations.CreateModel(
            name='OrderReport',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('origin', models.CharField(choices=[('ANSWER', 'Answer'), ('EVENT', 'Event'), ('READING', 'Reading')], max_length=7)),
                ('kind', models.CharField(blank=True, help_text="Of an event, the broker's word.", max_length=64)),
                ('event_id', models.CharField(blank=True, max_length=64)),
                ('status', models.CharField(blank=True, max_length=64)),
                ('body', models.JSONField(default=dict)),
                ('said_at', models.DateTimeField(blank=True, null=True)),
                ('heard_at', models.DateTimeField(db_default=core.clock.Now())),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='RestrictedSymbol',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('symbol', models.CharField(max_length=32)),
                ('side', models.CharField(blank=True, choices=[('BUY', 'Buy'), ('SELL', 'Sell')], help_text='Empty: both sides.', max_length=4)),
                ('reason', models.CharField(max_length=300)),
                ('set_by', models.CharField(max_length=300)),
                ('set_at', models.DateTimeField(db_default=core.clock.Now())),
                ('lifted_by', models.CharField(blank=True, max_length=300)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
                ('user_id', models.CharField(blank=True, editable=False, max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name='RiskLimit',
            fields=[
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('user_id', models.CharField(blank=True, editable=False, max_length=255)),
                ('max_notional', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('max_quantity', core.db.columns.QuantityColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('daily_notional', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('daily_orders', models.PositiveIntegerField(blank=True, null=True)),
                ('open_orders', models.PositiveIntegerField(blank=True, null=True)),
                ('collar', models.DecimalField(blank=True, decimal_places=4, max_digits=6, null=True)),
                ('concentration', models.DecimalField(blank=True, decimal_places=4, max_digits=6, null=True)),
                ('step_up_notional', core.db.columns.MoneyColumn(blank=True, decimal_places=2, help_text='Approving more than this takes a second factor.', max_digits=18, null=True)),
                ('note', models.CharField(max_length=300)),
                ('set_by', models.CharField(max_length=300)),
                ('set_at', models.DateTimeField(db_default=core.clock.Now())),
            ],
        ),
        migrations.AddField(
            model_name='order',
            name='after_hours',
            field=models.CharField(blank=True, choices=[('', 'Refuse'), ('queue_for_open', 'Queue For Open'), ('broker_limit_gtc', 'Broker Limit Gtc')], default='', max_length=16),
        ),
        migrations.AddField(
            model_name='order',
            name='cancel_asked_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='cancel_asked_by',
            field=models.CharField(blank=True, editable=False, max_length=600),
        ),
        migrations.AddField(
            model_name='order',
            name='extended_hours',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='order',
            name='held_for',
            field=models.CharField(blank=True, choices=[('KILL_SWITCH', 'Kill Switch'), ('OPEN', 'Open')], max_length=11),
        ),
        migrations.AddField(
            model_name='order',
            name='held_price',
            field=core.db.columns.PriceColumn(blank=True, decimal_places=9, help_text='What the market asked when it was held back.', max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='ready_at',
            field=models.DateTimeField(db_default=core.clock.Now(), editable=False, help_text='Since when it may be sent.'),
        ),
        migrations.AddField(
            model_name='order',
            name='lot_choices',
            field=models.JSONField(blank=True, default=list, help_text='Which lots a sale takes, if the customer has said so.'),
        ),
        migrations.AddField(
            model_name='order',
            name='opens_at',
            field=models.DateTimeField(blank=True, help_text='The opening of the session that it waits for.', null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='order_class',
            field=models.CharField(choices=[('SIMPLE', 'Simple'), ('BRACKET', 'Bracket'), ('OCO', 'Oco'), ('OTO', 'Oto')], default='SIMPLE', max_length=7),
        ),
        migrations.AddField(
            model_name='order',
            name='parent',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='legs', to='trading.order'),
        ),
        migrations.AddField(
            model_name='order',
            name='replaces',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replacements', to='trading.order'),
        ),
        migrations.AddField(
            model_name='order',
            name='total_quantity',
            field=core.db.columns.QuantityColumn(blank=True, decimal_places=9, help_text='Of a replacement: what the old order has filled included.', max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='source',
            field=models.CharField(choices=[('CUSTOMER', 'Customer'), ('PROPOSAL', 'Proposal'), ('CLOSURE', 'Closure'), ('BROKER', 'Broker')], default='CUSTOMER', max_length=8),
        ),
        migrations.AddField(
            model_name='order',
            name='stop_loss_limit_price',
            field=core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='stop_loss_price',
            field=core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='stop_price',
            field=core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='take_profit_price',
            field=core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='trail_percent',
            field=models.DecimalField(blank=True, decimal_places=4, max_digits=9, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='trail_price',
            field=core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True),
        ),
        migrations.AlterField(
            model_name='order',
            name='order_type',
            field=models.CharField(choices=[('MARKET', 'Market'), ('LIMIT', 'Limit'), ('STOP', 'Stop'), ('STOP_LIMIT', 'Stop Limit'), ('TRAILING_STOP', 'Trailing Stop')], max_length=13),
        ),
        migrations.AlterField(
            model_name='order',
            name='time_in_force',
            field=models.CharField(choices=[('DAY', 'Day'), ('GTC', 'Gtc'), ('IOC', 'Ioc'), ('FOK', 'Fok'), ('OPG', 'Opg'), ('CLS', 'Cls')], max_length=4),
        ),
        migrations.AddField(
            model_name='order',
            name='value',
            field=core.db.columns.MoneyColumn(blank=True, decimal_places=2, help_text='What it was worth when it was judged.', max_digits=18, null=True),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('reserved_cash__gt', 0), ('reserved_quantity__gt', 0), _connector='OR'), fields=['account'], name='trading_order_reserving'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('state', 'HELD')), fields=['held_for', 'opens_at'], name='trading_order_held'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('cancel_asked_at__isnull', False), ('state', 'ACCEPTED'), models.Q(('vendor_status__in', ['canceled', 'expired', 'filled', 'rejected', 'replaced']), _negated=True)), fields=['cancel_asked_at'], name='trading_order_to_cancel'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('state__in', ['REJECTED', 'CANCELED']), _negated=True), models.Q(('state', 'ACCEPTED'), ('vendor_status__in', ['canceled', 'expired', 'filled', 'rejected', 'replaced']), _negated=True)), fields=('replaces',), name='trading_replaced_once'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('stop_price__gt', 0), ('stop_price__lt', Decimal('10000000000000000'))), name='trading_order_stop_price'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('trail_price__gt', 0), ('trail_price__lt', Decimal('10000000000000000'))), name='trading_order_trail_price'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('trail_percent__gt', 0), ('trail_percent__lt', Decimal('10000000000000000'))), name='trading_order_trail_percent'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'HELD'), ('held_for', ''), _connector='OR'), name='trading_order_held_for'),
        ),
        migrations.AddConstraint(
            model_name='killswitch',
            constraint=models.UniqueConstraint(condition=models.Q(('lifted_at__isnull', True)), fields=('scope', 'target'), name='trading_switch_once'),
        ),
        migrations.AddConstraint(
            model_name='killswitch',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('scope', 'GLOBAL'), ('target', '')), models.Q(models.Q(('scope', 'GLOBAL'), _negated=True), models.Q(('target', ''), _negated=True)), _connector='OR'), name='trading_switch_target'),
        ),
        migrations.AddField(
            model_name='orderreport',
            name='order',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='trading.order'),
        ),
        migrations.AddConstraint(
            model_name='restrictedsymbol',
            constraint=models.UniqueConstraint(condition=models.Q(('lifted_at__isnull', True)), fields=('symbol', 'side'), name='trading_restricted_once'),
        ),
        migrations.AddField(
            model_name='risklimit',
            name='account',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount'),
        ),
        migrations.AddConstraint(
            model_name='orderreport',
            constraint=models.UniqueConstraint(condition=models.Q(('event_id', ''), _negated=True), fields=('order', 'event_id'), name='trading_report_once'),
        ),
        migrations.AddConstraint(
            model_name='risklimit',
            constraint=models.UniqueConstraint(models.Value(1), condition=models.Q(('account__isnull', True)), name='trading_one_global_limit'),
        ),
        migrations.AddConstraint(
            model_name='risklimit',
            constraint=models.CheckConstraint(condition=models.Q(('max_notional__gt', 0), ('max_notional__lt', Decimal('10000000000000000'))), name='trading_limit_max_notional'),
        ),
        migrations.AddConstraint(
            model_name='risklimit',
            constraint=models.CheckConstraint(condition=models.Q(('max_quantity__gt', 0), ('max_quantity__lt', Decimal('10000000000000000'))), name='trading_limit_max_quantity'),
        ),
        migrations.AddConstraint(
            model_name='risklimit',
            constraint=models.CheckConstraint(condition=models.Q(('daily_notional__gt', 0), ('daily_notional__lt', Decimal('10000000000000000'))), name='trading_limit_daily_notional'),
        ),
        migrations.AddConstraint(
            model_name='risklimit',
            constraint=models.CheckConstraint(condition=models.Q(('step_up_notional__gt', 0), ('step_up_notional__lt', Decimal('10000000000000000'))), name='trading_limit_step_up'),
        ),
        migrations.AddConstraint(
            model_name='risklimit',
            constraint=models.CheckConstraint(condition=models.Q(('collar__isnull', True), models.Q(('collar__gt', 0), ('collar__lte', 1)), _connector='OR'), name='trading_limit_collar'),
        ),
        migrations.AddConstraint(
            model_name='risklimit',
            constraint=models.CheckConstraint(condition=models.Q(('concentration__isnull', True), models.Q(('concentration__gt', 0), ('concentration__lte', 1)), _connector='OR'), name='trading_limit_concentration'),
        ),
        EnableRowSecurity("trading_orderreport", agents=""),
        AppendOnly("trading_orderreport"),
        # An agent's suggestion is judged by the same rules as an order.
        GrantTable("trading_risklimit", agents="SELECT"),
        GrantTable("trading_restrictedsymbol", agents="SELECT"),
        GrantTable("trading_killswitch", agents="SELECT"),
        AuditChanges(
            "trading_risklimit",
            subject="trading.RiskLimit",
            columns=[
                "account_id",
                "max_notional",
                "max_quantity",
                "daily_notional",
                "daily_orders",
                "open_orders",
                "collar",
                "concentration",
                "step_up_notional",
                "set_by",
            ],
        ),
        AuditChanges(
            "trading_restrictedsymbol",
            subject="trading.RestrictedSymbol",
            columns=["symbol", "side", "set_by", "lifted_by"],
        ),
        AuditChanges(
            "trading_killswitch",
            subject="trading.KillSwitch",
            columns=["scope", "target", "cancels_open", "ordered_by", "lifted_by"],
        ),
    ]
