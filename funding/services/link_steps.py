"""The steps from a finished page at Plaid to a bank at the broker, each safe to be killed in."""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from accounts import services as account_services
from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.intents.sending import release_connection, send_once
from core.intents.states import IntentState
from funding.gateways import (
    PAGE_GONE,
    RELATIONSHIP_EXISTS,
    ItemFacts,
    Login,
    ProcessorToken,
    Progress,
    SeenAccount,
    SignedIn,
    get_bank_sign_in,
)
from funding.models import AchRelationship, Chosen, LinkSession, PlaidItem, token_index
from funding.services import items, link_rules, rules
from funding.services.link_ends import end, expire, fail, lease_end, lock, pause, second_bank
from funding.services.relationships import RelationshipCourier, look_for_lost_ones
from funding.states import ITEM_IN_USE, LINK_WAITING, ItemState, LinkPurpose, LinkState

logger = structlog.get_logger()
L = LinkState
# Plaid takes a public token for this long.
TOKEN_LASTS: Final = timedelta(minutes=30)
LINK_AGAIN: Final = "The sign-in at the bank got lost on the way; please link the bank again."
_NOTHING_TO_RENEW: Final = "The sign-in at the bank was given up, so that none can be renewed."


# OPEN: has the customer finished?


def look(session: LinkSession, *, at: datetime) -> bool:
    """
    Ask Plaid how far the customer has come, unless the token to exchange is here already.

    Each step says whether the next one may follow at once.
    """
    if session.sealed_public_token is not None:
        # What only the browser has brought nobody can bring again.
        if session.created_at + TOKEN_LASTS < at and session.sealed_link_token is None:
            return fail(session, "expired", LINK_AGAIN, at=at)
        return _exchange(session, at=at)
    try:
        progress = get_bank_sign_in().read_progress(session.link_token())
    except VendorRejected as error:
        if error.vendor_code != PAGE_GONE and not _is_over(session, at=at):
            raise
        return expire(session, at=at)
    return _go_by(progress, session, at=at)


def _go_by(progress: Progress, session: LinkSession, *, at: datetime) -> bool:
    if session.purpose == LinkPurpose.UPDATE:
        item = session.item
        assert item is not None  # noqa: S101 - what is to be mended was there before
        if item.state not in ITEM_IN_USE:
            return expire(session, at=at, reason=_NOTHING_TO_RENEW)
        if progress.is_finished:
            return _mend(session, item, at=at)
    elif progress.signed_in is not None:
        return _note_sign_in(session, progress.signed_in, at=at)
    return _wait(session, at=at)


def _wait(session: LinkSession, *, at: datetime) -> bool:
    """Look again later, as long as the page lasts."""
    return expire(session, at=at) if _is_over(session, at=at) else pause(session)


def _is_over(session: LinkSession, *, at: datetime) -> bool:
    return session.expires_at is not None and session.expires_at < at


def _mend(session: LinkSession, item: PlaidItem, *, at: datetime) -> bool:
    """Take over what the customer's new sign-in has changed for an item."""
    if items.check(item, at=at) != ItemState.LIVE:
        return _wait(session, at=at)
    with acting_as(SYSTEM):
        locked = lock(session)
        if locked.state == L.OPEN:
            end(locked, L.UPDATED, at=at)
    return False


def _note_sign_in(session: LinkSession, found: SignedIn, *, at: datetime) -> bool:
    """Keep the token that came of the page, unless nothing may come of it."""
    with acting_as(SYSTEM):
        account = account_services.lock_account(account_id=session.account_id)
        locked = lock(session)
        if locked.state != L.OPEN or locked.sealed_public_token is not None:
            return True
        index = token_index(found.public_token)
        earlier = LinkSession.objects.filter(public_token_index=index).first()
        if earlier is not None:
            return _end_like(locked, earlier, at=at)
        if _is_barred(locked, account, found, at=at):
            return False
        locked.hold_public_token(found.public_token)
        if len(found.accounts) == 1:
            locked.plaid_account_id = found.accounts[0].id
        locked.save()
    return True


def _end_like(session: LinkSession, earlier: LinkSession, *, at: datetime) -> bool:
    """End a page as the sign-in does with which the browser has brought its token."""
    if earlier.account_id != session.account_id:
        return end(session, L.EXPIRED, at=at, reason="This sign-in was finished elsewhere.")
    if earlier.state in LINK_WAITING:
        return pause(session)
    return end(
        session,
        LinkState(earlier.state),
        at=at,
        code=earlier.reason_code,
        reason=earlier.reason,
        relationship=earlier.relationship,
    )


def _is_barred(session: LinkSession, account: Any, found: SignedIn, *, at: datetime) -> bool:
    """End a sign-in of which nothing may come, before its token is spent."""
    bar = rules.bar_of(account)
    twin = link_rules.find_twin(session.user_id, found.institution_id, found.accounts)
    if bar is not None:
        end(session, L.FAILED, at=at, code=bar.code, reason=bar.detail)
    elif twin is not None:
        end(session, L.DUPLICATE, at=at, relationship=link_rules.bank_of(twin))
    elif link_rules.has_bank(session):
        second_bank(session, at=at)
    return session.state != L.OPEN


# EXCHANGING: one call that must not be repeated


