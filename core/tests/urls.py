"""Routes that only the tests of the API's edge know."""

from decimal import Decimal

from django.db import OperationalError
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import permissions
from core.api.authentication import principal_of
from core.api.fields import MoneyField, StrictCharField, StrictSerializer
from core.api.problems import (  # noqa: F401 - Django looks the handlers up here
    bad_request as handler400,
)
from core.api.problems import not_found as handler404  # noqa: F401
from core.api.problems import server_error as handler500  # noqa: F401
from core.errors import RuleBroken, VendorUnclear


class Agreement(StrictSerializer):
    signed_at = serializers.DateTimeField()


class Identity(StrictSerializer):
    tax_id = serializers.RegexField(r"^\d{3}-\d{2}-\d{4}$")
    tax_id_type = serializers.ChoiceField(["USA_SSN"])


class AlpacaData(StrictSerializer):
    identity = Identity()
    agreements = Agreement(many=True)


class Application(StrictSerializer):
    alpacaData = AlpacaData()  # noqa: N815 - a reference name
    nickname = StrictCharField(required=False)
    amount = MoneyField(required=False)


class Open(APIView):
    """Echoes what it was sent, as the parser read it."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        return Response(request.data)


class Check(Open):
    def post(self, request: Request) -> Response:
        body = Application(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(body.validated_data)


class Whoami(APIView):
    def get(self, request: Request) -> Response:
        return Response({"principal": principal_of(request).name})


class Orders(APIView):
    scopes = permissions.scopes("trading")

    def get(self, request: Request) -> Response:
        who = principal_of(request)
        return Response({"user_id": who.user_id, "acted_by": who.acted_by})

    def post(self, request: Request) -> Response:
        who = principal_of(request, user_id=dict(request.data).get("userId"))
        return Response({"user_id": who.user_id, "amount": Decimal("100.00")}, status=201)


class Scoped(APIView):
    permission_classes = (permissions.HasScope,)

    def get(self, request: Request) -> Response:
        return Response({})


class Fails(Open):
    ERRORS = {
        "rule": lambda: RuleBroken("Not now.", extra={"limit": Decimal("5.00"), "status": 1}),
        "vendor": lambda: VendorUnclear("alpaca", "No answer.", retry_after_seconds=7),
        "throttled": lambda: Throttled(wait=2.6),
        "database": lambda: OperationalError("connection to 10.0.0.1 failed: secret"),
        "bug": lambda: ValueError("secret 123-45-6789"),
    }

    def get(self, request: Request, kind: str) -> Response:
        error = self.ERRORS[kind]()
        raise error


def broken(request):
    raise ValueError("secret 123-45-6789")


urlpatterns = [
    path("echo", Open.as_view()),
    path("check", Check.as_view()),
    path("whoami", Whoami.as_view()),
    path("orders", Orders.as_view()),
    path("scoped", Scoped.as_view()),
    path("fails/<str:kind>", Fails.as_view()),
    path("broken", broken),
    path("api/broken", broken),
]
