"""Proposals over HTTP, and the customer's word on them."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.authentication import principal_of
from trading import approvals, examples, selectors
from trading.serializers import proposals as serializers
from trading.views.base import SCOPES


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
        """
        Approve what the hash stands for; its orders are placed once, all of them or none.

        When the price has left the band, the 409 `price_moved` carries a fresh `proposal` that
        can be shown and approved at once, or null when the rules refuse it now. A refusal by a
        rule records nothing, and the proposal can be approved again until it expires.
        """
        body = serializers.ApprovalBody(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            proposal = approvals.approve(
                principal=principal_of(request),
                proposal_id=proposal_id,
                shown_hash=body.validated_data["hash"],
                at=timezone.now(),
            )
        except approvals.PriceMoved as moved:
            fresh = moved.fresh
            shown = None if fresh is None else serializers.ProposalDetail(fresh).data
            moved.extra["proposal"] = shown
            raise
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
