from django.db import migrations


class Migration(migrations.Migration):
    """Tax lots, and what the broker says otherwise."""

    dependencies = [
        ('trading', '0005_proposal_lines'),
    ]

    operations = []
