"""The three ways to ask whether a switch stops an order have one answer."""

from datetime import timedelta
from random import Random

import pytest
from django.db import connection

from core.auth import SYSTEM, acting_as
from core.ids import new_id
from trading.models import KillSwitch, Order
from trading.selectors import switches
from trading.states import SwitchScope
from trading.tests.factories import buy, new_account, working_order
from trading.tests.stopping import now

pytestmark = pytest.mark.django_db
ROUNDS = 60
CREDENTIALS = ["", "customer:alice-sub", "service:key-1", "service:key-2", "ALICE-SUB"]


@pytest.fixture
def orders(broker, apple):
    """Orders of three customers by many credentials."""
    accounts = [new_account(whose) for whose in ("alice-sub", "bob-sub", "service:key-1")]
    return [
        working_order(account, broker, buy(quantity="1"), placed_by=placed_by)
        for account in accounts
        for placed_by in CREDENTIALS
    ]


def random_switches(random, orders):
    targets = {
        SwitchScope.GLOBAL: [""],
        SwitchScope.ACCOUNT: [*{str(order.account_id) for order in orders}, str(new_id())],
        SwitchScope.PRINCIPAL: [*{order.user_id for order in orders}, *CREDENTIALS[1:], "nobody"],
    }
    # Ids and names may be each other's: a scope looks at its own kind only.
    targets[SwitchScope.PRINCIPAL].append(str(orders[0].account_id))
    targets[SwitchScope.ACCOUNT].append(orders[0].user_id)
    for number in range(random.randrange(6)):
        scope = random.choice(
            [SwitchScope.ACCOUNT, SwitchScope.PRINCIPAL] * 4 + [SwitchScope.GLOBAL]
        )
        target = random.choice(targets[scope])
        lifted_at = random.choice([None, None, now()])
        on = KillSwitch.objects.filter(scope=scope, target=target, lifted_at__isnull=True)
        if lifted_at is None and on.exists():
            continue
        KillSwitch.objects.create(
            scope=scope,
            target=target,
            reason=f"Reason {number}",
            ordered_by="staff:7",
            ordered_at=now() - timedelta(seconds=random.randrange(3)),
            lifted_at=lifted_at,
        )


def told_by_sql(order):
    values = switches.values_of(order.account_id, (order.user_id, order.placed_by))
    with connection.cursor() as cursor:
        cursor.execute(switches.STANDING, values)
        row = cursor.fetchone()
    return row and row[0]


@pytest.mark.parametrize("seed", range(3))
def test_they_agree_over_random_switches(orders, seed):
    random, stopped = Random(seed), 0
    for _ in range(ROUNDS):
        with acting_as(SYSTEM):
            KillSwitch.objects.all().delete()
            random_switches(random, orders)
            rows = Order.objects.annotate(is_stopped=switches.is_stopped()).in_bulk()
            for order in orders:
                switch = switches.standing_over(order)
                assert told_by_sql(order) == (switch and switch.reason)
                assert rows[order.pk].is_stopped == (switch is not None)
                stopped += switch is not None

    assert 0 < stopped < ROUNDS * len(orders)


def test_of_several_the_oldest_is_told(orders):
    with acting_as(SYSTEM):
        for age, (scope, target) in enumerate(
            [(SwitchScope.GLOBAL, ""), (SwitchScope.ACCOUNT, str(orders[0].account_id))]
        ):
            KillSwitch.objects.create(
                scope=scope,
                target=target,
                reason=f"{scope}",
                ordered_by="staff:7",
                ordered_at=now() - timedelta(hours=age),
            )
        assert told_by_sql(orders[0]) == "ACCOUNT"
        assert told_by_sql(orders[-1]) == "GLOBAL"
