"""Answers of the portfolio app, as the API documentation shows them."""

from typing import Any, Final

from core.api.schema import answered

_POSITION: Final[dict[str, Any]] = {
    "symbol": "AAPL",
    "quantity": "1.5",
    "average_entry_price": "180.25",
    "price": "200.00",
    "previous_close": "198.00",
    "market_value": "300.00",
    "as_of": "2026-01-05T15:30:00.000Z",
    "flags": [],
}
_RECORD: Final[dict[str, Any]] = {
    "type": "snapshot",
    "account_id": "c73179dc-2de6-4115-a507-0208f419223e",
    "total_value": "$1300.00",
    "today_return": "+$3.00 (0.23%)",
    "raw_value": 1300.00,
    "raw_return": 3.00,
    "raw_return_percent": 0.23,
    "timestamp": "2026-01-05T15:30:00.150Z",
    "seq": 41207,
    "epoch": "7.1767621800000",
    "as_of": "2026-01-05T15:30:00.000Z",
    "stale": False,
    "currency": "USD",
    "unpriced": [],
    "revision": "5d6e0f2c9a81b743",
    "cash": "1000.00",
    "pending_deposits": "250.00",
    "pending_withdrawals": "0.00",
    "positions": [_POSITION],
}
VALUE: Final = [answered("An account", _RECORD)]
