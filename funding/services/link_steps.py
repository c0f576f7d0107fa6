"""The steps from a finished page at Plaid to a bank at the broker, each safe to be killed in."""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings

from accounts import services as account_services
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.intents.sending import release_connection, send_once
from core.intents.states import IntentState
from funding.gateways import (
    PAGE_GONE,
    ItemFacts,
    Login,
    ProcessorToken,
    Progress,
    SeenAccount,
    SignedIn,
    get_bank_sign_in,
)
from funding.models import AchRelationship, Chosen, LinkSession, PlaidItem, token_index
from funding.services import items, link_rules
from funding.services.relationships import RelationshipCourier
from funding.states import ITEM_IN_USE, ItemState, LinkPurpose, LinkState

logger = structlog.get_logger()
L = LinkState
# Plaid takes a public token for this long.
TOKEN_LASTS: Final = timedelta(minutes=30)
SHORTEST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=5)
LINK_AGAIN: Final = "The sign-in at the bank got lost on the way; please link the bank again."
ENDED: Final = "bank.sign_in_ended"


# OPEN: has the customer finished?


def look(session: LinkSession, *, at: datetime) -> bool:
    """
    Ask Plaid how far the customer has come, unless the token to exchange is here already.

    Each step says whether the next one may follow at once.
    """
    if session.sealed_public_token is not None:
        # What only the browser has brought nobody can bring again.
        if session.created_at + TOKEN_LASTS < at and session.sealed_link_token is None:
            return _fail(session, "expired", LINK_AGAIN, at=at)
        return _exchange(session, at=at)
    try:
        progress = get_bank_sign_in().read_progress(session.link_token())
    except VendorRejected as error:
        if error.vendor_code != PAGE_GONE:
            raise
        return _expire(session, at=at)
    return _go_by(progress, session, at=at)


def _go_by(progress: Progress, session: LinkSession, *, at: datetime) -> bool:
    if session.purpose == LinkPurpose.UPDATE:
        if progress.is_finished:
            return _mend(session, at=at)
    elif progress.signed_in is not None:
        return _note_sign_in(session, progress.signed_in, at=at)
    return _wait(session, at=at)


def _wait(session: LinkSession, *, at: datetime) -> bool:
    """Look again later, as long as the page lasts."""
    is_over = session.expires_at is not None and session.expires_at < at
    return _expire(session, at=at) if is_over else pause(session)


def _mend(session: LinkSession, *, at: datetime) -> bool:
    """Take over what the customer's new sign-in has changed for an item."""
    item = session.item
    assert item is not None  # noqa: S101 - what is to be mended was there before
    if item.state not in ITEM_IN_USE:
        return _expire(session, at=at)
    if items.check(item, at=at) != ItemState.LIVE:
        return _wait(session, at=at)
    with acting_as(SYSTEM):
        locked = _locked(session)
        if locked.state == L.OPEN:
            _end(locked, L.UPDATED, at=at)
    return False


def _note_sign_in(session: LinkSession, found: SignedIn, *, at: datetime) -> bool:
    """Keep the token that came of the page, unless nothing may come of it."""
    with acting_as(SYSTEM):
        account_services.lock_account(account_id=session.account_id)
        locked = _locked(session)
        if locked.state != L.OPEN or locked.sealed_public_token is not None:
            return True
        index = token_index(found.public_token)
        if LinkSession.objects.filter(public_token_index=index).exists():
            _end(locked, L.EXPIRED, at=at, reason="This sign-in was finished in another way.")
            return False
        twin = link_rules.find_twin(locked.user_id, found.institution_id, found.accounts)
        if twin is not None:
            _end(locked, L.DUPLICATE, at=at, relationship=link_rules.bank_of(twin))
            return False
        if link_rules.has_bank(locked):
            return _second_bank(locked, at=at)
        locked.hold_public_token(found.public_token)
        if len(found.accounts) == 1:
            locked.plaid_account_id = found.accounts[0].id
        locked.save()
    return True


# EXCHANGING: one call that must not be repeated


def _exchange(session: LinkSession, *, at: datetime) -> bool:
    with acting_as(SYSTEM):
        locked = _locked(session)
        if locked.state != L.OPEN:
            return True
        public_token = locked.public_token()
        locked.advance(L.EXCHANGING, at=at, lease_until=lease_end())
    release_connection()
    try:
        login = get_bank_sign_in().exchange(public_token)
    except VendorUnavailable:
        with acting_as(SYSTEM):
            locked = _locked(session)
            if locked.state == L.EXCHANGING:
                locked.advance(L.OPEN, at=at)
        return pause(session)
    except VendorRejected as error:
        return _fail(session, "refused", f"Plaid refused the sign-in: {error.detail}", at=at)
    except VendorUnclear:
        return lose(session, at=at)
    return _keep(session, login, at=at)


