"""
A thousand orders, changes and cancellations of which the call went wrong, by seed.

Each happens at most once, each is decided within thirty seconds, and in the end we and the broker
say the same of every order.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from core.intents.states import IntentState
from trading import gateways, services
from trading.tests.factories import buy, customer, orders_of
from trading.tests.simulated import SimulatedTime
from trading.tests.test_faults import keep_events
from trading.tickets import Changes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
# How a call may end; each of them with the broker's work done, and without.
ENDINGS = (
    {"kind": "hang"},
    {"kind": "reset"},
    *({"kind": "status", "status": status} for status in (429, 500, 502, 503, 504)),
    {"kind": "garbage"},
    {"kind": "garbage", "variant": "html"},
    {"kind": "cut"},
    {"kind": "unknown_value"},
)
CALLS = {"POST": "/orders$", "PATCH": "/orders/", "DELETE": "/orders/"}
# What beat and the settings say.
BEAT_SECONDS, LOOK_SECONDS, WITHIN_SECONDS = 5, 10, 30
BATCH = 25
UNDECIDED = {IntentState.PENDING, IntentState.SENDING, IntentState.UNKNOWN}


@pytest.fixture(autouse=True)
def _many_orders(settings):
    settings.INTENT_LOOK_SECONDS = LOOK_SECONDS
    settings.ORDER_OPEN_COUNT = settings.ORDER_DAILY_COUNT = 100_000


@pytest.fixture
def simulated(sandbox):
    with SimulatedTime(sandbox).kept() as simulated:
        yield simulated


@dataclass
class Trader:
    """Places, changes and cancels orders of one account, each call with a fault of its own."""

    sandbox: object
    account: object
    simulated: SimulatedTime
    chance: random.Random
    resting: list = field(default_factory=list)
    struck: Counter = field(default_factory=Counter)

    def rest(self, how_many):
        """Have orders at the broker that nobody fills, for calls that need one."""
        for _ in range(how_many):
            self.resting.append(self._place())
        self.simulated.advance(2)
        self.hear()

    def strike(self):
        """Make one call of which the answer goes wrong."""
        method = self.chance.choice(["POST", "POST", "PATCH", "DELETE"])
        fault = self.chance.choice(ENDINGS) | {"accepted": self.chance.random() < 0.5}
        self.struck[method, fault["kind"]] += 1
        self.sandbox.fault(
            vendor="alpaca_broker", method=method, path=CALLS[method], seconds=60, **fault
        )
        act = {"POST": self._place, "PATCH": self._change, "DELETE": self._cancel}[method]
        try:
            act()
        finally:
            self.sandbox.control("DELETE", "/faults")
            self.sandbox.hangs_no_more()

    def _place(self):
        limit = f"1.{self.chance.randrange(100):02}"
        return services.place_order(
            principal=customer(),
            account_id=self.account.pk,
            ticket=buy("AAPL", quantity="1", limit_price=limit),
            request=None,
            at=self.simulated.now,
        )

    def _change(self):
        services.replace_order(
            principal=customer(),
            account_id=self.account.pk,
            order_id=self.resting.pop().pk,
            changes=Changes(limit_price=Decimal("2.50")),
            request=None,
            at=self.simulated.now,
        )

    def _cancel(self):
        services.cancel_order(
            principal=customer(),
            account_id=self.account.pk,
            order_id=self.resting.pop().pk,
            at=self.simulated.now,
        )

    def hear(self):
        keep_events()
        services.apply_events()

    def wait(self):
        """Let time pass as beat lets it pass, and say after how many seconds all was decided."""
        for waited in range(0, WITHIN_SECONDS + 1, BEAT_SECONDS):
            services.sweep_orders(at=self.simulated.now)
            self.hear()
            if not self._open_questions():
                return waited
            self.simulated.advance(BEAT_SECONDS)
        return None

    def _open_questions(self):
        return [
            order
            for order in orders_of(self.account)
            if order.state in UNDECIDED or (order.cancel_asked_at is not None and order.is_working)
        ]


@pytest.fixture
def trader(sandbox, sandbox_account, simulated):
    return Trader(sandbox, sandbox_account, simulated, random.Random(0))


def assert_each_happened_once(sandbox, account):
    made = Counter(effect["client_key"] for effect in sandbox.effects("order.created"))
    canceled = Counter(effect["vendor_id"] for effect in sandbox.effects("order.canceled"))
    ours = {order.client_order_id: order for order in orders_of(account)}
    assert set(made) <= set(ours)
    assert max(made.values()) == 1
    assert max(canceled.values(), default=0) <= 1
    refused = {key for key, order in ours.items() if order.is_refused}
    assert set(made) == set(ours) - refused


def assert_we_agree_with_the_broker(account):
    broker = gateways.get_broker()
    for order in orders_of(account):
        told = broker.find(
            broker_account_id=account.broker_account_id, client_order_id=order.client_order_id
        )
        if told is None:
            assert order.is_refused
        else:
            assert (order.vendor_status, order.filled_quantity, order.broker_order_id) == (
                told.status,
                told.filled_quantity,
                told.broker_order_id,
            )


class TestFaults:
    def run(self, trader, seed):
        trader.chance.seed(seed)
        trader.rest(BATCH)
        for _ in range(BATCH):
            trader.strike()

        waited = trader.wait()

        assert waited is not None, [str(order) for order in trader._open_questions()]
        trader.simulated.advance(2)
        trader.hear()
        services.heal_accounts(at=trader.simulated.now)
        assert_each_happened_once(trader.sandbox, trader.account)
        assert_we_agree_with_the_broker(trader.account)

    def test_twenty_five_of_them(self, trader):
        self.run(trader, seed=5)

        assert {method for method, _ in trader.struck} == set(CALLS)

    @pytest.mark.proof
    @pytest.mark.parametrize("seed", range(100, 140))
    def test_a_thousand_of_them(self, trader, seed):
        self.run(trader, seed)
