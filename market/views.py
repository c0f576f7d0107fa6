"""Market data over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import permissions
from market import selectors, serializers


class Company(APIView):
    """A company's profile."""

    scopes = permissions.scopes("market")

    @extend_schema(responses=serializers.CompanyAnswer)
    def get(self, request: Request, ticker: str) -> Response:  # noqa: ARG002 - DRF's signature
        """Read the profile of the company behind a ticker."""
        return Response({"success": True, "data": dict(selectors.get_company(ticker=ticker))})
