"""Bodies and answers of funding, as the API documentation shows them."""

from typing import Any, Final

from core.api.schema import answered, asked

_ACCOUNT: Final[dict[str, Any]] = {"accountId": "c73179dc-2de6-4115-a507-0208f419223e"}
_BANK_ID: Final = "61e69015-8549-4bfd-b9c3-01e75843f47d"
_AT: Final = "2026-01-01T00:00:00Z"
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
        {"link_url": _LINK, "linkUrl": _LINK, "linkToken": "link-sandbox-example"},
    ),
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
NAMED_BANKS = [asked("The account", _ACCOUNT), *BANKS]
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
