"""From a page at Plaid to a linked bank: whoever brings the news, it has one effect."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import zip_longest
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import IntegrityError

from accounts import selectors as accounts
from accounts import services as account_services
from core import idempotency
from core.auth import SYSTEM, Principal, acting_as
from core.clock import Now
from core.db.violations import broken_constraint
from core.errors import CleraError, Invalid, NotFound, VendorError
from core.ids import new_id
from core.intents.models import FREE
from core.intents.sending import release_connection
from funding.models import LinkSession, token_index
from funding.services import items, link_ends, link_steps, relationships, rules, turns
from funding.services.relationships import RelationshipExists
from funding.states import LINK_WAITING, LinkState

logger = structlog.get_logger()
L = LinkState
BATCH: Final = 50
_UNKNOWN_TOKEN: Final = "Plaid does not know this token; begin with a new page."  # noqa: S105


class DuplicateItem(CleraError):
    """The customer has linked this bank account already."""

    code = "duplicate_item"
    status = 409
    detail = "This bank account is linked already; nothing has been added."


class SignInFailed(CleraError):
    """Nothing came of a sign-in; the reason says why."""

    code = "sign_in_failed"
    status = 422
    detail = "The bank could not be linked; please link it again."


class SignInUnfinished(CleraError):
    """The customer has not come to the end of the page."""

    code = "sign_in_unfinished"
    status = 409
    detail = "The sign-in at the bank is not finished; ask again when it is."


def process_token(
    *,
    principal: Principal,
    account_id: str | UUID,
    public_token: str,
    plaid_account_id: str,
    request: idempotency.Request | None,
    at: datetime,
) -> LinkSession:
    """
    Link the bank that a public token stands for, once, however often it is brought.

    :raises NotFound: there is no such account.
    :raises AccountNotActive: the account may not move money; nothing was exchanged.
    :raises AccountFrozen: our staff has stopped it; nothing was exchanged.
    :raises RelationshipExists: the account has another bank.
    :raises DuplicateItem: the customer has linked this bank account before.
    :raises SignInFailed: nothing came of it.
    :raises Invalid: the token belongs to somebody else.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    if request:
        request.concerns(account.pk)
    session_id = _record(principal, account.pk, public_token, plaid_account_id, request=request)
    return _outcome(go_on(session_id, at=at))


