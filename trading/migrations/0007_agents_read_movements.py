"""The summary that agents give tells today's return, to which splits and dividends belong."""

from django.db import migrations

from core.db.row_security import LetAgentsRead


class Migration(migrations.Migration):
    dependencies = [("trading", "0006_lots")]

    operations = [LetAgentsRead("trading_sharemovement")]
