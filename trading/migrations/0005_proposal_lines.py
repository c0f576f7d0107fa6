import django.db.models.deletion
import core.db.columns
from core.db.append_only import AppendOnly
from core.db.audit_trail import AuditChanges
from core.db.row_security import EnableRowSecurity
from decimal import Decimal
from django.db import migrations, models

SIDES = [('BUY', 'Buy'), ('SELL', 'Sell')]
STATES = [('PENDING', 'Pending'), ('APPROVED', 'Approved'), ('REJECTED', 'Rejected'), ('EXPIRED', 'Expired'), ('SUPERSEDED', 'Superseded')]
ORIGINS = [('AGENT', 'Agent'), ('LAPSED', 'Lapsed'), ('PRICE_MOVED', 'Price Moved'), ('REBALANCE', 'Rebalance')]
BELOW = Decimal('10000000000000000')
# Every proposal so far was one market order for the day, approved by an agent's customer.
MOVE = """
    INSERT INTO trading_proposalline (
        id, user_id, proposal_id, position, symbol, side, order_type, time_in_force, quantity,
        notional, extended_hours, order_class, after_hours, lot_choices, quote_price, quote_as_of,
        price_low, price_high, estimated_value, verdict
    )
    SELECT gen_random_uuid(), user_id, id, 1, symbol, side, 'MARKET', 'DAY', quantity,
           notional, false, 'SIMPLE', '', '[]'::jsonb, quote_price, quote_as_of,
           price_low, price_high, coalesce(notional, round(quantity * quote_price, 2)), '{}'::jsonb
      FROM trading_proposal;

    INSERT INTO trading_approvedline (line_id, user_id, approval_id, order_id, price)
    SELECT line.id, line.user_id, approval.id, proposal.order_id, approval.price
      FROM trading_proposal proposal
      JOIN trading_proposalline line ON line.proposal_id = proposal.id
      JOIN trading_approval approval ON approval.proposal_id = proposal.id
     WHERE proposal.order_id IS NOT NULL;

    UPDATE trading_proposal
       SET account_label = '•••• ' || right(
               coalesce(nullif(account.account_number, ''), account.id::text), 4)
      FROM accounts_brokerageaccount account
     WHERE account.id = trading_proposal.account_id;
    SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    """What a proposal proposes, line by line."""

    dependencies = [
        ('trading', '0004_orders_and_controls'),
    ]

    operations = [
        migrations.AddField(
            model_name='proposal',
            name='account_label',
            field=models.CharField(default='', help_text='How the account is shown.', max_length=32),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='proposal',
            name='origin',
            field=models.CharField(choices=ORIGINS, default='AGENT', max_length=11),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='proposal',
            name='supersedes',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='superseded_by', to='trading.proposal'),
        ),
        migrations.AddField(
            model_name='proposal',
            name='warnings',
            field=models.JSONField(blank=True, default=list),
        ),
        # Those that exist keep the words and the hash they were made with.
        migrations.AddField(
            model_name='proposal',
            name='version',
            field=models.PositiveSmallIntegerField(default=1, editable=False),
        ),
        migrations.AlterField(
            model_name='proposal',
            name='version',
            field=models.PositiveSmallIntegerField(default=2, editable=False),
        ),
        migrations.AddField(
            model_name='proposal',
            name='refusal',
            field=models.JSONField(blank=True, default=dict, help_text='The verdict by which an approval came to nothing.'),
        ),
        migrations.AlterField(
            model_name='proposal',
            name='run_id',
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='proposal',
            name='tool_call_id',
            field=models.CharField(blank=True, max_length=128),
        ),
        migrations.AlterField(
            model_name='proposal',
            name='state',
            field=models.CharField(choices=STATES, default='PENDING', max_length=16),
        ),
        migrations.CreateModel(
            name='ProposalLine',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('position', models.PositiveSmallIntegerField()),
                ('symbol', models.CharField(max_length=32)),
                ('side', models.CharField(choices=SIDES, max_length=4)),
                ('order_type', models.CharField(choices=[('MARKET', 'Market'), ('LIMIT', 'Limit'), ('STOP', 'Stop'), ('STOP_LIMIT', 'Stop Limit'), ('TRAILING_STOP', 'Trailing Stop')], max_length=13)),
                ('time_in_force', models.CharField(choices=[('DAY', 'Day'), ('GTC', 'Gtc'), ('IOC', 'Ioc'), ('FOK', 'Fok'), ('OPG', 'Opg'), ('CLS', 'Cls')], max_length=4)),
                ('quantity', core.db.columns.QuantityColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('notional', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('limit_price', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('stop_price', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('trail_price', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('trail_percent', models.DecimalField(blank=True, decimal_places=4, max_digits=9, null=True)),
                ('extended_hours', models.BooleanField(default=False)),
                ('order_class', models.CharField(choices=[('SIMPLE', 'Simple'), ('BRACKET', 'Bracket'), ('OCO', 'Oco'), ('OTO', 'Oto')], default='SIMPLE', max_length=7)),
                ('take_profit_price', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('stop_loss_price', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('stop_loss_limit_price', core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True)),
                ('after_hours', models.CharField(blank=True, choices=[('', 'Refuse'), ('queue_for_open', 'Queue For Open'), ('broker_limit_gtc', 'Broker Limit Gtc')], default='', max_length=16)),
                ('lot_choices', models.JSONField(blank=True, default=list)),
                ('quote_price', core.db.columns.PriceColumn(decimal_places=9, max_digits=24)),
                ('quote_as_of', models.DateTimeField()),
                ('price_low', core.db.columns.PriceColumn(decimal_places=9, max_digits=24)),
                ('price_high', core.db.columns.PriceColumn(decimal_places=9, max_digits=24)),
                ('estimated_value', core.db.columns.MoneyColumn(decimal_places=2, help_text='What it would cost or bring at the price shown.', max_digits=18)),
                ('verdict', models.JSONField(default=dict, help_text='What the risk rules said, and why.')),
                ('proposal', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='trading.proposal')),
            ],
            options={
                'ordering': ['proposal', 'position'],
            },
        ),
        migrations.CreateModel(
            name='ApprovedLine',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('line', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='approved', serialize=False, to='trading.proposalline')),
                ('price', core.db.columns.PriceColumn(decimal_places=9, help_text='The market price at that moment.', max_digits=24)),
                ('approval', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='trading.approval')),
                ('order', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='proposed', to='trading.order')),
            ],
        ),
        migrations.AddField(
            model_name='approval',
            name='assurance',
            field=models.CharField(blank=True, default='', help_text='How the customer had signed in: aal2 with two factors.', max_length=4),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name='approval',
            name='text',
            field=models.TextField(),
        ),
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_once'),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_state'),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_side'),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_one_size'),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_order_approved'),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_band'),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_quantity'),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_notional'),
        migrations.RemoveConstraint(model_name='proposal', name='trading_proposal_quote_price'),
        migrations.RemoveField(model_name='proposal', name='symbol'),
        migrations.RemoveField(model_name='proposal', name='side'),
        migrations.RemoveField(model_name='proposal', name='quantity'),
        migrations.RemoveField(model_name='proposal', name='notional'),
        migrations.RemoveField(model_name='proposal', name='quote_price'),
        migrations.RemoveField(model_name='proposal', name='quote_as_of'),
        migrations.RemoveField(model_name='proposal', name='price_low'),
        migrations.RemoveField(model_name='proposal', name='price_high'),
        migrations.RemoveField(model_name='proposal', name='order'),
        migrations.RemoveField(model_name='approval', name='price'),
        migrations.AddIndex(
            model_name='proposal',
            index=models.Index(fields=['user_id', 'created_at'], name='trading_proposal_of_customer'),
        ),
        migrations.AddIndex(
            model_name='proposal',
            index=models.Index(fields=['run_id'], name='trading_proposal_of_run'),
        ),
        migrations.AddIndex(
            model_name='proposalline',
            index=models.Index(fields=['symbol'], name='trading_line_of_symbol'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.UniqueConstraint(condition=models.Q(('tool_call_id', ''), _negated=True), fields=('run_id', 'tool_call_id'), name='trading_proposal_once'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'APPROVED', 'REJECTED', 'EXPIRED', 'SUPERSEDED'])), name='trading_proposal_state'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('origin__in', ['AGENT', 'LAPSED', 'PRICE_MOVED', 'REBALANCE'])), name='trading_proposal_origin'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('origin', 'AGENT'), _negated=True), ('run_id__isnull', False), _connector='OR'), name='trading_proposal_agent_has_run'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.UniqueConstraint(fields=('proposal', 'position'), name='trading_line_once'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('position__gte', 1), ('position__lte', 20)), name='trading_line_position'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('side__in', ['BUY', 'SELL'])), name='trading_line_side'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('notional__isnull', False), ('quantity__isnull', True)), models.Q(('notional__isnull', True), ('quantity__isnull', False)), _connector='OR'), name='trading_line_one_size'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('price_high__gte', models.F('quote_price')), ('price_low__lte', models.F('quote_price'))), name='trading_line_band'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('estimated_value__gte', 0), ('estimated_value__lt', BELOW)), name='trading_line_estimated_value'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0), ('quantity__lt', BELOW)), name='trading_line_quantity'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('notional__gt', 0), ('notional__lt', BELOW)), name='trading_line_notional'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('limit_price__gt', 0), ('limit_price__lt', BELOW)), name='trading_line_limit_price'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('stop_price__gt', 0), ('stop_price__lt', BELOW)), name='trading_line_stop_price'),
        ),
        migrations.AddConstraint(
            model_name='proposalline',
            constraint=models.CheckConstraint(condition=models.Q(('quote_price__gt', 0), ('quote_price__lt', BELOW)), name='trading_line_quote_price'),
        ),
        migrations.AddConstraint(
            model_name='approvedline',
            constraint=models.CheckConstraint(condition=models.Q(('price__gt', 0), ('price__lt', BELOW)), name='trading_approvedline_price'),
        ),
        # An agent suggests lines as it suggests proposals; what was shown can never be rewritten.
        EnableRowSecurity('trading_proposalline', agents='SELECT, INSERT'),
        AppendOnly('trading_proposalline'),
        EnableRowSecurity('trading_approvedline'),
        AppendOnly('trading_approvedline'),
        AppendOnly('trading_approval'),
        AuditChanges(
            'trading_proposalline',
            subject='trading.ProposalLine',
            columns=[
                'proposal_id',
                'symbol',
                'side',
                'order_type',
                'quantity',
                'notional',
                'limit_price',
                'stop_price',
            ],
        ),
        AuditChanges(
            'trading_approvedline',
            subject='trading.ApprovedLine',
            columns=['order_id', 'price'],
            key='line_id',
        ),
    ]
