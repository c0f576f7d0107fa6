"""Carrying an order to the broker, and what its answer leads to."""

from datetime import datetime
from typing import ClassVar

from core.errors import CleraError
from core.events import publish
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from trading.events import OrderFilled, OrderSettled
from trading.gateways import BrokerOrder, get_broker
from trading.models import Order
from trading.services import books, holdings

REJECTED_BY_BROKER = "rejected"


class OrderRejected(CleraError):
    """The broker gave a clear no."""

    code = "order_rejected"
    status = 422
    detail = "The broker rejected the order."


class OrderCourier(Courier[Order]):
    """Carries an order to the broker, who knows it by our id and refuses it a second time."""

    model = Order
    resends: ClassVar[bool] = True

    def send(self, intent: Order) -> Receipt:
        """Hand the order in; see `Courier.send`."""
        told = get_broker().submit(
            intent.ticket,
            broker_account_id=intent.broker_account_id,
            client_order_id=intent.client_order_id,
        )
        return receipt_of(told)

    def find(self, intent: Order) -> Receipt | None:
        """Look the order up by our id; see `Courier.find`."""
        told = get_broker().find(
            broker_account_id=intent.broker_account_id, client_order_id=intent.client_order_id
        )
        return None if told is None else receipt_of(told)

    def may_send(self, intent: Order) -> bool:
        """Hold it back when the account has been frozen or shut since the order was placed."""
        return bool(intent.account.is_tradable)

    def settled(
        self,
        intent: Order,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,
    ) -> None:
        """Free what is no longer needed and tell the other apps."""
        if not intent.is_working and intent.is_booked:
            intent.release()
            intent.save(update_fields=["reserved_cash", "reserved_quantity"])
        books.let_go(intent, at=at)
        if not intent.is_working or intent.state == IntentState.NEEDS_REVIEW:
            publish(OrderSettled(intent.pk, intent.account_id))
        if not intent.is_booked:
            publish(OrderFilled(intent.pk, intent.account_id))
            holdings.request_sync(account_id=intent.account_id)


def receipt_of(told: BrokerOrder) -> Receipt:
    """Turn the broker's answer into what the intent has to remember."""
    is_accepted = told.status != REJECTED_BY_BROKER
    return Receipt(
        told.status,
        is_accepted=is_accepted,
        reason="" if is_accepted else OrderRejected.detail,
        changes={
            "broker_order_id": told.broker_order_id,
            "broker_record": dict(told.record),
            "filled_quantity": told.filled_quantity,
            "average_price": told.average_price,
        },
    )