def lose(session: LinkSession, *, at: datetime) -> bool:
    """End an exchange of which nobody has heard the answer: it cannot be repeated."""
    return _fail(session, "lost", LINK_AGAIN, at=at)


def _keep(session: LinkSession, login: Login, *, at: datetime) -> bool:
    """Seal the access token before anything else is done with it."""
    with acting_as(SYSTEM):
        locked = _locked(session)
        known = PlaidItem.objects.filter(item_id=login.item_id).first()
        if known is not None:
            return _same_item(locked, known, at=at)
        if locked.state != L.EXCHANGING:
            # It was given up as lost meanwhile, and the customer was told so.
            PlaidItem.keep(
                account=locked.account,
                item_id=login.item_id,
                access_token=login.access_token,
                state=ItemState.REMOVING,
            )
            return False
        item = PlaidItem.keep(
            account=locked.account, item_id=login.item_id, access_token=login.access_token
        )
        locked.advance(L.EXCHANGED, at=at, item=item, lease_until=lease_end())
    return True


def _same_item(session: LinkSession, item: PlaidItem, *, at: datetime) -> bool:
    """End a sign-in that Plaid takes for one it had before; nothing of it is to be removed."""
    if session.state == L.EXCHANGING:
        is_theirs = item.user_id == session.user_id
        bank = link_rules.bank_of(item) if is_theirs else None
        _end(session, L.DUPLICATE if is_theirs else L.FAILED, at=at, relationship=bank)
    return False


# EXCHANGED: from a sign-in to a bank


def link(session: LinkSession, *, at: datetime) -> bool:
    """Make the next of: what is known of the item, the bank at the broker, the end."""
    if session.relationship_id is not None:
        return _follow_bank(session, at=at)
    item = session.item
    assert item is not None  # noqa: S101 - it was written in the same move
    if item.state not in ITEM_IN_USE:
        return _fail(session, "given_up", LINK_AGAIN, at=at)
    if not item.bank_accounts:
        return _learn(session, item, at=at)
    with acting_as(SYSTEM):
        locked = _locked(session)
        if locked.state != L.EXCHANGED or _is_in_the_way(locked, at=at):
            return False
    return _choose(session, item, at=at)


def _choose(session: LinkSession, item: PlaidItem, *, at: datetime) -> bool:
    """Have Plaid open one of the accounts to the broker."""
    chosen = link_rules.choose(session, item)
    if chosen is None:
        reason = "There is no checking or savings account that could be linked."
        return _fail(session, "no_account", reason, at=at)
    release_connection()
    try:
        access = item.access_token()
        token = get_bank_sign_in().make_processor_token(access, chosen.plaid_account_id)
    except VendorRejected as error:
        return _fail(session, "refused", f"Plaid refused the bank: {error.detail}", at=at)
    return _record_bank(session, chosen, token, at=at)


def _learn(session: LinkSession, item: PlaidItem, *, at: datetime) -> bool:
    try:
        access = item.access_token()
        facts: ItemFacts = get_bank_sign_in().read_item(access)
        accounts = get_bank_sign_in().list_accounts(access)
    except VendorRejected as error:
        return _fail(session, "refused", f"Plaid refused the sign-in: {error.detail}", at=at)
    if not accounts:
        return _fail(session, "no_account", "The bank has shown no account.", at=at)
    with acting_as(SYSTEM):
        kept = PlaidItem.objects.select_for_update(no_key=True).get(pk=item.pk)
        kept.take_over(facts, state=ItemState(kept.state), at=at)
        kept.bank_accounts = [account.to_json() for account in accounts]
        kept.save()
    return True


def _record_bank(
    session: LinkSession, chosen: Chosen, token: ProcessorToken, *, at: datetime
) -> bool:
    """Write the bank down under the id that the sign-in has, so that there is one at most."""
    with acting_as(SYSTEM):
        account = account_services.lock_account(account_id=session.account_id)
        # Two sign-ins of one customer may come this far together; here they come one by one.
        mine = PlaidItem.objects.in_use().filter(user_id=session.user_id).order_by("pk")
        held: dict[Any, PlaidItem] = {item.pk: item for item in mine.select_for_update(no_key=True)}
        locked = _locked(session)
        if locked.state != L.EXCHANGED or locked.relationship_id is not None:
            return True
        if _is_in_the_way(locked, at=at):
            return False
        item = held.get(locked.item_id)
        if item is None or not account.is_tradable:
            return _end(locked, L.FAILED, at=at, code="account_not_active", reason=_NOT_ACTIVE)
        locked.relationship = AchRelationship.sign_in(
            item, chosen, pk=locked.pk, secret=token.to_bytes(), at=at
        )
        locked.save()
    return True


