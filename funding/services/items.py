"""Sign-ins at banks after they have begun: whether they still work, and giving them up."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from accounts import services as account_services
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import CleraError, VendorRejected
from core.intents.sending import release_connection
from core.jobs import enqueue
from funding.gateways import ITEM_GONE, ItemFacts, get_bank_sign_in
from funding.models import CHECK_EVERY, PlaidItem
from funding.services import turns
from funding.states import ITEM_IN_USE, ItemState

logger = structlog.get_logger()
S = ItemState
# Whoever works on an item has it to himself for this long; what fails is tried again after it.
TRY_AGAIN: Final = timedelta(minutes=1)
BATCH: Final = 50
LOGIN_REQUIRED: Final = "ITEM_LOGIN_REQUIRED"
# How Plaid's words begin, and ours for one that it knows no more.
_ABOUT_THE_ITEM: Final = ("ITEM_", "USER_")
_TOLD: Final = {S.LOGIN_REQUIRED: "bank.login_required", S.LIVE: "bank.login_repaired"}


def give_up(*, item_id: UUID, at: datetime) -> None:  # noqa: ARG001 - as all services have it
    """
    Note, in the caller's transaction, that a sign-in is wanted no more.

    Plaid is told after the commit, and again until it has heard. Repeating it changes nothing.
    """
    with acting_as(SYSTEM):
        wanted = PlaidItem.objects.in_use().filter(pk=item_id)
        if wanted.update(state=S.REMOVING, due_at=Now()):
            logger.info("plaid_item.given_up", id=str(item_id))
            enqueue("funding.sweep_links")


def removals_due(*, at: datetime) -> list[turns.Act]:
    """Find the sign-ins that are wanted no more, of which Plaid is to be told."""
    return _due(S.REMOVING, at=at)


def refresh_items(*, at: datetime) -> int:
    """Ask Plaid about every sign-in that was not looked at for long, or that has news."""
    return turns.take(turns.ITEMS, due=lambda: _due(*ITEM_IN_USE, at=at))


def nudge(*, item_ids: set[str]) -> None:
    """Have Plaid asked about these of its items at once; what is not ours is left aside."""
    PlaidItem.objects.in_use().filter(item_id__in=item_ids).update(due_at=Now())


def _due(*states: ItemState, at: datetime) -> list[turns.Act]:
    with acting_as(SYSTEM):
        due = PlaidItem.objects.filter(state__in=states, due_at__lte=Now()).order_by("due_at")
        ids = list(due.values_list("pk", flat=True)[:BATCH])
    return [partial(_act, item_id, at=at) for item_id in ids]


def _act(item_id: UUID, *, at: datetime) -> None:
    try:
        look_at(item_id, at=at)
    except CleraError as error:
        logger.warning("plaid_item.look_failed", id=str(item_id), error=error.code)
    except Exception:
        logger.exception("plaid_item.broken", id=str(item_id))


def look_at(item_id: UUID, *, at: datetime) -> None:
    """
    Do what a sign-in is due for: remove it at Plaid, or ask whether it works.

    One whose bank is gone, and of which nothing more will come, is given up.

    :raises VendorError: Plaid gave no answer; it stays due.
    """
    with acting_as(SYSTEM):
        due = PlaidItem.objects.filter(pk=item_id, due_at__lte=Now()).exclude(state=S.REMOVED)
        if not due.update(due_at=Now() + TRY_AGAIN):
            return  # somebody else is at it
        item = PlaidItem.objects.get(pk=item_id)
        if item.state != S.REMOVING and not item.is_needed():
            give_up(item_id=item.pk, at=at)
            return
    release_connection()
    if item.state == S.REMOVING:
        _remove(item, at=at)
    else:
        check(item, at=at)


def _remove(item: PlaidItem, *, at: datetime) -> None:
    try:
        get_bank_sign_in().remove_item(item.access_token())
    except VendorRejected as error:
        if error.vendor_code != ITEM_GONE:
            logger.exception("plaid_item.not_removed", id=str(item.pk))
            raise
    with acting_as(SYSTEM):
        removing = PlaidItem.objects.filter(pk=item.pk, state=S.REMOVING)
        removing.update(state=S.REMOVED, sealed_access_token=None, removed_at=at)
    logger.info("plaid_item.removed", id=str(item.pk))


def check(item: PlaidItem, *, at: datetime) -> ItemState:
    """
    Ask Plaid whether a sign-in works, take that over and tell the customer of a change.

    :raises VendorError: Plaid gave no answer, or one that says nothing about the sign-in.
    """
    try:
        facts = get_bank_sign_in().read_item(item.access_token())
    except VendorRejected as error:
        if not error.vendor_code.startswith(_ABOUT_THE_ITEM):
            raise
        facts = ItemFacts("", "", error.vendor_code, None)
    with acting_as(SYSTEM):
        kept = PlaidItem.objects.select_for_update(no_key=True).get(pk=item.pk)
        if kept.state not in ITEM_IN_USE:
            return ItemState(kept.state)
        before = kept.state
        kept.take_over(facts, state=_state_of(facts), at=at)
        # News that came while we asked make it due again; they are not overwritten.
        if kept.due_at == item.due_at:
            kept.due_at = Now() + CHECK_EVERY
        kept.save()
        if kept.state != before:
            _tell(kept)
    return ItemState(kept.state)


def _state_of(facts: ItemFacts) -> ItemState:
    if not facts.error_code:
        return S.LIVE
    return S.LOGIN_REQUIRED if facts.error_code == LOGIN_REQUIRED else S.BROKEN


def _tell(item: PlaidItem) -> None:
    state = ItemState(item.state)
    logger.info("plaid_item.changed", id=str(item.pk), state=state, error=item.error_code)
    bank = item.relationships.order_by("-id").first()
    account_services.push(
        account_id=item.account_id,
        user_id=item.user_id,
        kind=_TOLD.get(state, "bank.login_broken"),
        payload={
            "relationship_id": bank.public_id if bank else None,
            "bank_name": item.institution_name or None,
        },
    )
