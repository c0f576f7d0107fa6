"""Orders over HTTP, in the reference's words."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.idempotency import IdempotentView
from core.api.schema import idempotency_key
from trading import examples, selectors, services
from trading.models import Order as OrderRow
from trading.serializers import orders as serializers
from trading.serializers.tickets import NewTrade
from trading.states import HeldFor
from trading.views.base import EXITS, SCOPES, in_words_of, principal_for


def taken(order: OrderRow) -> int:
    """Choose the status of the answer about an order that was just placed."""
    return status.HTTP_201_CREATED if order.is_accepted else status.HTTP_202_ACCEPTED


def standing(order: OrderRow) -> int:
    """Choose the status of the answer about an order that was to be canceled."""
    return status.HTTP_202_ACCEPTED if order.is_working else status.HTTP_200_OK


def _message(order: OrderRow) -> str:
    if order.held_for == HeldFor.OPEN:
        return "Order queued for the market open."
    if order.held_for:
        return "Order received; orders are stopped for now, so that it waits."
    return "Order placed." if order.is_accepted else "Order received; not confirmed yet."


class Trades(IdempotentView):
    operation = "trading.place_order"
    key_required = False
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=NewTrade,
        responses={201: serializers.TradeAnswer, 202: serializers.TradeAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.PLACE_ORDER,
    )
    def post(self, request: Request) -> Response:
        """
        Place an order; 202 while the broker has not answered.

        Coins and contracts are not traded here: they are refused by the rules `coins_not_traded`
        and `contracts_not_traded`.
        """
        form = NewTrade(data=request.data)
        form.is_valid(raise_exception=True)
        account_id = form.validated_data["account_id"]
        principal = principal_for(request, account_id)
        with in_words_of(EXITS):
            order = services.place_order(
                principal=principal,
                account_id=account_id,
                ticket=form.to_ticket(),
                request=self.idempotency(request, content=form.validated_data, principal=principal),
                at=timezone.now(),
            )
        answer = {
            "success": True,
            "message": _message(order),
            "queued": order.held_for == HeldFor.OPEN,
            "order": order,
        }
        return Response(serializers.TradeAnswer(answer).data, status=taken(order))


class Orders(APIView):
    scopes = SCOPES

    @extend_schema(
        parameters=[serializers.OrderQuery], responses=serializers.OrderDetail(many=True)
    )
    def get(self, request: Request, account_id: str) -> Response:
        """List an account's orders."""
        query = serializers.OrderQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        orders = selectors.list_orders(
            principal=principal_for(request, account_id),
            account_id=account_id,
            wanted=query.to_filter(),
        )
        return Response(serializers.OrderDetail(orders, many=True).data)


class Order(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.OrderDetail)
    def get(self, request: Request, account_id: str, order_id: str) -> Response:
        """Show one order."""
        order = selectors.get_order(
            principal=principal_for(request, account_id), account_id=account_id, order_id=order_id
        )
        return Response(serializers.OrderDetail(order).data)

    @extend_schema(responses=serializers.CancelAnswer, examples=examples.CANCEL_ORDER)
    def delete(self, request: Request, account_id: str, order_id: str) -> Response:
        """Cancel an order, or ask the broker to; it may yet be filled."""
        order = services.cancel_order(
            principal=principal_for(request, account_id),
            account_id=account_id,
            order_id=order_id,
            at=timezone.now(),
        )
        answer = {
            "success": True,
            "message": "Order canceled." if not order.is_working else "Cancellation requested.",
            "order_id": order.public_id,
            "account_id": account_id,
        }
        is_asked = order.is_accepted or not order.is_working
        answered = status.HTTP_200_OK if is_asked else status.HTTP_202_ACCEPTED
        return Response(serializers.CancelAnswer(answer).data, status=answered)
