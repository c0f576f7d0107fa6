"""Liveness and readiness, open to everybody: they tell nothing about any customer."""

from dataclasses import asdict

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import health


class Health(APIView):
    """The process answers. Says nothing about what it depends on, so that it is not restarted."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:  # noqa: ARG002 - Django's signature
        """Answer that the process is alive."""
        return Response({"status": "healthy", "version": settings.VERSION})


class Ready(APIView):
    """Whether this process should get traffic: each thing it needs, one by one."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:  # noqa: ARG002
        """Answer 200 when everything required works, else 503; both list every check."""
        checks = health.check_all(at=timezone.now())
        is_ready = all(check.is_ok for check in checks if check.is_required)
        body = {
            "status": "ready" if is_ready else "not_ready",
            "version": settings.VERSION,
            "checks": [asdict(check) for check in checks],
        }
        return Response(body, status=200 if is_ready else 503)
