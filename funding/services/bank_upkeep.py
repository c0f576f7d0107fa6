"""Looking after linked banks: what the broker tells of them, and asking when it does not."""

from datetime import datetime

import structlog

from accounts import services as account_services
from core import inbox
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.intents import sweeping
from funding.gateways import FundingNews, get_funds
from funding.models import AchRelationship
from funding.services import relationships, upkeep
from funding.services.relationships import RelationshipCourier

logger = structlog.get_logger()


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
        _note_relationship(AchRelationship.objects.locked(bank.pk), news.status, at=news.at)
    elif may_be_recorded_soon:
        raise inbox.NotYet
    else:
        logger.warning("relationship.not_ours", broker_relationship_id=news.vendor_id)


def _note_relationship(bank: AchRelationship, status: str, *, at: datetime | None) -> None:
    relationships.alarm_if_unknown(status, broker_relationship_id=bank.broker_relationship_id)
    if bank.note_status(status, at=at):
        logger.info("relationship.status_changed", id=str(bank.pk), status=bank.vendor_status)


def refresh_relationships(*, at: datetime) -> int:
    """
    Ask the broker about banks whose status is moving, in case its events are late.

    Returns how many were due, with those under review.
    """
    with acting_as(SYSTEM):
        due = AchRelationship.objects.moving().filter(due_at__lte=Now())
        rows = list(due.select_related("account").order_by("due_at")[: upkeep.BATCH])
    upkeep.each_account(rows, _refresh_relationships_of)
    return len(rows) + sweeping.look_again(through=RelationshipCourier(), at=at)


def _refresh_relationships_of(broker_account_id: str, rows: list[AchRelationship]) -> None:
    answers = get_funds().list_banks(broker_account_id)
    listed = {linked.broker_relationship_id: linked for linked in answers}
    for row in rows:
        linked = listed.get(row.broker_relationship_id)
        with acting_as(SYSTEM):
            account_services.lock_account(account_id=row.account_id)
            bank = AchRelationship.objects.locked(row.pk)
            if linked is None:
                logger.error("relationship.gone_at_broker", id=str(row.pk))
            elif bank.vendor_status == row.vendor_status:
                _note_relationship(bank, linked.status, at=linked.updated_at)
            upkeep.ask_again(bank, after=upkeep.ASK_AGAIN)
