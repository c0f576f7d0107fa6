import core.clock
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    """
    Inbox events that are put off, each until a time of its own.

    A default that is the same for all rows costs no rewriting of the table; hence the statement's
    time first. What waits is as if it had never been put off.
    """

    dependencies = [
        ('core', '0003_api_key_owner'),
    ]

    operations = [
        migrations.AddField(
            model_name='inboxevent',
            name='due_at',
            field=models.DateTimeField(db_default=Now(), help_text='When it is tried next.'),
        ),
        migrations.RunSQL(
            "UPDATE core_inboxevent SET due_at = received_at WHERE applied_at IS NULL",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name='inboxevent',
            name='due_at',
            field=models.DateTimeField(db_default=core.clock.Now(), help_text='When it is tried next.'),
        ),
        migrations.AddField(
            model_name='inboxevent',
            name='waits_since',
            field=models.DateTimeField(blank=True, help_text='Since when it has been too early for it.', null=True),
        ),
        migrations.AddIndex(
            model_name='inboxevent',
            index=models.Index(condition=models.Q(('applied_at__isnull', True), ('waits_since__isnull', False)), fields=['source', 'id'], name='core_inbox_put_off'),
        ),
    ]
