"""Whatever the trade stream does to its events, orders and shares are what the events add up to."""

import itertools
import threading
import time
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

import pytest
from django.db import connection
from django.db.models import Sum

from accounts.tests.event_source import ulid
from accounts.tests.factories import make_account
from core import feeds, inbox, streams
from core.auth import SYSTEM, acting_as
from core.inbox import InboxEvent, StreamCursor
from core.tests.sandboxes import running
from trading import services
from trading.gateways import get_broker
from trading.models import Execution, Lot, LotClosing, Order, Position
from trading.models.wording import columns_of
from trading.services import news
from trading.states import OrderType, Side, TimeInForce
from trading.tickets import Ticket

pytestmark = pytest.mark.django_db(transaction=True)
APPLIERS = 2
PATIENCE_SECONDS = 30
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SYMBOLS = ("AAPL", "MSFT", "NVDA")
NOTHING, CENT = Decimal(0), Decimal("0.01")


@dataclass(frozen=True)
class Plan:
    """How much of what; everything else follows from the seed."""

    seed: int
    events: int
    accounts: int
    cuts: int = 3
    drops: int = 2

    @property
    def body(self):
        return {
            "seed": self.seed,
            "events": self.events,
            "cuts": self.cuts,
            "drops": self.drops,
            "drop_size": 3,
            # More than the broker would ever do: news of one account in the wrong order.
            "scrambled": 0.05,
        }


@pytest.fixture(scope="module")
def broker_process():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(broker_process, settings):
    """A broker of its own, whose clock no other test has moved."""
    broker_process.reset()
    broker_process.point(settings)
    settings.VENDOR_TOTAL_SECONDS = 10
    return broker_process


@pytest.fixture(autouse=True)
def _hurries(monkeypatch):
    monkeypatch.setattr(feeds, "FIRST_BACKOFF_SECONDS", 0.02)
    yield
    streams._stopping.clear()


@pytest.fixture
def weather(sandbox):
    """Let a storm go over orders that we have sent, and read it with everything that we have."""

    def run(plan):
        drafts = write_orders(sandbox, plan)
        begin_reading(sandbox)
        told = sandbox.control("POST", "/orders/storm", plan.body | {"orders": drafts})
        assert min(told["mishaps"].values()) > 0
        assert len(told["mishaps"]) == 5
        Reader().run(plan.events)
        assert sandbox.control("GET", "/faults") == {"faults": []}
        return told

    return run


