"""
What it costs to move money through us: `python -m benchmarks.money`.

A customer opens an account, links a bank and is given cash at the pretend broker. Then transfers
and orders are asked for one after the other: of the broker itself with bare httpx and with its own
SDK, and of Clera's web process, in turns. What Clera takes on top of bare httpx is our overhead.
After that one worker sends orders that wait, and the row behind an Idempotency-Key is measured
alone. Everything runs on loopback, in servers that the program starts and ends itself.
"""

import argparse
import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from benchmarks import brokerage
from benchmarks.brokerage import SYMBOL, Customer, demand
from benchmarks.events import worker
from benchmarks.fanout import world as worlds
from benchmarks.turns import Ask, Contestant, compete
from clera.local.testing import start_servers

ROOT = Path(__file__).resolve().parents[1]
_WARM_UP: Final = 10
_GOAL_MS: Final = 25.0


# Contestants


def transfers(customer: Customer, sdk: Any) -> list[Contestant]:
    """Ask for a deposit of one dollar in three ways."""
    client, broker = customer.client, customer.broker

    def plainly() -> None:
        body = {
            "transfer_type": "ach",
            "relationship_id": customer.bank_id,
            "amount": "1.00",
            "direction": "INCOMING",
            "timing": "immediate",
        }
        path = f"/v1/accounts/{customer.broker_account_id}/transfers"
        broker.post(path, json=body).raise_for_status()

    def through_sdk() -> None:
        from alpaca.broker.enums import TransferDirection, TransferTiming
        from alpaca.broker.requests import CreateACHTransferRequest

        wanted = CreateACHTransferRequest(
            amount="1.00",
            direction=TransferDirection.INCOMING,
            timing=TransferTiming.IMMEDIATE,
            relationship_id=UUID(customer.bank_id),
        )
        sdk.create_transfer_for_account(customer.broker_account_id, wanted)

    def through_clera() -> None:
        body = {
            "accountId": customer.account_id,
            "relationshipId": customer.bank_id,
            "amount": "1.00",
            "allow_duplicate": True,
        }
        demand(client.post("/initiate-ach-transfer", json=body, headers=_key()), 201)

    return _named(plainly, through_sdk, through_clera)


def orders(customer: Customer, sdk: Any) -> list[Contestant]:
    """Buy for one dollar in three ways."""
    client, broker = customer.client, customer.broker

    def plainly() -> None:
        body = {
            "symbol": SYMBOL,
            "notional": "1.00",
            "side": "buy",
            "type": "market",
            "time_in_force": "day",
            "client_order_id": str(uuid4()),
        }
        path = f"/v1/trading/accounts/{customer.broker_account_id}/orders"
        broker.post(path, json=body).raise_for_status()

    def through_sdk() -> None:
        from alpaca.broker.requests import MarketOrderRequest
        from alpaca.trading.enums import OrderSide, OrderType, TimeInForce

        wanted = MarketOrderRequest(
            symbol=SYMBOL,
            notional=1.0,
            side=OrderSide.BUY,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
        )
        sdk.submit_order_for_account(customer.broker_account_id, wanted)

    def through_clera() -> None:
        body = {
            "account_id": customer.account_id,
            "ticker": SYMBOL,
            "side": "BUY",
            "notional_amount": "1.00",
            "allow_duplicate": True,
        }
        demand(client.post("/api/trade", json=body, headers=_key()), 201)

    return _named(plainly, through_sdk, through_clera)


def _named(plainly: Ask, through_sdk: Ask, through_clera: Ask) -> list[Contestant]:
    return [
        Contestant("bare httpx", plainly),
        Contestant("alpaca-py", through_sdk),
        Contestant("clera", through_clera),
    ]


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


# What one worker sends


def waiting_orders(customer: Customer, count: int) -> list[UUID]:
    """Write orders down as a request does, and send none of them."""
    from django.utils import timezone

    from core.auth import SYSTEM, acting_as
    from core.ids import new_id
    from trading import selectors
    from trading.services import orders as services
    from trading.states import OrderType, Side, TimeInForce
    from trading.tickets import Ticket

    ticket = Ticket(
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=None,
        notional=Decimal("1.00"),
        order_type=OrderType.MARKET,
        limit_price=None,
        time_in_force=TimeInForce.DAY,
    )
    made = []
    for _ in range(count):
        view = selectors.look_at_market(symbol=SYMBOL, at=timezone.now())
        with acting_as(SYSTEM):
            order = services.open_order(
                order_id=new_id(),
                principal=SYSTEM,
                account_id=UUID(customer.account_id),
                ticket=ticket,
                view=view,
                trusts_holdings=True,
                at=timezone.now(),
            )
        made.append(order.pk)
    return made


