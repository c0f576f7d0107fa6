"""An account's cash, and what has moved it."""

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import selectors as accounts
from core.api import permissions
from core.api.authentication import principal_of
from core.auth import Principal
from ledger import examples, selectors, serializers

SCOPES: Final = permissions.scopes("funding")


class AccountCash(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.CashAnswer, examples=examples.CASH)
    def get(self, request: Request, account_id: str) -> Response:
        """Show an account's cash: all of it, what is held back, and what is free."""
        cash = selectors.get_cash(
            principal=_principal_for(request, account_id), account_id=account_id
        )
        return Response(serializers.CashAnswer(cash).data)


class AccountLedger(APIView):
    scopes = SCOPES

    @extend_schema(
        parameters=[serializers.LedgerQuery],
        responses=serializers.LedgerAnswer,
        examples=examples.LEDGER,
    )
    def get(self, request: Request, account_id: str) -> Response:
        """List what has moved an account's cash, the newest first."""
        form = serializers.LedgerQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        page = selectors.list_entries(
            principal=_principal_for(request, account_id),
            account_id=account_id,
            **form.validated_data,
        )
        return Response(serializers.LedgerAnswer(page).data)


def _principal_for(request: Request, account_id: str) -> Principal:
    return accounts.principal_for(principal=principal_of(request), account_id=account_id)
