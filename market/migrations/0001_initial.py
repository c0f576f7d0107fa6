"""The first tables of the market app."""

import django.db.models.functions.datetime
from django.db import migrations, models

import core.ids
import market.models
from core.db.row_security import GrantTable


class Migration(migrations.Migration):
    initial = True

    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE market_instrument_numbers AS integer MINVALUE 0 START 0;"
            "GRANT USAGE ON SEQUENCE market_instrument_numbers TO clera_app, clera_agents",
            "DROP SEQUENCE market_instrument_numbers",
        ),
        migrations.CreateModel(
            name="Instrument",
            fields=[
                ("id", models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("number", models.IntegerField(db_default=market.models.NextNumber(), editable=False, unique=True)),
                ("symbol", models.CharField(max_length=24, unique=True)),
                ("name", models.CharField(blank=True, max_length=255)),
                ("exchange", models.CharField(blank=True, max_length=32)),
                ("asset_class", models.CharField(blank=True, max_length=32)),
                ("status", models.CharField(blank=True, max_length=32)),
                ("tradable", models.BooleanField(default=False)),
                ("fractionable", models.BooleanField(default=False)),
                ("broker_asset_id", models.CharField(blank=True, db_index=True, max_length=64)),
                ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={"ordering": ["symbol"]},
        ),
        migrations.AddConstraint(
            model_name="instrument",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__gte", 0)), name="market_instrument_number_is_an_index"
            ),
        ),
        migrations.CreateModel(
            name="WantedSymbol",
            fields=[
                ("id", models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=100)),
                ("symbol", models.CharField(max_length=24)),
                ("until", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["until"], name="market_wanted_until")],
                "constraints": [
                    models.UniqueConstraint(fields=("reason", "symbol"), name="market_wanted_once")
                ],
            },
        ),
        # Reading an instrument for the first time keeps what the broker says of it.
        GrantTable("market_instrument", agents="SELECT, INSERT, UPDATE"),
        GrantTable("market_wantedsymbol"),
    ]
