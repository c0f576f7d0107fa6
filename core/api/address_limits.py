"""What one network may ask before anybody says who they are: requests, failures, sockets."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from core import rate_limits
from core.api import problems
from core.api.addresses import client_address, network_of, socket_address
from core.api.middleware import Handler
from core.batches import Batches
from core.rate_limits import Throttled
from core.sockets import codes
from core.sockets.loops import PerLoop

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class LimitAddresses:
    """
    Counts a network's requests, and apart from them those that were answered 401.

    A network with too many failures is refused before its credentials are looked at, so that
    guessing them costs us no database and no signature.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        whose = _counted(request)
        if refusal := _refusal(whose):
            return refusal
        return _judged(self._get_response(request), whose)


class LimitSockets:
    """Closes the sockets of a network that opens too many a minute; the client sees the code."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whose = network_of(socket_address(scope))
        try:
            await _COUNTING.get().ask(whose)
        except Throttled:
            await receive()
            await send({"type": "websocket.accept"})
            return await send({"type": "websocket.close", "code": codes.TOO_MANY})
        return await self._application(scope, receive, send)


def _count_sockets(networks: Sequence[str]) -> list[Throttled | None]:
    """Count sockets that were opened at about the same time, with one question a network."""
    answers = {whose: iter(_count_of(whose, n)) for whose, n in Counter(networks).items()}
    return [next(answers[whose]) for whose in networks]


def _count_of(whose: str, count: int) -> list[Throttled | None]:
    """Count so many of one network; when there is no room for all, those that came first."""
    counted = 0
    with suppress(Throttled):
        rate_limits.spend("sockets", whose=whose, count=count)
        counted = count
    while counted < count:
        try:
            rate_limits.spend("sockets", whose=whose)
        except Throttled as error:
            return [None] * counted + [error] * (count - counted)
        counted += 1
    return [None] * count


def _counted(request: HttpRequest) -> str | None:
    """Name the network, unless the path is one that must answer whoever asks how often."""
    path = request.path_info
    for exempt in settings.RATE_LIMIT_EXEMPT_PATHS:
        if path == exempt or (exempt.endswith("/") and path.startswith(exempt)):
            return None
    return network_of(client_address(request.META))


def _refusal(whose: str | None) -> HttpResponse | None:
    if whose is None:
        return None
    try:
        rate_limits.check("refusals", whose=whose)
        rate_limits.spend("address", whose=whose)
    except Throttled as error:
        return problems.answer(error)
    return None


def _judged(response: HttpResponseBase, whose: str | None) -> HttpResponseBase:
    """Count a failure; those that were under way together get no more answers than the others."""
    if whose is None or response.status_code != HTTPStatus.UNAUTHORIZED:
        return response
    try:
        rate_limits.spend("refusals", whose=whose)
    except Throttled as error:
        return problems.answer(error)
    return response


_COUNTING: Final = PerLoop(
    lambda: Batches[str, None](
        lambda networks: asyncio.to_thread(_count_sockets, networks), at_once=4, most=50
    )
)
