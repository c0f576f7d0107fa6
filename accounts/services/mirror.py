"""Telling the identity provider's tables what became of an account, where that is wanted."""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings

from accounts.gateways.directory import AccountLine, get_directory
from accounts.models import BrokerageAccount
from core.auth import SYSTEM, acting_as
from core.errors import VendorError, VendorRejected
from core.jobs import enqueue

logger = structlog.get_logger()
BATCH: Final = 50


def request_mirror() -> None:
    """
    Have what is not written yet written soon, however much that is; beat does so otherwise.

    Once for many changes: a task for each would queue thousands after an outage.
    """
    if settings.SUPABASE_WRITE_BACK:
        enqueue("accounts.sweep_mirror")


def mirror_status(*, account_id: UUID, at: datetime) -> bool:
    """
    Write one account's status, unless it is there already, and say whether it was written.

    :raises VendorError: the identity provider could not be told; the sweep tries again.
    """
    with acting_as(SYSTEM):
        account = BrokerageAccount.objects.to_mirror().filter(pk=account_id).first()
    if account is None or not settings.SUPABASE_WRITE_BACK:
        return False
    line = AccountLine(
        user_id=account.user_id,
        broker_account_id=account.broker_account_id,
        account_number=account.account_number,
        status=account.vendor_status,
        at=at,
    )
    get_directory().write(line)
    with acting_as(SYSTEM):
        # By value, not by row: what has changed meanwhile is written next.
        rows = BrokerageAccount.objects.filter(pk=account_id)
        unchanged = rows.filter(mirrored_status=account.mirrored_status)
        if not unchanged.update(mirrored_status=line.status):
            # Another process wrote too. Which came last there nobody knows, so it is written again.
            rows.update(mirrored_status="")
    return True


def sweep_mirror(*, at: datetime) -> int:
    """
    Write the statuses that are not written yet and say how many were.

    They come in any order, so that those that are refused do not stand before the others for ever.
    """
    if not settings.SUPABASE_WRITE_BACK:
        return 0
    with acting_as(SYSTEM):
        waiting = BrokerageAccount.objects.to_mirror().order_by("?")
        ids = list(waiting.values_list("pk", flat=True)[:BATCH])
    written = 0
    for account_id in ids:
        try:
            written += mirror_status(account_id=account_id, at=at)
        except VendorRejected as error:
            logger.error("account.mirror_refused", id=str(account_id), error=error.code)  # noqa: TRY400
        except VendorError as error:
            logger.warning("account.not_mirrored", id=str(account_id), error=error.code)
            break
    return written
