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
