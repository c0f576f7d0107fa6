import core.clock
import core.db.columns
import core.ids
import django.db.models.deletion
from core.db.append_only import AppendOnly
from core.db.audit_trail import AuditChanges
from core.db.row_security import EnableRowSecurity
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    """Tax lots, what moves shares without a trade, and where the broker's positions differ."""

    dependencies = [
        ('trading', '0005_proposal_lines'),
    ]

    operations = [
        migrations.AddField(
            model_name='cashbalance',
            name='lots_since',
            field=models.DateTimeField(blank=True, help_text='Since when its lots contain all that it holds.', null=True),
        ),
        migrations.AddField(
            model_name='execution',
            name='corrects',
            field=models.CharField(blank=True, help_text='The fill in whose place it stands.', max_length=128),
        ),
        migrations.AddField(
            model_name='execution',
            name='lot_id',
            field=models.UUIDField(editable=False, help_text='The lot that it opens, if it is a purchase.', null=True),
        ),
        migrations.AddField(
            model_name='execution',
            name='lot_method',
            field=models.CharField(choices=[('FIFO', 'Fifo'), ('HIFO', 'Hifo'), ('SPECIFIC', 'Specific')], default='FIFO', help_text='Which lots it takes, if it is a sale.', max_length=8),
        ),
        migrations.AddField(
            model_name='order',
            name='is_corrected',
            field=models.BooleanField(default=False, editable=False, help_text='A fill of it was taken back or changed.'),
        ),
        migrations.AddField(
            model_name='order',
            name='read_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='read_quantity',
            field=core.db.columns.QuantityColumn(decimal_places=9, default=Decimal('0'), editable=False, help_text='How much readings show as filled, whether or not the fills were told.', max_digits=24),
        ),
        migrations.AddField(
            model_name='orderreport',
            name='average_price',
            field=core.db.columns.PriceColumn(blank=True, decimal_places=9, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name='orderreport',
            name='filled_quantity',
            field=core.db.columns.QuantityColumn(decimal_places=9, default=Decimal('0'), max_digits=24),
        ),
        migrations.CreateModel(
            name='Lot',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('symbol', models.CharField(max_length=32)),
                ('root_id', models.UUIDField()),
                ('acquired_at', models.DateTimeField(blank=True, null=True)),
                ('held_since', models.DateField(blank=True, help_text='With the days of shares that it has replaced.', null=True)),
                ('quantity', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('remaining', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('cost', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('cost_left', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('wash_added', core.db.columns.MoneyColumn(decimal_places=2, default=Decimal('0'), help_text='Losses of wash sales within the cost.', max_digits=18)),
                ('basis_source', models.CharField(choices=[('TRADE', 'Trade'), ('BROKER', 'Broker'), ('READING', 'Reading'), ('OPERATOR', 'Operator'), ('UNKNOWN', 'Unknown')], max_length=8)),
                ('may_replace', models.BooleanField(default=False, editable=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('order', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.order')),
            ],
        ),
        migrations.CreateModel(
            name='LotBook',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('symbol', models.CharField(max_length=32)),
                ('quantity', core.db.columns.QuantityColumn(decimal_places=9, default=Decimal('0'), max_digits=24)),
                ('last_at', models.DateTimeField(blank=True, null=True)),
                ('last_rank', models.SmallIntegerField(default=0)),
                ('last_name', models.CharField(blank=True, max_length=160)),
                ('washes_until', models.DateField(blank=True, null=True)),
                ('is_short', models.BooleanField(default=False)),
                ('differs', models.BooleanField(default=False, help_text='From what the account is shown.')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
            ],
        ),
        migrations.CreateModel(
            name='LotClosing',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('fill_id', models.UUIDField()),
                ('order_id', models.UUIDField()),
                ('opened_by', models.UUIDField(blank=True, editable=False, null=True)),
                ('root_id', models.UUIDField(editable=False)),
                ('symbol', models.CharField(max_length=32)),
                ('wash_symbol', models.CharField(editable=False, max_length=32)),
                ('quantity', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('proceeds', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('basis', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('gain', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('disallowed', core.db.columns.MoneyColumn(decimal_places=2, default=Decimal('0'), max_digits=18)),
                ('unmatched', core.db.columns.QuantityColumn(decimal_places=9, default=Decimal('0'), editable=False, max_digits=24)),
                ('term', models.CharField(choices=[('SHORT', 'Short'), ('LONG', 'Long'), ('UNKNOWN', 'Unknown')], max_length=7)),
                ('acquired_at', models.DateTimeField(blank=True, null=True)),
                ('held_since', models.DateField(blank=True, null=True)),
                ('closed_at', models.DateTimeField()),
                ('closed_on', models.DateField(help_text='The trade day in New York.')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('lot', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='closings', to='trading.lot')),
            ],
        ),
        migrations.CreateModel(
            name='LotPreference',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='accounts.brokerageaccount')),
                ('method', models.CharField(choices=[('FIFO', 'Fifo'), ('HIFO', 'Hifo'), ('SPECIFIC', 'Specific')], default='FIFO', max_length=8)),
                ('set_by', models.CharField(max_length=600)),
                ('set_at', models.DateTimeField(db_default=core.clock.Now())),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('method__in', ['FIFO', 'HIFO'])), name='trading_lot_method')],
            },
        ),
        migrations.CreateModel(
            name='PositionDrift',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('symbol', models.CharField(max_length=32)),
                ('ours', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('theirs', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('state', models.CharField(choices=[('SUSPECTED', 'Suspected'), ('OPEN', 'Open'), ('PROPOSED', 'Proposed'), ('SETTLED', 'Settled'), ('ACCEPTED', 'Accepted'), ('HEALED', 'Healed')], default='SUSPECTED', max_length=9)),
                ('remedy', models.CharField(blank=True, choices=[('ADOPT', 'Adopt'), ('KEEP', 'Keep')], max_length=5)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('proposed_by', models.CharField(blank=True, max_length=300)),
                ('proposed_at', models.DateTimeField(blank=True, null=True)),
                ('confirmed_by', models.CharField(blank=True, max_length=300)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False, help_text='Since when it differs by so much.')),
                ('seen_at', models.DateTimeField(db_default=core.clock.Now())),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
            ],
            options={
                'permissions': [('propose_positiondrift', 'May propose how a difference of positions is settled'), ('confirm_positiondrift', 'May settle one that somebody else has proposed')],
            },
        ),
        migrations.CreateModel(
            name='ShareMovement',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('external_id', models.CharField(max_length=128, unique=True)),
                ('kind', models.CharField(choices=[('OPENING', 'Opening'), ('SPLIT', 'Split'), ('STOCK_DIVIDEND', 'Stock Dividend'), ('SYMBOL_CHANGE', 'Symbol Change'), ('SPIN_OFF', 'Spin Off'), ('CASH_IN_LIEU', 'Cash In Lieu'), ('REORGANISATION', 'Reorganisation'), ('TRANSFER', 'Transfer'), ('ADJUSTMENT', 'Adjustment')], max_length=16)),
                ('broker_kind', models.CharField(blank=True, max_length=32)),
                ('symbol', models.CharField(max_length=32)),
                ('quantity', core.db.columns.QuantityColumn(decimal_places=9, max_digits=24)),
                ('cost', core.db.columns.MoneyColumn(blank=True, decimal_places=2, help_text='What they have cost; of a fraction that was paid out, what that has brought.', max_digits=18, null=True)),
                ('basis_source', models.CharField(choices=[('TRADE', 'Trade'), ('BROKER', 'Broker'), ('READING', 'Reading'), ('OPERATOR', 'Operator'), ('UNKNOWN', 'Unknown')], max_length=8)),
                ('group', models.CharField(blank=True, max_length=128)),
                ('at', models.DateTimeField()),
                ('is_void', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
            ],
        ),
        migrations.CreateModel(
            name='VoidExecution',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('execution_id', models.CharField(max_length=128, unique=True)),
                ('event_id', models.CharField(blank=True, max_length=64)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.order')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddIndex(
            model_name='lot',
            index=models.Index(fields=['account', 'symbol', 'acquired_at'], name='trading_lot_of_account'),
        ),
        migrations.AddIndex(
            model_name='lot',
            index=models.Index(condition=models.Q(('remaining', 0), _negated=True), fields=['account', 'symbol'], name='trading_lot_open'),
        ),
        migrations.AddConstraint(
            model_name='lot',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__lt', Decimal('10000000000000000'))), name='trading_lot_quantity'),
        ),
        migrations.AddConstraint(
            model_name='lot',
            constraint=models.CheckConstraint(condition=models.Q(('remaining__lt', Decimal('10000000000000000'))), name='trading_lot_remaining'),
        ),
        migrations.AddConstraint(
            model_name='lot',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('quantity__gte', 0), ('remaining__gte', 0), ('remaining__lte', models.F('quantity'))), models.Q(('quantity__lt', 0), ('remaining__gte', models.F('quantity')), ('remaining__lte', 0)), _connector='OR'), name='trading_lot_within'),
        ),
        migrations.AddConstraint(
            model_name='lotbook',
            constraint=models.UniqueConstraint(fields=('account', 'symbol'), name='trading_lotbook_once'),
        ),
        migrations.AddConstraint(
            model_name='lotbook',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__lt', Decimal('10000000000000000'))), name='trading_lotbook_quantity'),
        ),
        migrations.AddIndex(
            model_name='lotclosing',
            index=models.Index(fields=['account', '-closed_on', 'id'], name='trading_closing_of_account'),
        ),
        migrations.AddIndex(
            model_name='lotclosing',
            index=models.Index(condition=models.Q(('unmatched__gt', 0)), fields=['account', 'wash_symbol', 'closed_on'], name='trading_closing_washable'),
        ),
        migrations.AddConstraint(
            model_name='lotclosing',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0), ('quantity__lt', Decimal('10000000000000000'))), name='trading_closing_quantity'),
        ),
        migrations.AddConstraint(
            model_name='lotclosing',
            constraint=models.CheckConstraint(condition=models.Q(('disallowed', 0), models.Q(('disallowed__gt', 0), ('disallowed__lte', django.db.models.expressions.CombinedExpression(models.F('gain'), '*', models.Value(-1)))), _connector='OR'), name='trading_closing_disallowed'),
        ),
        migrations.AddIndex(
            model_name='positiondrift',
            index=models.Index(condition=models.Q(('state__in', ['OPEN', 'PROPOSED', 'SUSPECTED'])), fields=['account'], name='trading_drift_unsettled'),
        ),
        migrations.AddConstraint(
            model_name='positiondrift',
            constraint=models.CheckConstraint(condition=models.Q(('ours__lt', Decimal('10000000000000000'))), name='trading_drift_ours'),
        ),
        migrations.AddConstraint(
            model_name='positiondrift',
            constraint=models.CheckConstraint(condition=models.Q(('theirs__lt', Decimal('10000000000000000'))), name='trading_drift_theirs'),
        ),
        migrations.AddConstraint(
            model_name='positiondrift',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['SUSPECTED', 'OPEN', 'PROPOSED', 'SETTLED', 'ACCEPTED', 'HEALED'])), name='trading_drift_state'),
        ),
        migrations.AddConstraint(
            model_name='positiondrift',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['ACCEPTED', 'OPEN', 'PROPOSED', 'SUSPECTED'])), fields=('account', 'symbol'), name='trading_drift_once'),
        ),
        migrations.AddConstraint(
            model_name='positiondrift',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['SETTLED', 'ACCEPTED']), _negated=True), models.Q(models.Q(('confirmed_by', ''), _negated=True), models.Q(('confirmed_by', models.F('proposed_by')), _negated=True)), _connector='OR'), name='trading_drift_two_persons'),
        ),
        migrations.AddIndex(
            model_name='sharemovement',
            index=models.Index(fields=['account', 'symbol'], name='trading_movement_of_account'),
        ),
        migrations.AddConstraint(
            model_name='sharemovement',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__lt', Decimal('10000000000000000'))), name='trading_movement_quantity'),
        ),
        migrations.AddConstraint(
            model_name='sharemovement',
            constraint=models.CheckConstraint(condition=models.Q(('quantity', 0), _negated=True), name='trading_movement_something'),
        ),
        # Agents explain what a customer has gained; how that is recorded is none of their business.
        EnableRowSecurity("trading_lot", agents="SELECT"),
        EnableRowSecurity("trading_lotclosing", agents="SELECT"),
        EnableRowSecurity("trading_lotbook", agents=""),
        EnableRowSecurity("trading_lotpreference", agents="SELECT"),
        EnableRowSecurity("trading_sharemovement", agents=""),
        EnableRowSecurity("trading_positiondrift", agents=""),
        EnableRowSecurity("trading_voidexecution", agents=""),
        AppendOnly("trading_voidexecution"),
        AuditChanges(
            "trading_lotpreference",
            subject="trading.LotPreference",
            columns=["method"],
            key="account_id",
        ),
        AuditChanges(
            "trading_positiondrift",
            subject="trading.PositionDrift",
            columns=["state", "symbol", "ours", "theirs"],
        ),
        AuditChanges(
            "trading_sharemovement",
            subject="trading.ShareMovement",
            columns=["kind", "symbol", "quantity", "is_void"],
        ),
    ]
