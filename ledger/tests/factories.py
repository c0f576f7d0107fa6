"""Movements and books for the tests of any app."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from core.auth import SYSTEM, acting_as
from ledger import selectors, services
from ledger.models import Drift, Entry, LedgerBook
from ledger.services import Comparison, Movement
from ledger.states import EntryKind, WitnessKind

NOW = datetime.now(UTC)
_numbers = itertools.count(1)


def movement(account: Any, kind: str, cash: str, told_by: str = "", **more: Any) -> Movement:
    """Something that a witness tells; each call is another telling."""
    told: dict[str, Any] = {
        "occurred_at": NOW,
        "external_id": f"told-{next(_numbers)}",
    }
    return Movement(
        account_id=account.pk,
        kind=EntryKind(kind),
        cash=Decimal(cash),
        told_by=WitnessKind(told_by or "ACTIVITY"),
        **told | more,
    )


def post(movement: Movement) -> Entry | None:
    with acting_as(SYSTEM):
        return services.post(movement)


def confirm(movement: Movement) -> Entry | None:
    with acting_as(SYSTEM):
        return services.confirm(movement)


def entries_of(account: Any) -> list[Entry]:
    with acting_as(SYSTEM):
        return list(Entry.objects.filter(account_id=account.pk).order_by("pk"))


def cash_of(account: Any) -> selectors.Cash:
    with acting_as(SYSTEM):
        return selectors.cash_of(account_id=account.pk)


def book_of(account: Any) -> LedgerBook:
    with acting_as(SYSTEM):
        return LedgerBook.objects.get(pk=account.pk)


def drifts_of(account: Any) -> list[Drift]:
    with acting_as(SYSTEM):
        return list(Drift.objects.filter(account_id=account.pk).order_by("pk"))


def compare(account: Any, *, after: int = 0) -> Comparison:
    """Compare an account's ledger with the broker's books, so many seconds from now."""
    at = datetime.now(UTC) + timedelta(seconds=after)
    return services.compare_account(account_id=account.pk, at=at)


def told_of(entry: Entry) -> Any:
    """Name who has told of an entry."""
    with acting_as(SYSTEM):
        return entry.told_by()


def open_ledger(account: Any, cash: str = "0.00") -> None:
    """Let an account's ledger be complete, with so much cash that somebody has deposited."""
    with acting_as(SYSTEM):
        services.post(movement(account, "DEPOSIT", cash))
        LedgerBook.objects.update_or_create(
            account_id=account.pk,
            defaults={"user_id": account.user_id, "opened_at": NOW, "agreed_at": NOW},
        )


def hold(account: Any, reference: UUID, amount: str) -> Entry:
    with acting_as(SYSTEM):
        return services.hold(
            account_id=account.pk,
            user_id=account.user_id,
            reference=reference,
            amount=Decimal(amount),
            at=NOW,
        )


def release(reference: UUID, most: str | None = None) -> Decimal:
    with acting_as(SYSTEM):
        limit = None if most is None else Decimal(most)
        return services.release(reference=reference, most=limit, at=NOW)


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def pass_time(seconds: float) -> None:
    """Move the database's clock for this connection; another call adds to it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('clera.clock_offset', (coalesce(nullif(current_setting("
            "'clera.clock_offset', true), ''), '0')::interval + %s * interval '1 second')::text,"
            " false)",
            [seconds],
        )


def same_time() -> None:
    """Give the database's clock back its own time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('clera.clock_offset', '', false)")
