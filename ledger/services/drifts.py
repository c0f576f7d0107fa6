"""Settling differences with the broker's books: one person proposes how, another one does it."""

from datetime import datetime
from uuid import UUID

from accounts import services as accounts
from core import audit
from core.auth import Principal, acting_as
from core.clock import Now
from core.differences import NotOpen, NotProposed, demand_note
from core.errors import CleraError, Invalid, NotFound
from ledger import selectors
from ledger.models import Drift, Entry, LedgerBook
from ledger.services import noticing, posting
from ledger.services.posting import Movement
from ledger.states import DriftKind, DriftState, EntryKind, Remedy, WitnessKind


class SamePerson(CleraError):
    """Two people are needed, so that nobody writes into the books alone."""

    code = "same_person"
    status = 403
    detail = "Somebody else than who proposed it has to approve it."


class Moved(CleraError):
    """The books are no longer those that were compared."""

    code = "drift_moved"
    status = 409
    detail = "The books have moved since they were compared. They are compared again now."


def propose(*, staff: Principal, drift_id: UUID, remedy: str, note: str, at: datetime) -> Drift:
    """
    Propose how an open difference is settled: by booking it, or by explaining it.

    :raises NotFound: there is no such difference.
    :raises Invalid: no note is given, or the remedy does not fit.
    :raises NotOpen: nobody has to decide about it.
    """
    why = demand_note(note)
    with acting_as(staff):
        drift = _locked(drift_id)
        _demand_remedy(drift, remedy)
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
        _record("drift.proposed", staff, drift, remedy=remedy, note=why)
    return drift


def withdraw_proposal(*, staff: Principal, drift_id: UUID, note: str, at: datetime) -> Drift:
    """
    Take a proposal back, one's own or somebody else's, so that the difference is open again.

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
        _record("drift.withdrawn", staff, drift, note=why)
    return drift


def resolve(*, staff: Principal, drift_id: UUID, at: datetime) -> Drift:
    """
    Settle a difference as another person has proposed, and have the books compared again.

    :raises NotFound: there is no such difference.
    :raises NotProposed: there is no proposal.
    :raises SamePerson: the same person has proposed it.
    :raises Moved: the books have moved since, so that the figure proposed may be wrong.
    """
    with acting_as(staff):
        drift = _locked(drift_id)
        if drift.state != DriftState.PROPOSED:
            raise NotProposed
        if drift.proposed_by == staff.name:
            raise SamePerson
        is_stale = _is_stale(drift)
        if not is_stale:
            _settle(drift, staff=staff, at=at)
        LedgerBook.objects.filter(pk=drift.account_id).update(due_at=Now())
    if is_stale:  # after the commit, so that the books are compared whatever the caller shows
        raise Moved
    return drift


def ask_for_comparison(*, staff: Principal, account_id: UUID) -> None:
    """Put on record that a member of staff had the books compared, and make it their turn."""
    with acting_as(staff):
        book = LedgerBook.objects.filter(pk=account_id).first()
        if book is None:
            raise NotFound("This account has no ledger.")
        LedgerBook.objects.filter(pk=account_id).update(due_at=Now())
        audit.record(
            "ledger.asked",
            principal=staff,
            subject_kind="ledger.LedgerBook",
            subject_id=account_id,
            user_id=book.user_id,
        )


def _settle(drift: Drift, *, staff: Principal, at: datetime) -> None:
    entry = _book(drift, at=at) if drift.remedy == Remedy.ADJUST else None
    if entry is None and drift.kind == DriftKind.BALANCE:
        LedgerBook.objects.filter(pk=drift.account_id).update(explained=drift.difference)
    if entry is not None and drift.kind == DriftKind.BALANCE:
        _forget_others(drift, at=at)
    drift.advance(DriftState.RESOLVED, at=at, resolved_by=staff.name, adjustment=entry)
    _record("drift.resolved", staff, drift, remedy=drift.remedy, entry=entry and str(entry.pk))


def _forget_others(drift: Drift, *, at: datetime) -> None:
    """Have people think again about single entries: the whole difference has just been booked."""
    others = Drift.objects.filter(account_id=drift.account_id, state=DriftState.PROPOSED)
    for other in others.exclude(pk=drift.pk).select_for_update(no_key=True):
        other.forget_proposal(at=at)


def _book(drift: Drift, *, at: datetime) -> Entry | None:
    """Write the difference down; an entry that the broker never had is taken back."""
    told_by, name = WitnessKind.OPERATOR, f"drift:{drift.pk}"
    if drift.entry_id is not None:
        return posting.reverse(entry_id=drift.entry_id, told_by=told_by, external_id=name, at=at)
    return posting.post(
        Movement(
            account_id=drift.account_id,
            kind=EntryKind.ADJUSTMENT,
            cash=drift.difference,
            occurred_at=at,
            told_by=told_by,
            external_id=name,
        )
    )


def _is_stale(drift: Drift) -> bool:
    """Say whether cash has moved since, or the witness that lacked has told."""
    if drift.kind != DriftKind.BALANCE:
        return not noticing.is_lacking(drift)
    ours = selectors.cash_of(account_id=drift.account_id).total
    return bool(drift.evidence.get("ours") != str(ours))


def _locked(drift_id: UUID) -> Drift:
    """Lock the account, then the difference: comparing does so too."""
    found = Drift.objects.filter(pk=drift_id).first()
    if found is None:
        raise NotFound("There is no such difference.")
    accounts.lock_account(account_id=found.account_id)
    return Drift.objects.select_for_update(no_key=True).get(pk=drift_id)


def _demand_remedy(drift: Drift, remedy: str) -> None:
    rule = ""
    if remedy not in Remedy.values:
        rule = "Choose how it is settled."
    elif remedy == Remedy.ADJUST and drift.kind == DriftKind.NOT_OURS:
        rule = "Both books have this movement, so there is nothing to book."
    if rule:
        raise Invalid(rule, field_errors={"remedy": [rule]})


def _record(action: str, staff: Principal, drift: Drift, **details: object) -> None:
    audit.record(
        action,
        principal=staff,
        subject_kind="ledger.Drift",
        subject_id=drift.pk,
        user_id=drift.user_id,
        difference=str(drift.difference),
        **details,
    )
