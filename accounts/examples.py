"""Bodies and answers of accounts, as the API documentation shows them."""

from typing import Any, Final

from core.api.schema import answered, asked

_ACCOUNT_ID: Final = "c73179dc-2de6-4115-a507-0208f419223e"
_APPLICATION: Final[dict[str, Any]] = {
    "userId": "user-id-from-supabase",
    "alpacaData": {
        "contact": {
            "email_address": "user@example.com",
            "phone_number": "555-555-5555",
            "street_address": ["123 Main St"],
            "city": "San Francisco",
            "state": "CA",
            "postal_code": "94105",
            "country": "USA",
        },
        "identity": {
            "given_name": "John",
            "family_name": "Doe",
            "date_of_birth": "1990-01-01",
            "tax_id_type": "USA_SSN",
            "tax_id": "123-45-6789",
            "country_of_citizenship": "USA",
            "country_of_birth": "USA",
            "country_of_tax_residence": "USA",
            "funding_source": ["employment_income"],
        },
        "disclosures": {
            "is_control_person": False,
            "is_affiliated_exchange_or_finra": False,
            "is_politically_exposed": False,
            "immediate_family_exposed": False,
        },
        "agreements": [
            {
                "agreement": "customer_agreement",
                "signed_at": "2026-01-01T00:00:00Z",
                "ip_address": "127.0.0.1",
            }
        ],
    },
}
_OPENED: Final[dict[str, Any]] = {
    "id": _ACCOUNT_ID,
    "account_number": "930000001",
    "status": "SUBMITTED",
    "created_at": "2026-01-01T00:00:00Z",
}
_STATUS: Final = {
    "success": True,
    "data": {
        "account_id": _ACCOUNT_ID,
        "status": "ACTIVE",
        "is_tradable": True,
        "is_frozen": False,
        "crypto_status": "INACTIVE",
        "requirements": [],
        "next_step": "Link a bank and deposit money.",
        "timestamp": "2026-01-01T00:00:05Z",
        "synced_to_database": True,
    },
}

