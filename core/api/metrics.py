"""What monitoring reads; it tells nothing about any customer."""

import hmac
from ipaddress import ip_address

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views import View

from core import exposition, loop_lag
from core.api import problems
from core.api.addresses import client_address
from core.errors import CleraError, NotFound, Unauthenticated
from core.health import SHARED_ENVIRONMENTS


class Metrics(View):
    """The figures of this process and of the leaders, for whoever has the token."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer in the text format of Prometheus."""
        try:
            _admit(request)
        except CleraError as error:
            return problems.answer(error)
        async_to_sync(loop_lag.watch)()  # whoever serves this process also serves its sockets
        return HttpResponse(
            exposition.everything(),
            content_type=exposition.CONTENT_TYPE,
            headers={"Cache-Control": "no-store"},
        )


def _admit(request: HttpRequest) -> None:
    """
    Let monitoring in.

    Without a token there is no such page, but for programs on a developer's own machine.

    :raises NotFound: no token is set, and somebody else asks.
    :raises Unauthenticated: it is not the token.
    """
    if settings.METRICS_TOKEN:
        keyword, _, token = request.headers.get("Authorization", "").partition(" ")
        is_same = hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
        if keyword.lower() != "bearer" or not is_same:
            raise Unauthenticated
    elif settings.ENVIRONMENT in SHARED_ENVIRONMENTS or not _is_this_machine(request):
        raise NotFound


def _is_this_machine(request: HttpRequest) -> bool:
    address = client_address(request.META)
    return bool(address) and ip_address(address).is_loopback