_NOT_ACTIVE: Final = "The account is not active, so that no bank can be linked."


def _is_in_the_way(session: LinkSession, *, at: datetime) -> bool:
    """End a sign-in that would lead to a bank or an item that there is already."""
    item = session.item
    assert item is not None  # noqa: S101 - the caller has it
    accounts = [SeenAccount.from_json(each) for each in item.bank_accounts]
    twin = link_rules.find_twin(session.user_id, item.institution_id, accounts, apart_from=item)
    if twin is not None:
        _end(session, L.DUPLICATE, at=at, relationship=link_rules.bank_of(twin))
        return True
    if link_rules.has_bank(session):
        _second_bank(session, at=at)
        return True
    return False


def _follow_bank(session: LinkSession, *, at: datetime) -> bool:
    """Hand the bank to the broker once, and end as that ends."""
    assert session.relationship_id is not None  # noqa: S101 - the caller has asked
    bank = send_once(session.relationship_id, through=RelationshipCourier(), at=at)
    if not bank.is_settled or bank.state == IntentState.NEEDS_REVIEW:
        return pause(session)
    with acting_as(SYSTEM):
        locked = _locked(session)
        if locked.state != L.EXCHANGED:
            return False
        if bank.is_accepted:
            _end(locked, L.LINKED, at=at)
        else:
            code = bank.vendor_status.lower() or bank.reason_code
            reason = f"The broker refused the bank: {bank.reason}"
            _end(locked, L.FAILED, at=at, code=code, reason=reason)
    return False


# What steps have in common


def lease_end() -> Any:
    """Say until when whoever works on a sign-in has it to himself."""
    return Now() + timedelta(seconds=settings.INTENT_LEASE_SECONDS)


def pause(session: LinkSession) -> bool:
    """
    Come back after a quarter of its age: soon while the customer is at it, seldom later.

    News that came meanwhile have made it due, and are not overwritten.
    """
    with acting_as(SYSTEM):
        locked = LinkSession.objects.select_for_update(no_key=True).annotate(now=Now())
        row: Any = locked.get(pk=session.pk)
        row.looks = min(row.looks + 1, 32_000)
        row.lease_until = None
        if row.due_at == session.due_at:
            age = (row.now - row.created_at) / 4
            row.due_at = row.now + min(max(age, SHORTEST_PAUSE), LONGEST_PAUSE)
        row.save(update_fields=["looks", "lease_until", "due_at"])
    return False


def _locked(session: LinkSession) -> LinkSession:
    return LinkSession.objects.select_for_update(no_key=True).get(pk=session.pk)


def _expire(session: LinkSession, *, at: datetime) -> bool:
    with acting_as(SYSTEM):
        locked = _locked(session)
        if locked.state == L.OPEN:
            _end(locked, L.EXPIRED, at=at, reason="The page was not finished in time.")
    return False


def _second_bank(session: LinkSession, *, at: datetime) -> bool:
    reason = "This account has an active bank already; remove it before you link another."
    return _end(session, L.FAILED, at=at, code="relationship_exists", reason=reason)


def _fail(session: LinkSession, code: str, reason: str, *, at: datetime) -> bool:
    with acting_as(SYSTEM):
        locked = _locked(session)
        if locked.state in {session.state, L.EXCHANGING}:
            _end(locked, L.FAILED, at=at, code=code, reason=reason)
    return False


def _end(
    session: LinkSession,
    to: LinkState,
    *,
    at: datetime,
    code: str = "",
    reason: str = "",
    **changes: Any,
) -> bool:
    """End a sign-in, give up an item that nothing came of, and tell the customer."""
    bank = changes.get("relationship")
    if bank is not None:
        # The commit checks its row; whoever settles it locks that before the feed, and so do we.
        AchRelationship.objects.locked(bank.pk)
    item = session.item
    is_new = session.purpose == LinkPurpose.NEW
    if is_new and item is not None and item.state in ITEM_IN_USE and to != L.LINKED:
        items.give_up(item_id=item.pk, at=at)
    session.advance(to, at=at, reason=reason, reason_code=code[:64], **changes)
    account_services.push(
        account_id=session.account_id,
        user_id=session.user_id,
        kind=ENDED,
        payload={"session_id": str(session.pk), "state": to.value, "reason": session.reason},
    )
    logger.info("bank_sign_in.ended", id=str(session.pk), state=to, code=code)
    return False