def finish(
    *, principal: Principal, account_id: str | UUID, session_id: UUID, at: datetime
) -> LinkSession:
    """
    Look now at what came of a page, as the customer returns from it.

    :raises NotFound: there is no such account, or it has no such page.
    :raises SignInUnfinished: the customer has not come to its end.
    :raises RelationshipExists: the account has another bank.
    :raises DuplicateItem: the customer has linked this bank account before.
    :raises SignInFailed: nothing came of it.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        asked = LinkSession.objects.filter(pk=session_id, account_id=account.pk)
        if not asked.exists():
            raise NotFound("This account has no such page.")
    session = go_on(session_id, at=at)
    if session.state == L.OPEN and session.sealed_public_token is None:
        raise SignInUnfinished(retry_after_seconds=2)
    return _outcome(session)


def sweep_links(*, at: datetime) -> int:
    """
    Carry on with every sign-in that is due, and with what is to be removed at Plaid.

    Returns how many there were; one that fails does not stop the others.
    """

    def due() -> list[turns.Act]:
        # In turns, so that neither waits until the other has none left.
        both = zip_longest(_due(at=at), items.removals_due(at=at))
        return [act for pair in both for act in pair if act is not None]

    return turns.take(turns.LINKS, due=due)


def _due(*, at: datetime) -> list[turns.Act]:
    with acting_as(SYSTEM):
        due = LinkSession.objects.waiting().filter(FREE, due_at__lte=Now()).order_by("due_at")
        ids = list(due.values_list("pk", flat=True)[:BATCH])
    return [partial(_act, session_id, at=at) for session_id in ids]


def _act(session_id: UUID, *, at: datetime) -> None:
    try:
        go_on(session_id, at=at)
    except Exception:
        logger.exception("bank_sign_in.broken", id=str(session_id))


def nudge(*, link_token_indexes: set[str]) -> None:
    """Have Plaid asked about these pages at once; what is not ours is left aside."""
    named = LinkSession.objects.waiting().filter(link_token_index__in=link_token_indexes)
    named.update(due_at=Now())


def go_on(session_id: UUID, *, at: datetime) -> LinkSession:
    """
    Take a sign-in as far as it can come now, unless somebody else is at it.

    Where Plaid gives no answer, the sweep comes back to it.
    """
    session = _take(session_id)
    if session is not None and session.state == L.EXCHANGING:
        link_steps.lose(session, at=at)  # whoever was at it died
        session = None
    while session is not None and session.state in LINK_WAITING:
        release_connection()
        if not _step(session, at=at):
            break
        session = _read(session_id)
        if session.state == L.EXCHANGING:
            break  # somebody else has begun it
    return _read(session_id)


def _step(session: LinkSession, *, at: datetime) -> bool:
    try:
        return _STEPS[LinkState(session.state)](session, at=at)
    except VendorError as error:
        logger.warning("bank_sign_in.step_failed", id=str(session.pk), error=error.code)
        return link_ends.pause(session)


_STEPS: Final[dict[LinkState, Callable[..., bool]]] = {
    L.OPEN: link_steps.look,
    L.EXCHANGED: link_steps.link,
}


def _take(session_id: UUID) -> LinkSession | None:
    """Take the lease, if nobody has it; one UPDATE decides."""
    with acting_as(SYSTEM):
        waiting = LinkSession.objects.waiting().filter(FREE, pk=session_id)
        if not waiting.update(lease_until=link_ends.lease_end()):
            return None
    return _read(session_id)


def _read(session_id: UUID) -> LinkSession:
    with acting_as(SYSTEM):
        found = LinkSession.objects.select_related("account", "item", "relationship__account")
        return found.get(pk=session_id)


def _record(
    principal: Principal,
    account_id: UUID,
    public_token: str,
    plaid_account_id: str,
    *,
    request: idempotency.Request | None,
) -> UUID:
    """Find the sign-in that has brought this token already, or write one down."""
    wanted, index = new_id(), token_index(public_token)
    with _one_owner_of_a_token(), acting_as(principal):
        idempotency.claim(request, resource_id=wanted)
        account = account_services.lock_account(account_id=account_id)
        earlier = _brought(index, account_id)
        if earlier is not None:
            return earlier
        rules.demand_active(account)
        relationships.demand_no_bank(account.pk)
        session = LinkSession.bring(
            account, pk=wanted, public_token=public_token, plaid_account_id=plaid_account_id
        )
    return session.pk


@contextmanager
def _one_owner_of_a_token() -> Iterator[None]:
    """Refuse in words when the token comes for another account at the same moment."""
    try:
        yield
    except IntegrityError as error:
        if broken_constraint(error) != "funding_public_token_once":
            raise
        raise _somebody_elses() from error


def _brought(index: str, account_id: UUID) -> UUID | None:
    with acting_as(SYSTEM):
        earlier = LinkSession.objects.filter(public_token_index=index).first()
    if earlier is None:
        return None
    if earlier.account_id != account_id:
        raise _somebody_elses()
    return earlier.pk


def _somebody_elses() -> Invalid:
    return Invalid(f"publicToken: {_UNKNOWN_TOKEN}", field_errors={"publicToken": [_UNKNOWN_TOKEN]})


def _outcome(session: LinkSession) -> LinkSession:
    """Return what goes on or has led to a bank; say what all else has come to."""
    if session.state == L.DUPLICATE:
        bank: Any = session.relationship
        raise DuplicateItem(extra={"relationship_id": bank.public_id if bank else None})
    if session.state == L.FAILED and session.reason_code == "relationship_exists":
        raise RelationshipExists(session.reason or None)
    if session.state in {L.FAILED, L.EXPIRED}:
        code = session.reason_code or session.state.lower()
        raise SignInFailed(session.reason or None, extra={"reason_code": code})
    return session
