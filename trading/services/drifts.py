"""Where our lots and what the broker shows differ: noticed, healed, or settled by two people."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from django.conf import settings

from accounts import services as accounts
from core import audit
from core.auth import SYSTEM, Principal, acting_as
from core.clock import Now, database_now
from core.differences import NotOpen, NotProposed, demand_note
from core.errors import CleraError, Invalid, NotFound
from trading.lots.cents import ZERO, part_of
from trading.models import LotBook, Position, PositionDrift, ShareMovement
from trading.models.drifts import STANDING
from trading.services import lots
from trading.states import (
    UNSETTLED_DRIFT,
    BasisSource,
    DriftRemedy,
    DriftState,
    MovementKind,
)

logger = structlog.get_logger()


class SamePerson(CleraError):
    """Two people are needed, so that nobody writes shares into the books alone."""

    code = "same_person"
    status = 403
    detail = "Somebody else than who proposed it has to confirm it."


class Moved(CleraError):
    """The figures are no longer those that were proposed about."""

    code = "drift_moved"
    status = 409
    detail = "The position has moved since; what was proposed may be wrong now."


# Noticing


def watch(book: LotBook, *, shown: Decimal, at: datetime) -> None:
    """Note, with the account locked, whether one symbol's lots differ from what is shown of it."""
    if book.quantity == shown and not book.differs:
        return
    _note(book.account_id, book.user_id, book.symbol, ours=book.quantity, theirs=shown, at=at)


def compare(account_id: UUID, user_id: str, *, at: datetime) -> list[str]:
    """
    Compare every symbol's lots with what is shown, with the account locked; list what differs.

    What orders explain, whose fills nobody has told of, is taken into the lots first.
    """
    apart = _apart(account_id)
    explained = lots.explain_by_orders(account_id, apart, at=at) if apart else set()
    if explained:
        lots.refold(account_id, user_id, explained)
        apart = _apart(account_id)
    noted = PositionDrift.objects.filter(account_id=account_id, state__in=sorted(STANDING))
    for symbol in {*apart, *noted.values_list("symbol", flat=True)}:
        ours, theirs = apart.get(symbol, (ZERO, ZERO))
        _note(account_id, user_id, symbol, ours=ours, theirs=theirs, at=at)
    return sorted(apart)


def has_unsettled(account_id: UUID) -> bool:
    """Say whether something of an account differs that nobody has explained."""
    with acting_as(SYSTEM):
        found = PositionDrift.objects.filter(
            account_id=account_id, state__in=sorted(UNSETTLED_DRIFT)
        )
        return found.exists()


def unsettled_accounts() -> list[UUID]:
    """List the accounts of which something differs that nobody has explained."""
    found = PositionDrift.objects.filter(state__in=sorted(UNSETTLED_DRIFT))
    return list(found.values_list("account_id", flat=True).distinct())


def _apart(account_id: UUID) -> dict[str, tuple[Decimal, Decimal]]:
    """Find the symbols of which our figure and the one shown are not the same."""
    ours = dict(LotBook.objects.filter(account_id=account_id).values_list("symbol", "quantity"))
    shown = dict(Position.objects.filter(account_id=account_id).values_list("symbol", "quantity"))
    pairs = {
        symbol: (ours.get(symbol, ZERO), shown.get(symbol, ZERO)) for symbol in {*ours, *shown}
    }
    return {symbol: pair for symbol, pair in pairs.items() if pair[0] != pair[1]}


def _note(
    account_id: UUID, user_id: str, symbol: str, *, ours: Decimal, theirs: Decimal, at: datetime
) -> None:
    standing = PositionDrift.objects.filter(
        account_id=account_id, symbol=symbol, state__in=sorted(STANDING)
    )
    drift = standing.first()
    if drift is not None and _is_over(drift, ours=ours, theirs=theirs):
        drift.advance(DriftState.HEALED, at=at)
        drift = None
    if drift is not None:
        _go_on(drift, ours=ours, theirs=theirs, at=at)
    elif ours != theirs:
        PositionDrift.objects.create(
            account_id=account_id, user_id=user_id, symbol=symbol, ours=ours, theirs=theirs
        )
        logger.info("position.drift_suspected", account_id=str(account_id), symbol=symbol)
    books = LotBook.objects.filter(account_id=account_id, symbol=symbol)
    books.exclude(differs=ours != theirs).update(differs=ours != theirs)


def _is_over(drift: PositionDrift, *, ours: Decimal, theirs: Decimal) -> bool:
    """Say whether it is gone, or is no longer the one that was explained."""
    if ours == theirs:
        return True
    has_changed = theirs - ours != drift.theirs - drift.ours
    return drift.state == DriftState.ACCEPTED and has_changed


