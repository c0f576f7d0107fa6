"""Letting one account move more, or less, than everybody may."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NoReturn
from uuid import UUID

from accounts import services as account_services
from core import audit
from core.auth import Principal, acting_as
from core.errors import Invalid
from core.money import Money, NotAnAmount
from funding.models import TransferLimit

_LONGEST_NOTE: Final = 300
_MOST_A_DAY: Final = 1_000


def set_limit(
    *,
    staff: Principal,
    account_id: UUID,
    largest: Decimal | None,
    daily_amount: Decimal | None,
    daily_count: int | None,
    note: str,
    at: datetime,
) -> TransferLimit:
    """
    Set what an account may move; for what is left out, the limits for everybody hold.

    :raises NotFound: there is no such account.
    :raises Invalid: no note is given, or a limit is none.
    """
    chosen: dict[str, Any] = {
        "largest": _amount(largest, field="largest"),
        "daily_amount": _amount(daily_amount, field="daily_amount"),
        "daily_count": _count(daily_count),
    }
    why = note.strip()[:_LONGEST_NOTE]
    if not why:
        _refuse("note", "Write why, in a few words.")
    with acting_as(staff):
        account = account_services.lock_account(account_id=account_id)
        limit, _ = TransferLimit.objects.update_or_create(
            account_id=account.pk,
            defaults={**chosen, "note": why, "set_by": staff.name, "set_at": at},
            create_defaults={
                **chosen,
                "user_id": account.user_id,
                "note": why,
                "set_by": staff.name,
                "set_at": at,
            },
        )
        audit.record(
            "transfer_limit.set",
            principal=staff,
            subject_kind="accounts.BrokerageAccount",
            subject_id=account.pk,
            user_id=account.user_id,
            reason=why,
            **chosen,
        )
    return limit


def _amount(amount: Decimal | None, *, field: str) -> Decimal | None:
    if amount is None:
        return None
    if not amount.is_finite() or amount <= 0:
        _refuse(field, "A limit is more than nothing; freeze the account to stop all transfers.")
    try:
        return Money(amount).amount
    except NotAnAmount:
        _refuse(field, "A limit is dollars with two places at most.")


def _count(count: int | None) -> int | None:
    if count is not None and not 0 < count <= _MOST_A_DAY:
        _refuse("daily_count", f"Between 1 and {_MOST_A_DAY} transfers a day.")
    return count


def _refuse(field: str, rule: str) -> NoReturn:
    raise Invalid(f"{field}: {rule}", field_errors={field: [rule]})
