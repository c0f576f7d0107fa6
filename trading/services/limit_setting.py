"""Limits for orders: what everybody may do, and what one account may do instead."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NoReturn
from uuid import UUID

from accounts import services as account_services
from core import audit
from core.auth import Principal, acting_as
from core.errors import Invalid
from core.money import Money, NotAnAmount, Quantity
from trading.models import RiskLimit

_LONGEST_NOTE: Final = 300
_MOST_ORDERS: Final = 1_000_000
_SMALLEST_SHARE: Final = Decimal("0.0001")
# What the columns can hold.
_TOO_LARGE: Final = Decimal(10) ** 12


def set_limits(
    *,
    staff: Principal,
    account_id: UUID | None,
    max_notional: Decimal | None = None,
    max_quantity: Decimal | None = None,
    daily_notional: Decimal | None = None,
    daily_orders: int | None = None,
    open_orders: int | None = None,
    collar: Decimal | None = None,
    concentration: Decimal | None = None,
    step_up_notional: Decimal | None = None,
    note: str,
    at: datetime,
) -> RiskLimit:
    """
    Set the limits of one account, or of everybody; what is left out follows from above.

    An account follows everybody, and everybody the settings. They hold from the next order on.

    :raises NotFound: there is no such account.
    :raises Invalid: no note is given, or a limit is none.
    """
    chosen: dict[str, Any] = {
        "max_notional": _dollars(max_notional, field="max_notional"),
        "max_quantity": _shares(max_quantity, field="max_quantity"),
        "daily_notional": _dollars(daily_notional, field="daily_notional"),
        "daily_orders": _count(daily_orders, field="daily_orders"),
        "open_orders": _count(open_orders, field="open_orders"),
        "collar": _part(collar, field="collar"),
        "concentration": _part(concentration, field="concentration"),
        "step_up_notional": _dollars(step_up_notional, field="step_up_notional"),
    }
    why = note.strip()[:_LONGEST_NOTE]
    if not why:
        _refuse("note", "Write why, in a few words.")
    with acting_as(staff):
        return _write(account_id, chosen, staff=staff, why=why, at=at)


def _write(
    account_id: UUID | None, chosen: dict[str, Any], *, staff: Principal, why: str, at: datetime
) -> RiskLimit:
    user_id = ""
    if account_id is not None:
        user_id = account_services.lock_account(account_id=account_id).user_id
    who = {"note": why, "set_by": staff.name[:_LONGEST_NOTE], "set_at": at, "user_id": user_id}
    limit, _ = RiskLimit.objects.update_or_create(account_id=account_id, defaults=chosen | who)
    audit.record(
        "risk_limit.set",
        principal=staff,
        subject_kind="accounts.BrokerageAccount" if account_id else "trading.RiskLimit",
        subject_id=account_id or limit.pk,
        user_id=user_id,
        reason=why,
        **chosen,
    )
    return limit


def _dollars(amount: Decimal | None, *, field: str) -> Decimal | None:
    if amount is None:
        return None
    _demand_sense(amount, field=field)
    try:
        return Money(amount).amount
    except NotAnAmount:
        _refuse(field, "A limit is dollars with two places at most.")


def _shares(quantity: Decimal | None, *, field: str) -> Decimal | None:
    if quantity is None:
        return None
    _demand_sense(quantity, field=field)
    try:
        return Quantity(quantity).amount
    except NotAnAmount:
        _refuse(field, "A limit is shares with nine places at most.")


def _demand_sense(amount: Decimal, *, field: str) -> None:
    if not amount.is_finite() or amount <= 0:
        _refuse(field, "A limit is more than nothing; the kill switch stops all orders.")
    if amount >= _TOO_LARGE:
        _refuse(field, "A limit has at most twelve digits before the point.")


def _count(count: int | None, *, field: str) -> int | None:
    if count is not None and not 0 < count <= _MOST_ORDERS:
        _refuse(field, f"Between 1 and {_MOST_ORDERS} orders.")
    return count


def _part(share: Decimal | None, *, field: str) -> Decimal | None:
    if share is None:
        return None
    if not share.is_finite() or not 0 < share <= 1:
        _refuse(field, "A share of one: more than 0 and at most 1; 0.1 means 10 %.")
    if share % _SMALLEST_SHARE:
        _refuse(field, "Use at most four decimal places.")
    return share


def _refuse(field: str, rule: str) -> NoReturn:
    raise Invalid(f"{field}: {rule}", field_errors={field: [rule]})