def _exchange(session: LinkSession, *, at: datetime) -> bool:
    with acting_as(SYSTEM):
        locked = lock(session)
        if locked.state != L.OPEN:
            return True
        public_token = locked.public_token()
        locked.advance(L.EXCHANGING, at=at, lease_until=lease_end())
    release_connection()
    try:
        login = get_bank_sign_in().exchange(public_token)
    except VendorUnavailable:
        with acting_as(SYSTEM):
            locked = lock(session)
            if locked.state == L.EXCHANGING:
                locked.advance(L.OPEN, at=at)
        return pause(session)
    except VendorRejected as error:
        return fail(session, "refused", f"Plaid refused the sign-in: {error.detail}", at=at)
    except VendorUnclear:
        return lose(session, at=at)
    return _keep(session, login, at=at)


def lose(session: LinkSession, *, at: datetime) -> bool:
    """End an exchange of which nobody has heard the answer: it cannot be repeated."""
    return fail(session, "lost", LINK_AGAIN, at=at)


def _keep(session: LinkSession, login: Login, *, at: datetime) -> bool:
    """Seal the access token before anything else is done with it."""
    with acting_as(SYSTEM):
        locked = lock(session)
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
        end(session, L.DUPLICATE if is_theirs else L.FAILED, at=at, relationship=bank)
    return False


# EXCHANGED: from a sign-in to a bank


def link(session: LinkSession, *, at: datetime) -> bool:
    """Make the next of: what is known of the item, the bank at the broker, the end."""
    if session.relationship_id is not None:
        return _follow_bank(session, at=at)
    item = session.item
    assert item is not None  # noqa: S101 - it was written in the same move
    if item.state not in ITEM_IN_USE:
        return fail(session, "given_up", LINK_AGAIN, at=at)
    if not item.bank_accounts:
        return _learn(session, item, at=at)
    with acting_as(SYSTEM):
        locked = lock(session)
        if locked.state != L.EXCHANGED or _is_in_the_way(locked, at=at):
            return False
    return _choose(session, item, at=at)


def _choose(session: LinkSession, item: PlaidItem, *, at: datetime) -> bool:
    """Have Plaid open one of the accounts to the broker."""
    chosen = link_rules.choose(session, item)
    if chosen is None:
        reason = "There is no checking or savings account that could be linked."
        return fail(session, "no_account", reason, at=at)
    release_connection()
    try:
        access = item.access_token()
        token = get_bank_sign_in().make_processor_token(access, chosen.plaid_account_id)
    except VendorRejected as error:
        return fail(session, "refused", f"Plaid refused the bank: {error.detail}", at=at)
    return _record_bank(session, chosen, token, at=at)


def _learn(session: LinkSession, item: PlaidItem, *, at: datetime) -> bool:
    try:
        access = item.access_token()
        facts: ItemFacts = get_bank_sign_in().read_item(access)
        accounts = get_bank_sign_in().list_accounts(access)
    except VendorRejected as error:
        return fail(session, "refused", f"Plaid refused the sign-in: {error.detail}", at=at)
    if not accounts:
        return fail(session, "no_account", "The bank has shown no account.", at=at)
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
        locked = lock(session)
        # Two sign-ins of one customer may come this far together; here they come one by one.
        # Items are locked after sign-ins, as by whoever applies webhooks.
        mine = PlaidItem.objects.in_use().filter(user_id=session.user_id).order_by("pk")
        held: dict[Any, PlaidItem] = {item.pk: item for item in mine.select_for_update(no_key=True)}
        if locked.state != L.EXCHANGED or locked.relationship_id is not None:
            return True
        if _is_in_the_way(locked, at=at):
            return False
        item = held.get(locked.item_id)
        bar = rules.bar_of(account)
        if bar is not None:
            return end(locked, L.FAILED, at=at, code=bar.code, reason=bar.detail)
        if item is None:
            return end(locked, L.FAILED, at=at, code="given_up", reason=LINK_AGAIN)
        locked.relationship = AchRelationship.sign_in(
            item, chosen, pk=locked.pk, secret=token.to_bytes(), at=at
        )
        locked.save()
    return True


def _is_in_the_way(session: LinkSession, *, at: datetime) -> bool:
    """End a sign-in that would lead to a bank or an item that there is already."""
    item = session.item
    assert item is not None  # noqa: S101 - the caller has it
    accounts = [SeenAccount.from_json(each) for each in item.bank_accounts]
    twin = link_rules.find_twin(session.user_id, item.institution_id, accounts, apart_from=item)
    if twin is not None:
        end(session, L.DUPLICATE, at=at, relationship=link_rules.bank_of(twin))
        return True
    if link_rules.has_bank(session):
        second_bank(session, at=at)
        return True
    return False


def _follow_bank(session: LinkSession, *, at: datetime) -> bool:
    """Hand the bank to the broker once, and end as that ends."""
    assert session.relationship_id is not None  # noqa: S101 - the caller has asked
    bank = send_once(session.relationship_id, through=RelationshipCourier(), at=at)
    if not bank.is_settled or bank.state == IntentState.NEEDS_REVIEW:
        return pause(session)
    with acting_as(SYSTEM):
        locked = lock(session)
        if locked.state != L.EXCHANGED:
            return False
        if bank.is_accepted:
            end(locked, L.LINKED, at=at)
        else:
            if bank.vendor_status == RELATIONSHIP_EXISTS:
                look_for_lost_ones(bank.account_id)
            code = bank.vendor_status.lower() or bank.reason_code
            reason = f"The broker refused the bank: {bank.reason}"
            end(locked, L.FAILED, at=at, code=code, reason=reason)
    return False