OPEN_ACCOUNT = [
    asked("An application", _APPLICATION),
    answered("The broker has it", _OPENED, "201"),
    answered("Not confirmed yet", {**_OPENED, "account_number": None, "status": "PENDING"}, "202"),
]
STATUS = [answered("Active", _STATUS)]
ME = [
    answered(
        "A customer",
        {
            "user_id": "user-id-from-supabase",
            "kind": "CUSTOMER",
            "expires_at": "2026-01-01T01:00:00Z",
            "accounts": [
                {
                    **_OPENED,
                    "status": "ACTIVE",
                    "account_id": "01a20820-13f7-7561-a40a-c370a76a0a15",
                    "email": "u***@example.com",
                    "is_tradable": True,
                }
            ],
        },
    )
]
_CONTACT: Final = _APPLICATION["alpacaData"]["contact"]
HISTORY = [
    answered(
        "Opened in two seconds",
        {
            "success": True,
            "steps": [
                {
                    "at": "2026-01-01T00:00:00Z",
                    "state": "ACCEPTED",
                    "status": "SUBMITTED",
                    "told_at": None,
                    "reason": "",
                },
                {
                    "at": "2026-01-01T00:00:02Z",
                    "state": "ACCEPTED",
                    "status": "APPROVED",
                    "told_at": "2026-01-01T00:00:01Z",
                    "reason": "",
                },
            ],
        },
    )
]
EVENTS = [
    answered(
        "Two events behind the first",
        {
            "account_id": _ACCOUNT_ID,
            "seq": 3,
            "oldest": 1,
            "reset": False,
            "events": [
                {
                    "type": "event",
                    "seq": 2,
                    "kind": "account.status",
                    "at": "2026-01-01T00:00:01Z",
                    "payload": {
                        "status": "APPROVED",
                        "is_tradable": False,
                        "is_frozen": False,
                        "requirements": [],
                    },
                },
                {
                    "type": "event",
                    "seq": 3,
                    "kind": "account.status",
                    "at": "2026-01-01T00:00:02Z",
                    "payload": {
                        "status": "ACTIVE",
                        "is_tradable": True,
                        "is_frozen": False,
                        "requirements": [],
                    },
                },
            ],
        },
    )
]
PROFILE = [
    answered(
        "A customer",
        {
            "success": True,
            "data": {
                "account_id": _ACCOUNT_ID,
                "contact": _CONTACT,
                "identity": {
                    "given_name": "John",
                    "family_name": "Doe",
                    "date_of_birth": "1990-01-01",
                    "tax_id_type": "USA_SSN",
                    "tax_id_last4": "6789",
                },
                "disclosures": _APPLICATION["alpacaData"]["disclosures"],
                "trusted_contact": None,
            },
        },
    )
]
_CHANGED: Final[dict[str, Any]] = {
    "success": True,
    "data": {
        "id": "01a20820-13f7-7561-a40a-c370a76a0a15",
        "fields": ["contact.city", "contact.phone_number"],
        "state": "ACCEPTED",
        "created_at": "2026-01-01T00:00:00Z",
    },
}
CHANGE_PROFILE = [
    asked("Moved", {"contact": {"city": "Oakland", "phone_number": "+1 555 555 5556"}}),
    answered("The broker has it", _CHANGED, "200"),
    answered(
        "Not confirmed yet", {**_CHANGED, "data": {**_CHANGED["data"], "state": "UNKNOWN"}}, "202"
    ),
]
UPDATEABLE_FIELDS = [
    answered(
        "What may change",
        {
            "success": True,
            "updateable_fields": {
                "contact": ["city", "email_address", "phone_number"],
                "trusted_contact": ["email_address", "family_name", "given_name"],
            },
            "fixed_fields": {"identity.tax_id": "Verified by the broker; ask support."},
        },
    )
]
_STATEMENT: Final = {
    "id": "1e3a6a9e-2c3b-4a66-9f2e-4a4a9a0c2f11",
    "name": "",
    "type": "account_statement",
    "sub_type": "",
    "date": "2025-12-31",
}
_UPLOAD: Final = {
    "id": "01a20820-13f7-7561-a40a-c370a76a0a16",
    "document_type": "identity_verification",
    "document_sub_type": "passport",
    "mime_type": "image/png",
    "size_bytes": 48213,
    "state": "ACCEPTED",
    "created_at": "2026-01-01T00:00:00Z",
}
DOCUMENTS = [
    answered(
        "A statement, an upload and a request",
        {
            "success": True,
            "documents": [_STATEMENT],
            "uploads": [_UPLOAD],
            "requested": [
                {
                    "id": "01a20820-13f7-7561-a40a-c370a76a0a17",
                    "document_type": "address_verification",
                    "note": "Please send a utility bill of the last three months.",
                    "created_at": "2026-01-01T00:00:00Z",
                }
            ],
        },
    )
]
STATEMENT = [answered("A statement", {"success": True, "document": _STATEMENT})]
UPLOAD_DOCUMENT = [
    asked(
        "A passport",
        {
            "document_type": "identity_verification",
            "document_sub_type": "passport",
            "content": "iVBORw0KGgo=",
            "mime_type": "image/png",
        },
    ),
    answered("The broker has it", {"success": True, "upload": _UPLOAD}, "201"),
    answered(
        "Not confirmed yet", {"success": True, "upload": {**_UPLOAD, "state": "UNKNOWN"}}, "202"
    ),
]
_PREFERENCES: Final = {"success": True, "preferences": {"buying_power": "cash_only"}}
PREFERENCES = [answered("The default", _PREFERENCES)]
CHOOSE_BUYING_POWER = [
    asked("With margin", {"buying_power": "cash_and_margin"}),
    answered("Chosen", {"success": True, "preferences": {"buying_power": "cash_and_margin"}}),
]
