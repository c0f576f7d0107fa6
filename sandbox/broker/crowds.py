"""Many accounts at once, for tests that need a crowd and not the way each one came."""

import uuid
from typing import Any

from sandbox.answers import Refusal
from sandbox.broker import statuses
from sandbox.broker.core import Broker
from sandbox.broker.records import Account

MOST_ACCOUNTS = 10_000


def create(broker: Broker, body: Any) -> list[str]:
    """
    Make accounts that are in a status already; the stream is told nothing.

    :raises Refusal: the number or the status is not understood.
    """
    count = whole(body, "count", 1, most=MOST_ACCOUNTS)
    status = body.get("status", "ACTIVE")
    if not isinstance(status, str) or not status:
        raise Refusal(400, 40010000, "status must be a text")
    return [make(broker, status).id for _ in range(count)]


def make(broker: Broker, status: str) -> Account:
    """Make an account that has a status and stays in it; the stream is told nothing."""
    account_id, now = str(uuid.uuid4()), broker.now()
    account = Account(
        id=account_id,
        account_number=f"{930000000 + len(broker.books.accounts)}",
        status=status,
        destined_status=status,
        created_at=now,
        changed_at=now,
        contact={
            "email_address": f"{account_id}@crowd.example",
            "phone_number": "555-555-5555",
            "street_address": ["123 Main St"],
            "city": "San Francisco",
            "state": "CA",
            "postal_code": "94105",
            "country": "USA",
        },
        identity={
            "given_name": "Ada",
            "family_name": "Stone",
            "date_of_birth": "1990-01-01",
            "tax_id_type": "USA_SSN",
            "country_of_tax_residence": "USA",
        },
        disclosures=dict.fromkeys(statuses.QUESTIONS, False),
        agreements=[],
    )
    broker.books.save(account)
    return account


def whole(body: Any, name: str, default: int, *, least: int = 1, most: int) -> int:
    """
    Read a whole number from a body.

    :raises Refusal: it is not one, or out of bounds.
    """
    value = body.get(name, default) if isinstance(body, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refusal(400, 40010000, f"{name} must be a whole number from {least} to {most}")
    return value
