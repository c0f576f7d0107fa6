"""An account's orders over HTTP, in explicit words: place, list, change, cancel, look back."""

from typing import Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.idempotency import IdempotentView
from core.api.schema import idempotency_key
from trading import examples, selectors, services
from trading.serializers import histories
from trading.serializers import orders as serializers
from trading.serializers.tickets import NewOrder, OrderChanges
from trading.views.base import EXITS, SCOPES, in_words_of, principal_for
from trading.views.orders import standing, taken

# The rules name fields as POST /api/trade does.
_EXPLICIT: Final = {
    "ticker": "symbol",
    "units": "qty",
    "notional_amount": "notional",
    "order_type": "type",
    "after_hours_policy": "after_hours",
    **EXITS,
}
# A change has one name for both kinds of trail, and leaves exits as they are.
_CHANGES: Final = {
    **_EXPLICIT,
    **dict.fromkeys(EXITS, "limit_price"),
    "trail_price": "trail",
    "trail_percent": "trail",
}
# Looking costs nothing, and canceling must pass when nobody can count.
_RATE: Final = {"POST": "money", "PATCH": "money"}


class AccountOrders(IdempotentView):
    operation = "trading.place_order"
    rate = _RATE
    scopes = SCOPES

    @extend_schema(
        operation_id="api_account_orders_list",
        parameters=[serializers.OrderQuery],
        responses=serializers.OrderPage,
        examples=examples.ORDER_PAGE,
    )
    def get(self, request: Request, account_id: str) -> Response:
        """List an account's orders, a page at a time."""
        query = serializers.OrderQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        wanted = query.to_filter()
        orders = selectors.list_orders(
            principal=principal_for(request, account_id), account_id=account_id, wanted=wanted
        )
        is_full = len(orders) == wanted.limit
        page = {"orders": orders, "next_page_token": orders[-1].pk if is_full else None}
        return Response(serializers.OrderPage(page).data)

    @extend_schema(
        request=NewOrder,
        responses={201: serializers.OrderDetail, 202: serializers.OrderDetail},
        parameters=[idempotency_key(is_required=True)],
        examples=examples.NEW_ORDER,
    )
    def post(self, request: Request, account_id: str) -> Response:
        """
        Place an order of any kind; 202 while the broker has not confirmed it, or it waits.

        Coins and contracts are not traded here: they are refused by the rules `coins_not_traded`
        and `contracts_not_traded`.
        """
        form = NewOrder(data=request.data)
        form.is_valid(raise_exception=True)
        principal = principal_for(request, account_id)
        with in_words_of(_EXPLICIT):
            order = services.place_order(
                principal=principal,
                account_id=account_id,
                ticket=form.to_ticket(),
                request=self.idempotency(request, content=form.validated_data, principal=principal),
                at=timezone.now(),
            )
        return Response(serializers.OrderDetail(order).data, status=taken(order))

    @extend_schema(
        operation_id="api_account_orders_cancel_all",
        responses=serializers.OrdersCanceled,
        examples=examples.CANCEL_ALL,
    )
    def delete(self, request: Request, account_id: str) -> Response:
        """
        Cancel every open order of an account, and tell how each stands.

        What the broker has not confirmed yet is asked again until it is over; it may be filled.
        """
        orders = services.cancel_all(
            principal=principal_for(request, account_id), account_id=account_id, at=timezone.now()
        )
        return Response(serializers.OrdersCanceled({"orders": orders}).data)


class AccountOrder(IdempotentView):
    operation = "trading.replace_order"
    rate = _RATE
    scopes = SCOPES

    @extend_schema(responses=serializers.OrderDetail)
    def get(self, request: Request, account_id: str, order_id: str) -> Response:
        """Show one order, and what hangs on it."""
        order = selectors.get_order(
            principal=principal_for(request, account_id), account_id=account_id, order_id=order_id
        )
        return Response(serializers.OrderDetail(order).data)

    @extend_schema(
        request=OrderChanges,
        responses={201: serializers.OrderDetail, 202: serializers.OrderDetail},
        parameters=[idempotency_key(is_required=True)],
        examples=examples.REPLACE_ORDER,
    )
    def patch(self, request: Request, account_id: str, order_id: str) -> Response:
        """
        Replace an open order by a changed one, and show the new one.

        The old order works on until the broker confirms the new one, and stays as it was when the
        broker refuses.
        """
        form = OrderChanges(data=request.data)
        form.is_valid(raise_exception=True)
        principal = principal_for(request, account_id)
        with in_words_of(_CHANGES):
            order = services.replace_order(
                principal=principal,
                account_id=account_id,
                order_id=order_id,
                changes=form.to_changes(),
                request=self.idempotency(request, content=form.validated_data, principal=principal),
                at=timezone.now(),
            )
        return Response(serializers.OrderDetail(order).data, status=taken(order))

    @extend_schema(
        responses={200: serializers.OrderDetail, 202: serializers.OrderDetail},
        examples=examples.CANCEL_ACCOUNT_ORDER,
    )
    def delete(self, request: Request, account_id: str, order_id: str) -> Response:
        """
        Cancel an order; 202 until the broker confirms, and it may yet be filled.

        The wish is kept and repeated until the order is over.
        """
        order = services.cancel_order(
            principal=principal_for(request, account_id),
            account_id=account_id,
            order_id=order_id,
            at=timezone.now(),
        )
        return Response(serializers.OrderDetail(order).data, status=standing(order))


class AccountOrderHistory(APIView):
    scopes = SCOPES

    @extend_schema(responses=histories.History, examples=examples.ORDER_HISTORY)
    def get(self, request: Request, account_id: str, order_id: str) -> Response:
        """Tell what has become of an order: each move, the rules' verdict, and each fill."""
        history = selectors.get_history(
            principal=principal_for(request, account_id), account_id=account_id, order_id=order_id
        )
        return Response(histories.History(history).data)


class OrderPreview(APIView):
    scopes = SCOPES

    @extend_schema(
        request=NewOrder,
        responses=histories.PreviewAnswer,
        examples=examples.PREVIEW_ORDER,
    )
    def post(self, request: Request, account_id: str) -> Response:
        """Tell what an order would cost or bring and whether it would pass; nothing is placed."""
        form = NewOrder(data=request.data)
        form.is_valid(raise_exception=True)
        with in_words_of(_EXPLICIT):
            preview = services.preview_order(
                principal=principal_for(request, account_id),
                account_id=account_id,
                ticket=form.to_ticket(),
                at=timezone.now(),
            )
        return Response(histories.PreviewAnswer(preview).data)
