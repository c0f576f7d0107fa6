"""Customers, accounts, instruments and prices for the tests of trading."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

from django.apps import apps
from django.db import connection

from accounts.tests.factories import make_account
from core import realtime
from core.auth import SYSTEM, Kind, Principal, acting_as
from core.ids import new_id
from market import frames
from trading.models import CashBalance, Order, Position
from trading.models.wording import columns_of
from trading.states import OrderClass, OrderType, Side, TimeInForce
from trading.tickets import Ticket

NANO = 1_000_000_000
ALICE, BOB = "alice-sub", "bob-sub"


def customer(user_id=ALICE):
    return Principal(kind=Kind.CUSTOMER, user_id=user_id)


def new_account(user_id=ALICE, *, status="ACTIVE"):
    return make_account(user_id, status=status)


def set_closing(account, since=None):
    """Have an account be on its way to being closed, or no longer."""
    account.closing_since = since
    with acting_as(SYSTEM):
        account.save(update_fields=["closing_since"])


def new_instrument(symbol="AAPL", *, price="100.00", tradable=True, fractionable=True):
    Instrument = apps.get_model("market", "Instrument")
    instrument, _ = Instrument.objects.update_or_create(
        symbol=symbol,
        defaults={
            "name": symbol,
            "asset_class": "us_equity",
            "exchange": "NASDAQ",
            "status": "active",
            "tradable": tradable,
            "fractionable": fractionable,
            "broker_asset_id": str(uuid.uuid4()),
        },
    )
    instrument.refresh_from_db()
    set_price(instrument, price)
    return instrument


def set_price(instrument, price, *, close="99.00", at=None):
    """Publish a price as the market's leader does."""
    now = datetime.now(UTC)
    at_ns = int((at or now).timestamp() * NANO)
    head = frames.Frame(
        epoch=frames.Epoch(1, 1),
        seq=1,
        as_of_ns=at_ns,
        sent_ms=int(now.timestamp() * 1000),
    )
    realtime.connection().hset(
        frames.SNAPSHOT_KEY,
        mapping={
            frames.HEAD_FIELD: frames.encode(head),
            str(instrument.number): frames.row(
                frames.Row(int(Decimal(price) * NANO), int(Decimal(close) * NANO), at_ns)
            ),
        },
    )


def fund(account, *, cash="1000.00", positions=None):
    """Store holdings as a reading of the broker would, a moment ago."""
    with acting_as(SYSTEM):
        CashBalance.objects.update_or_create(
            account_id=account.pk,
            defaults={
                "user_id": account.user_id,
                "cash": Decimal(cash),
                "buying_power": Decimal(cash),
                "fetched_at": datetime.now(UTC),
            },
        )
        for symbol, quantity in (positions or {}).items():
            Position.objects.create(
                account_id=account.pk,
                user_id=account.user_id,
                symbol=symbol,
                quantity=Decimal(quantity),
                available_quantity=Decimal(quantity),
                average_entry_price=Decimal(90),
                cost_basis=Decimal(quantity) * 90,
            )


def buy(symbol="AAPL", *, notional=None, quantity=None, **more):
    return ticket(symbol, Side.BUY, notional=notional, quantity=quantity, **more)


def sell(symbol="AAPL", *, notional=None, quantity=None, **more):
    return ticket(symbol, Side.SELL, notional=notional, quantity=quantity, **more)


def ticket(
    symbol,
    side,
    *,
    notional=None,
    quantity=None,
    limit_price=None,
    time_in_force=TimeInForce.DAY,
    **more,
):
    """Write a ticket; prices may be texts, and a limit price makes it a limit order."""
    more.setdefault("order_type", OrderType.LIMIT if limit_price else OrderType.MARKET)
    prices = {name: Decimal(more.pop(name)) for name in list(more) if name in _PRICES}
    return Ticket(
        symbol=symbol,
        side=side,
        notional=None if notional is None else Decimal(notional),
        quantity=None if quantity is None else Decimal(quantity),
        limit_price=None if limit_price is None else Decimal(limit_price),
        time_in_force=time_in_force,
        **prices,
        **more,
    )


_PRICES = frozenset(
    {
        "stop_price",
        "trail_price",
        "trail_percent",
        "take_profit_price",
        "stop_loss_price",
        "stop_loss_limit_price",
    }
)


def bracket(quantity="2", *, limit_price="100", take_profit="120", stop_loss="90", **more):
    return buy(
        quantity=quantity,
        limit_price=limit_price,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.BRACKET,
        take_profit_price=take_profit,
        stop_loss_price=stop_loss,
        **more,
    )


def working_order(account, broker, wanted, **more):
    """Write down an order that the broker has, as if it had been placed long ago."""
    order_id = new_id()
    told = broker.submit(
        wanted, broker_account_id=account.broker_account_id, client_order_id=str(order_id)
    )
    with acting_as(SYSTEM):
        return Order.objects.create(
            id=order_id,
            user_id=account.user_id,
            account_id=account.pk,
            broker_account_id=account.broker_account_id,
            state="ACCEPTED",
            vendor_status="new",
            broker_order_id=told.broker_order_id,
            **columns_of(wanted),
            **more,
        )


def reload(row):
    with acting_as(SYSTEM):
        return type(row).objects.get(pk=row.pk)


def orders_of(account):
    with acting_as(SYSTEM):
        return list(Order.objects.filter(account_id=account.pk).order_by("id"))


def cash_of(account):
    with acting_as(SYSTEM):
        return CashBalance.objects.get(pk=account.pk)


def positions_of(account):
    with acting_as(SYSTEM):
        rows = Position.objects.filter(account_id=account.pk)
        return {row.symbol: row.quantity for row in rows}


def pass_time(seconds):
    """Move the database's clock for this connection; another call adds to it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('clera.clock_offset', (coalesce(nullif(current_setting("
            "'clera.clock_offset', true), ''), '0')::interval + %s * interval '1 second')::text,"
            " false)",
            [seconds],
        )


@contextmanager
def role(name) -> Iterator[None]:
    """Take another database role for a while, as another process has it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {name}")
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SET ROLE clera_app")
