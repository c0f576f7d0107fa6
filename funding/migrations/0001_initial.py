import core.clock
import core.db.columns
import core.ids
import django.db.models.deletion
from core.db.row_security import EnableRowSecurity
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('core', '0001_initial'),
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='AchRelationship',
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
                ('broker_relationship_id', models.CharField(blank=True, max_length=64)),
                ('account_type', models.CharField(choices=[('CHECKING', 'Checking'), ('SAVINGS', 'Savings')], max_length=10)),
                ('number_last4', models.CharField(max_length=4, verbose_name='number ends in')),
                ('number_index', models.CharField(db_index=True, editable=False, max_length=64)),
                ('bank_name', models.CharField(blank=True, max_length=100)),
                ('nickname', models.CharField(blank=True, max_length=100)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
            ],
            options={
                'verbose_name': 'ACH relationship',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Transfer',
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
                ('broker_transfer_id', models.CharField(blank=True, max_length=64)),
                ('direction', models.CharField(choices=[('INCOMING', 'Incoming'), ('OUTGOING', 'Outgoing')], max_length=8)),
                ('amount', core.db.columns.MoneyColumn(decimal_places=2, max_digits=18)),
                ('fee', core.db.columns.MoneyColumn(blank=True, decimal_places=2, max_digits=18, null=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.brokerageaccount')),
                ('relationship', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='transfers', to='funding.achrelationship')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddIndex(
            model_name='achrelationship',
            index=models.Index(condition=models.Q(('state__in', ['PENDING', 'SENDING', 'UNKNOWN'])), fields=['due_at'], name='funding_achrelationship_due'),
        ),
        migrations.AddConstraint(
            model_name='achrelationship',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'NEEDS_REVIEW', 'CANCELED'])), name='funding_achrelationship_state'),
        ),
        migrations.AddConstraint(
            model_name='achrelationship',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'UNKNOWN', 'ACCEPTED']), models.Q(('vendor_status__in', ['CANCELED']), _negated=True)), fields=('account',), name='funding_one_active_bank'),
        ),
        migrations.AddConstraint(
            model_name='achrelationship',
            constraint=models.UniqueConstraint(condition=models.Q(('broker_relationship_id', ''), _negated=True), fields=('broker_relationship_id',), name='funding_broker_relationship_once'),
        ),
        migrations.AddConstraint(
            model_name='achrelationship',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'ACCEPTED'), _negated=True), models.Q(('broker_relationship_id', ''), _negated=True), _connector='OR'), name='funding_accepted_bank_has_broker_id'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(condition=models.Q(('state__in', ['PENDING', 'SENDING', 'UNKNOWN'])), fields=['due_at'], name='funding_transfer_due'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(fields=['account', '-id'], name='funding_transfer_of_account'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'NEEDS_REVIEW', 'CANCELED'])), name='funding_transfer_state'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lt', Decimal('10000000000000000'))), name='funding_transfer_amount_positive'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('fee__lt', Decimal('10000000000000000'))), name='funding_transfer_fee_finite'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(('direction__in', ['INCOMING', 'OUTGOING'])), name='funding_transfer_direction'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['PENDING', 'HELD', 'SENDING', 'UNKNOWN', 'NEEDS_REVIEW'])), fields=('account', 'relationship', 'direction'), name='funding_one_undecided_transfer'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.UniqueConstraint(condition=models.Q(('broker_transfer_id', ''), _negated=True), fields=('broker_transfer_id',), name='funding_broker_transfer_once'),
        ),
        migrations.AddConstraint(
            model_name='transfer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'ACCEPTED'), _negated=True), models.Q(('broker_transfer_id', ''), _negated=True), _connector='OR'), name='funding_accepted_transfer_has_broker_id'),
        ),
        # No agent has any business with banks.
        EnableRowSecurity('funding_achrelationship', agents=''),
        EnableRowSecurity('funding_transfer'),
    ]
