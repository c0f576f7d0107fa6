"""The page, and the local token it starts with."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console import demo


def page(request: HttpRequest) -> HttpResponse:
    """Show the console: one page, its script and style, nothing from elsewhere."""
    context = {"is_local": settings.LOCAL_TOKENS, "version": settings.VERSION}
    return render(request, "console/index.html", context)


@method_decorator(never_cache, name="dispatch")
class LocalToken(APIView):
    """Hands the demo customer's token to the page; answers 404 outside a local run."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:  # noqa: ARG002 - nothing is asked
        """Mint a token for the demo customer."""
        token = demo.mint_token()
        return Response({"access_token": token.access_token, "expires_in": token.expires_in})
