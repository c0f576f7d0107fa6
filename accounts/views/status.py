"""What the broker makes of an account."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import examples, selectors, serializers, services
from accounts.models import BrokerageAccount
from core.api import permissions
from core.api.authentication import principal_of

SCOPES = permissions.scopes("accounts")


class AccountStatus(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.StatusAnswer, examples=examples.STATUS)
    def get(self, request: Request, account_id: str) -> Response:
        """Show what the broker last said about the account, and what the customer can do now."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        account = selectors.get_account(principal=principal, account_id=account_id)
        return _status_answer(account)


class AccountStatusSync(APIView):
    scopes = SCOPES

    @extend_schema(request=None, responses=serializers.StatusAnswer, examples=examples.STATUS)
    def post(self, request: Request, account_id: str) -> Response:
        """Ask the broker now, and show what it says."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        return _status_answer(services.refresh_account(principal=principal, account_id=account_id))


class AccountHistory(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.HistoryAnswer, examples=examples.HISTORY)
    def get(self, request: Request, account_id: str) -> Response:
        """List every step the account has taken, the oldest first; late news say so."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        steps = selectors.list_steps(principal=principal, account_id=account_id)
        return Response(serializers.HistoryAnswer({"success": True, "steps": steps}).data)


def _status_answer(account: BrokerageAccount) -> Response:
    return Response(serializers.StatusAnswer({"success": True, "data": account}).data)
