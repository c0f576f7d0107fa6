"""Routes that only the tests of rate limits know: one of each kind."""

from django.urls import path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import permissions
from core.api.health import Health

WORKED: list[str] = []


class Things(APIView):
    scopes = permissions.scopes("trading")

    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        return Response({}, status=201)


class Payments(APIView):
    rate = "money"
    scopes = permissions.scopes("funding")

    def post(self, request: Request) -> Response:
        WORKED.append("payment")
        return Response({}, status=201)


class SignUps(APIView):
    rate = "sign_up"
    scopes = permissions.scopes("accounts")

    def post(self, request: Request) -> Response:
        WORKED.append("sign_up")
        return Response({}, status=201)


class Public(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path("things", Things.as_view()),
    path("payments", Payments.as_view()),
    path("sign-ups", SignUps.as_view()),
    path("public", Public.as_view()),
    path("health", Health.as_view()),
]
