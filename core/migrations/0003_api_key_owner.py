import django.db.models.deletion
from core.db.row_security import GrantTable
from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.db import migrations, models


class Migration(migrations.Migration):
    """Who answers for a key, and who succeeds it; the second factor of the staff."""

    dependencies = [
        ("core", "0002_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='owner',
            field=models.CharField(db_default='Not recorded', help_text='The person or team that answers for it.', max_length=100),
        ),
        # Each key made so far becomes a family of its own.
        migrations.AddField(
            model_name='apikey',
            name='family',
            field=models.UUIDField(db_default=RandomUUID(), db_index=True, editable=False),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('owner', ''), _negated=True), name='core_apikey_has_owner'),
        ),
        migrations.AlterModelOptions(
            name='apikey',
            options={'permissions': [('manage_apikey', 'Can create, rotate and revoke API keys')], 'verbose_name': 'API key'},
        ),
        migrations.CreateModel(
            name='StaffDevice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='The human-readable name of this device.', max_length=64)),
                ('confirmed', models.BooleanField(default=True, help_text='Is this device ready for use?')),
                ('throttling_failure_timestamp', models.DateTimeField(blank=True, default=None, help_text='A timestamp of the last failed verification attempt. Null if last attempt succeeded.', null=True)),
                ('throttling_failure_count', models.PositiveIntegerField(default=0, help_text='Number of successive failed attempts.')),
                ('created_at', models.DateTimeField(auto_now_add=True, help_text='The date and time when this device was initially created in the system.', null=True)),
                ('last_used_at', models.DateTimeField(blank=True, help_text='The most recent date and time this device was used.', null=True)),
                ('sealed_key', models.BinaryField(null=True)),
                ('last_step', models.BigIntegerField(default=-1, editable=False)),
                ('user', models.ForeignKey(help_text='The user that this device belongs to.', on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('user',), name='core_staffdevice_one_each')],
            },
        ),
        GrantTable("core_staffdevice"),
    ]
