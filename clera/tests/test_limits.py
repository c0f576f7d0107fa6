"""Every route is limited, and what moves money is limited as money."""

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.urls import URLPattern, get_resolver
from rest_framework.views import APIView

from clera.asgi import application
from core import rate_limits
from core.api.throttling import PerPrincipal, rate_of


def views(patterns=None):
    """Each route of the API by its name."""
    for entry in get_resolver("clera.urls").url_patterns if patterns is None else patterns:
        if not isinstance(entry, URLPattern):
            yield from views(entry.url_patterns)
        elif issubclass(getattr(entry.callback, "cls", object), APIView):
            yield entry.name, entry.callback.cls


def test_every_view_is_limited_except_the_probes():
    unlimited = {name for name, view in views() if PerPrincipal not in view.throttle_classes}

    assert unlimited == {"health", "health-reference", "ready"}


def test_every_view_asks_for_a_rate_that_there_is():
    for name, view in views():
        for method in ("GET", "POST", "PATCH", "DELETE"):
            rate = rate_of(method, view)
            of_services = {rate_limits.OF_SERVICES + rate} if view.authentication_classes else set()
            assert {rate} | of_services <= settings.RATE_LIMITS.keys(), name


CLOSING = (
    "initiate",
    "cancel-orders",
    "liquidate-positions",
    "withdraw-funds",
    "close-account",
    "resume",
    "cancel-task",
)


def test_what_moves_money_and_opens_accounts_is_closed_when_nobody_can_count():
    closed = {
        name for name, view in views() if rate_of("POST", view) in rate_limits.CLOSED_UNCOUNTED
    }

    assert closed == {
        "account-relationship",
        "create-alpaca-account",
        "create-ach-relationship-link",
        "create-ach-relationship-manual",
        "delete-ach-relationship",
        "initiate-ach-transfer",
        "process-plaid-token",
        "trade",
        "account-orders",
        "account-order",
        "proposal-approve",
        *(f"{prefix}-{deed}" for prefix in ("closure", "api-closure") for deed in CLOSING),
    }


@pytest.mark.asyncio
async def test_a_network_cannot_open_sockets_without_end(settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "sockets": "2/hour"}

    assert [await closing_code() for _ in range(3)] == [4404, 4404, 4429]


async def closing_code():
    """Open a socket that leads nowhere."""
    scope = {
        "type": "websocket", "path": "/ws/nowhere", "headers": [], "query_string": b"",
        "client": ("203.0.113.77", 1), "subprotocols": [],
    }  # fmt: skip
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output(60))["type"] == "websocket.accept"
    closed = await communicator.receive_output(60)
    await communicator.wait(60)
    return closed["code"]
