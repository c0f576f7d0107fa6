"""Signing in to a bank through Plaid."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from funding import examples
from funding.serializers import plaid as serializers
from funding.services import links
from funding.views.common import SCOPES, principal_for


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
            principal=principal_for(request, data["accountId"]),
            account_id=data["accountId"],
            redirect_uri=data["redirectUri"],
            email=data["email"],
        )
        return Response(serializers.LinkAnswer(link).data)
