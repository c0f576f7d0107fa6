"""Transfers between an account and its bank."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.idempotency import IdempotentView
from core.api.schema import idempotency_key
from funding import examples, selectors
from funding.serializers import transfers as serializers
from funding.services import cancellations, transfers
from funding.views.common import SCOPES, created, principal_for


class Transfers(IdempotentView):
    operation = "funding.move_money"
    key_required = False
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.NewTransfer,
        responses={201: serializers.NewTransferAnswer, 202: serializers.NewTransferAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.MOVE_MONEY,
    )
    def post(self, request: Request) -> Response:
        """Move money between an account and its bank; 202 while the broker has not answered."""
        form = serializers.NewTransfer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        principal = principal_for(request, data["accountId"])
        transfer = transfers.move_money(
            principal=principal,
            account_id=data["accountId"],
            relationship_id=data["relationshipId"],
            amount=data["amount"],
            direction=data["direction"],
            request=self.idempotency(request, content=form.meaning(), principal=principal),
            at=timezone.now(),
        )
        answer = serializers.NewTransferAnswer(transfer).data
        return Response(answer, status=created(is_accepted=transfer.is_accepted))


class AccountTransfers(APIView):
    scopes = SCOPES

    @extend_schema(
        operation_id="api_account_transfers_list",
        parameters=[serializers.TransfersQuery],
        responses=serializers.TransfersAnswer,
        examples=examples.TRANSFERS,
    )
    def get(self, request: Request, account_id: str) -> Response:
        """List the transfers of an account, the newest first."""
        form = serializers.TransfersQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        principal = principal_for(request, account_id)
        page = selectors.list_transfers(
            principal=principal, account_id=account_id, **form.validated_data
        )
        return Response(serializers.TransfersAnswer(page).data)


class AccountTransfer(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.TransferDetail, examples=examples.TRANSFER)
    def get(self, request: Request, account_id: str, transfer_id: str) -> Response:
        """Show one transfer of an account, named by our id or by the broker's."""
        principal = principal_for(request, account_id)
        transfer = selectors.get_transfer(
            principal=principal, account_id=account_id, transfer_id=transfer_id
        )
        return Response(serializers.TransferDetail(transfer).data)

    @extend_schema(
        responses={200: serializers.TransferDetail, 202: serializers.TransferDetail},
        examples=examples.CANCEL_TRANSFER,
    )
    def delete(self, request: Request, account_id: str, transfer_id: str) -> Response:
        """Cancel a transfer that has not left yet; 202 while the broker has not answered."""
        transfer = cancellations.cancel_transfer(
            principal=principal_for(request, account_id),
            account_id=account_id,
            transfer_id=transfer_id,
            at=timezone.now(),
        )
        is_certain = transfer.public_status == cancellations.CANCELED
        answer = serializers.TransferDetail(transfer).data
        return Response(answer, status=200 if is_certain else 202)
