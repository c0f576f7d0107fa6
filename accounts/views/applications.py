"""Opening an account, and who is asking."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import examples, selectors, serializers, services
from core.api import permissions
from core.api.addresses import client_address
from core.api.authentication import principal_of
from core.api.idempotency import IdempotentView
from core.api.parser import UploadParser
from core.api.schema import idempotency_key

SCOPES = permissions.scopes("accounts")


class Applications(IdempotentView):
    operation = "accounts.open_account"
    key_required = False
    scopes = SCOPES
    rate = "sign_up"
    parser_classes = (UploadParser,)

    @extend_schema(
        request=serializers.NewAccount,
        responses={201: serializers.NewAccountAnswer, 202: serializers.NewAccountAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.OPEN_ACCOUNT,
    )
    def post(self, request: Request) -> Response:
        """Open a brokerage account; 202 while the broker has not answered."""
        at = timezone.now()
        form = serializers.NewAccount(data=request.data, context={"at": at})
        form.is_valid(raise_exception=True)
        principal = principal_of(request, user_id=form.validated_data["userId"])
        account = services.open_account(
            principal=principal,
            application=form.to_application(
                principal=principal, ip_address=client_address(request.META)
            ),
            request=self.idempotency(request, content=form.meaning(), principal=principal),
            at=at,
        )
        answer = serializers.NewAccountAnswer(account).data
        created = status.HTTP_201_CREATED if account.is_accepted else status.HTTP_202_ACCEPTED
        return Response(answer, status=created)


class Me(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.WhoIAm, examples=examples.ME)
    def get(self, request: Request) -> Response:
        """Show whose credential this is and which accounts it reaches."""
        principal = principal_of(request)
        accounts = selectors.list_accounts(principal=principal)
        return Response(serializers.who_i_am(principal, accounts))
