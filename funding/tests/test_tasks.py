"""The background work is registered under the names that beat and the queue use."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from celery import current_app
from django.conf import settings

from accounts.tests.factories import customer
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnclear
from core.tests.parcels import pass_time
from funding.models import Transfer
from funding.services import transfers
from funding.tests.factories import make_bank

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("app", ["accounts.", "funding."])
def test_every_scheduled_task_exists(app):
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    wanted = {name for name in scheduled if name.startswith(app)}

    assert wanted
    assert wanted <= set(current_app.tasks)


def test_the_sweep_and_the_refresh_settle_a_lost_transfer(funds):
    current_app.loader.import_default_modules()
    bank = make_bank()
    funds.fails_after = VendorUnclear("fake", "no answer")
    transfer = transfers.move_money(
        principal=customer(bank.user_id),
        account_id=bank.account_id,
        relationship_id=bank.pk,
        amount=Decimal(25),
        direction="INCOMING",
        request=None,
        at=datetime.now(UTC),
    )
    pass_time(1)

    current_app.tasks["funding.sweep_transfers"]()
    funds.settle(funds.transfers[0][1].broker_transfer_id, "COMPLETE")
    current_app.tasks["funding.refresh_transfers"]()

    with acting_as(SYSTEM):
        assert Transfer.objects.get(pk=transfer.pk).vendor_status == "COMPLETE"
