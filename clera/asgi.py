"""Where every request and every socket comes in."""

import gc
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clera.settings.local")

import django

django.setup(set_prefix=False)  # before anything that needs the apps

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from accounts import routing as accounts  # noqa: E402
from core.api.address_limits import LimitSockets  # noqa: E402
from core.api.body_limit import LimitBody  # noqa: E402
from core.api.handler import OneThread  # noqa: E402
from portfolio import routing as portfolio  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
NOT_FOUND = 4404


class KnownOrigins:
    """
    Refuses sockets that a page of some other site has opened.

    Browsers always name the page's origin. Other clients name none and are let through: they
    cannot be tricked into carrying somebody's credentials, and every socket asks for a token.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if is_allowed(origin, host=host):
            return await self._application(scope, receive, send)
        await receive()
        return await send({"type": "websocket.close", "code": 4403})


def is_allowed(origin: str, *, host: str) -> bool:
    """Say whether a page of this origin may open sockets here."""
    if not origin or origin in settings.ALLOWED_ORIGINS:
        return True
    return bool(host) and origin in {f"http://{host}", f"https://{host}"}


async def no_such_socket(_: Scope, receive: Receive, send: Send) -> None:
    """Accept and close, so that the client sees the code."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": NOT_FOUND})


class Sockets:
    """The sockets' router, which closes what leads nowhere instead of failing."""

    def __init__(self, routes: list[Any]) -> None:
        self._router = URLRouter(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].lstrip("/")
        is_known = any(route.pattern.match(path) for route in self._router.routes)
        await (self._router if is_known else no_such_socket)(scope, receive, send)


views: Any = OneThread()
application = ProtocolTypeRouter(
    {
        "http": LimitBody(views),
        "websocket": KnownOrigins(
            LimitSockets(Sockets([*accounts.urlpatterns, *portfolio.urlpatterns]))
        ),
    }
)

# What has been loaded stays. A collector that walks through all of it holds up every socket of the
# process for a tenth of a second; and one that looks at the young after every 700 of them, as it
# does by itself, does so several times a request, to find next to nothing.
gc.set_threshold(20_000)
gc.collect()
gc.freeze()
