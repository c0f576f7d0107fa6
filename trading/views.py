"""The HTTP side of trading."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors as accounts
from core.api import permissions
from core.api.authentication import principal_of
from core.api.idempotency import IdempotentView
from core.api.schema import idempotency_key
from core.auth import Principal
from trading import approvals, examples, selectors, serializers, services

SCOPES = permissions.scopes("trading")


def _principal(request: Request, account_id: str) -> Principal:
    """Say who asks; a service that may act for customers acts for the account's owner."""
    return accounts.principal_for(principal=principal_of(request), account_id=account_id)


class Trades(IdempotentView):
    operation = "trading.place_order"
    key_required = False
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.NewTrade,
        responses={201: serializers.TradeAnswer, 202: serializers.TradeAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.PLACE_ORDER,
    )
    def post(self, request: Request) -> Response:
        """Place an order; 202 while the broker has not answered."""
        form = serializers.NewTrade(data=request.data)
        form.is_valid(raise_exception=True)
        account_id = form.validated_data["account_id"]
        principal = _principal(request, account_id)
        order = services.place_order(
            principal=principal,
            account_id=account_id,
            ticket=form.to_ticket(),
            request=self.idempotency(request, content=form.validated_data, principal=principal),
            at=timezone.now(),
        )
        message = "Order placed." if order.is_accepted else "Order received; not confirmed yet."
        answer = {"success": True, "message": message, "order": order}
        placed = status.HTTP_201_CREATED if order.is_accepted else status.HTTP_202_ACCEPTED
        return Response(serializers.TradeAnswer(answer).data, status=placed)


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
            principal=_principal(request, account_id),
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
            principal=_principal(request, account_id), account_id=account_id, order_id=order_id
        )
        return Response(serializers.OrderDetail(order).data)

    @extend_schema(responses=serializers.CancelAnswer, examples=examples.CANCEL_ORDER)
    def delete(self, request: Request, account_id: str, order_id: str) -> Response:
        """Cancel an order, or ask the broker to; it may yet be filled."""
        order = services.cancel_order(
            principal=_principal(request, account_id),
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
        return Response(serializers.CancelAnswer(answer).data)


class Positions(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.PositionDetail(many=True))
    def get(self, request: Request, account_id: str) -> Response:
        """List what an account holds, at the latest prices."""
        positions = selectors.list_priced_positions(
            principal=_principal(request, account_id), account_id=account_id, at=timezone.now()
        )
        return Response(serializers.PositionDetail(positions, many=True).data)


class Balance(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.BalanceAnswer)
    def get(self, request: Request, account_id: str) -> Response:
        """Show an account's cash, buying power and worth."""
        balance = selectors.get_balance(
            principal=_principal(request, account_id), account_id=account_id, at=timezone.now()
        )
        return Response(serializers.BalanceAnswer({"success": True, "data": balance}).data)


class Proposals(APIView):
    scopes = SCOPES

    @extend_schema(
        operation_id="api_proposals_list",
        parameters=[serializers.ProposalQuery],
        responses=serializers.ProposalList,
    )
    def get(self, request: Request) -> Response:
        """List the customer's proposals, the newest first."""
        query = serializers.ProposalQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        proposals = selectors.list_proposals(
            principal=principal_of(request), **query.validated_data
        )
        return Response(serializers.ProposalList({"proposals": proposals}).data)


class Proposal(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.ProposalDetail)
    def get(self, request: Request, proposal_id: UUID) -> Response:
        """Show a proposal with the hash that approves it."""
        proposal = selectors.get_proposal(principal=principal_of(request), proposal_id=proposal_id)
        return Response(serializers.ProposalDetail(proposal).data)


class ProposalApproval(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.ApprovalBody,
        responses=serializers.ProposalDetail,
        examples=examples.APPROVE,
    )
    def post(self, request: Request, proposal_id: UUID) -> Response:
        """Approve what the hash stands for; its order is placed once."""
        body = serializers.ApprovalBody(data=request.data)
        body.is_valid(raise_exception=True)
        proposal = approvals.approve(
            principal=principal_of(request),
            proposal_id=proposal_id,
            shown_hash=body.validated_data["hash"],
            at=timezone.now(),
        )
        return Response(serializers.ProposalDetail(proposal).data)


class ProposalRejection(APIView):
    scopes = SCOPES

    @extend_schema(
        request=serializers.RejectionBody,
        responses=serializers.ProposalDetail,
        examples=examples.REJECT,
    )
    def post(self, request: Request, proposal_id: UUID) -> Response:
        """Turn a proposal down."""
        body = serializers.RejectionBody(data=request.data or {})
        body.is_valid(raise_exception=True)
        proposal = approvals.reject(
            principal=principal_of(request), proposal_id=proposal_id, at=timezone.now()
        )
        return Response(serializers.ProposalDetail(proposal).data)