def sent_per_second(waiting: list[UUID]) -> float:
    """Send them as the sweep of one worker does."""
    from django.utils import timezone

    from core.intents import sending
    from trading.services.couriers import OrderCourier

    started = time.perf_counter()
    for order_id in waiting:
        order = sending.send_once(order_id, through=OrderCourier(), at=timezone.now())
        assert order.is_accepted, order.state
    return len(waiting) / (time.perf_counter() - started)


# The row behind a key


def idempotency() -> list[Contestant]:
    """Claim a key and keep an answer for it; the peers are an empty transaction and Redis."""
    from django.db import connection, transaction

    from core import idempotency as rows
    from core import realtime

    body = '{"id":"00000000-0000-0000-0000-000000000000","status":"QUEUED","amount":1.00}'

    def nothing() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def our_row() -> None:
        request = rows.Request("customer:x", "bench", str(uuid4()), uuid4().hex)
        with transaction.atomic():
            rows.claim(request, resource_id=uuid4())
        with transaction.atomic():
            rows.store_response(request, status=201, body=body)

    def in_redis() -> None:
        key = f"bench:{uuid4()}"
        realtime.connection().set(key, "claimed", nx=True, ex=60)
        realtime.connection().set(key, body, ex=60)

    return [
        Contestant("an empty transaction", nothing),
        Contestant("claim and answer", our_row),
        Contestant("Redis SET NX, SET", in_redis),
    ]


# Showing


def show(title: str, contestants: list[Contestant], *, unit: str = "ms") -> None:
    """Print a table, and what each takes on top of the first."""
    factor = 1000 if unit == "µs" else 1
    first = contestants[0]
    print(f"\n{title}\n")
    print(f"{'':24}{'p50 ' + unit:>10}{'p95 ' + unit:>10}{'on top p50':>12}{'p95':>8}")
    for one in contestants:
        p50, p95 = one.millis(50) * factor, one.millis(95) * factor
        print(f"{one.name:24}{p50:>10.1f}{p95:>10.1f}", end="")
        more = (p50 - first.millis(50) * factor, p95 - first.millis(95) * factor)
        print("" if one is first else f"{more[0]:>12.1f}{more[1]:>8.1f}")


def measure(*, tries: int, rounds: int, waiting: int) -> None:
    """Run everything and print it."""
    import django
    from alpaca.broker.client import BrokerClient

    with brokerage.vendors() as sandbox:
        django.setup()
        sdk = BrokerClient(
            os.environ["ALPACA_BROKER_KEY"],
            os.environ["ALPACA_BROKER_SECRET"],
            url_override=f"{sandbox}/alpaca/broker",
        )
        with worker("streams"), brokerage.web() as url:
            customer = brokerage.make_customer(url, sandbox)
            brokerage.follow_prices()
            print(f"{tries} of each in {rounds} turns, one after the other, {os.cpu_count()} cores")
            for title, made in (
                ("A transfer", transfers(customer, sdk)), ("An order", orders(customer, sdk)),
            ):  # fmt: skip
                compete(made, tries=tries, rounds=rounds, warm_up=_WARM_UP)
                show(title, made)
                over = made[2].millis(95) - made[0].millis(95)
                print(
                    f"\nclera / bare httpx: {made[2].millis(50) / made[0].millis(50):.1f} times;"
                    f" overhead p95 {over:.1f} ms (goal for orders: {_GOAL_MS:.0f})"
                )
            plain = Contestant("bare httpx", orders(customer, sdk)[0].ask)
            plain.run(waiting)
            ours = sent_per_second(waiting_orders(customer, waiting))
            bare = 1e9 * waiting / sum(plain.taken)
            print(
                f"\nIntents sent by one worker: {ours:,.0f}/s; bare httpx: {bare:,.0f}/s,"
                f" {bare / ours:.1f} times as many"
            )
    rows = idempotency()
    compete(rows, tries=tries * 3, rounds=rounds, warm_up=_WARM_UP)
    show("The row behind an Idempotency-Key", rows, unit="µs")


def main() -> None:
    """Start what is needed, measure, and end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=300, help="of each contestant")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--waiting", type=int, default=200, help="orders for the worker to send")
    options = parser.parse_args()
    servers = start_servers()
    try:
        worlds.environment(servers)
        limits = ("read", "write", "money", "sign_up", "address", "refusals")
        os.environ["RATE_LIMITS"] = ",".join(f"{name}=1000000/second" for name in limits)
        os.environ["TRANSFER_DAILY_COUNT"] = "30000"
        for name in ("ORDER_DAILY_COUNT", "ORDER_OPEN_COUNT"):
            os.environ[name] = "100000"
        measure(tries=options.tries, rounds=options.rounds, waiting=options.waiting)
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
