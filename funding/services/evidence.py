"""What the broker's list showed when a lost transfer was looked for; operators decide by it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core.clock import database_now
from funding.gateways import MovedMoney
from funding.models import Transfer

MOST_ENTRIES: Final = 20


def keep(transfer_id: UUID, listed: Collection[MovedMoney], *, taken: Collection[str]) -> None:
    """
    Write down what the list showed, the newest entries first; the caller is the system.

    :param taken: the broker's ids that other transfers of ours hold.
    """
    newest = sorted(listed, key=_age, reverse=True)[:MOST_ENTRIES]
    Transfer.objects.filter(pk=transfer_id).update(
        evidence={
            "looked_at": database_now().isoformat(),
            "entries": [
                _entry(moved, is_taken=moved.broker_transfer_id in taken) for moved in newest
            ],
        }
    )


def _age(moved: MovedMoney) -> tuple[bool, datetime | str]:
    if moved.created_at is None:
        return False, ""
    return True, moved.created_at


def _entry(moved: MovedMoney, *, is_taken: bool) -> dict[str, Any]:
    return {
        "id": moved.broker_transfer_id,
        "amount": str(moved.amount),
        "direction": moved.direction,
        "status": moved.status,
        "created_at": None if moved.created_at is None else moved.created_at.isoformat(),
        "is_taken": is_taken,
    }
