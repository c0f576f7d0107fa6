"""Writing movements of cash down, once each however many tell of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog
from django.db.models import Q

from accounts import services as accounts
from core.errors import CleraError
from core.money import Money
from ledger.models import Entry, Witness, books_of
from ledger.services import holds
from ledger.states import CASH, OTHER_SIDE, TRANSFERS, Book, EntryKind, WitnessKind

logger = structlog.get_logger()
# The broker may book a transfer this long before or after it tells of its end.
SAME_TRANSFER_WITHIN: Final = timedelta(days=7)


class AlreadyReversed(CleraError):
    """An entry is taken back once."""

    code = "already_reversed"
    status = 409
    detail = "This entry has been taken back already."


@dataclass(frozen=True, kw_only=True)
class Movement:
    """
    Cash that came into an account (`cash` above zero, in dollars) or left it.

    `told_by` and `external_id` name who says so; the same words again change nothing.
    `natural_key` is what two who tell of the same movement both know, if there is such a thing;
    `reference` our id of what it belongs to, whose hold it uses up.
    """

    account_id: UUID
    kind: EntryKind
    cash: Decimal
    occurred_at: datetime
    told_by: WitnessKind
    external_id: str
    natural_key: str = ""
    reference: UUID | None = None
    symbol: str = ""


def post(movement: Movement) -> Entry | None:
    """
    Write a movement down in the caller's transaction, or add this witness to what is written.

    The caller is acting as the system or as staff. Locks the account first, so that two who
    tell of the same movement at the same time meet. Less than half a cent is no movement, and
    nothing is written.

    :raises NotFound: there is no such account.
    """
    if not Money.rounded(movement.cash).amount:
        return None
    account = accounts.lock_account(account_id=movement.account_id)
    heard = Witness.objects.filter(kind=movement.told_by, external_id=movement.external_id)
    known = heard.select_related("entry").first()
    if known is not None:
        return known.entry
    entry = _told_by_others(movement) or _write(movement, user_id=account.user_id)
    Witness.objects.create(
        user_id=account.user_id,
        entry=entry,
        kind=movement.told_by,
        external_id=movement.external_id,
    )
    return entry


def _told_by_others(movement: Movement) -> Entry | None:
    """Find the entry that somebody else has told of and this witness has not."""
    silent = books_of(movement.account_id).exclude(witnesses__kind=movement.told_by)
    if movement.natural_key:
        return silent.filter(natural_key=movement.natural_key).first()
    if movement.kind not in TRANSFERS:
        return None
    amount = Money.rounded(abs(movement.cash)).amount
    way = Q(debit__in=CASH) if movement.cash > 0 else Q(credit__in=CASH)
    near = silent.filter(
        way,
        kind__in=sorted(TRANSFERS),
        amount=amount,
        reversed_by__isnull=True,
        occurred_at__gte=movement.occurred_at - SAME_TRANSFER_WITHIN,
        occurred_at__lte=movement.occurred_at + SAME_TRANSFER_WITHIN,
    )
    return min(near, key=lambda entry: abs(entry.occurred_at - movement.occurred_at), default=None)


def _write(movement: Movement, *, user_id: str) -> Entry:
    amount = Money.rounded(abs(movement.cash)).amount
    if movement.cash < 0 and movement.reference is not None:
        holds.release(reference=movement.reference, most=amount, at=movement.occurred_at)
    other = OTHER_SIDE[movement.kind]
    into, out_of = (Book.AVAILABLE, other) if movement.cash > 0 else (other, Book.AVAILABLE)
    entry = Entry.objects.create(
        user_id=user_id,
        account_id=movement.account_id,
        kind=movement.kind,
        debit=into,
        credit=out_of,
        amount=amount,
        reference=movement.reference,
        natural_key=movement.natural_key,
        symbol=movement.symbol[:32],
        occurred_at=movement.occurred_at,
    )
    logger.info("ledger.posted", id=str(entry.pk), entry_kind=entry.kind)
    return entry


def reverse(*, entry_id: UUID, told_by: WitnessKind, external_id: str, at: datetime) -> Entry:
    """
    Take an entry back with one that moves the same cash the other way, in the caller's transaction.

    Repeating it with the same witness changes nothing.

    :raises AlreadyReversed: somebody else has taken it back.
    """
    wrong = Entry.objects.get(pk=entry_id)
    accounts.lock_account(account_id=wrong.account_id)
    earlier = Entry.objects.filter(reverses=wrong).first()
    if earlier is not None:
        if Witness.objects.filter(entry=earlier, kind=told_by, external_id=external_id).exists():
            return earlier
        raise AlreadyReversed
    entry = Entry.objects.create(
        user_id=wrong.user_id,
        account_id=wrong.account_id,
        kind=wrong.kind,
        debit=wrong.credit,
        credit=wrong.debit,
        amount=wrong.amount,
        reference=wrong.reference,
        symbol=wrong.symbol,
        reverses=wrong,
        occurred_at=at,
    )
    Witness.objects.create(
        user_id=wrong.user_id, entry=entry, kind=told_by, external_id=external_id
    )
    return entry
