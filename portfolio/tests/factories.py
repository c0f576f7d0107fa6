"""Positions, accounts and frames made up for a test."""

from decimal import Decimal
from uuid import uuid4

import numpy as np

from market.frames import Epoch, Frame
from market.nanos import to_nanos
from portfolio.live.holdings import AccountHoldings, Position


def position(number, quantity, *, bought="0", spent="0", symbol=None, close=None, multiplier="1"):
    """A position of which `bought` was bought today for `spent`."""
    return Position(
        symbol=symbol or f"S{number}",
        number=number,
        quantity=Decimal(quantity),
        average_entry_price=Decimal(1),
        opening_quantity=Decimal(quantity) - Decimal(bought),
        spent_today=Decimal(spent),
        previous_close=None if close is None else Decimal(close),
        multiplier=Decimal(multiplier),
    )


def account(*positions, cash="0", account_id=None, **pending):
    return AccountHoldings(
        account_id=account_id or uuid4(),
        cash=None if cash is None else Decimal(cash),
        positions=positions,
        **{name: Decimal(amount) for name, amount in pending.items()},
    )


def frame(prices, closes=None, *, seq=1, fence=1, is_full=True, is_stale=False, flags=None):
    closes = closes or {}
    return Frame(
        epoch=Epoch(fence, 1),
        seq=seq,
        as_of_ns=1_000_000_000 * seq,
        sent_ms=seq,
        is_full=is_full,
        is_stale=is_stale,
        numbers=np.array(list(prices), dtype="<u4"),
        prices=np.array([to_nanos(Decimal(p)) for p in prices.values()], dtype="<i8"),
        times=np.array([seq] * len(prices), dtype="<i8"),
        flags=np.array([(flags or {}).get(n, 0) for n in prices], dtype="u1"),
        close_numbers=np.array(list(closes), dtype="<u4"),
        closes=np.array([to_nanos(Decimal(c)) for c in closes.values()], dtype="<i8"),
    )
