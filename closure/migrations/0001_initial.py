import core.clock
import core.ids
from core.db.append_only import AppendOnly
from core.db.audit_trail import AuditChanges
from core.db.row_security import EnableRowSecurity
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0003_closing'),
        ('funding', '0003_plaid_returns_and_limits'),
    ]

    operations = [
        migrations.CreateModel(
            name='Closure',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('RUNNING', 'Running'), ('NEEDS_REVIEW', 'Needs Review'), ('DONE', 'Done'), ('CANCELED', 'Canceled'), ('FAILED', 'Failed')], default='RUNNING', max_length=12)),
                ('step', models.CharField(choices=[('READINESS', 'Readiness'), ('CANCEL_ORDERS', 'Cancel Orders'), ('LIQUIDATE', 'Liquidate'), ('SETTLE', 'Settle'), ('WITHDRAW', 'Withdraw'), ('CLOSE', 'Close'), ('DONE', 'Done')], default='READINESS', max_length=13)),
                ('confirmation_number', models.CharField(max_length=20, unique=True)),
                ('confirmations', models.JSONField(default=list, help_text='What was confirmed, by which credential, and when.')),
                ('sales', models.JSONField(blank=True, default=dict)),
                ('settles_on', models.DateField(blank=True, help_text='The day on which what was sold is settled.', null=True)),
                ('number', models.PositiveSmallIntegerField(default=0)),
                ('excused', models.JSONField(blank=True, default=list)),
                ('problem_kind', models.CharField(blank=True, choices=[('SHORT_POSITION', 'Short Position'), ('NEGATIVE_CASH', 'Negative Cash'), ('WITHDRAWAL_RETURNED', 'Withdrawal Returned'), ('WITHDRAWAL_REFUSED', 'Withdrawal Refused'), ('NO_BANK', 'No Bank'), ('TOO_LITTLE', 'Too Little'), ('CLOSING_REFUSED', 'Closing Refused'), ('STILL_OPEN', 'Still Open')], max_length=20)),
                ('problem', models.CharField(blank=True, max_length=500)),
                ('about', models.JSONField(blank=True, default=list, help_text='What the problem is about.')),
                ('stop_asked_at', models.DateTimeField(blank=True, null=True)),
                ('stop_asked_by', models.CharField(blank=True, max_length=600)),
                ('resume_asked_at', models.DateTimeField(blank=True, null=True)),
                ('resume_asked_by', models.CharField(blank=True, max_length=300)),
                ('resume_reason', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(db_default=core.clock.Now())),
                ('moved_at', models.DateTimeField(db_default=core.clock.Now(), help_text='When it came to this step.')),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('next_at', models.DateTimeField(db_default=core.clock.Now())),
                ('lease_holder', models.UUIDField(blank=True, editable=False, null=True)),
                ('lease_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('relationship', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='funding.achrelationship')),
            ],
            options={
                'permissions': [('operate_closure', 'May stop a closure, and ask for it to go on'), ('confirm_closure', 'May confirm that money is sent once more')],
            },
        ),
        migrations.CreateModel(
            name='ClosingRequest',
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
                ('number', models.PositiveSmallIntegerField(default=0)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('closure', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='closure.closure')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ClosureStep',
            fields=[
                ('user_id', models.CharField(db_index=True, editable=False, help_text="The identity provider's `sub`.", max_length=255)),
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('step', models.CharField(choices=[('READINESS', 'Readiness'), ('CANCEL_ORDERS', 'Cancel Orders'), ('LIQUIDATE', 'Liquidate'), ('SETTLE', 'Settle'), ('WITHDRAW', 'Withdraw'), ('CLOSE', 'Close'), ('DONE', 'Done')], max_length=13)),
                ('what', models.CharField(max_length=32)),
                ('words', models.CharField(blank=True, max_length=500)),
                ('details', models.JSONField(blank=True, default=dict, help_text='Ids of what it was done with.')),
                ('at', models.DateTimeField(db_default=core.clock.Now())),
                ('closure', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='closure.closure')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddIndex(
            model_name='closure',
            index=models.Index(condition=models.Q(('state', 'RUNNING')), fields=['next_at'], name='closure_due'),
        ),
        migrations.AddIndex(
            model_name='closure',
            index=models.Index(fields=['account', '-id'], name='closure_of_account'),
        ),
        migrations.AddConstraint(
            model_name='closure',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['NEEDS_REVIEW', 'RUNNING'])), fields=('account',), name='closure_one_live'),
        ),
        migrations.AddConstraint(
            model_name='closure',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['RUNNING', 'NEEDS_REVIEW', 'DONE', 'CANCELED', 'FAILED'])), name='closure_closure_state'),
        ),
        migrations.AddConstraint(
            model_name='closure',
            constraint=models.CheckConstraint(condition=models.Q(('step__in', ['READINESS', 'CANCEL_ORDERS', 'LIQUIDATE', 'SETTLE', 'WITHDRAW', 'CLOSE', 'DONE'])), name='closure_closure_step'),
        ),
        migrations.AddConstraint(
            model_name='closure',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['NEEDS_REVIEW', 'RUNNING']), ('finished_at__isnull', False), _connector='OR'), name='closure_over_has_end'),
        ),
        migrations.AddIndex(
            model_name='closingrequest',
            index=models.Index(condition=models.Q(('state__in', ['PENDING', 'SENDING', 'UNKNOWN'])), fields=['due_at'], name='closure_closingrequest_due'),
        ),
        migrations.AddConstraint(
            model_name='closingrequest',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'NEEDS_REVIEW', 'CANCELED'])), name='closure_closingrequest_state'),
        ),
        migrations.AddConstraint(
            model_name='closingrequest',
            constraint=models.UniqueConstraint(fields=('closure', 'number'), name='closure_request_once'),
        ),
        EnableRowSecurity("closure_closure", agents=""),
        EnableRowSecurity("closure_closurestep", agents=""),
        EnableRowSecurity("closure_closingrequest", agents=""),
        AppendOnly("closure_closurestep"),
        AuditChanges(
            "closure_closure",
            subject="closure.Closure",
            columns=["state", "step", "problem_kind", "number", "stop_asked_by"],
        ),
        AuditChanges("closure_closingrequest", subject="closure.ClosingRequest", columns=["state"]),
    ]
