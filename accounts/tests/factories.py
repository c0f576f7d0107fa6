"""Customers, applications and accounts for the tests of any app."""

import itertools
from datetime import UTC, datetime
from typing import Any

from accounts.gateways import Application
from accounts.models import BrokerageAccount, Person
from core.auth import SYSTEM, Kind, Principal, acting_as
from core.auth.principals import ACT_FOR, ROUTE_SCOPES
from core.clock import database_now
from core.ids import new_id
from core.intents.states import IntentState

_numbers = itertools.count(1)


def now() -> datetime:
    """The present: sealed values and leases are judged by the database's clock."""
    return datetime.now(UTC)


def customer(user_id: str = "") -> Principal:
    """Somebody who has signed in."""
    return Principal(kind=Kind.CUSTOMER, user_id=user_id or f"user-{next(_numbers)}")


def service(*scopes: str) -> Principal:
    """A service's key; without scopes it may do everything for everybody."""
    return Principal(
        kind=Kind.SERVICE,
        key_id=f"key-{next(_numbers)}",
        scopes=frozenset(scopes) if scopes else ROUTE_SCOPES | {ACT_FOR},
    )


def alpaca_data(email: str = "") -> dict[str, Any]:
    """The reference's `alpacaData`."""
    return {
        "contact": {
            "email_address": email or f"person{next(_numbers)}@example.com",
            "phone_number": "555-555-5555",
            "street_address": ["123 Main St"],
            "city": "San Francisco",
            "state": "CA",
            "postal_code": "94105",
            "country": "USA",
        },
        "identity": {
            "given_name": "Ada",
            "family_name": "Stone",
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
                "signed_at": "2023-01-01T00:00:00Z",
                "ip_address": "127.0.0.1",
            }
        ],
    }


def application(email: str = "") -> Application:
    """An application as the service takes it."""
    return Application(**alpaca_data(email))


def make_account(
    user_id: str = "", *, status: str = "ACTIVE", broker_account_id: str = ""
) -> BrokerageAccount:
    """An account that the broker has opened, without asking any broker."""
    number = next(_numbers)
    data = alpaca_data(f"owner{number}@example.com")
    person = Person(contact=data["contact"], identity=data["identity"])
    with acting_as(SYSTEM):
        now = database_now()
        account = BrokerageAccount.apply(
            person,
            secret=b"sent",
            pk=new_id(),
            user_id=user_id or f"user-{number}",
            at=now,
        )
        account.advance(IntentState.SENDING, at=now, sent_at=now)
        account.advance(
            IntentState.ACCEPTED,
            at=now,
            vendor_status=status,
            broker_account_id=broker_account_id or str(new_id()),
            account_number=f"9{number:08}",
            sealed_payload=None,
            sealed_until=None,
        )
    return account
