"""Trades and corporate actions of made-up accounts, for the tests of the fold."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from trading.lots import Fill, Movement
from trading.states import BasisSource

NAMES = UUID("8b6c3f0e-2f8e-4a8e-9d9b-0d1a3f5b7c9d")
START = datetime(2025, 1, 2, 15, 0, tzinfo=UTC)
D = Decimal


def name_of(text):
    return uuid5(NAMES, text)


def trade(name, *, day, is_buy, quantity, price, symbol="AAPL", order=None, **more):
    return Fill(
        name=name,
        fill_id=name_of(name),
        lot_id=name_of(name),
        order_id=name_of(order or f"order of {name}"),
        symbol=symbol,
        is_buy=is_buy,
        quantity=D(quantity),
        price=D(price),
        at=START + timedelta(days=day),
        **more,
    )


def buy(name, day, quantity, price, **more):
    return trade(name, day=day, is_buy=True, quantity=quantity, price=price, **more)


def sell(name, day, quantity, price, **more):
    return trade(name, day=day, is_buy=False, quantity=quantity, price=price, **more)


def move(name, day, kind, quantity, *, symbol="AAPL", cost=None, group=""):
    return Movement(
        name=name,
        movement_id=name_of(name),
        kind=kind,
        symbol=symbol,
        quantity=D(quantity),
        at=START + timedelta(days=day),
        cost=None if cost is None else D(cost),
        group=group,
        basis_source=BasisSource.UNKNOWN if cost is None else BasisSource.BROKER,
    )


def lots_of(book, symbol="AAPL"):
    """Remaining shares and what these have cost, the oldest first."""
    there = [lot for lot in book.lots.values() if lot.remaining and lot.symbol == symbol]
    long_ago = datetime.min.replace(tzinfo=UTC)
    there.sort(key=lambda lot: (lot.acquired_at or long_ago, -lot.remaining))
    return [(lot.remaining, lot.left) for lot in there]


def gains_of(book):
    """Of each part sold: shares, proceeds, basis, loss that does not count, and term."""
    found = sorted(book.closings.values(), key=lambda each: (each.closed_at, each.acquired_at))
    return [(c.quantity, c.proceeds, c.basis, c.disallowed, c.term) for c in found]
