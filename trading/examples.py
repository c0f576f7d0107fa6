"""Bodies and answers of trading, as the API documentation shows them."""

from typing import Any, Final

from core.api.schema import answered, asked

_ACCOUNT_ID: Final = "c73179dc-2de6-4115-a507-0208f419223e"
_ORDER_ID: Final = "a6d639aa-23eb-4a1e-8b46-f87e3b66ea93"
_CLERA_ORDER_ID: Final = "01a20835-1956-76b5-af5a-20f5e7e8b926"
_AT: Final = "2026-01-02T15:30:00.508829Z"
_HASH: Final = "df43150185c7938a0ba738f5cce6c9f430bb30a661178d3db048dd473932d82b"
_UNKNOWN_YET: Final = (
    "filled_at",
    "expired_at",
    "canceled_at",
    "failed_at",
    "replaced_at",
    "replaced_by",
    "replaces",
    "qty",
    "filled_avg_price",
    "limit_price",
    "stop_price",
    "legs",
    "trail_percent",
    "trail_price",
    "hwm",
)
_ORDER: Final[dict[str, Any]] = {
    "id": _ORDER_ID,
    "client_order_id": _CLERA_ORDER_ID,
    "created_at": _AT,
    "updated_at": _AT,
    "submitted_at": _AT,
    "asset_id": "8e862ecd-69d6-547b-964a-7ef63d72e650",
    "symbol": "AAPL",
    "asset_class": "us_equity",
    "notional": "25.00",
    "filled_qty": "0",
    "order_class": "",
    "order_type": "market",
    "type": "market",
    "side": "buy",
    "time_in_force": "day",
    "status": "pending_new",
    "extended_hours": False,
    "commission": "0",
    "clera_order_id": _CLERA_ORDER_ID,
    "state": "ACCEPTED",
    "reason": "",
    **dict.fromkeys(_UNKNOWN_YET),
}
_PROPOSAL: Final[dict[str, Any]] = {
    "id": "4d0c7e1d-9733-577f-990c-ed474af3676b",
    "account_id": "01a20820-76c4-70c0-a254-279f5f4201c7",
    "run_id": "01a20820-9d16-7744-93ec-db94bbe05515",
    "state": "APPROVED",
    "text": "BUY $25.00 of AAPL at the market price, as long as it is $300.05 to $306.11.",
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": None,
    "notional": "25.00",
    "quote_price": "303.08",
    "quote_as_of": _AT,
    "price_low": "300.05",
    "price_high": "306.11",
    "hash": _HASH,
    "created_at": _AT,
    "expires_at": "2026-01-02T15:35:00.508829Z",
    "settled_at": "2026-01-02T15:30:20.100000Z",
    "order": _ORDER,
}

PLACE_ORDER = [
    asked(
        "Dollars at the market price",
        {"account_id": _ACCOUNT_ID, "ticker": "AAPL", "side": "BUY", "notional_amount": "25.00"},
    ),
    asked(
        "Shares with a limit",
        {
            "account_id": _ACCOUNT_ID,
            "ticker": "AAPL",
            "side": "SELL",
            "units": "1.5",
            "order_type": "LIMIT",
            "limit_price": "310.50",
            "time_in_force": "GTC",
        },
    ),
    answered(
        "The broker has it",
        {"success": True, "message": "Order placed.", "order": _ORDER},
        "201",
    ),
    answered(
        "Not confirmed yet",
        {
            "success": True,
            "message": "Order received; not confirmed yet.",
            "order": {**_ORDER, "id": _CLERA_ORDER_ID, "state": "UNKNOWN"},
        },
        "202",
    ),
]
CANCEL_ORDER = [
    answered(
        "It may yet be filled",
        {
            "success": True,
            "message": "Cancellation requested.",
            "order_id": _ORDER_ID,
            "account_id": _ACCOUNT_ID,
        },
    )
]
APPROVE = [asked("What was shown", {"hash": _HASH}), answered("Its order is placed", _PROPOSAL)]
REJECT = [
    asked("Nothing to add", {}),
    answered("Turned down", {**_PROPOSAL, "state": "REJECTED", "order": None}),
]
