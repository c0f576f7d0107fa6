"""The original's routes about what is under way, for the frontend that calls them."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.authentication import principal_of
from core.errors import CleraError
from core.intents.states import IntentState
from trading import examples, selectors, services
from trading.serializers import pending as serializers
from trading.views.base import SCOPES
from trading.views.orders import standing


class OrderNotQueued(CleraError):
    code = "order_not_queued"
    status = 400
    detail = "The order is not queued; cancel it by its account's own route."


class PendingOrders(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.PendingOrders, examples=examples.PENDING_ORDERS)
    def get(self, request: Request) -> Response:
        """List what is under way in all of the customer's accounts, and what waits here."""
        orders = selectors.list_pending(principal=principal_of(request))
        return Response(serializers.PendingOrders({"success": True, "orders": orders}).data)


class QueuedOrder(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.QueuedOrderCanceled, examples=examples.CANCEL_QUEUED)
    def delete(self, request: Request, order_id: UUID) -> Response:
        """Cancel an order that waits here for the market to open."""
        principal = principal_of(request)
        order = selectors.get_order(principal=principal, order_id=order_id)
        if order.state != IntentState.HELD:
            raise OrderNotQueued
        order = services.cancel_order(
            principal=principal, account_id=order.account_id, order_id=order.pk, at=timezone.now()
        )
        # One that was let go on in this very moment is the broker's to cancel.
        done = "Cancellation requested" if order.is_working else "Order cancelled successfully"
        answer = {"success": True, "message": done}
        return Response(serializers.QueuedOrderCanceled(answer).data, status=standing(order))


class MarketStatus(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.MarketStatusAnswer, examples=examples.MARKET_STATUS)
    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        """Say whether the market is open, and when it opens next."""
        told = selectors.get_market_status(at=timezone.now())
        return Response(serializers.MarketStatusAnswer({"success": True, "market": told}).data)