def _go_on(drift: PositionDrift, *, ours: Decimal, theirs: Decimal, at: datetime) -> None:
    has_changed = theirs - ours != drift.theirs - drift.ours
    drift.ours, drift.theirs, drift.seen_at = ours, theirs, Now()
    if drift.state == DriftState.SUSPECTED and has_changed:
        drift.created_at = Now()  # news is arriving
    if drift.state == DriftState.PROPOSED and has_changed:
        drift.forget_proposal(at=at)
    elif drift.state == DriftState.SUSPECTED and not has_changed and _is_old(drift):
        drift.advance(DriftState.OPEN, at=at)
        logger.error(
            "position.drift",
            id=str(drift.pk),
            account_id=str(drift.account_id),
            symbol=drift.symbol,
        )
    else:
        drift.save(update_fields=["ours", "theirs", "created_at", "seen_at"])


def _is_old(drift: PositionDrift) -> bool:
    """Say whether it is there for longer than news needs to arrive."""
    return drift.created_at <= database_now() - timedelta(seconds=settings.POSITION_DRIFT_SECONDS)


# Settling


def propose(
    *, staff: Principal, drift_id: UUID, remedy: str, note: str, at: datetime
) -> PositionDrift:
    """
    Propose how an open difference is settled: our lots follow the broker, or stay as they are.

    :raises NotFound: there is no such difference.
    :raises Invalid: no note is given, or the remedy is none.
    :raises NotOpen: nobody has to decide about it.
    """
    why = demand_note(note)
    if remedy not in DriftRemedy.values:
        rule = "Choose how it is settled."
        raise Invalid(rule, field_errors={"remedy": [rule]})
    with acting_as(staff):
        drift = _locked(drift_id)
        if drift.state != DriftState.OPEN:
            raise NotOpen
        drift.advance(
            DriftState.PROPOSED,
            at=at,
            remedy=remedy,
            note=why,
            proposed_by=staff.name,
            proposed_at=at,
        )
        _record("position_drift.proposed", staff, drift)
    return drift


def withdraw(*, staff: Principal, drift_id: UUID, note: str, at: datetime) -> PositionDrift:
    """
    Take a proposal back, one's own or somebody else's.

    :raises NotFound: there is no such difference.
    :raises Invalid: no note is given.
    :raises NotProposed: there is no proposal.
    """
    why = demand_note(note)
    with acting_as(staff):
        drift = _locked(drift_id)
        if drift.state != DriftState.PROPOSED:
            raise NotProposed
        drift.forget_proposal(at=at)
        _record("position_drift.withdrawn", staff, drift, why=why)
    return drift


def confirm(*, staff: Principal, drift_id: UUID, at: datetime) -> PositionDrift:
    """
    Settle a difference as another person has proposed.

    :raises NotFound: there is no such difference.
    :raises NotProposed: there is no proposal.
    :raises SamePerson: the same person has proposed it.
    :raises Moved: the position or the lots have moved since.
    """
    with acting_as(staff):
        drift = _locked(drift_id)
        if drift.state != DriftState.PROPOSED:
            raise NotProposed
        if drift.proposed_by == staff.name:
            raise SamePerson
        ours, theirs = _apart(drift.account_id).get(drift.symbol, (ZERO, ZERO))
        if theirs - ours != drift.theirs - drift.ours:
            raise Moved
        is_adopted = drift.remedy == DriftRemedy.ADOPT
        if is_adopted:
            _adopt(drift, at=at)
        drift.advance(
            DriftState.SETTLED if is_adopted else DriftState.ACCEPTED,
            at=at,
            confirmed_by=staff.name,
        )
        _record("position_drift.confirmed", staff, drift)
    return drift


def _adopt(drift: PositionDrift, *, at: datetime) -> None:
    """Have our lots follow the broker: shares that come cost what it says they do on average."""
    change, cost = drift.theirs - drift.ours, None
    position = Position.objects.filter(account_id=drift.account_id, symbol=drift.symbol).first()
    if change > 0 and position is not None and position.cost_basis > 0:
        cost = part_of(position.cost_basis, change, max(position.quantity, change))
    ShareMovement.objects.create(
        user_id=drift.user_id,
        account_id=drift.account_id,
        external_id=f"drift:{drift.pk}",
        kind=MovementKind.ADJUSTMENT,
        symbol=drift.symbol,
        quantity=change,
        cost=cost,
        basis_source=BasisSource.UNKNOWN if cost is None else BasisSource.OPERATOR,
        at=at,
    )
    lots.refold(drift.account_id, drift.user_id, [drift.symbol])
    LotBook.objects.filter(account_id=drift.account_id, symbol=drift.symbol).update(differs=False)


def _locked(drift_id: UUID) -> PositionDrift:
    """Lock the account, under whose lock differences are noticed."""
    found = PositionDrift.objects.filter(pk=drift_id).first()
    if found is None:
        raise NotFound("There is no such difference.")
    accounts.lock_account(account_id=found.account_id)
    return PositionDrift.objects.select_for_update(no_key=True).get(pk=drift_id)


def _record(action: str, staff: Principal, drift: PositionDrift, **details: str) -> None:
    audit.record(
        action,
        principal=staff,
        subject_kind="trading.PositionDrift",
        subject_id=drift.pk,
        user_id=drift.user_id,
        symbol=drift.symbol,
        ours=str(drift.ours),
        theirs=str(drift.theirs),
        remedy=drift.remedy,
        note=drift.note,
        **details,
    )
