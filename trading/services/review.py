"""Orders of which nobody knows what became: the broker is asked once more, and that decides."""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from core import audit
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, Invalid, NotFound
from core.intents import sending
from core.intents.states import IntentState
from trading.models import Order
from trading.services.couriers import OrderCourier

logger = structlog.get_logger()
_LONGEST: Final = 300


class NotUnderReview(CleraError):
    """Nobody has to decide about it."""

    code = "not_under_review"
    status = 409
    detail = "The order is not under review: the broker has it, or the machine is still looking."


def settle_lost(*, staff: Principal, order_id: UUID, reason: str, at: datetime) -> Order:
    """
    Take over what the broker has of a lost order; when that is nothing, record that it never was.

    The broker knows orders by our id, so that a look decides. It runs outside a transaction.

    :raises Invalid: no reason is given.
    :raises NotFound: there is no such order.
    :raises NotUnderReview: nobody has to decide about it.
    :raises VendorError: the broker could not be read; nothing is decided.
    """
    why = reason.strip()[:_LONGEST]
    if not why:
        raise Invalid("Write why, in a few words.", field_errors={"reason": ["Write why."]})
    with acting_as(staff):
        order = Order.objects.select_related("account").filter(pk=order_id).first()
    if order is None:
        raise NotFound("There is no such order.")
    if order.state != IntentState.NEEDS_REVIEW:
        raise NotUnderReview
    courier = OrderCourier()
    sending.release_connection()
    receipt = courier.find(order)
    if receipt is None:
        order = sending.dismiss(order_id, through=courier, at=at)
    else:
        order = sending.record(order_id, receipt, through=courier, at=at)
    with acting_as(SYSTEM):
        audit.record(
            "order.lost_settled",
            principal=staff,
            subject_kind="trading.Order",
            subject_id=order.pk,
            user_id=order.user_id,
            reason=why,
            state=order.state,
        )
    logger.info("order.lost_settled", id=str(order.pk), state=order.state)
    return order
