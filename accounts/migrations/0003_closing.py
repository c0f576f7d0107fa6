from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_identity_and_documents'),
    ]

    operations = [
        migrations.AddField(
            model_name='brokerageaccount',
            name='closing_since',
            field=models.DateTimeField(blank=True, help_text='Its owner has asked for it to be closed.', null=True),
        ),
    ]
