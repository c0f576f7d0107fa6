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
    "opens_at",
    "cancel_requested_at",
    "clera_replaces",
    "clera_parent",
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
    "source": "CUSTOMER",
    "held_for": "",
    **dict.fromkeys(_UNKNOWN_YET),
}
_LINE: Final[dict[str, Any]] = {
    "position": 1,
    "symbol": "AAPL",
    "side": "BUY",
    "order_type": "MARKET",
    "time_in_force": "DAY",
    "quantity": None,
    "notional": "25.00",
    "limit_price": None,
    "stop_price": None,
    "trail_price": None,
    "trail_percent": None,
    "extended_hours": False,
    "order_class": "SIMPLE",
    "take_profit_price": None,
    "stop_loss_price": None,
    "stop_loss_limit_price": None,
    "after_hours": "",
    "lots": [],
    "quote_price": "303.08",
    "quote_as_of": _AT,
    "price_low": "300.04",
    "price_high": "306.12",
    "estimated_value": "25.00",
    "order": _ORDER,
}
_PROPOSAL: Final[dict[str, Any]] = {
    "id": "4d0c7e1d-9733-577f-990c-ed474af3676b",
    "account_id": "01a20820-76c4-70c0-a254-279f5f4201c7",
    "origin": "AGENT",
    "run_id": "01a20820-9d16-7744-93ec-db94bbe05515",
    "state": "APPROVED",
    "text": (
        "• BUY $25.00 of AAPL at the market price, good for the day\n"
        "• Current Price: $303.08 on 2026-01-02 at 15:30:00 UTC\n"
        "• Good while the price is $300.04 to $306.12\n"
        "• Estimated Total: BUY $25.00\n"
        "• Trading Account: •••• 4471\n"
        "• Good Until: 2026-01-02 at 15:35:00 UTC"
    ),
    "warnings": [],
    "estimated_total": "25.00",
    "lines": [_LINE],
    "supersedes": None,
    "hash": _HASH,
    "created_at": _AT,
    "expires_at": "2026-01-02T15:35:00.508829Z",
    "settled_at": "2026-01-02T15:30:20.100000Z",
}
_UNDECIDED: Final[dict[str, Any]] = {**_PROPOSAL, "lines": [{**_LINE, "order": None}]}

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
        {"success": True, "message": "Order placed.", "queued": False, "order": _ORDER},
        "201",
    ),
    answered(
        "Not confirmed yet",
        {
            "success": True,
            "message": "Order received; not confirmed yet.",
            "queued": False,
            "order": {**_ORDER, "id": _CLERA_ORDER_ID, "state": "UNKNOWN"},
        },
        "202",
    ),
]
_LIMIT: Final[dict[str, Any]] = {
    **_ORDER,
    "notional": None,
    "qty": "10",
    "order_type": "limit",
    "type": "limit",
    "time_in_force": "gtc",
    "limit_price": "180.50",
}
_PAUSED: Final[dict[str, Any]] = {**_LIMIT, "status": "pending_cancel", "cancel_requested_at": _AT}
NEW_ORDER = [
    asked("Dollars at the market price", {"symbol": "AAPL", "side": "buy", "notional": "25.00"}),
    asked(
        "A bracket",
        {
            "symbol": "AAPL",
            "side": "buy",
            "type": "limit",
            "qty": "10",
            "limit_price": "180.50",
            "time_in_force": "gtc",
            "order_class": "bracket",
            "take_profit": {"limit_price": "199.00"},
            "stop_loss": {"stop_price": "170.00", "limit_price": "169.50"},
        },
    ),
    asked(
        "A trailing stop",
        {
            "symbol": "AAPL",
            "side": "sell",
            "type": "trailing_stop",
            "qty": "3",
            "trail_percent": "2.5",
        },
    ),
    answered("The broker has it", _ORDER, "201"),
    answered(
        "It waits for the market to open",
        {
            **_ORDER,
            "id": _CLERA_ORDER_ID,
            "status": "held",
            "state": "HELD",
            "held_for": "OPEN",
            "opens_at": "2026-01-05T14:30:00Z",
            "reason": "It waits for the market to open.",
        },
        "202",
    ),
]
REPLACE_ORDER = [
    asked("Another limit", {"limit_price": "181.00"}),
    asked("More shares", {"qty": "12"}),
    answered("The broker has the new order", {**_LIMIT, "limit_price": "181.00"}, "201"),
]
PREVIEW_ORDER = [
    asked("Ten shares at the market price", {"symbol": "AAPL", "side": "buy", "qty": "10"}),
    answered(
        "It would pass",
        {
            "symbol": "AAPL",
            "side": "buy",
            "price": "303.08",
            "quote_as_of": _AT,
            "qty": "10",
            "cost": "3030.80",
            "proceeds": None,
            "buying_power_before": "10000.00",
            "buying_power_after": "6969.20",
            "position_before": "0",
            "position_after": "10",
            "warnings": [],
            "verdict": {
                "allowed": True,
                "rule": "",
                "detail": "",
                "price": "303.08",
                "value": "3030.8",
                "quote_as_of": _AT,
                "warnings": [],
            },
        },
        "200",
    ),
]
ORDER_PAGE = [answered("The last page", {"orders": [_LIMIT], "next_page_token": None})]
CANCEL_ALL = [answered("One order, on its way out", {"orders": [_PAUSED]})]
CANCEL_ACCOUNT_ORDER = [answered("The broker has been asked", _PAUSED, "202")]
ORDER_HISTORY = [
    answered(
        "Placed a moment ago",
        {
            "order": _ORDER,
            "verdict": {
                "allowed": True,
                "rule": "",
                "detail": "",
                "price": "303.08",
                "value": "25.00",
                "quote_as_of": _AT,
                "warnings": [],
            },
            "steps": [
                {
                    "at": _AT,
                    "from_state": "PENDING",
                    "to_state": "SENDING",
                    "status": "",
                    "reason": "",
                },
                {
                    "at": _AT,
                    "from_state": "SENDING",
                    "to_state": "ACCEPTED",
                    "status": "pending_new",
                    "reason": "",
                },
            ],
            "reports": [],
            "fills": [],
        },
    )
]
PENDING_ORDERS = [
    answered(
        "One at the broker",
        {
            "success": True,
            "orders": [
                {
                    "order_id": _ORDER_ID,
                    "account_id": _ACCOUNT_ID,
                    "account_name": "Clera brokerage account",
                    "symbol": "AAPL",
                    "quantity": 10,
                    "notional_value": None,
                    "filled_quantity": 0,
                    "order_type": "LIMIT",
                    "side": "BUY",
                    "status": "new",
                    "price": 180.5,
                    "stop_price": None,
                    "created_at": _AT,
                    "time_in_force": "GTC",
                    "is_queued": False,
                    "queued_message": None,
                }
            ],
        },
    )
]
CANCEL_QUEUED = [
    answered("It will not be sent", {"success": True, "message": "Order cancelled successfully"})
]
MARKET_STATUS = [
    answered(
        "Before the opening",
        {
            "success": True,
            "market": {
                "is_open": False,
                "status": "pre_market",
                "message": "The market is closed; an order can be queued for the open.",
                "next_open": "2026-01-05T14:30:00Z",
                "orders_accepted": False,
            },
        },
    )
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
    answered("Turned down", {**_UNDECIDED, "state": "REJECTED"}),
]
