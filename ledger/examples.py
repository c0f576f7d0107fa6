"""Answers of the ledger, as the API documentation shows them."""

from core.api.schema import answered

CASH = [
    answered(
        "What a withdrawal that is under way leaves free",
        {
            "total": "1250.00",
            "held": "200.00",
            "available": "1050.00",
            "currency": "USD",
            "as_of": "2026-01-01T00:00:00Z",
            "is_complete": True,
        },
    )
]
LEDGER = [
    answered(
        "The newest two",
        {
            "entries": [
                {
                    "id": "0199f8a2-6a4e-7c4e-9f43-5f1d1a0c2b11",
                    "kind": "PURCHASE",
                    "amount": "-250.10",
                    "symbol": "AAPL",
                    "reference": "0199f8a2-69f0-7a11-8f0e-2d7b9c6e4d10",
                    "occurred_at": "2026-01-02T15:30:00Z",
                },
                {
                    "id": "0199f8a1-1111-7d3b-8a55-0c9e8d7f6a21",
                    "kind": "DEPOSIT",
                    "amount": "1500.10",
                    "symbol": None,
                    "reference": "0199f8a1-1000-7b2c-9b66-1d8f7e6a5b32",
                    "occurred_at": "2026-01-02T14:00:00Z",
                },
            ],
            "next": "0199f8a1-1111-7d3b-8a55-0c9e8d7f6a21",
        },
    )
]
