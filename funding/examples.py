"""Bodies and answers of funding, as the API documentation shows them."""

from typing import Any, Final

from core.api.schema import answered, asked

_ACCOUNT: Final[dict[str, Any]] = {"accountId": "c73179dc-2de6-4115-a507-0208f419223e"}
_BANK_ID: Final = "61e69015-8549-4bfd-b9c3-01e75843f47d"
_AT: Final = "2026-01-01T00:00:00Z"
_SESSION_ID: Final = "019b76da-a800-7c3f-9e1f-5b2d8a6c4e10"
_LINK: Final = "https://cdn.plaid.com/link/v2/stable/link.html?token=link-sandbox-example"
_LINKED: Final[dict[str, Any]] = {"id": _BANK_ID, "status": "APPROVED", "created_at": _AT}
_MOVED: Final[dict[str, Any]] = {
    "id": "be3c368a-4c7c-4384-808e-f02c9f5a8afe",
    "status": "QUEUED",
    "amount": 100.00,
    "created_at": _AT,
}
_BANKS: Final = {
    "relationships": [
        {
            **_LINKED,
            "account_id": _ACCOUNT["accountId"],
            "bank_name": None,
            "bank_account_type": "CHECKING",
            "last_4": "6789",
            "nickname": "My Checking Account",
        }
    ]
}

CREATE_LINK = [
    asked("A page at Plaid", {**_ACCOUNT, "redirectUri": "https://app.example.com/callback"}),
    answered(
        "Where to send the customer",
        {
            "link_url": _LINK,
            "linkUrl": _LINK,
            "linkToken": "link-sandbox-example",
            "expires_at": "2026-01-01T04:00:00Z",
            "session_id": _SESSION_ID,
        },
    ),
]
_PROCESSED: Final[dict[str, Any]] = {**_LINKED, "session_id": _SESSION_ID}
PROCESS_TOKEN = [
    asked("What Plaid has given", {**_ACCOUNT, "publicToken": "public-sandbox-example"}),
    asked("Which page it was", {**_ACCOUNT, "sessionId": _SESSION_ID}),
    answered("Linked", _PROCESSED, "201"),
    answered("Not confirmed yet", {**_PROCESSED, "id": _SESSION_ID, "status": "PENDING"}, "202"),
]
WEBHOOK = [
    asked(
        "A page was finished",
        {
            "webhook_type": "LINK",
            "webhook_code": "SESSION_FINISHED",
            "status": "SUCCESS",
            "link_session_id": "356dbb28-7f98-44d1-8e6d-0cec580f3171",
            "link_token": "link-sandbox-example",
            "public_tokens": ["public-sandbox-example"],
            "environment": "sandbox",
        },
    ),
    answered("Kept", {"received": True}),
]
LINK_BANK = [
    asked(
        "A checking account",
        {
            **_ACCOUNT,
            "bankAccountType": "CHECKING",
            "bankAccountNumber": "123456789",
            "bankRoutingNumber": "121000358",
            "nickname": "My Checking Account",
        },
    ),
    answered("Linked", _LINKED, "201"),
    answered("Not confirmed yet", {**_LINKED, "status": "PENDING"}, "202"),
]
BANKS = [answered("One bank", _BANKS)]
REMOVED_BANK = [
    answered("Removed", {"success": True, "id": _BANK_ID, "status": "CANCELED"}),
    answered(
        "Not confirmed yet", {"success": True, "id": _BANK_ID, "status": "CANCEL_REQUESTED"}, "202"
    ),
]
REMOVE_BANK = [asked("The bank", {**_ACCOUNT, "relationshipId": _BANK_ID}), *REMOVED_BANK]
NAMED_BANKS = [asked("The account", _ACCOUNT), *BANKS]
_TRANSFER: Final[dict[str, Any]] = {
    **_MOVED,
    "direction": "INCOMING",
    "updated_at": _AT,
    "type": "ach",
    "relationship_id": _BANK_ID,
    "fee": 0.00,
    "requested_amount": 100.00,
    "expires_at": "2026-01-08T00:00:00Z",
    "state": "ACCEPTED",
    "reason": "",
    "business_date": "2026-01-02",
    "expected_on": "2026-01-07",
    "no_dates_because": None,
    "is_cancelable": True,
    "returned": None,
}
_RETURNED: Final[dict[str, Any]] = {
    **_TRANSFER,
    "status": "RETURNED",
    "reason": "R01: insufficient funds",
    "is_cancelable": False,
    "returned": {"code": "R01", "meaning": "The bank account did not hold enough money."},
}
TRANSFER = [answered("On its way", _TRANSFER), answered("Sent back by the bank", _RETURNED)]
TRANSFERS = [
    answered("One transfer", {"success": True, "transfers": [_TRANSFER], "total_count": 1})
]
CANCEL_TRANSFER = [
    answered("Canceled", {**_TRANSFER, "status": "CANCELED", "is_cancelable": False}),
    answered("Not confirmed yet", _TRANSFER, "202"),
]
MOVE_MONEY = [
    asked(
        "A deposit",
        {**_ACCOUNT, "relationshipId": _BANK_ID, "amount": 100.00, "direction": "INCOMING"},
    ),
    asked(
        "A withdrawal",
        {**_ACCOUNT, "relationshipId": _BANK_ID, "amount": 25.00, "direction": "OUTGOING"},
    ),
    answered("The broker has it", _MOVED, "201"),
    answered("Not confirmed yet", {**_MOVED, "status": "PENDING"}, "202"),
]
