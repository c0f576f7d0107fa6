"""The kill switch under load, and processes that die while they let held orders go on."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from core.auth import Principal
from core.errors import CleraError
from trading import services
from trading.services import switches
from trading.states import SwitchScope
from trading.tests.factories import buy, customer, orders_of, pass_time, reload
from trading.tests.test_faults import keep_events

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
STAFF = Principal.staff(7)
PLACING = {"vendor": "alpaca_broker", "method": "POST", "path": "/orders$"}
ROOT = Path(__file__).resolve().parents[2]
A_SECOND = 50
HANDS = 8
WITHIN = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _many_orders(settings):
    settings.ORDER_OPEN_COUNT = settings.ORDER_DAILY_COUNT = 100_000
    settings.ORDER_QUOTE_SECONDS = 3600  # a busy machine is no stale price
    settings.INTENT_LOOK_SECONDS = 0


def now():
    return datetime.now(UTC)


def stop(**how):
    return switches.order_stop(
        staff=STAFF,
        scope=SwitchScope.GLOBAL,
        target="",
        reason="A program runs wild.",
        at=now(),
        **{"cancels_open": False, **how},
    )


class Load:
    """
    Hands that place orders at a steady pace, one that sweeps, and one that looks at the clock.

    The clock is the broker's: how long it takes to be read tells how long this machine stood still.
    """

    def __init__(self, account, sandbox):
        self._account = account
        self._sandbox = sandbox
        self._over = threading.Event()
        self._taken = 0
        self._lock = threading.Lock()
        self.sweeping = threading.Lock()
        self.attempts = []
        self.slowest_look = timedelta(0)

    def run(self, seconds, *, at_half):
        """Have `at_half` throw the switch and tell when; go on until it has long been thrown."""
        self._begins = time.monotonic()
        threads = [threading.Thread(target=self._work) for _ in range(HANDS)]
        threads += [threading.Thread(target=act) for act in (self._sweep, self._look)]
        for thread in threads:
            thread.start()
        try:
            self._sleep(seconds / 2)
            stopped_at = at_half()
            self._sleep(seconds / 2 + WITHIN.total_seconds())
            until(lambda: self.after(stopped_at))
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        return stopped_at

    def after(self, stopped_at):
        """Tell the outcomes of those who began when nothing was to leave any more."""
        return [outcome for at, outcome in tuple(self.attempts) if at > stopped_at + WITHIN]

    def _sleep(self, seconds):
        self._over.wait(seconds)

    def _work(self):
        try:
            while not self._over.is_set():
                with self._lock:
                    number = self._taken
                    self._taken += 1
                self._sleep(self._begins + number / A_SECOND - time.monotonic())
                self.attempts.append((now(), self._place()))
        finally:
            connection.close()

    def _place(self):
        try:
            return services.place_order(
                principal=customer(),
                account_id=self._account.pk,
                ticket=buy("AAPL", notional="1"),
                request=None,
                at=now(),
            ).state
        except CleraError as error:
            return error.extra.get("rule") or error.code

    def _sweep(self):
        try:
            while not self._over.is_set():
                with self.sweeping:
                    services.sweep_orders(at=now())
                    services.release_due(at=now())
                self._sleep(0.1)
        finally:
            connection.close()

    def _look(self):
        while not self._over.is_set():
            began = time.monotonic()
            self._sandbox.control("GET", "/clock")
            took = timedelta(seconds=time.monotonic() - began)
            self.slowest_look = max(self.slowest_look, took)
            self._sleep(0.05)


def until(condition):
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


class TestUnderLoad:
    def throw(self, sandbox, account, *, seconds, away):
        """Throw the switch in the middle of a load, with the broker away for some of the orders."""
        services.sync_holdings(account_id=account.pk, at=now())
        load = Load(account, sandbox)

        def throw():
            with load.sweeping:  # so that those for whom it is away wait until the switch stands
                sandbox.fault(kind="status", status=429, times=away, **PLACING)
                until(lambda: self.put_back(account) >= away)
                stop(cancels_open=True)
            return now()

        return load, load.run(seconds, at_half=throw)

    def put_back(self, account):
        return [o.reason_code for o in orders_of(account)].count("vendor_unavailable")

    def check(self, sandbox, account, load, stopped_at):
        asked_at = now()  # the broker's clock is ahead by no more than this makes of it
        ahead = datetime.fromisoformat(sandbox.control("GET", "/clock")["now"]) - asked_at
        created = [
            datetime.fromisoformat(effect["at"]) - ahead
            for effect in sandbox.effects("order.created")
        ]
        assert [at for at in created if at < stopped_at]
        latest = stopped_at + WITHIN + load.slowest_look
        assert [at for at in created if at > latest] == []
        assert set(load.after(stopped_at)) == {"trading_halted"}

        switches.hold_ready(at=now())  # what found no time to leave, too
        services.sweep_orders(at=now())
        states = {order.pk: order for order in orders_of(account)}
        begun = [order.sent_at for order in states.values() if order.state == "ACCEPTED"]
        assert max(begun) <= stopped_at
        held = [order for order in states.values() if order.state == "HELD"]
        assert held
        assert {order.state for order in states.values()} <= {"HELD", "ACCEPTED", "CANCELED"}
        assert len(created) == sum(order.state == "ACCEPTED" for order in states.values())
        return held

    def cancel_everything(self, sandbox, account):
        services.obey_switches(at=now())
        sandbox.advance(5)
        keep_events()
        services.apply_events()
        services.sweep_orders(at=now())
        services.heal_accounts(at=now())
        assert [o for o in orders_of(account) if o.state == "ACCEPTED" and o.is_working] == []

    def test_no_order_leaves_later_than_a_second_after(self, sandbox, sandbox_account):
        load, stopped_at = self.throw(sandbox, sandbox_account, seconds=3, away=3)

        held = self.check(sandbox, sandbox_account, load, stopped_at)

        self.cancel_everything(sandbox, sandbox_account)
        assert {order.pk for order in held} <= {
            order.pk for order in orders_of(sandbox_account) if order.state == "HELD"
        }

    @pytest.mark.proof
    def test_nor_in_the_middle_of_a_long_load(self, sandbox, sandbox_account):
        load, stopped_at = self.throw(sandbox, sandbox_account, seconds=20, away=40)

        self.check(sandbox, sandbox_account, load, stopped_at)
        self.cancel_everything(sandbox, sandbox_account)


RELEASE = """
import django
django.setup()
from datetime import datetime, UTC
from trading import services
services.release_due(at=datetime.now(UTC))
"""


@pytest.mark.usefixtures("no_hurry")
class TestLettingGo:
    @pytest.fixture
    def held(self, sandbox, sandbox_account):
        """An order that a switch, which is lifted by now, has held back."""
        sandbox.fault(kind="status", status=429, **PLACING)
        order = services.place_order(
            principal=customer(),
            account_id=sandbox_account.pk,
            ticket=buy("AAPL", notional="50"),
            request=None,
            at=now(),
        )
        switch = stop()
        services.obey_switches(at=now())
        assert reload(order).state == "HELD"
        switches.lift(staff=STAFF, switch_id=switch.pk, reason="It was found.", at=now())
        return order

    def test_many_that_let_it_go_on_at_once_send_it_once(self, sandbox, held):
        def act(_):
            try:
                return services.release_due(at=now())
            finally:
                connection.close()

        with ThreadPoolExecutor(HANDS) as pool:
            counts = list(pool.map(act, range(HANDS)))

        assert sum(count.get("sent", 0) for count in counts) == 1
        assert len(sandbox.effects("order.created")) == 1
        assert reload(held).state == "ACCEPTED"

    def kill(self, sandbox, failpoint):
        """Let held orders go on in a process of its own that dies at the given point."""
        url = urlsplit(os.environ["DATABASE_URL"])
        env = os.environ | {
            "DATABASE_URL": urlunsplit(url._replace(path=f"/{connection.settings_dict['NAME']}")),
            "DJANGO_SETTINGS_MODULE": "clera.settings.test",
            "CLERA_FAILPOINT": failpoint,
            "SANDBOX_URL": sandbox.url,
            "INTENT_LEASE_SECONDS": "0",
            "VENDOR_TOTAL_SECONDS": "5",
        }
        done = subprocess.run(
            [sys.executable, "-c", RELEASE],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == -9, done.stderr[-2000:]

    @pytest.mark.parametrize(
        ("failpoint", "state", "effects"),
        [
            ("holding.decided", "PENDING", 0),
            ("intent.leased", "SENDING", 0),
            ("intent.answered", "SENDING", 1),
        ],
    )
    def test_the_order_is_sent_exactly_once(self, sandbox, held, failpoint, state, effects):
        self.kill(sandbox, failpoint)
        assert (reload(held).state, len(sandbox.effects("order.created"))) == (state, effects)

        pass_time(10)
        for _ in range(4):
            services.sweep_orders(at=now())
            services.release_due(at=now())

        (effect,) = sandbox.effects("order.created")
        assert (reload(held).state, effect["client_key"]) == ("ACCEPTED", str(held.pk))
