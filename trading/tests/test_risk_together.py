"""Two orders at one moment, each within a limit and together over it: one passes, never two."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from core.auth import Kind, Principal
from trading.services import limit_setting
from trading.tests import factories
from trading.tests.conftest import client_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("no_hurry"),
]
STAFF = Principal(kind=Kind.STAFF, key_id="ada@clera.test")
LIMITS = {
    "insufficient_buying_power": None,
    "daily_notional": {"daily_notional": Decimal(1000)},
    "open_orders": {"open_orders": 1},
    "concentration": {"concentration": Decimal("0.1")},
}


@pytest.fixture
def both(apple, broker):
    """Have a new customer place two orders at once, and tell what the two answers are."""
    barrier, numbers = threading.Barrier(2, timeout=60), iter(range(1, 10_000))

    def post(account, dollars):
        client = client_of(factories.customer(account.user_id))
        body = {"account_id": str(account.pk), "ticker": "AAPL", "notional_amount": dollars}
        barrier.wait()
        try:
            headers = {"Idempotency-Key": str(uuid4())}
            return client.post("/api/trade", {**body, "side": "BUY"}, "json", headers=headers)
        finally:
            connection.close()

    def both(rule):
        account = factories.new_account(f"customer-{next(numbers)}")
        limits = LIMITS[rule]
        factories.fund(account, cash="1000.00" if limits is None else "10000.00")
        if limits is not None:
            limit_setting.set_limits(
                staff=STAFF, account_id=account.pk, note="A test.", at=datetime.now(UTC), **limits
            )
        factories.set_price(apple, "100.00")
        broker.submitted.clear()
        return list(pool.map(post, [account] * 2, ["600.00", "601.00"]))

    with ThreadPoolExecutor(2) as pool:
        yield both


def check(both, broker, rule, *, rounds):
    for _ in range(rounds):
        answers = sorted(both(rule), key=lambda answer: answer.status_code)

        assert [answer.status_code for answer in answers] == [201, 422], answers[-1].content
        assert answers[1].json()["rule"] == rule
        assert len(broker.submitted) == 1


@pytest.mark.parametrize("rule", LIMITS)
def test_one_of_two_passes_in_each_of_3_rounds(both, broker, rule):
    check(both, broker, rule, rounds=3)


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rule", LIMITS)
def test_one_of_two_passes_in_each_of_200_rounds(both, broker, rule):
    check(both, broker, rule, rounds=200)
