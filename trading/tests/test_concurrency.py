"""Many at once, and processes that die in the middle: one order, whatever happens."""

import itertools
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.db import connection

from core.errors import CleraError
from ledger import services as ledger
from ledger.tests import invariants as ledger_invariants
from trading import approvals, proposals, risk, services
from trading.tests.conftest import client_of
from trading.tests.factories import buy, customer, orders_of, pass_time, reload
from trading.tests.test_faults import keep_events

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("no_hurry"),
]
ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 25


@pytest.fixture
def account(sandbox_account):
    return sandbox_account


@pytest.fixture
def place(account):
    def place(ticket):
        return services.place_order(
            principal=customer(), account_id=account.pk, ticket=ticket, request=None, at=now()
        )

    return place


def now():
    return datetime.now(UTC)


def all_at_once(act, count=100):
    """Run `act` this often, many at a time, and return what each came to."""
    barrier = threading.Barrier(AT_ONCE)

    def run(number):
        if number < AT_ONCE:
            barrier.wait(timeout=60)
        try:
            return act()
        except CleraError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(count)))


class TestMany:
    def test_a_hundred_requests_with_one_key_are_one_order(self, sandbox, account):
        key = str(uuid4())
        body = {
            "account_id": account.broker_account_id,
            "ticker": "AAPL",
            "side": "BUY",
            "notional_amount": "25.00",
        }

        def post():
            return client_of(customer()).post(
                "/api/trade", body, format="json", headers={"Idempotency-Key": key}
            )

        answers = all_at_once(post)

        created = {a.content for a in answers if a.status_code == 201}
        others = {a.json()["code"] for a in answers if a.status_code != 201}
        assert len(created) == 1
        assert others <= {"in_progress"}
        assert len(sandbox.effects("order.created")) == 1
        assert len(orders_of(account)) == 1

    def test_a_hundred_requests_without_a_key_are_one_order(self, sandbox, account):
        body = {
            "account_id": account.broker_account_id,
            "ticker": "AAPL",
            "side": "BUY",
            "notional_amount": "25.00",
        }

        answers = all_at_once(lambda: client_of(customer()).post("/api/trade", body, format="json"))

        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201] + [409] * 99
        assert len(sandbox.effects("order.created")) == 1

    def test_a_hundred_approvals_are_one_order(self, sandbox, account):
        services.sync_holdings(account_id=account.pk, at=now())
        proposal = proposals.propose_trade(
            principal=customer(),
            run_id=uuid4(),
            tool_call_id="call-1",
            ticket=buy("AAPL", notional="100.00"),
            at=now(),
        )

        outcomes = all_at_once(
            lambda: approvals.approve(
                principal=customer(),
                proposal_id=proposal.pk,
                shown_hash=proposal.hash,
                at=now(),
            )
        )

        won = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
        lost = {type(outcome) for outcome in outcomes if isinstance(outcome, Exception)}
        assert (len(won), lost) == (1, {approvals.ProposalOver})
        assert len(sandbox.effects("order.created")) == 1
        assert len(orders_of(account)) == 1

    def test_orders_that_together_cost_too_much_do_not_all_pass(self, sandbox, account, place):
        services.sync_holdings(account_id=account.pk, at=now())

        outcomes = all_at_once(lambda: place(buy("AAPL", notional="3000.00")), count=25)

        placed = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
        assert len(placed) == 3
        assert {type(o) for o in outcomes if isinstance(o, Exception)} == {risk.RiskRefused}
        assert len(sandbox.effects("order.created")) == 3


PLACE = """
import sys, django
django.setup()
from datetime import datetime, UTC
from decimal import Decimal
from core.auth import Kind, Principal
from trading import services
from trading.states import Side
services.place_order(
    principal=Principal(kind=Kind.CUSTOMER, user_id="alice-sub"),
    account_id=sys.argv[1],
    ticket=services.Ticket(symbol="AAPL", side=Side.BUY, notional=Decimal("50.00")),
    request=None,
    at=datetime.now(UTC),
)
"""


class TestTheLedger:
    def test_is_right_however_answers_news_and_readings_meet(self, sandbox, account, place):
        services.sync_holdings(account_id=account.pk, at=now())
        turns = itertools.count()
        others = (
            services.apply_events,
            lambda: services.heal_accounts(at=now()),
            lambda: ledger.compare_account(account_id=account.pk, at=now()),
        )

        def act():
            number = next(turns)
            if number % 2:
                return others[number // 2 % len(others)]()
            order = place(buy("AAPL", notional=f"{20 + number}.00"))
            sandbox.advance(0.5)
            keep_events()
            return order

        outcomes = all_at_once(act, count=50)
        sandbox.advance(2)
        keep_events()
        services.apply_events()

        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
        assert {order.vendor_status for order in orders_of(account)} == {"filled"}
        assert len(orders_of(account)) == 25
        assert ledger_invariants.open_holds() == {}


class TestAProcessKilled:
    def kill(self, account, sandbox, failpoint):
        """Place an order in a process of its own that dies as by SIGKILL at the given point."""
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
            [sys.executable, "-c", PLACE, str(account.pk)],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == -9, done.stderr[-2000:]

    @pytest.mark.parametrize(
        ("failpoint", "state", "effects_before"),
        [
            ("order.recorded", "PENDING", 0),
            ("intent.leased", "SENDING", 0),
            ("intent.answered", "SENDING", 1),
        ],
    )
    def test_leaves_an_order_that_happens_exactly_once(
        self, sandbox, account, failpoint, state, effects_before
    ):
        self.kill(account, sandbox, failpoint)
        (order,) = orders_of(account)
        assert (order.state, len(sandbox.effects("order.created"))) == (state, effects_before)

        pass_time(4)
        for _ in range(3):
            services.sweep_orders(at=now())

        (effect,) = sandbox.effects("order.created")
        assert (reload(order).state, effect["client_key"]) == ("ACCEPTED", str(order.pk))
