"""Linked banks."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.idempotency import IdempotentView
from core.api.schema import idempotency_key
from funding import examples, selectors
from funding.serializers import banks as serializers
from funding.serializers.named import AccountNamed
from funding.services import relationships, removals
from funding.views.common import READING, SCOPES, created, principal_for


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
        principal = principal_for(request, account_id)
        bank = relationships.link_bank(
            principal=principal,
            account_id=account_id,
            bank=form.to_bank(),
            request=self.idempotency(request, content=form.meaning(), principal=principal),
            at=timezone.now(),
        )
        answer = serializers.NewBankAnswer(bank).data
        return Response(answer, status=created(is_accepted=bank.is_accepted))


class Relationships(APIView):
    rate = "read"  # the POST as well
    scopes = READING

    @extend_schema(
        parameters=[AccountNamed],
        responses=serializers.RelationshipsAnswer,
        examples=examples.BANKS,
    )
    def get(self, request: Request) -> Response:
        """List the banks of the account that the query names."""
        return self._list(request, request.query_params)

    @extend_schema(
        request=AccountNamed,
        responses=serializers.RelationshipsAnswer,
        examples=examples.NAMED_BANKS,
    )
    def post(self, request: Request) -> Response:
        """List the banks of the account that the body names, as the original's frontend asks."""
        return self._list(request, request.data)

    def _list(self, request: Request, given: object) -> Response:
        form = AccountNamed(data=given)
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


class RemovedRelationships(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        request=serializers.RelationshipNamed,
        responses={200: serializers.RemovalAnswer, 202: serializers.RemovalAnswer},
        examples=examples.REMOVE_BANK,
    )
    def post(self, request: Request) -> Response:
        """Remove the bank that the body names; 202 while the broker has not confirmed it."""
        form = serializers.RelationshipNamed(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        return _removed(request, data["accountId"], data["relationshipId"])


class AccountRelationship(APIView):
    rate = "money"
    scopes = SCOPES

    @extend_schema(
        responses={200: serializers.RemovalAnswer, 202: serializers.RemovalAnswer},
        examples=examples.REMOVED_BANK,
    )
    def delete(self, request: Request, account_id: str, relationship_id: str) -> Response:
        """Remove the bank that the path names; 202 while the broker has not confirmed it."""
        return _removed(request, account_id, relationship_id)


def _removed(request: Request, account_id: str, relationship_id: str) -> Response:
    removal = removals.remove_bank(
        principal=principal_for(request, account_id),
        account_id=account_id,
        relationship_id=relationship_id,
        at=timezone.now(),
    )
    code = status.HTTP_200_OK if removal.is_certain else status.HTTP_202_ACCEPTED
    return Response(serializers.RemovalAnswer(removal).data, status=code)


def _relationships(request: Request, account_id: str) -> Response:
    principal = principal_for(request, account_id)
    found = selectors.list_relationships(principal=principal, account_id=account_id)
    return Response(serializers.RelationshipsAnswer({"relationships": found}).data)
