"""Carrying an order to the broker, and what its answer leads to."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from core.errors import CleraError
from core.events import publish
from core.intents.couriers import Courier, Hold, Receipt
from core.intents.states import IntentState
from trading.events import OrderFilled, OrderSettled
from trading.gateways import BrokerOrder, get_broker
from trading.models import Order
from trading.selectors import switches
from trading.services import books, feed, holdings, legs, replacing, reports
from trading.states import HeldFor, Source

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
    resends_for: ClassVar[timedelta | None] = timedelta(seconds=60)
    ready_column: ClassVar[str] = "ready_at"

    def send(self, intent: Order) -> Receipt:
        """Hand the order in, or the replacement of one; see `Courier.send`."""
        if intent.replaces_id is not None:
            return receipt_of(replacing.send(intent))
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
        """
        Keep it here while the account is frozen or shut; see `Courier.may_send`.

        One that the customer wants canceled is not sent a second time either, nor is what a
        closure wants to sell once the account is no longer being closed.
        """
        account = intent.account
        is_for_nothing = intent.source == Source.CLOSURE and not account.is_closing
        return account.is_tradable and intent.cancel_asked_at is None and not is_for_nothing

    def must_hold(self, intent: Order) -> Hold | None:
        """Hold it back under a kill switch; see `Courier.must_hold`."""
        if not _is_stopped(intent):
            return None
        return Hold(
            "Orders are stopped for now; this one waits and is judged anew before it is sent.",
            "trading_halted",
            changes={
                "held_for": HeldFor.KILL_SWITCH,
                "held_price": intent.held_price or _price_seen(intent),
            },
        )

    def held(self, intent: Order, *, at: datetime) -> None:
        """Tell the customer; see `Courier.held`."""
        feed.tell(intent, at=at)

    def settled(
        self,
        intent: Order,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,
    ) -> None:
        """Free what is no longer needed and tell the other apps."""
        if intent.heard is not None:
            learn(intent, intent.heard, at=at)
            reports.keep(intent, origin=reports.Origin.ANSWER, told=intent.heard, said_at=at)
        feed.tell(intent, at=at)
        if not intent.is_working and intent.is_booked:
            intent.release()
            intent.save(update_fields=["reserved_cash", "reserved_quantity"])
        books.let_go(intent, at=at)
        if not intent.is_working or intent.state == IntentState.NEEDS_REVIEW:
            publish(OrderSettled(intent.pk, intent.account_id))
        if not intent.is_booked:
            publish(OrderFilled(intent.pk, intent.account_id))
            holdings.request_sync(account_id=intent.account_id)


def _is_stopped(order: Order) -> bool:
    """
    Say whether a switch stops a locked order now.

    Its account, which decides next whether it may be sent, is read in the same statement.
    """
    seen: Any = (
        Order.objects.annotate(is_stopped=switches.is_stopped())
        .select_related("account")
        .only("account")
        .get(pk=order.pk)
    )
    order.account = seen.account
    return bool(seen.is_stopped)


def _price_seen(order: Order) -> Decimal | None:
    """Return what the market asked when the rules weighed the order, as the verdict keeps it."""
    quote = (order.verdict.get("facts") or {}).get("quote") or {}
    for name in ("ask" if order.is_buy else "bid", "last"):
        price = Decimal(quote.get(name) or 0)
        if price > 0:
            return price
    return None


def learn(order: Order, told: BrokerOrder, *, at: datetime) -> None:
    """Take over, with the order locked, how large the broker made it and what hangs on it."""
    if order.replaces_id is not None and told.quantity and told.quantity != order.quantity:
        order.quantity = told.quantity  # the old one was filled further before it was replaced
        order.save(update_fields=["quantity"])
    legs.keep(order, told, at=at)


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
            "heard": told,
            "filled_quantity": told.filled_quantity,
            "average_price": told.average_price,
        },
    )
