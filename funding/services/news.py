"""The broker's funding events: kept, then handed to whom they are about."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from core import feeds, inbox
from core.auth import SYSTEM, acting_as
from core.jobs import enqueue
from funding.gateways import FundingNews, get_funds
from funding.services import bank_upkeep, rules, transfer_upkeep

SOURCE = rules.NEWS


def follow_events() -> bool:
    """Keep the broker's funding events while this process leads; false when another one does."""
    return feeds.follow(
        SOURCE,
        get_funds().feed(),
        on_kept=lambda: enqueue("funding.apply_events"),
        on_lost=_read_again,
    )


def _read_again(_why: str) -> None:
    enqueue("funding.refresh_relationships")
    enqueue("funding.refresh_transfers")


def apply_events() -> int:
    """Apply the funding events that wait in the inbox and say how many there were."""
    return inbox.apply_waiting(SOURCE, _apply_event)


def _apply_event(payload: Mapping[str, Any]) -> None:
    """
    Take over the status an event tells; repeating it changes nothing.

    :raises NotYet: it may be about something whose recording is under way.
    """
    news = get_funds().read_news(payload)
    if news is None:
        return
    with acting_as(SYSTEM):
        if news.kind == FundingNews.TRANSFER:
            transfer_upkeep.apply_news(news, at=timezone.now())
        else:
            bank_upkeep.apply_news(news)
