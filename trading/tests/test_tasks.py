"""Every task runs under the name that beat and jobs know it by, and calls one service."""

import pytest
from celery import current_app
from django.conf import settings

from trading import tasks
from trading.services import holdings
from trading.tests import factories
from trading.tests.factories import buy, reload
from trading.tests.proposing import propose

pytestmark = pytest.mark.django_db


def test_names_are_those_of_the_schedule():
    planned = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert {name for name in planned if name.startswith("trading.")} == {
        "trading.sweep_orders",
        "trading.expire_proposals",
        "trading.heal_accounts",
        "trading.follow_events",
        "trading.release_held",
    }
    assert planned & set(current_app.tasks) >= {
        name for name in planned if name.startswith("trading.")
    }


def test_reading_holdings_takes_the_id_as_text(account, broker):
    tasks.sync_holdings(account_id=str(account.pk))

    assert broker.readings == 1
    assert holdings.are_known(account.pk)


def test_the_sweep_sends_what_waits_and_applies_what_was_told(place, broker):
    order = place(buy(notional="10"))
    factories.pass_time(5)

    tasks.sweep_orders()
    tasks.apply_events()
    tasks.heal_accounts()

    assert reload(order).state == "ACCEPTED"


def test_proposals_run_out(account, broker):
    proposal = propose()
    factories.pass_time(301)

    tasks.expire_proposals()

    assert reload(proposal).state == "EXPIRED"