def write_orders(sandbox, plan):
    """Write down orders of which we do not know yet whether the broker has them."""
    rng = Random(plan.seed)
    accounts = []
    for broker_account_id in sandbox.control("POST", "/accounts", {"count": plan.accounts})["ids"]:
        deposit = {"activity_type": "CSD", "net_amount": "1000000", "is_told": False}
        sandbox.control("POST", f"/accounts/{broker_account_id}/activities", deposit)
        accounts.append(make_account(broker_account_id=broker_account_id))
        services.sync_holdings(account_id=accounts[-1].pk, at=datetime.now(UTC))
    with acting_as(SYSTEM):
        return [draft_of(rng.choice(accounts), rng) for _ in range(plan.events // 6)]


def draft_of(account, rng):
    quantity = Decimal(rng.randint(1, 20))
    if rng.random() < 0.2:
        quantity -= Decimal(rng.randrange(1, 10**9)) / 10**9
    ticket = Ticket(
        symbol=rng.choice(SYMBOLS),
        side=Side.SELL if rng.random() < 0.4 else Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity=quantity,
    )
    order = Order(
        id=uuid.uuid4(),
        user_id=account.user_id,
        account_id=account.pk,
        broker_account_id=account.broker_account_id,
        placed_by="a test",
        **columns_of(ticket),
    )
    order.save(force_insert=True)
    return {
        "account_id": account.broker_account_id,
        "client_order_id": str(order.pk),
        "symbol": ticket.symbol,
        "side": ticket.side.lower(),
        "qty": str(quantity),
    }


def begin_reading(sandbox):
    now = datetime.fromisoformat(sandbox.control("GET", "/clock")["now"])
    StreamCursor.objects.create(source=news.SOURCE, position=ulid(now))


def history(count):
    """Read so many events from the beginning of the stream."""
    with get_broker().trade_feed().open(ulid(LONG_AGO)) as opened:
        return list(itertools.islice((item.payload for item in opened if item), count))


class Reader:
    """The real reader of the stream, and workers that apply what it keeps, until all is done."""

    def __init__(self):
        self._is_over = threading.Event()

    def run(self, events):
        with ThreadPoolExecutor(1 + APPLIERS) as pool:
            work = [pool.submit(self._in_thread, services.follow_events)]
            work += [pool.submit(self._in_thread, self._apply) for _ in range(APPLIERS)]
            try:
                self._wait(events)
            finally:
                self._is_over.set()
                streams.ask_all_to_stop()
            for each in work:
                each.result(60)
        streams._stopping.clear()

    def _in_thread(self, act):
        try:
            act()
        finally:
            connection.close()

    def _apply(self):
        while not self._is_over.wait(0.02):
            services.apply_events()

    def _wait(self, events):
        """Wait until all is applied; how long that may take depends on how busy the machine is."""
        kept = InboxEvent.objects.filter(source=news.SOURCE)
        waiting = kept.filter(applied_at=None)
        seen, ends = None, 0.0
        while (now := (kept.count(), waiting.count())) != (events, 0):
            if now != seen:
                seen, ends = now, time.monotonic() + PATIENCE_SECONDS
            elif time.monotonic() > ends:
                errors = set(waiting.values_list("error", flat=True))
                pytest.fail(f"{now[1]} of {now[0]} events wait: {errors}")
            self._is_over.wait(0.1)


# The model: nothing but sums of what the broker says that it has done.


def fold(told):
    """Add up, for each account and symbol, the executions that stand."""
    held = defaultdict(Decimal)
    for order in told["orders"].values():
        sign = 1 if order["side"] == "buy" else -1
        for fill in order["executions"].values():
            held[order["account_id"], order["symbol"]] += sign * Decimal(fill["qty"])
    return {key: quantity for key, quantity in held.items() if quantity}


def first_in_first_out(told):
    """Let sales take the oldest shares, and tell what is left of each purchase by its moment."""
    trades = [
        (datetime.fromisoformat(fill["at"]), order, Decimal(fill["qty"]))
        for order in told["orders"].values()
        for fill in order["executions"].values()
    ]
    left = defaultdict(dict)
    for at, order, quantity in sorted(trades, key=lambda trade: trade[0]):
        lots = left[order["account_id"], order["symbol"]]
        if order["side"] == "buy":
            lots[at] = quantity
            continue
        missing = quantity
        for bought_at in list(lots):
            taken = min(lots[bought_at], missing)
            lots[bought_at] -= taken
            missing -= taken
        assert missing == 0
    return {
        (*key, at): quantity
        for key, lots in left.items()
        for at, quantity in lots.items()
        if quantity
    }


def dollars_in(told, side):
    """Add up what was paid for all purchases, or what all sales have brought."""
    return sum(
        (
            (Decimal(fill["qty"]) * Decimal(fill["price"])).quantize(CENT, ROUND_HALF_EVEN)
            for order in told["orders"].values()
            if order["side"] == side
            for fill in order["executions"].values()
        ),
        NOTHING,
    )


def orders_in(told):
    return {
        name: (
            order["status"],
            sum((Decimal(fill["qty"]) for fill in order["executions"].values()), NOTHING),
            Decimal(order["filled_avg_price"] or 0),
        )
        for name, order in told["orders"].items()
    }


def executions_in(told):
    return {
        execution_id: (name, Decimal(fill["qty"]), Decimal(fill["price"]))
        for name, order in told["orders"].items()
        for execution_id, fill in order["executions"].items()
    }


# What we have


def our_orders():
    with acting_as(SYSTEM):
        rows = Order.objects.all()
        return {
            str(row.pk): (row.vendor_status, row.filled_quantity, row.average_price or NOTHING)
            for row in rows
        }


def our_executions():
    with acting_as(SYSTEM):
        rows = Execution.objects.filter(is_busted=False)
        return {row.execution_id: (str(row.order_id), row.quantity, row.price) for row in rows}


def our_positions():
    with acting_as(SYSTEM):
        rows = Position.objects.values_list("account__broker_account_id", "symbol", "quantity")
        return {(account_id, symbol): quantity for account_id, symbol, quantity in rows}


def our_lots():
    with acting_as(SYSTEM):
        rows = Lot.objects.exclude(remaining=0)
        left = defaultdict(Decimal)
        for row in rows.select_related("account"):
            left[row.account.broker_account_id, row.symbol, row.acquired_at] += row.remaining
        return dict(left)


def check_dollars(told):
    """No cent is lost between purchases, sales, what is left, and losses that do not count."""
    with acting_as(SYSTEM):
        sold = LotClosing.objects.aggregate(
            proceeds=Sum("proceeds"), basis=Sum("basis"), disallowed=Sum("disallowed")
        )
        left = Lot.objects.aggregate(total=Sum("cost_left"))["total"]
    assert sold["proceeds"] == dollars_in(told, "sell")
    assert sold["basis"] - sold["disallowed"] + left == dollars_in(told, "buy")


def check(told):
    """Compare what has become of it with the model, before anything was read anew and after."""
    assert min(told["busts"], told["corrections"], told["late_fills"]) > 0
    for _ in range(2):
        assert our_orders() == orders_in(told)
        assert our_executions() == executions_in(told)
        assert our_positions() == fold(told)
        assert our_lots() == first_in_first_out(told)
        check_dollars(told)
        services.heal_accounts(at=datetime.now(UTC))
    drift = services.heal_accounts(at=datetime.now(UTC))
    assert (drift["orders"], drift["holdings"]) == (0, 0)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1])
def test_three_hundred_events_come_to_what_they_say(weather, seed):
    check(weather(Plan(seed=seed, events=300, accounts=5)))


@pytest.mark.timeout(300)
def test_news_in_any_order_at_all_come_to_the_same(sandbox):
    plan = Plan(seed=2, events=180, accounts=3)
    calm = dict.fromkeys(("duplicates", "reordered", "scrambled", "cuts", "drops"), 0)
    drafts = write_orders(sandbox, plan)
    told = sandbox.control("POST", "/orders/storm", plan.body | calm | {"orders": drafts})
    events = history(plan.events)
    Random(plan.seed).shuffle(events)

    inbox.receive_all(news.SOURCE, [(event["event_ulid"], event) for event in events])
    assert services.apply_events() == plan.events

    check(told)


@pytest.mark.proof
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_events_come_to_what_they_say(weather, seed):
    plan = Plan(seed=seed, events=10_000, accounts=50, cuts=50, drops=20)
    check(weather(plan))
