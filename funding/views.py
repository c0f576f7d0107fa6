"""The HTTP side of funding."""

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
from funding import examples, selectors, serializers
from funding.services import links, relationships, transfers

SCOPES = permissions.scopes("funding")
READING = dict.fromkeys(("GET", "POST"), "funding:read")


def _principal(request: Request, account_id: str) -> Principal:
    """Let a service that names only an account act for its owner, as the reference has it."""
    return accounts.principal_for(principal=principal_of(request), account_id=account_id)


def _created(*, is_accepted: bool) -> int:
    return status.HTTP_201_CREATED if is_accepted else status.HTTP_202_ACCEPTED


class RelationshipLinks(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.NewLink,
        responses=serializers.LinkAnswer,
        examples=examples.CREATE_LINK,
    )
    def post(self, request: Request) -> Response:
        """Make a page on which the customer signs in to a bank."""
        form = serializers.NewLink(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        link = links.create_link(
            principal=_principal(request, data["accountId"]),
            account_id=data["accountId"],
            redirect_uri=data["redirectUri"],
            email=data["email"],
        )
        return Response(serializers.LinkAnswer(link).data)


class ManualRelationships(IdempotentView):
    operation = "funding.link_bank"
    key_required = False
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.NewBank,
        responses={201: serializers.NewBankAnswer, 202: serializers.NewBankAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.LINK_BANK,
    )
    def post(self, request: Request) -> Response:
        """Link a bank by its numbers; 202 while the broker has not answered."""
        form = serializers.NewBank(data=request.data)
        form.is_valid(raise_exception=True)
        account_id = form.validated_data["accountId"]
        principal = _principal(request, account_id)
        bank = relationships.link_bank(
            principal=principal,
            account_id=account_id,
            bank=form.to_bank(),
            request=self.idempotency(request, content=form.meaning(), principal=principal),
            at=timezone.now(),
        )
        answer = serializers.NewBankAnswer(bank).data
        return Response(answer, status=_created(is_accepted=bank.is_accepted))


class Relationships(APIView):
    rate = "read"  # the POST as well
    scopes = READING

    @extend_schema(
        parameters=[serializers.AccountNamed],
        responses=serializers.RelationshipsAnswer,
        examples=examples.BANKS,
    )
    def get(self, request: Request) -> Response:
        """List the banks of the account that the query names."""
        return self._list(request, request.query_params)

    @extend_schema(
        request=serializers.AccountNamed,
        responses=serializers.RelationshipsAnswer,
        examples=examples.NAMED_BANKS,
    )
    def post(self, request: Request) -> Response:
        """List the banks of the account that the body names, as the original's frontend asks."""
        return self._list(request, request.data)

    def _list(self, request: Request, given: object) -> Response:
        form = serializers.AccountNamed(data=given)
        form.is_valid(raise_exception=True)
        return _relationships(request, form.validated_data["accountId"])


class AccountRelationships(APIView):
    scopes = SCOPES

    @extend_schema(
        operation_id="get_ach_relationships_of_account",
        responses=serializers.RelationshipsAnswer,
        examples=examples.BANKS,
    )
    def get(self, request: Request, account_id: str) -> Response:
        """List the banks of the account that the path names."""
        return _relationships(request, account_id)


def _relationships(request: Request, account_id: str) -> Response:
    principal = _principal(request, account_id)
    found = selectors.list_relationships(principal=principal, account_id=account_id)
    return Response(serializers.RelationshipsAnswer({"relationships": found}).data)


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
        principal = _principal(request, data["accountId"])
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
        return Response(answer, status=_created(is_accepted=transfer.is_accepted))


class AccountTransfers(APIView):
    scopes = SCOPES

    @extend_schema(parameters=[serializers.TransfersQuery], responses=serializers.TransfersAnswer)
    def get(self, request: Request, account_id: str) -> Response:
        """List the transfers of an account, the newest first."""
        form = serializers.TransfersQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        principal = _principal(request, account_id)
        page = selectors.list_transfers(
            principal=principal, account_id=account_id, **form.validated_data
        )
        return Response(serializers.TransfersAnswer(page).data)
