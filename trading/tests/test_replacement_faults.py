"""Replacing an order at the real broker, with everything that can go wrong on the way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from core.errors import CleraError
from trading import services
from trading.models import Order
from trading.tests import test_concurrency
from trading.tests.factories import buy, customer, orders_of, pass_time, reload
from trading.tests.telling import held
from trading.tests.test_cancels import resting, sweep
from trading.tests.test_faults import keep_events
from trading.tests.test_replacements import replace

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("no_hurry"),
]


def now():
    return datetime.now(UTC)


PATCHING = {"vendor": "alpaca_broker", "method": "PATCH", "path": "/orders/"}


class TestAtTheRealBroker:
    """The sandbox counts what it was asked and what came of it."""

    @pytest.fixture
    def account(self, sandbox_account):
        return sandbox_account

    @pytest.fixture
    def resting_order(self, sandbox, account):
        order = services.place_order(
            principal=customer(),
            account_id=account.pk,
            ticket=buy("AAPL", quantity="2", limit_price=resting(sandbox)),
            request=None,
            at=now(),
        )
        news_of(sandbox)
        return reload(order)

    def test_the_old_order_ends_and_the_new_one_lives(self, sandbox, account, resting_order):
        new = replace(account, resting_order, quantity="3", limit_price="94")
        news_of(sandbox)

        assert [order.vendor_status for order in (reload(resting_order), reload(new))] == [
            "replaced",
            "new",
        ]
        assert (held(resting_order), held(new)) == (0, Decimal(282))
        assert len(sandbox.effects("order.replaced")) == 1

    @pytest.mark.parametrize(
        ("fault", "is_done"),
        [
            ({"kind": "hang", "accepted": True}, True),
            ({"kind": "hang", "accepted": False}, False),
            ({"kind": "reset", "accepted": True}, True),
            ({"kind": "garbage", "accepted": True}, True),
            ({"kind": "status", "status": 504, "accepted": False}, False),
        ],
        ids=str,
    )
    def test_a_lost_answer_is_one_replacement(
        self, sandbox, account, resting_order, fault, is_done
    ):
        sandbox.fault(**fault, **PATCHING)

        new = replace(account, resting_order, limit_price="94")
        assert new.state == "UNKNOWN"
        sandbox.hangs_no_more()
        for _ in range(2):
            sweep()
        news_of(sandbox)

        assert len(sandbox.effects("order.replaced")) == 1
        assert (reload(new).state, reload(new).attempts) == ("ACCEPTED", 1 if is_done else 2)
        assert [order.vendor_status for order in (reload(resting_order), reload(new))] == [
            "replaced",
            "new",
        ]

    def test_an_exchange_that_says_no_leaves_the_old_order(self, sandbox, account, resting_order):
        sandbox.fault(kind="order_replace_rejected", vendor="alpaca_broker")

        new = replace(account, resting_order, quantity="3")
        news_of(sandbox)

        assert reload(resting_order).vendor_status == "new"
        assert not reload(new).is_working
        assert (held(resting_order), held(new)) == (Decimal(190), 0)

    def test_of_many_at_once_one_wins(self, sandbox, account, resting_order):
        barrier = threading.Barrier(5)

        def act(number):
            barrier.wait(timeout=60)
            try:
                return replace(account, resting_order, limit_price=f"{90 + number}")
            except CleraError as error:
                return error
            finally:
                connection.close()

        with ThreadPoolExecutor(5) as pool:
            outcomes = list(pool.map(act, range(5)))

        won = [outcome for outcome in outcomes if isinstance(outcome, Order)]
        lost = {type(outcome) for outcome in outcomes if not isinstance(outcome, Order)}
        assert (len(won), lost) == (1, {services.NotReplaceableNow})
        assert len(sandbox.effects("order.created")) == 2


def news_of(sandbox):
    """Let the broker go on, and hear of it."""
    sandbox.advance(1)
    keep_events()
    services.apply_events()


REPLACE = """
import sys, django
django.setup()
from datetime import datetime, UTC
from decimal import Decimal
from core.auth import Kind, Principal
from trading import selectors, services
alice = Principal(kind=Kind.CUSTOMER, user_id="alice-sub")
(old,) = selectors.list_pending(principal=alice)
services.replace_order(
    principal=alice,
    account_id=sys.argv[1],
    order_id=old.pk,
    changes=services.Changes(limit_price=Decimal("94.00")),
    request=None,
    at=datetime.now(UTC),
)
"""


class TestAProcessKilled:
    @pytest.fixture
    def account(self, sandbox_account):
        return sandbox_account

    @pytest.mark.parametrize(
        ("failpoint", "effects_before"),
        [("order.recorded", 0), ("intent.leased", 0), ("intent.answered", 1)],
    )
    def test_leaves_a_replacement_that_happens_exactly_once(
        self, sandbox, account, failpoint, effects_before, monkeypatch
    ):
        old = services.place_order(
            principal=customer(),
            account_id=account.pk,
            ticket=buy("AAPL", quantity="2", limit_price=resting(sandbox)),
            request=None,
            at=now(),
        )
        news_of(sandbox)
        monkeypatch.setattr(test_concurrency, "PLACE", REPLACE)
        test_concurrency.TestAProcessKilled().kill(account, sandbox, failpoint)
        assert len(sandbox.effects("order.created")) == 1 + effects_before

        pass_time(4)
        sweep(3)
        news_of(sandbox)

        assert len(sandbox.effects("order.created")) == 2
        assert len(sandbox.effects("order.replaced")) == 1
        new = next(order for order in orders_of(account) if order.pk != old.pk)
        assert (new.state, new.vendor_status, reload(old).vendor_status) == (
            "ACCEPTED",
            "new",
            "replaced",
        )
        assert (held(old), held(new)) == (0, Decimal(188))
