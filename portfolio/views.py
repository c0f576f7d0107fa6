"""Portfolio figures over HTTP."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors as accounts
from core.api import permissions
from core.api.authentication import principal_of
from portfolio import examples, selectors, serializers


class PortfolioValue(APIView):
    """What an account is worth now: the record that its socket sends."""

    scopes = permissions.scopes("portfolio")

    @extend_schema(
        parameters=[serializers.ValueQuery],
        responses=serializers.LiveRecord,
        examples=examples.VALUE,
    )
    def get(self, request: Request) -> Response:
        """Read the live value of one account."""
        query = serializers.ValueQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        account_id: str = query.validated_data["accountId"]
        principal = accounts.principal_for(principal=principal_of(request), account_id=account_id)
        value = selectors.get_value(principal=principal, account_id=account_id, at=timezone.now())
        return Response(value.record)


class FundingStatus(APIView):
    """How an account is funded: here, because it says what the money has become."""

    scopes = permissions.scopes("funding")

    @extend_schema(responses=serializers.FundingStatusAnswer)
    def get(self, request: Request, account_id: str) -> Response:
        """Read what has come into one account, from where, and what it is worth now."""
        principal = accounts.principal_for(principal=principal_of(request), account_id=account_id)
        status = selectors.get_funding_status(
            principal=principal, account_id=account_id, at=timezone.now()
        )
        return Response(serializers.FundingStatusAnswer(status).data)
