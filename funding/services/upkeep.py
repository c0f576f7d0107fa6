"""What looking after banks and looking after transfers have in common."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from accounts import selectors as accounts
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import VendorError
from core.intents.models import Intent
from core.intents.states import IntentState
from funding.models import AchRelationship, Transfer

logger = structlog.get_logger()
ASK_AGAIN: Final = timedelta(seconds=30)
BATCH: Final = 50


def is_any_open(model: type[Transfer | AchRelationship]) -> bool:
    """Say whether one may just be being recorded."""
    return model.objects.filter(state__in=[IntentState.SENDING, IntentState.UNKNOWN]).exists()


def each_account(rows: Iterable[Any], act: Callable[[str, list[Any]], None]) -> None:
    """Act once for each account of these rows; one that cannot be read does not stop the others."""
    by_account: dict[UUID, list[Any]] = {}
    for row in rows:
        by_account.setdefault(row.account_id, []).append(row)
    for account_id, of_account in by_account.items():
        try:
            act(accounts.broker_id_of(of_account[0].account), of_account)
        except VendorError as error:
            logger.warning("funding.refresh_failed", id=str(account_id), error=error.code)
            _let_others_go_first(of_account)


def _let_others_go_first(rows: Iterable[Intent]) -> None:
    """Ask later about what could not be read, lest it stand at the head of the queue for ever."""
    with acting_as(SYSTEM):
        for row in rows:
            type(row)._default_manager.filter(pk=row.pk, due_at=row.due_at).update(  # noqa: SLF001
                due_at=Now() + ASK_AGAIN
            )


def ask_again(row: Intent, *, after: timedelta) -> None:
    """Have the broker asked about it again."""
    row.due_at = Now() + after
    row.save(update_fields=["due_at"])
