"""Bodies and answers of the chat, as the API documentation shows them."""

from typing import Any, Final

from core.api.schema import answered, asked

_SESSION_ID: Final = "01a20820-950c-7324-9f2b-cc427ca2728c"
_RUN_ID: Final = "01a20820-9d16-7744-93ec-db94bbe05515"
_PROPOSAL_ID: Final = "4d0c7e1d-9733-577f-990c-ed474af3676b"
_PROPOSAL: Final[dict[str, Any]] = {
    "id": _PROPOSAL_ID,
    "text": (
        "• BUY $50.00 of MSFT at the market price, good for the day\n"
        "• Current Price: $554.80 on 2026-01-02 at 15:30:00 UTC\n"
        "• Good while the price is $549.25 to $560.35\n"
        "• Estimated Total: BUY $50.00\n"
        "• Trading Account: •••• 4471\n"
        "• Good Until: 2026-01-02 at 15:35:00 UTC"
    ),
    "hash": "df43150185c7938a0ba738f5cce6c9f430bb30a661178d3db048dd473932d82b",
    "state": "PENDING",
    "expires_at": "2026-01-02T15:35:00Z",
    "approve_url": f"/api/proposals/{_PROPOSAL_ID}/approve",
}

ASK = [
    asked(
        "A new conversation",
        {
            "user_input": "What is my portfolio worth?",
            "account_id": "c73179dc-2de6-4115-a507-0208f419223e",
        },
    ),
    asked("A known one", {"user_input": "Buy $50 of MSFT", "session_id": _SESSION_ID}),
    answered(
        "An answer with a proposal",
        {
            "session_id": _SESSION_ID,
            "response": "I have prepared this purchase for you to approve.",
            "run_id": _RUN_ID,
            "proposals": [_PROPOSAL],
        },
    ),
    answered(
        "Still at work",
        {
            "session_id": _SESSION_ID,
            "run_id": _RUN_ID,
            "status": "RUNNING",
            "events_url": f"/api/runs/{_RUN_ID}/events",
        },
        "202",
    ),
]
