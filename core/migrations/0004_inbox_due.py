import core.clock
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    """
    The default of a new column is written into every row, unless it is the same for all.

    Hence the statement's time first, which rewrites nothing and is due for whatever waits.
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
    ]
