"""Positions and money over HTTP."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from trading import selectors
from trading.serializers import holdings as serializers
from trading.views.base import SCOPES, principal_for


class Positions(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.PositionDetail(many=True))
    def get(self, request: Request, account_id: str) -> Response:
        """List what an account holds, at the latest prices."""
        positions = selectors.list_priced_positions(
            principal=principal_for(request, account_id), account_id=account_id, at=timezone.now()
        )
        return Response(serializers.PositionDetail(positions, many=True).data)


class Balance(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.BalanceAnswer)
    def get(self, request: Request, account_id: str) -> Response:
        """Show an account's cash, buying power and worth."""
        balance = selectors.get_balance(
            principal=principal_for(request, account_id), account_id=account_id, at=timezone.now()
        )
        return Response(serializers.BalanceAnswer({"success": True, "data": balance}).data)
