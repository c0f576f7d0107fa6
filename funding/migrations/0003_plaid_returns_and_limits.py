import core.clock
import core.db.columns
import core.ids
import django.db.models.deletion
from decimal import Decimal
from core.db.audit_trail import AuditChanges
from core.db.row_security import EnableRowSecurity
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_identity_and_documents'),
        ('funding', '0002_audit'),
    ]

    operations = [
        migrations.AddField(
            model_name='achrelationship',
            name='linked_by',
            field=models.CharField(choices=[('NUMBERS', 'Numbers'), ('PLAID', 'Plaid')], default='NUMBERS', max_length=7),
        ),
        migrations.AddField(
            model_name='achrelationship',
            name='plaid_account_id',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='transfer',
            name='business_date',
            field=models.DateField(blank=True, help_text="The broker's working day on which it is handed in.", null=True),
        ),
        migrations.AddField(
            model_name='transfer',
            name='evidence',
            field=models.JSONField(blank=True, default=dict, help_text="What the broker's list showed at the last look."),
        ),
        migrations.AddField(
            model_name='transfer',
            name='expected_on',
            field=models.DateField(blank=True, help_text='By when it should have arrived; an estimate.', null=True),
        ),
        migrations.AlterField(
            model_name='achrelationship',
            name='number_index',
            field=models.CharField(blank=True, db_index=True, editable=False, help_text='Empty for a bank linked through Plaid, whose number we never learn.', max_length=64),
        ),
        migrations.CreateModel(
            name='PlaidItem',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('item_id', models.CharField(max_length=64, unique=True, verbose_name="Plaid's id")),
                ('sealed_access_token', models.BinaryField(blank=True, null=True)),
                ('institution_id', models.CharField(blank=True, max_length=64)),
                ('institution_name', models.CharField(blank=True, max_length=100)),
                ('bank_accounts', models.JSONField(blank=True, default=list, help_text='Id, last digits and kind of each; never a balance.')),
                ('state', models.CharField(choices=[('LIVE', 'Live'), ('LOGIN_REQUIRED', 'Login Required'), ('BROKEN', 'Broken'), ('REMOVING', 'Removing'), ('REMOVED', 'Removed')], default='LIVE', max_length=16)),
                ('error_code', models.CharField(blank=True, max_length=64)),
                ('consent_expires_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('checked_at', models.DateTimeField(blank=True, null=True)),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
                ('due_at', models.DateTimeField(db_default=core.clock.Now())),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
            ],
            options={
                'verbose_name': 'Plaid item',
            },
        ),
        migrations.CreateModel(
            name='LinkSession',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('purpose', models.CharField(choices=[('NEW', 'New'), ('UPDATE', 'Update')], default='NEW', max_length=6)),
                ('state', models.CharField(choices=[('OPEN', 'Open'), ('EXCHANGING', 'Exchanging'), ('EXCHANGED', 'Exchanged'), ('LINKED', 'Linked'), ('UPDATED', 'Updated'), ('DUPLICATE', 'Duplicate'), ('FAILED', 'Failed'), ('EXPIRED', 'Expired')], default='OPEN', max_length=10)),
                ('sealed_link_token', models.BinaryField(blank=True, null=True)),
                ('link_token_index', models.CharField(blank=True, editable=False, max_length=64)),
                ('sealed_public_token', models.BinaryField(blank=True, null=True)),
                ('public_token_index', models.CharField(blank=True, editable=False, max_length=64)),
                ('plaid_account_id', models.CharField(blank=True, help_text='Which of the accounts behind the sign-in is meant.', max_length=64)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('reason_code', models.CharField(blank=True, max_length=64)),
                ('looks', models.PositiveSmallIntegerField(default=0)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('due_at', models.DateTimeField(db_default=core.clock.Now())),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('relationship', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='funding.achrelationship')),
                ('item', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='funding.plaiditem')),
            ],
            options={
                'verbose_name': 'bank sign-in',
            },
        ),
        migrations.AddField(
            model_name='achrelationship',
            name='item',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='relationships', to='funding.plaiditem'),
        ),
        migrations.CreateModel(
            name='TransferLimit',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='accounts.brokerageaccount')),
                ('largest', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('daily_amount', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('daily_count', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('note', models.CharField(max_length=300)),
                ('set_by', models.CharField(max_length=300)),
                ('set_at', models.DateTimeField(db_default=core.clock.Now())),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('largest__gt', 0), ('largest__lt', Decimal('10000000000000000'))), name='funding_limit_largest'), models.CheckConstraint(condition=models.Q(('daily_amount__gt', 0), ('daily_amount__lt', Decimal('10000000000000000'))), name='funding_limit_daily_amount')],
            },
        ),
        migrations.CreateModel(
            name='TransferReturn',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(blank=True, max_length=8)),
                ('words', models.CharField(blank=True, max_length=300)),
                ('was_complete', models.BooleanField(help_text='The money had arrived before it went back.')),
                ('has_restricted', models.BooleanField(default=False, help_text='It stopped the account.')),
                ('state', models.CharField(choices=[('OPEN', 'Open'), ('RESOLVED', 'Resolved')], default='OPEN', max_length=8)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('resolved_by', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('told_at', models.DateTimeField(blank=True, help_text='When the customer was told why; once.', null=True)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('transfer', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='returned', to='funding.transfer')),
            ],
            options={
                'permissions': [('resolve_transferreturn', 'May close the case of a returned transfer')],
            },
        ),
        migrations.CreateModel(
            name='BankRemoval',
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
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('relationship', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='removals', to='funding.achrelationship')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(condition=models.Q(('state__in', ['PENDING', 'SENDING', 'UNKNOWN'])), fields=['due_at'], name='funding_bankremoval_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'NEEDS_REVIEW', 'CANCELED'])), name='funding_bankremoval_state'), models.UniqueConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'UNKNOWN', 'ACCEPTED'])), fields=('relationship',), name='funding_one_removal')],
            },
        ),
        migrations.CreateModel(
            name='Cancellation',
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
                ('canceled_at', models.DateTimeField(blank=True, help_text="When that was, in the broker's words.", null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('transfer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cancellations', to='funding.transfer')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(condition=models.Q(('state__in', ['PENDING', 'SENDING', 'UNKNOWN'])), fields=['due_at'], name='funding_cancellation_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'NEEDS_REVIEW', 'CANCELED'])), name='funding_cancellation_state'), models.UniqueConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'UNKNOWN', 'ACCEPTED'])), fields=('transfer',), name='funding_one_cancellation')],
            },
        ),
        migrations.AddIndex(
            model_name='plaiditem',
            index=models.Index(condition=models.Q(('state', 'REMOVED'), _negated=True), fields=['due_at'], name='funding_item_due'),
        ),
        migrations.AddConstraint(
            model_name='plaiditem',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['LIVE', 'LOGIN_REQUIRED', 'BROKEN', 'REMOVING', 'REMOVED'])), name='funding_item_state'),
        ),
        migrations.AddConstraint(
            model_name='plaiditem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('sealed_access_token__isnull', True), ('state', 'REMOVED')), models.Q(models.Q(('state', 'REMOVED'), _negated=True), ('sealed_access_token__isnull', False)), _connector='OR'), name='funding_item_token'),
        ),
        migrations.AddIndex(
            model_name='linksession',
            index=models.Index(condition=models.Q(('state__in', ['EXCHANGED', 'EXCHANGING', 'OPEN'])), fields=['due_at'], name='funding_link_due'),
        ),
        migrations.AddConstraint(
            model_name='linksession',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['OPEN', 'EXCHANGING', 'EXCHANGED', 'LINKED', 'UPDATED', 'DUPLICATE', 'FAILED', 'EXPIRED'])), name='funding_link_state'),
        ),
        migrations.AddConstraint(
            model_name='linksession',
            constraint=models.UniqueConstraint(condition=models.Q(('link_token_index', ''), _negated=True), fields=('link_token_index',), name='funding_link_token_once'),
        ),
        migrations.AddConstraint(
            model_name='linksession',
            constraint=models.UniqueConstraint(condition=models.Q(('public_token_index', ''), _negated=True), fields=('public_token_index',), name='funding_public_token_once'),
        ),
        migrations.AddIndex(
            model_name='transferreturn',
            index=models.Index(condition=models.Q(('state', 'OPEN')), fields=['created_at'], name='funding_return_open'),
        ),
        migrations.CreateModel(
            name='ReviewVerdict',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('verdict', models.CharField(choices=[('ATTACH', 'Attach'), ('DISMISS', 'Dismiss')], max_length=8)),
                ('broker_id', models.CharField(blank=True, help_text="Which of the broker's transfers or banks it is.", max_length=64, verbose_name="the broker's id")),
                ('reason', models.CharField(max_length=300)),
                ('state', models.CharField(choices=[('PROPOSED', 'Proposed'), ('CONFIRMED', 'Confirmed'), ('WITHDRAWN', 'Withdrawn')], default='PROPOSED', max_length=10)),
                ('proposed_by', models.CharField(max_length=300)),
                ('confirmed_by', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now(), editable=False)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('relationship', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='verdicts', to='funding.achrelationship')),
                ('transfer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='verdicts', to='funding.transfer')),
            ],
            options={
                'permissions': [('propose_verdict', 'May say what became of a transfer or a bank under review'), ('confirm_verdict', 'May settle what is under review as somebody else has proposed')],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('state', 'PROPOSED')), fields=('transfer',), name='funding_one_open_verdict'),
                    models.UniqueConstraint(condition=models.Q(('state', 'PROPOSED')), fields=('relationship',), name='funding_one_open_bank_verdict'),
                    models.CheckConstraint(condition=models.Q(('transfer__isnull', True), ('relationship__isnull', True), _connector='XOR'), name='funding_verdict_subject'),
                    models.CheckConstraint(condition=models.Q(models.Q(('state', 'CONFIRMED'), _negated=True), models.Q(models.Q(('confirmed_by', ''), _negated=True), models.Q(('confirmed_by', models.F('proposed_by')), _negated=True)), _connector='OR'), name='funding_verdict_two_persons'),
                    models.CheckConstraint(condition=models.Q(models.Q(('verdict', 'ATTACH'), _negated=True), models.Q(('broker_id', ''), _negated=True), _connector='OR'), name='funding_verdict_names_its_find'),
                ],
            },
        ),
        # No agent has any business with banks, and a sign-in at one is nobody else's.
        EnableRowSecurity("funding_plaiditem", agents=""),
        EnableRowSecurity("funding_linksession", agents=""),
        EnableRowSecurity("funding_bankremoval", agents=""),
        EnableRowSecurity("funding_cancellation", agents=""),
        EnableRowSecurity("funding_transferlimit", agents=""),
        EnableRowSecurity("funding_transferreturn", agents=""),
        EnableRowSecurity("funding_reviewverdict", agents=""),
        AuditChanges(
            "funding_plaiditem",
            subject="funding.PlaidItem",
            columns=["state", "error_code", "item_id"],
        ),
        AuditChanges(
            "funding_linksession", subject="funding.LinkSession", columns=["state", "purpose"]
        ),
        AuditChanges("funding_bankremoval", subject="funding.BankRemoval", columns=["state"]),
        AuditChanges("funding_cancellation", subject="funding.Cancellation", columns=["state"]),
        AuditChanges(
            "funding_transferlimit",
            subject="funding.TransferLimit",
            columns=["largest", "daily_amount", "daily_count", "set_by"],
            key="account_id",
        ),
        AuditChanges(
            "funding_transferreturn",
            subject="funding.TransferReturn",
            columns=["state", "code", "was_complete", "has_restricted", "resolved_by"],
        ),
        AuditChanges(
            "funding_reviewverdict",
            subject="funding.ReviewVerdict",
            columns=["state", "verdict", "broker_id", "proposed_by", "confirmed_by"],
        ),
    ]
