"""Requests and workers that meet close an account once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.tests.factories import customer
from closure.models import Closure
from closure.services import steering, wishes
from closure.states import ClosureState, Step
from core import idempotency
from core.auth import SYSTEM, acting_as
from core.errors import CleraError
from core.ids import new_id
from tests.closure.world import World

THREADS = 6
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(prices, settings):
    settings.VENDOR_TOTAL_SECONDS = 10  # so that no request is taken for one that has died
    with World().in_use() as world:
        yield world


def together(act):
    """Run `act(number)` in all threads at once and return what came of each."""
    barrier = threading.Barrier(THREADS)

    def run(number):
        barrier.wait(timeout=60)
        try:
            return act(number)
        except CleraError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_asked_for_together_one_closure_begins(world):
    world.customer(cash="100.00")

    outcomes = together(lambda _: world.initiate().state)

    assert sorted(outcomes) == ["RUNNING", *["account_closing"] * (THREADS - 1)]
    with acting_as(SYSTEM):
        assert Closure.objects.count() == 1


def test_one_key_begins_one_closure(world):
    world.customer(cash="100.00")

    def begin(_):
        request = idempotency.Request(
            principal="customer:ada", operation="closure.initiate", key="one", fingerprint="same"
        )
        return world.initiate(request=request).state

    outcomes = together(begin)

    assert sorted(outcomes) == ["RUNNING", *["in_progress"] * (THREADS - 1)]


def test_workers_that_meet_have_every_effect_once(world):
    world.customer(cash="0.00", positions={"AAPL": "3", "MSFT": "2"})
    world.initiate()
    world.look()

    with acting_as(SYSTEM):
        Closure.objects.update(next_at=world.at)
    together(lambda _: steering.advance(world.closure.pk, at=world.at))
    assert len(world.exchange.submitted) == 2
    world.fill()
    together(lambda _: steering.advance(world.closure.pk, at=world.at))
    world.settle()
    world.at = world.at.replace(year=world.at.year + 1)
    world.know_days()
    together(lambda _: steering.advance(world.closure.pk, at=world.at))

    assert world.row().step == Step.WITHDRAW
    assert len(world.funds.payments) == 1


def test_who_stops_it_while_a_worker_is_at_it_stops_it_or_is_told_no(world):
    world.customer(cash="100.00")
    world.initiate()
    owner = customer(world.account.user_id)

    def act(number):
        if number:
            steering.advance(world.closure.pk, at=world.at)
            return "worker"
        return wishes.stop(principal=owner, account_id=world.account.pk, at=world.at).state

    outcomes = together(act)
    world.advance()

    row = world.row()
    if "closure_not_stoppable" in outcomes:
        assert row.step == Step.WITHDRAW
        assert len(world.funds.payments) == 1
    else:
        assert row.state == ClosureState.CANCELED
        assert world.funds.payments == []


def test_a_lease_that_was_taken_over_records_nothing(world):
    world.customer(cash="100.00")
    closure = world.initiate()
    with acting_as(SYSTEM):
        Closure.objects.filter(pk=closure.pk).update(lease_holder=new_id())
    done = steering.Done(what="moved", move_to=Step.CLOSE)

    assert not steering._record(closure.pk, done, holder=new_id(), at=world.at)
    assert world.row().step == Step.READINESS
