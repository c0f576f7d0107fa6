"""Looking after linked banks: what the broker tells of them, and asking when it does not."""

from datetime import datetime, timedelta
from typing import Final

import structlog

from accounts import services as account_services
from core import inbox
from core.auth import SYSTEM, acting_as
from core.clock import Now, database_now
from core.intents import sweeping
from funding import states
from funding.gateways import FundingNews, LinkedBank, get_funds
from funding.models import AchRelationship
from funding.services import items, relationships, upkeep
from funding.services.relationships import RelationshipCourier

logger = structlog.get_logger()
# An approved bank is looked for now and then: no event tells of one that the broker has lost.
RESTING_EVERY: Final = timedelta(days=1)
# One reading may come from a broker that is catching up; two so far apart do not err alike.
MISSING_AGAIN_AFTER: Final = timedelta(seconds=10)
_MISSING: Final = "missing_at_broker"
_GONE: Final = "The broker does not list the bank any more."


def sweep_relationships(*, at: datetime) -> dict[str, int]:
    """Move on every bank that waits."""
    return sweeping.sweep(through=RelationshipCourier(), at=at)


def apply_news(news: FundingNews) -> None:
    """
    Take over the status that an event tells; repeating it changes nothing.

    :raises NotYet: the bank may be being recorded.
    """
    may_be_recorded_soon = upkeep.is_any_open(AchRelationship)
    bank = AchRelationship.objects.filter(broker_relationship_id=news.vendor_id).first()
    if bank is not None:
        account_services.lock_account(account_id=bank.account_id)
        locked = AchRelationship.objects.locked(bank.pk)
        note_status(locked, news.status, told_at=news.at, at=database_now())
    elif may_be_recorded_soon:
        raise inbox.NotYet
    else:
        logger.warning("relationship.not_ours", broker_relationship_id=news.vendor_id)


def note_status(
    bank: AchRelationship, status: str, *, told_at: datetime | None, at: datetime, why: str = ""
) -> None:
    """
    Take over the broker's word for a bank whose row is locked, and tell the customer.

    A bank that is gone stays gone, whatever comes late: its account may have another one. The
    sign-in behind it is given up then.
    """
    relationships.alarm_if_unknown(status, broker_relationship_id=bank.broker_relationship_id)
    was_gone = bank.is_gone
    if was_gone or not bank.note_status(status, at=told_at):
        return
    logger.info("relationship.status_changed", id=str(bank.pk), status=bank.vendor_status)
    bank.note_reason(why)
    # An item is locked before the feed, as by whoever tells that it broke.
    if bank.is_gone and bank.item_id is not None:
        items.give_up(item_id=bank.item_id, at=at)
    relationships.tell_status(bank)


def refresh_relationships(*, at: datetime) -> int:
    """
    Ask the broker about banks whose status is moving or old, in case its events are late or lost.

    Returns how many were due, with those under review.
    """
    with acting_as(SYSTEM):
        due = AchRelationship.objects.at_broker().filter(due_at__lte=Now())
        rows = list(due.select_related("account").order_by("due_at")[: upkeep.BATCH])
    upkeep.each_account(rows, lambda account_id, some: _refresh(account_id, some, at=at))
    return len(rows) + sweeping.look_again(through=RelationshipCourier(), at=at)


def _refresh(broker_account_id: str, rows: list[AchRelationship], *, at: datetime) -> None:
    answers = get_funds().list_banks(broker_account_id)
    listed = {linked.broker_relationship_id: linked for linked in answers}
    for row in rows:
        with acting_as(SYSTEM):
            account_services.lock_account(account_id=row.account_id)
            bank = AchRelationship.objects.locked(row.pk)
            known = (row.vendor_status, row.due_at)
            if (bank.vendor_status, bank.due_at) == known and not bank.is_gone:
                _compare(bank, listed.get(row.broker_relationship_id), at=at)


def _compare(bank: AchRelationship, linked: LinkedBank | None, *, at: datetime) -> None:
    """Take over what the list says, and believe only the second time that the bank is gone."""
    was_missing = bank.reason_code == _MISSING
    bank.note_missing(_MISSING if linked is None else "")
    if linked is not None:
        note_status(bank, linked.status, told_at=linked.updated_at, at=at)
    elif was_missing:
        logger.error("relationship.gone_at_broker", id=str(bank.pk))
        note_status(bank, states.CANCELED, told_at=None, at=at, why=_GONE)
    if linked is None:
        wait = MISSING_AGAIN_AFTER
    else:
        wait = RESTING_EVERY if bank.vendor_status == states.APPROVED else upkeep.ASK_AGAIN
    upkeep.ask_again(bank, after=wait)
