"""Writing movements of cash down, once each however many tell of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Final
from uuid import UUID

import structlog
from django.db.models import Q

from accounts import services as accounts
from core.errors import CleraError
from core.money import Money
from ledger.models import Entry, Witness, books_of
from ledger.services import holds
from ledger.states import CASH, FILLS, OTHER_SIDE, TRANSFERS, Book, EntryKind, WitnessKind

logger = structlog.get_logger()
# The broker may book a transfer this long before or after it tells of its end.
SAME_WITHIN: Final = timedelta(days=7)
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + SAME_WITHIN
_LAST: Final = datetime.max.replace(tzinfo=UTC) - SAME_WITHIN
_TAKEN_BACK: Final = ":taken_back"
_READ: Final = "read:"
_NUMBER: Final = "#"
_CORRECTION: Final = Q(natural_key="") | Q(natural_key__contains=_NUMBER)


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
    `natural_key` is what two who tell of the same movement both know, if there is such a thing:
    of a fill its `fill_key`. What corrects a fill has that key again, or none. `quantity` is how
    much was bought or sold with a fill.
    `reference` is our id of what it belongs to, whose hold it uses up.
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
    quantity: Decimal | None = None

    @property
    def amount(self) -> Decimal:
        """What is moved, in whole cents, whichever way."""
        return Money.rounded(abs(self.cash)).amount


def fill_key(broker_order_id: str, cumulative: Decimal) -> str:
    """Name a fill as an execution and the broker's books both can: by how much was filled then."""
    whole, _, fraction = format(cumulative, "f").partition(".")
    fraction = fraction.rstrip("0")
    return f"fill:{broker_order_id.lower()}:{whole}{'.' if fraction else ''}{fraction}"


def read_name(natural_key: str) -> str:
    """Name an execution that only a reading of its order vouches for, by its fill's key."""
    return f"{_READ}{natural_key}"


def post(movement: Movement) -> Entry | None:
    """
    Write a movement down in the caller's transaction, or add this witness to what is written.

    The caller is acting as the system or as staff. Locks the account first, so that two who
    tell of the same movement at the same time meet. Less than half a cent is no movement, and
    nothing is written; nor is what was told of another account under the same name.

    :raises NotFound: there is no such account.
    """
    if not movement.amount:
        return None
    user_id = accounts.lock_account(account_id=movement.account_id).user_id
    if (known := _heard(movement)) is not None:
        return _unless_foreign(known, movement)
    entry, natural_key = _told_by_others(movement)
    if entry is None:
        entry = _write(movement, natural_key=natural_key, user_id=user_id)
    _witness(movement, entry)
    return entry


def confirm(movement: Movement) -> Entry | None:
    """
    Add this witness to the entry that others have told of, and never write one.

    Runs like `post`; returns nothing when nobody has told of such a movement yet.

    :raises NotFound: there is no such account.
    """
    if not movement.amount:
        return None
    accounts.lock_account(account_id=movement.account_id)
    if (known := _heard(movement)) is not None:
        return _unless_foreign(known, movement)
    entry, _ = _told_by_others(movement)
    if entry is not None:
        _witness(movement, entry)
    return entry


def reverse(*, entry_id: UUID, told_by: WitnessKind, external_id: str, at: datetime) -> Entry:
    """
    Take an entry back with one that moves the same cash the other way, in the caller's transaction.

    Somebody else who tells that it was taken back becomes the second witness of that; repeating
    it with the same words changes nothing.

    :raises AlreadyReversed: this kind of witness has taken it back in other words.
    """
    wrong = Entry.objects.get(pk=entry_id)
    accounts.lock_account(account_id=wrong.account_id)
    entry = Entry.objects.filter(reverses=wrong).first() or _take_back(wrong, at=at)
    witness, is_new = Witness.objects.get_or_create(
        entry=entry,
        kind=told_by,
        defaults={"external_id": external_id, "user_id": wrong.user_id},
    )
    if not is_new and witness.external_id != external_id:
        raise AlreadyReversed
    return entry


def take_back(
    *, account_id: UUID, told_by: WitnessKind, external_id: str, at: datetime
) -> Entry | None:
    """
    Reverse what this witness has told of under this name, since it says now that it is not so.

    Runs in the caller's transaction and account lock. Returns nothing when nobody has told of it,
    or of another account; repeating it changes nothing.
    """
    names = Witness.objects.filter(kind=told_by, external_id=external_id)
    told = names.filter(entry__account_id=account_id).first()
    if told is None:
        return None
    gone = f"{external_id}{_TAKEN_BACK}"
    return reverse(entry_id=told.entry_id, told_by=told_by, external_id=gone, at=at)


def _heard(movement: Movement) -> Entry | None:
    """Find what was told in these words; the event of an execution may come after a reading."""
    names = {movement.external_id}
    if movement.told_by == WitnessKind.EXECUTION and movement.natural_key:
        names.add(read_name(movement.natural_key))
    heard = Witness.objects.filter(kind=movement.told_by, external_id__in=names)
    known = heard.select_related("entry").first()
    return None if known is None else known.entry


def _unless_foreign(known: Entry, movement: Movement) -> Entry | None:
    """Leave another account's entry alone: what is missing in this one then shows as drift."""
    if known.account_id == movement.account_id:
        return known
    logger.error("ledger.told_of_another_account", id=str(known.pk), source=movement.told_by)
    return None


