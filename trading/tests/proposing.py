"""One suggestion, as an agent's tool makes it."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from trading import proposals
from trading.tests.factories import customer

RUN = UUID("0190a4c5-0000-7000-8000-000000000001")


def now():
    return datetime.now(UTC)


def propose(call="call-1", *, principal=None, **wish):
    wish = wish or {"notional": Decimal(100)}
    return proposals.propose_trade(
        principal=principal or customer(),
        run_id=RUN,
        tool_call_id=call,
        symbol=wish.pop("symbol", "AAPL"),
        side=wish.pop("side", "BUY"),
        at=now(),
        **wish,
    )
