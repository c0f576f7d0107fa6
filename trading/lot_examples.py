"""Answers about tax lots and gains, as the API documentation shows them."""

from typing import Final

from core.api.schema import answered, asked

_ORDER_ID: Final = "01a20835-1956-76b5-af5a-20f5e7e8b926"
_AT: Final = "2026-01-02T15:30:00.508829Z"
_LOT_ID: Final = "7a3d3f0c-1a43-5c3f-9f5e-2a0e4d1c8b55"
LOTS = [
    answered(
        "Ten shares, four of them sold",
        {
            "lots": [
                {
                    "id": _LOT_ID,
                    "symbol": "AAPL",
                    "acquired_at": _AT,
                    "held_since": "2026-01-02",
                    "qty": "10",
                    "remaining_qty": "6",
                    "cost_basis": "1080.00",
                    "cost_per_share": "180.00",
                    "wash_sale_adjustment": "0.00",
                    "basis_source": "TRADE",
                    "term": "SHORT",
                    "order_id": _ORDER_ID,
                }
            ],
            "next": None,
        },
    )
]
_NO_SALES: Final = {
    **dict.fromkeys(
        ("proceeds", "cost_basis", "gain", "wash_sale_disallowed", "taxable_gain"), "0.00"
    ),
    "count": 0,
    "unknown_count": 0,
}
GAINS = [
    answered(
        "One sale at a loss, a part of which was bought back",
        {
            "year": 2026,
            "short_term": {
                "proceeds": "700.00",
                "cost_basis": "1000.00",
                "gain": "-300.00",
                "wash_sale_disallowed": "120.00",
                "taxable_gain": "-180.00",
                "count": 1,
                "unknown_count": 0,
            },
            "long_term": _NO_SALES,
            "unknown_term": _NO_SALES,
            "sales": [
                {
                    "id": "0b6f5c9e-4d0a-5b0b-8c64-0f2b6a4e5d11",
                    "lot_id": _LOT_ID,
                    "order_id": _ORDER_ID,
                    "symbol": "AAPL",
                    "qty": "100",
                    "proceeds": "700.00",
                    "cost_basis": "1000.00",
                    "gain": "-300.00",
                    "wash_sale_disallowed": "120.00",
                    "term": "SHORT",
                    "acquired_at": _AT,
                    "sold_at": "2026-04-12T15:30:00Z",
                }
            ],
            "next": None,
        },
    )
]
LOT_METHOD = [answered("The default", {"method": "FIFO"})]
CHOOSE_LOT_METHOD = [
    asked("The dearest first", {"method": "HIFO"}),
    answered("Chosen", {"method": "HIFO"}),
]
