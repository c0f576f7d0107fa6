"""Whoever moves a closure on may die at any commit and beside any call to a vendor."""

from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.tests.factories import customer
from closure.states import ClosureState
from core.auth import SYSTEM, acting_as
from core.intents import sending
from core.intents.states import IntentState
from funding.models import Transfer
from funding.services import transfer_upkeep
from funding.services.transfers import TransferCourier
from tests.closure.world import World
from trading import services as trading
from trading.models import Order
from trading.tests import factories as trading_factories
from trading.tests.telling import tell

pytestmark = pytest.mark.django_db(transaction=True)
CALLS = {
    "exchange": ("submit", "cancel", "list_orders", "list_positions", "get_cash"),
    "funds": ("move_money", "list_transfers"),
    "desk": ("close", "status_of"),
    "brokerage": ("get_account",),
}
HELD = {"AAPL": "3", "MSFT": "1.5"}
WORTH = Decimal("950.00")
# Every so-manyth edge is one test of the proof, so that the parts can run side by side.
PARTS = 4


class Killed(BaseException):
    """As if by SIGKILL: nothing of ours catches it."""


class Edges:
    """Counts the commits, and the moments before and after calls; dies at one of them."""

    def __init__(self, world, *, die_at=None):
        self.count, self.die_at, self.is_armed = 0, die_at, False
        for vendor, names in CALLS.items():
            for name in names:
                self._wrap(getattr(world, vendor), name)

    def hit(self):
        if self.is_armed:
            self.count += 1
            if self.count == self.die_at:
                raise Killed

    def _wrap(self, vendor, name):
        original = getattr(vendor, name)

        def call(*args, **kwargs):
            self.hit()
            answer = original(*args, **kwargs)
            self.hit()
            return answer

        setattr(vendor, name, call)

    @contextmanager
    def armed(self, monkeypatch):
        """Be at work as a process that may die."""
        commit = BaseDatabaseWrapper._commit

        def and_die(wrapper):
            commit(wrapper)
            self.hit()

        self.is_armed = True
        with monkeypatch.context() as patch:
            patch.setattr(BaseDatabaseWrapper, "_commit", and_die)
            try:
                yield
            finally:
                self.is_armed = False


@pytest.fixture
def close_one(prices, settings, monkeypatch):
    """Close an account whose worker dies at the so-manyth edge, and return world and edges."""
    settings.INTENT_LOOK_SECONDS = 0
    settings.TRANSFER_DAILY_AMOUNT = Decimal(600)

    def close_one(die_at=None):
        with World().in_use() as world:
            world.customer(cash="500.00", positions=HELD)
            _leave_an_order(world)
            world.initiate()
            edges = Edges(world, die_at=die_at)
            for _ in range(40):
                is_alive = _look(world, edges, monkeypatch)
                if world.row().state == ClosureState.DONE:
                    break
                # What the dead have left behind takes a few looks to be found out.
                _time_passes(world, sweeps=1 if is_alive else 3)
            return world, edges

    return close_one


def _leave_an_order(world):
    trading.place_order(
        principal=customer(world.account.user_id),
        account_id=world.account.pk,
        ticket=trading_factories.sell(quantity="1", limit_price="105.00"),
        request=None,
        at=world.at,
    )


def _look(world, edges, monkeypatch):
    """Let the worker look, and say whether it has lived through it."""
    try:
        with edges.armed(monkeypatch):
            world.look()
    except Killed:
        connection.close()
        return False
    return True


def _time_passes(world, *, sweeps):
    """Let the vendors do their part, and everything else of ours look after what waits."""
    with acting_as(SYSTEM):
        asked = Order.objects.filter(account_id=world.account.pk, cancel_asked_at__isnull=False)
        canceled = {str(pk) for pk in asked.values_list("pk", flat=True)}
    for name in canceled & set(world.exchange.orders):
        if world.exchange.orders[name].status == "pending_new":
            tell(world.exchange.move(name, "canceled"))
    world.leases_run_out()
    for _ in range(sweeps):
        trading.sweep_orders(at=world.at)
        transfer_upkeep.sweep_transfers(at=world.at)
    _staff_finds_no_trace(world)
    _fill_sales(world)
    world.settle()
    world.arrive()
    world.at += timedelta(hours=13)


def _fill_sales(world):
    with acting_as(SYSTEM):
        customers = Order.objects.filter(account_id=world.account.pk, source="CUSTOMER")
        theirs = {str(pk) for pk in customers.values_list("pk", flat=True)}
    kept = {name: order for name, order in world.exchange.orders.items() if name in theirs}
    for name in kept:
        del world.exchange.orders[name]
    world.fill()
    world.exchange.orders.update(kept)


def _staff_finds_no_trace(world):
    """Settle what never reached the broker, as two of the staff would after a look at its list."""
    with acting_as(SYSTEM):
        lost = Transfer.objects.filter(account_id=world.account.pk, state=IntentState.NEEDS_REVIEW)
        ids = list(lost.values_list("pk", flat=True))
    for transfer_id in ids:
        sending.dismiss(transfer_id, through=TransferCourier(), at=world.at)


def assert_ended_the_same(world, die_at):
    row = world.row()
    assert row.state == ClosureState.DONE, (die_at, row.step, row.problem, world.log())
    exchange = world.exchange
    sold = {}
    for name, order in exchange.orders.items():
        symbol = exchange.tickets[name].symbol
        sold[symbol] = sold.get(symbol, 0) + order.filled_quantity
    assert sold == {symbol: Decimal(quantity) for symbol, quantity in HELD.items()}, die_at
    assert exchange.positions == {}
    assert exchange.cash == 0, die_at
    assert sorted(world.paid_out()) == [Decimal("350.00"), Decimal("600.00")], die_at
    assert sum(world.paid_out()) == WORTH
    assert world.desk.closed == [world.account.broker_account_id], die_at
    assert len(set(exchange.submitted)) == len(exchange.orders), die_at


@pytest.mark.timeout(600)
def test_killed_at_some_of_its_edges_it_ends_the_same(close_one):
    world, edges = close_one()
    assert_ended_the_same(world, None)
    assert edges.count > 100

    for die_at in range(edges.count // 5, edges.count, edges.count // 3):
        assert_ended_the_same(close_one(die_at)[0], die_at)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(1, PARTS + 1))
def test_killed_at_any_of_its_edges_it_ends_the_same(close_one, first):
    _, edges = close_one()

    for die_at in range(first, edges.count + 1, PARTS):
        killed, counted = close_one(die_at)
        assert counted.count >= die_at
        assert_ended_the_same(killed, die_at)
