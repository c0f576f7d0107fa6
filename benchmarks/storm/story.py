"""Account events made up for one run: the same ones in every process that is told the same."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# ACTIVE is not among them: trading would read the holdings of each account anew.
_STATUSES = ("SUBMITTED", "APPROVAL_PENDING", "APPROVED", "ACCOUNT_UPDATED")
_BEGIN = datetime(2026, 11, 23, 15, tzinfo=UTC)
_STEP = timedelta(milliseconds=25)


def account_ids(count: int) -> list[str]:
    """Name the accounts as the broker does."""
    return [f"{number:08x}-0000-4000-8000-000000000000" for number in range(count)]


def events(count: int, *, accounts: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Tell one account after the other that its status has changed."""
    ids = account_ids(accounts)
    for number in range(first, first + count):
        turn, place = divmod(number, accounts)
        at = _BEGIN + number * _STEP
        yield {
            "account_id": ids[place],
            "account_number": f"9{place:08}",
            "at": at.isoformat().replace("+00:00", "Z"),
            "event_id": number,
            "event_ulid": ulid(number),
            "kyc_results": None,
            "reason": "",
            "status_from": _STATUSES[(turn - 1) % len(_STATUSES)],
            "status_to": _STATUSES[turn % len(_STATUSES)],
        }


def ulid(number: int) -> str:
    """Give the event its cursor, which sorts by time."""
    moment = int((_BEGIN + number * _STEP).timestamp() * 1000)
    return _in_base_32(moment, 10) + _in_base_32(number, 16)


def _in_base_32(value: int, length: int) -> str:
    return "".join(_CROCKFORD[value >> 5 * place & 31] for place in reversed(range(length)))


def frame(event: dict[str, Any]) -> bytes:
    """Write the event as the broker does."""
    return f"id: {event['event_ulid']}\nevent: message\ndata: {json.dumps(event)}\n\n".encode()
