"""Every task runs under the name that beat and jobs know it by, and calls one service."""

import pytest
from celery import current_app
from django.conf import settings

from closure import tasks
from closure.states import ClosureState, Step

pytestmark = pytest.mark.django_db


def test_names_are_those_of_the_schedule():
    planned = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert {name for name in planned if name.startswith("closure.")} == {"closure.sweep_closures"}
    assert {"closure.sweep_closures", "closure.advance_closure"} <= set(current_app.tasks)


def test_the_sweep_moves_on_whatever_is_due(world):
    world.customer(cash="0.00")
    world.initiate()

    tasks.sweep_closures()

    assert world.row().state == ClosureState.DONE


def test_a_nudge_takes_the_id_as_text(world):
    world.customer(cash="10.00")
    closure = world.initiate()

    tasks.advance_closure(closure_id=str(closure.pk))

    assert world.row().step == Step.WITHDRAW
