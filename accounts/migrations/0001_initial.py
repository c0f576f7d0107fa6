import core.clock
import core.ids
from core.db.row_security import EnableRowSecurity
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('core', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='BrokerageAccount',
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
                ('vendor_status_at', models.DateTimeField(blank=True, help_text='When the vendor says its status changed.', null=True)),
                ('broker_account_id', models.CharField(blank=True, max_length=64)),
                ('account_number', models.CharField(blank=True, max_length=32)),
                ('email_masked', models.CharField(max_length=80, verbose_name='e-mail')),
                ('email_index', models.CharField(editable=False, max_length=64)),
                ('tax_id_last4', models.CharField(blank=True, max_length=4, verbose_name='tax id ends in')),
                ('tax_id_index', models.CharField(db_index=True, editable=False, max_length=64)),
                ('sealed_profile', models.BinaryField()),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(condition=models.Q(('state__in', ['PENDING', 'SENDING', 'UNKNOWN'])), fields=['due_at'], name='accounts_brokerageaccount_due'), models.Index(condition=models.Q(('state', 'ACCEPTED'), models.Q(('vendor_status__in', ['ACCOUNT_CLOSED', 'ACTIVE', 'DISABLED', 'INACTIVE', 'PAPER_ONLY', 'REJECTED', 'SUBMISSION_FAILED']), _negated=True)), fields=['due_at'], name='accounts_moving')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'NEEDS_REVIEW', 'CANCELED'])), name='accounts_brokerageaccount_state'), models.UniqueConstraint(condition=models.Q(models.Q(('state__in', ['REJECTED', 'CANCELED']), _negated=True), models.Q(('vendor_status__in', ['ACCOUNT_CLOSED', 'REJECTED', 'SUBMISSION_FAILED']), _negated=True)), fields=('user_id',), name='accounts_one_live_account'), models.UniqueConstraint(condition=models.Q(models.Q(('state__in', ['REJECTED', 'CANCELED']), _negated=True), models.Q(('vendor_status__in', ['ACCOUNT_CLOSED', 'REJECTED', 'SUBMISSION_FAILED']), _negated=True)), fields=('email_index',), name='accounts_one_live_email'), models.UniqueConstraint(condition=models.Q(('broker_account_id', ''), _negated=True), fields=('broker_account_id',), name='accounts_broker_account_once'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'ACCEPTED'), _negated=True), models.Q(('broker_account_id', ''), _negated=True), _connector='OR'), name='accounts_accepted_has_broker_id')],
            },
        ),
        EnableRowSecurity('accounts_brokerageaccount'),
    ]
