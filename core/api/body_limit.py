"""Stops a body that is too large before it is read, whoever it is meant for."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from django.conf import settings

from core import exact_json
from core.api.parser import BodyTooLarge
from core.api.problems import MEDIA_TYPE, describe

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class LimitBody:
    """
    Wraps the ASGI application; Django itself spools any body to disk before a view may refuse it.

    A declared length over the limit is refused unread. A body that grows over it is answered, and
    the application is told that the client has gone.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._application(scope, receive, send)
        limit = _limit_of(scope["path"])
        declared = _declared_length(scope)
        if declared is not None and declared > limit:
            return await _refuse(send)
        counted = _Counted(receive, send, limit)
        if declared is None and _is_chunked(scope):
            body = await _whole_body(counted)
            if body is None:
                return None
            length = (b"content-length", str(len(body)).encode())
            scope = {**scope, "headers": [*scope["headers"], length]}
            return await self._application(scope, _Given(body, receive), send)
        return await self._application(scope, counted, send)


def _limit_of(path: str) -> int:
    """Let the few routes that take files have larger bodies than all others."""
    takes_files = any(re.fullmatch(pattern, path) for pattern in settings.API_UPLOAD_PATHS)
    return int(settings.API_MAX_UPLOAD_BYTES if takes_files else settings.API_MAX_BODY_BYTES)


class _Counted:
    """The receiving side of a request, which ends where the limit is."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left >= 0:
            return message
        await _refuse(self._send)
        return {"type": "http.disconnect"}


class _Given:
    """The receiving side of a request whose body is here already."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _whole_body(receive: Receive) -> bytes | None:
    """Read a body to its end; nothing when it was refused or the client has gone."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _is_chunked(scope: MutableMapping[str, Any]) -> bool:
    """Django, unlike HTTP, takes a body without a declared length for an empty one."""
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


def _declared_length(scope: MutableMapping[str, Any]) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return None


async def _refuse(send: Send) -> None:
    body, headers = describe(BodyTooLarge())
    content = exact_json.dumps(body).encode()
    named = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(content)),
        "Connection": "close",
        **headers,
    }
    pairs = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    await send(
        {
            "type": "http.response.start",
            "status": HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value,
            "headers": pairs,
        }
    )
    await send({"type": "http.response.body", "body": content})
