"""Routes that do nothing but ask who is there, for `benchmarks.auth`."""

from django.urls import path
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import permissions
from core.api.authentication import principal_of


class Open(APIView):
    """Asks nobody anything: what every request costs."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        return Response({"ok": True})


class Guarded(APIView):
    """Guarded as all of our routes are."""

    scopes = permissions.scopes("portfolio")

    def get(self, request: Request) -> Response:
        return Response({"ok": principal_of(request).kind == "CUSTOMER"})


class BySession(APIView):
    """Guarded by Django's sessions, as DRF does it."""

    authentication_classes = (SessionAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"ok": request.user.is_active})


urlpatterns = [
    path("open", Open.as_view()),
    path("guarded", Guarded.as_view()),
    path("session", BySession.as_view()),
]