def _witness(movement: Movement, entry: Entry) -> None:
    """Keep who has told it; what it was held back for needs that cash no longer."""
    Witness.objects.create(
        user_id=entry.user_id,
        entry=entry,
        kind=movement.told_by,
        external_id=movement.external_id,
    )
    # Not only where it is written: the broker's books do not know what cash was held back for.
    if movement.cash < 0 and movement.reference is not None:
        holds.release(reference=movement.reference, most=movement.amount, at=movement.occurred_at)


def _told_by_others(movement: Movement) -> tuple[Entry | None, str]:
    """
    Find the entry that somebody else has told of and this witness has not.

    When there is none, the second value is the natural key that a new one gets.
    """
    if movement.kind in TRANSFERS:
        return _alike(movement, Q(kind__in=sorted(TRANSFERS))), ""
    entry, key = _with_key(movement) if movement.natural_key else (None, "")
    if entry is None and movement.kind in FILLS:
        entry = _corrected(movement)
    return entry, key


def _corrected(movement: Movement) -> Entry | None:
    """
    Find a fill that others name otherwise: by no key, or by another figure.

    Once a fill of an order was taken back, the two may count differently how much was filled.
    """
    fills = Q(kind__in=sorted(FILLS))
    unnamed = fills & Q(symbol=movement.symbol[:32])
    if not movement.natural_key:
        return _alike(movement, unnamed & _CORRECTION)
    order = f"{movement.natural_key.rpartition(':')[0]}:"
    of_order = fills & Q(natural_key__startswith=order)
    entry = _alike(movement, unnamed & Q(natural_key="") | of_order)
    if entry is None or not entry.natural_key:
        return entry
    taken_back = books_of(movement.account_id).filter(of_order, reversed_by__isnull=False)
    return entry if taken_back.exists() else None


def _with_key(movement: Movement) -> tuple[Entry | None, str]:
    """
    Find it by its key, or the key that is free.

    Two tellings of one kind are two movements: a fill and its correction have the same key, and
    the second gets a number. Of several that lack this witness the nearest in amount is meant.
    """
    keys = _numbered(movement.natural_key)
    silent: list[Entry] = []
    of_account = books_of(movement.account_id).select_related("reversed_by")
    key = next(keys)
    while (
        entry := of_account.filter(natural_key=key).prefetch_related("witnesses").first()
    ) is not None:
        has_told = any(witness.kind == movement.told_by for witness in entry.witnesses.all())
        if not has_told and not _is_settled_away(entry):
            silent.append(entry)
        key = next(keys)
    return min(silent, key=lambda entry: abs(entry.amount - movement.amount), default=None), key


def _is_settled_away(entry: Entry) -> bool:
    """Say whether only people have taken it back: who tells of it now tells something new."""
    back: Entry | None = getattr(entry, "reversed_by", None)
    return back is not None and back.told_by() == [WitnessKind.OPERATOR]


def _numbered(key: str) -> Iterator[str]:
    yield key
    yield from (f"{key}{_NUMBER}{number}" for number in count(2))


def _alike(movement: Movement, kinds: Q) -> Entry | None:
    """Find it by its amount and the nearest time: there is no name that both know."""
    way = Q(debit__in=CASH) if movement.cash > 0 else Q(credit__in=CASH)
    at = min(max(movement.occurred_at, _FIRST), _LAST)
    near = (
        books_of(movement.account_id)
        .exclude(witnesses__kind=movement.told_by)
        .filter(
            way,
            kinds,
            amount=movement.amount,
            reverses__isnull=True,
            reversed_by__isnull=True,
            occurred_at__gte=at - SAME_WITHIN,
            occurred_at__lte=at + SAME_WITHIN,
        )
    )

    def distance(entry: Entry) -> tuple[bool, timedelta, UUID]:
        is_another = entry.kind != movement.kind
        return is_another, abs(entry.occurred_at - movement.occurred_at), entry.pk

    return min(near, key=distance, default=None)


def _write(movement: Movement, *, natural_key: str, user_id: str) -> Entry:
    other = OTHER_SIDE[movement.kind]
    into, out_of = (Book.AVAILABLE, other) if movement.cash > 0 else (other, Book.AVAILABLE)
    entry = Entry.objects.create(
        user_id=user_id,
        account_id=movement.account_id,
        kind=movement.kind,
        debit=into,
        credit=out_of,
        amount=movement.amount,
        reference=movement.reference,
        natural_key=natural_key,
        symbol=movement.symbol[:32],
        quantity=movement.quantity,
        occurred_at=movement.occurred_at,
    )
    logger.info("ledger.posted", id=str(entry.pk), kind=entry.kind)
    return entry


def _take_back(wrong: Entry, *, at: datetime) -> Entry:
    entry = Entry.objects.create(
        user_id=wrong.user_id,
        account_id=wrong.account_id,
        kind=wrong.kind,
        debit=wrong.credit,
        credit=wrong.debit,
        amount=wrong.amount,
        reference=wrong.reference,
        symbol=wrong.symbol,
        quantity=wrong.quantity,
        reverses=wrong,
        occurred_at=at,
    )
    logger.info("ledger.reversed", id=str(wrong.pk), kind=wrong.kind)
    return entry
