"""The sorted orders of a symbol against a look at every single one."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.broker.ladders import Ladder
from sandbox.broker.records import Order
from sandbox.prices import Quote

_START = datetime(2026, 1, 5, 15, tzinfo=UTC)


def quote(price: Decimal) -> Quote:
    return Quote(
        symbol="AAPL",
        bid=price - Decimal("0.02"),
        ask=price + Decimal("0.02"),
        last=price,
        at=_START,
        bid_size=100,
        ask_size=100,
        last_size=1,
        tick=1,
    )


def order(number: int, **wanted: Any) -> Order:
    values: dict[str, Any] = {
        "id": f"order-{number}",
        "client_order_id": f"mine-{number}",
        "account_id": "account",
        "asset_id": "asset",
        "symbol": "AAPL",
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "status": "new",
        "created_at": _START,
        "updated_at": _START,
        "submitted_at": _START + timedelta(seconds=number % 7),
        "qty": Decimal(1),
    }
    return Order(**(values | wanted))


def may_fill(each: Order, now: Quote) -> bool:
    """The plain rule, asked of one order."""
    if each.status not in {"new", "partially_filled"} or each.time_in_force == "opg":
        return False
    if each.stop_price is not None and not each.is_triggered:
        return now.last >= each.stop_price if each.is_buy else now.last <= each.stop_price
    if each.limit_price is not None:
        return now.ask <= each.limit_price if each.is_buy else now.bid >= each.limit_price
    return True


def some_order(chance: random.Random, number: int) -> Order:
    kind = chance.choice(["market", "limit", "limit", "stop", "stop_limit", "trailing_stop"])
    price = Decimal(chance.randint(9000, 11000)) / 100
    return order(
        number,
        type=kind,
        side=chance.choice(["buy", "sell"]),
        status=chance.choice(["new", "new", "new", "partially_filled", "accepted", "held"]),
        time_in_force=chance.choice(["day", "gtc", "opg"]),
        limit_price=price if kind in {"limit", "stop_limit"} else None,
        stop_price=price if kind in {"stop", "stop_limit"} else None,
        trail_price=Decimal(1) if kind == "trailing_stop" else None,
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_exactly_the_orders_that_may_fill_are_reached(seed):
    chance = random.Random(seed)
    ladder, known = Ladder(), [some_order(chance, number) for number in range(300)]
    for each in known:
        ladder.put(each)

    for _ in range(60):
        changed = chance.choice(known)
        changed.status = chance.choice(["new", "filled", "canceled", "partially_filled"])
        changed.is_triggered = chance.random() < 0.5
        ladder.put(changed)
        now = quote(Decimal(chance.randint(8900, 11100)) / 100)
        reached = [each.id for each in ladder.reached(now)]
        assert sorted(reached) == sorted(each.id for each in known if may_fill(each, now))


def test_an_empty_ladder_says_so():
    ladder, only = Ladder(), order(1, limit_price=Decimal(100))
    ladder.put(only)
    assert ladder
    only.status = "canceled"
    ladder.put(only)

    assert not ladder
    assert ladder.reached(quote(Decimal(1))) == []
