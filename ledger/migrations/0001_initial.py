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

    initial = True

    dependencies = [
        ('accounts', '0002_identity_and_documents'),
        ('core', '0002_audit'),
    ]

    operations = [
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('DEPOSIT', 'Deposit'), ('WITHDRAWAL', 'Withdrawal'), ('DEPOSIT_RETURN', 'Deposit Return'), ('WITHDRAWAL_RETURN', 'Withdrawal Return'), ('PURCHASE', 'Purchase'), ('SALE', 'Sale'), ('DIVIDEND', 'Dividend'), ('INTEREST', 'Interest'), ('FEE', 'Fee'), ('TAX', 'Tax'), ('CORPORATE_ACTION', 'Corporate Action'), ('JOURNAL', 'Journal'), ('OTHER', 'Other'), ('ADJUSTMENT', 'Adjustment'), ('HOLD', 'Hold'), ('RELEASE', 'Release')], max_length=20)),
                ('debit', models.CharField(choices=[('AVAILABLE', 'Available'), ('HELD', 'Held'), ('BANK', 'Bank'), ('SECURITIES', 'Securities'), ('INCOME', 'Income'), ('FEES', 'Fees'), ('BROKER', 'Broker')], max_length=12, verbose_name='to')),
                ('credit', models.CharField(choices=[('AVAILABLE', 'Available'), ('HELD', 'Held'), ('BANK', 'Bank'), ('SECURITIES', 'Securities'), ('INCOME', 'Income'), ('FEES', 'Fees'), ('BROKER', 'Broker')], max_length=12, verbose_name='from')),
                ('amount', core.db.columns.MoneyColumn(decimal_places=2, max_digits=18)),
                ('reference', models.UUIDField(blank=True, help_text='The transfer or order that it belongs to, by our id.', null=True)),
                ('natural_key', models.CharField(blank=True, help_text='What is the same whoever tells of it.', max_length=160)),
                ('symbol', models.CharField(blank=True, max_length=32)),
                ('quantity', core.db.columns.QuantityColumn(blank=True, decimal_places=9, help_text='Of a fill, how much was bought or sold with it.', max_digits=24, null=True)),
                ('occurred_at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(db_default=core.clock.Now())),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('reverses', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversed_by', to='ledger.entry')),
            ],
            options={
                'verbose_name_plural': 'entries',
            },
        ),
        migrations.CreateModel(
            name='Drift',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('BALANCE', 'Balance'), ('NOT_AT_BROKER', 'Not At Broker'), ('NOT_OURS', 'Not Ours')], max_length=16)),
                ('subject', models.CharField(blank=True, help_text='The entry it is about; none for a balance.', max_length=160)),
                ('difference', core.db.columns.MoneyColumn(decimal_places=2, max_digits=18)),
                ('evidence', models.JSONField(blank=True, default=dict, help_text='Both figures as they were read, and what lacks.')),
                ('state', models.CharField(choices=[('SUSPECTED', 'Suspected'), ('OPEN', 'Open'), ('PROPOSED', 'Proposed'), ('RESOLVED', 'Resolved'), ('HEALED', 'Healed')], default='SUSPECTED', max_length=10)),
                ('remedy', models.CharField(blank=True, choices=[('ADJUST', 'Adjust'), ('EXPLAINED', 'Explained')], max_length=10)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('proposed_by', models.CharField(blank=True, max_length=300)),
                ('proposed_at', models.DateTimeField(blank=True, null=True)),
                ('resolved_by', models.CharField(blank=True, max_length=300)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('seen_at', models.DateTimeField(db_default=core.clock.Now(), help_text='When it was last still there.')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('adjustment', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.entry')),
                ('entry', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.entry')),
            ],
            options={
                'permissions': [('propose_drift', 'May propose how a difference is settled'), ('resolve_drift', 'May settle a difference that somebody else has explained')],
            },
        ),
        migrations.CreateModel(
            name='LedgerBook',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='accounts.brokerageaccount')),
                ('opened_at', models.DateTimeField(blank=True, help_text="Since when it has all that the broker's books have.", null=True)),
                ('compared_at', models.DateTimeField(blank=True, null=True)),
                ('agreed_at', models.DateTimeField(blank=True, null=True)),
                ('broker_cash', core.db.columns.MoneyColumn(blank=True, decimal_places=2, help_text='As it was compared last.', max_digits=18, null=True)),
                ('explained', core.db.columns.MoneyColumn(decimal_places=2, default=Decimal('0.00'), help_text='A difference that people have explained, so that it is none.', max_digits=18)),
                ('due_at', models.DateTimeField(db_default=core.clock.Now(), db_index=True)),
                ('closed_until', models.DateTimeField(blank=True, help_text='What was written down before is added up here.', null=True)),
                ('closed_available', core.db.columns.MoneyColumn(decimal_places=2, default=Decimal('0.00'), help_text='The free cash then.', max_digits=18)),
                ('closed_held', core.db.columns.MoneyColumn(decimal_places=2, default=Decimal('0.00'), help_text='The cash held back then.', max_digits=18)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('closed_available__lt', Decimal('10000000000000000'))), name='ledger_book_closed_available'), models.CheckConstraint(condition=models.Q(('closed_held__lt', Decimal('10000000000000000'))), name='ledger_book_closed_held'), models.CheckConstraint(condition=models.Q(('broker_cash__lt', Decimal('10000000000000000'))), name='ledger_book_broker_cash'), models.CheckConstraint(condition=models.Q(('explained__lt', Decimal('10000000000000000'))), name='ledger_book_explained')],
            },
        ),
        migrations.CreateModel(
            name='Witness',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('TRANSFER', 'Transfer'), ('EXECUTION', 'Execution'), ('ACTIVITY', 'Activity'), ('OPERATOR', 'Operator')], max_length=10)),
                ('external_id', models.CharField(max_length=160)),
                ('at', models.DateTimeField(db_default=core.clock.Now())),
                ('entry', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='witnesses', to='ledger.entry')),
            ],
            options={
                'verbose_name_plural': 'witnesses',
            },
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['account', 'recorded_at'], include=('debit', 'credit', 'amount', 'kind', 'user_id'), name='ledger_entry_balance'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['account', '-occurred_at'], name='ledger_entry_of_account'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('reference__isnull', False)), fields=['reference'], name='ledger_entry_reference'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lt', Decimal('10000000000000000'))), name='ledger_entry_amount'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0), ('quantity__lt', Decimal('10000000000000000'))), name='ledger_entry_quantity'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['DEPOSIT', 'WITHDRAWAL', 'DEPOSIT_RETURN', 'WITHDRAWAL_RETURN', 'PURCHASE', 'SALE', 'DIVIDEND', 'INTEREST', 'FEE', 'TAX', 'CORPORATE_ACTION', 'JOURNAL', 'OTHER', 'ADJUSTMENT', 'HOLD', 'RELEASE']), ('debit__in', ['AVAILABLE', 'HELD', 'BANK', 'SECURITIES', 'INCOME', 'FEES', 'BROKER']), ('credit__in', ['AVAILABLE', 'HELD', 'BANK', 'SECURITIES', 'INCOME', 'FEES', 'BROKER'])), name='ledger_entry_words'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(('debit', models.F('credit')), _negated=True), name='ledger_entry_two_sides'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(condition=models.Q(('natural_key', ''), _negated=True), fields=('account', 'natural_key'), name='ledger_entry_once'),
        ),
        migrations.AddConstraint(
            model_name='drift',
            constraint=models.CheckConstraint(condition=models.Q(('difference__lt', Decimal('10000000000000000'))), name='ledger_drift_difference'),
        ),
        migrations.AddConstraint(
            model_name='drift',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['SUSPECTED', 'OPEN', 'PROPOSED', 'RESOLVED', 'HEALED']), ('kind__in', ['BALANCE', 'NOT_AT_BROKER', 'NOT_OURS'])), name='ledger_drift_words'),
        ),
        migrations.AddConstraint(
            model_name='drift',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['OPEN', 'PROPOSED', 'SUSPECTED'])), fields=('account', 'kind', 'subject'), name='ledger_drift_once'),
        ),
        migrations.AddConstraint(
            model_name='drift',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'RESOLVED'), _negated=True), models.Q(models.Q(('resolved_by', ''), _negated=True), models.Q(('resolved_by', models.F('proposed_by')), _negated=True)), _connector='OR'), name='ledger_drift_two_persons'),
        ),
        migrations.AddConstraint(
            model_name='witness',
            constraint=models.UniqueConstraint(fields=('kind', 'external_id'), name='ledger_witness_once'),
        ),
        migrations.AddConstraint(
            model_name='witness',
            constraint=models.UniqueConstraint(fields=('entry', 'kind'), name='ledger_witness_per_entry'),
        ),
        EnableRowSecurity("ledger_entry"),
        EnableRowSecurity("ledger_witness", agents=""),
        EnableRowSecurity("ledger_ledgerbook"),
        EnableRowSecurity("ledger_drift", agents=""),
        AppendOnly("ledger_entry"),
        AppendOnly("ledger_witness"),
        AuditChanges(
            "ledger_drift",
            subject="ledger.Drift",
            columns=["state", "remedy", "difference", "proposed_by", "resolved_by"],
        ),
    ]
