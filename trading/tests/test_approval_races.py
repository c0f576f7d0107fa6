"""A proposal of several orders, approved by many at once or by a process that dies: all or none."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from django.db import connection

from ledger.tests import invariants as ledger_invariants
from trading import approvals, proposals, services
from trading.states import ProposalOrigin
from trading.tests.factories import buy, orders_of, pass_time, reload
from trading.tests.proposing import approve
from trading.tests.test_concurrency import ROOT, all_at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("no_hurry"),
]
ORDERS = 3
APPROVE = """
import sys, django
django.setup()
from datetime import datetime, UTC
from core.auth import Kind, Principal
from trading import approvals
approvals.approve(
    principal=Principal(kind=Kind.CUSTOMER, user_id="alice-sub"),
    proposal_id=sys.argv[1],
    shown_hash=sys.argv[2],
    at=datetime.now(UTC),
)
"""


def now():
    return datetime.now(UTC)


@pytest.fixture
def account(sandbox_account):
    services.sync_holdings(account_id=sandbox_account.pk, at=now())
    return sandbox_account


@pytest.fixture
def basket(account):
    return proposals.propose(
        account_id=account.pk,
        lines=[buy(symbol, notional="100.00") for symbol in ("AAPL", "MSFT", "KO")],
        source=proposals.Source(proposal_id=uuid4(), origin=ProposalOrigin.REBALANCE),
        at=now(),
    )


def approvals_at_once(basket, *, count):
    outcomes = all_at_once(lambda: approve(basket), count=count)
    won = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    lost = {type(outcome) for outcome in outcomes if isinstance(outcome, Exception)}
    assert (len(won), lost) == (1, {approvals.ProposalOver})


class TestManyAtOnce:
    def test_are_one_order_for_each_line(self, sandbox, account, basket):
        approvals_at_once(basket, count=30)

        assert len(sandbox.effects("order.created")) == len(orders_of(account)) == ORDERS

    @pytest.mark.proof
    def test_a_hundred_are_one_order_for_each_line(self, sandbox, account, basket):
        approvals_at_once(basket, count=100)

        assert len(sandbox.effects("order.created")) == len(orders_of(account)) == ORDERS


class TestAProcessKilled:
    def kill(self, basket, sandbox, failpoint):
        """Approve in a process of its own that dies as by SIGKILL at the given point."""
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
            [sys.executable, "-c", APPROVE, str(basket.pk), basket.hash],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == -9, done.stderr[-2000:]

    def test_between_two_lines_has_recorded_none(self, sandbox, account, basket):
        self.kill(basket, sandbox, "proposal.line_recorded")

        assert (orders_of(account), reload(basket).state) == ([], "PENDING")
        assert ledger_invariants.open_holds() == {}
        assert len(approve(basket).orders) == ORDERS
        assert len(sandbox.effects("order.created")) == ORDERS

    @pytest.mark.parametrize("failpoint", ["order.recorded", "intent.answered"])
    def test_after_the_decision_leaves_all_to_the_sweep_once(
        self, sandbox, account, basket, failpoint
    ):
        self.kill(basket, sandbox, failpoint)
        assert (len(orders_of(account)), reload(basket).state) == (ORDERS, "APPROVED")

        pass_time(4)
        for _ in range(3):
            services.sweep_orders(at=now())

        effects = {effect["client_key"] for effect in sandbox.effects("order.created")}
        assert len(sandbox.effects("order.created")) == ORDERS
        assert effects == {str(order.pk) for order in orders_of(account)}
        assert {order.state for order in orders_of(account)} == {"ACCEPTED"}
