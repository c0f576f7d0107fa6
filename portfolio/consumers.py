"""The socket of one account's live value: a gate, and then the hub's."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

import structlog
from django.db import DatabaseError

from core.auth import sockets as credentials
from core.errors import CleraError, ServiceBusy, Unauthenticated
from core.threads import in_database
from portfolio import selectors, services
from portfolio.live.hub import Backend, Hub, hub_of_this_loop
from portfolio.live.seats import Seat, TooManySockets
from portfolio.live.sockets import LiveSocket, Message, Receive, Send, attach

logger = structlog.get_logger()
LARGEST_FRAME: Final = 64 * 1024
_AUTH_SECONDS: Final = 5.0
_BAD_FRAME, _NOT_YOURS, _TOO_MANY, _TRY_LATER = 4400, 4404, 4429, 1013
_UNAUTHENTICATED = 4401
# The original's clients carry `?token=` and wait for these.
_IN_QUERY: Final = {_UNAUTHENTICATED: 4001, _NOT_YOURS: 4003}


class Refused(Exception):
    """The client is told why, and the connection closed with a code."""

    def __init__(self, code: int, error: str, detail: str) -> None:
        self.code = code
        self.error = error
        self.detail = detail
        super().__init__(error)


class Gone(Exception):
    """The client has left."""


@dataclass(frozen=True)
class _Credential:
    """A token and how it came."""

    token: str
    is_in_query: bool = False
    act_for: str | None = None

    def code(self, code: int) -> int:
        return _IN_QUERY.get(code, code) if self.is_in_query else code


async def live_value(scope: Message, receive: Receive, send: Send) -> None:
    """Serve `/ws/portfolio/{account_id}`: first who asks, then values until either side ends it."""
    await receive()  # websocket.connect
    offered = scope.get("subprotocols", [])
    chosen = credentials.SUBPROTOCOL if credentials.SUBPROTOCOL in offered else None
    # Accepted before anything is checked: a browser sees no code of a refused handshake.
    await send({"type": "websocket.accept", "subprotocol": chosen})
    socket, receive = attach(scope, receive, send)
    hub: Hub | None = None
    seat: Seat | None = None
    try:
        credential = await _credential(scope, receive)
        seat = await _seat(scope, credential, socket)
        hub = hub_of_this_loop(BACKEND)
        _join(hub, seat)
        while True:
            _answer(await _frame(receive), socket)
    except Gone:
        pass
    except Refused as refusal:
        await _refuse(refusal, socket, receive)
    finally:
        if hub is not None and seat is not None:
            hub.leave(seat)


async def _credential(scope: Message, receive: Receive) -> _Credential:
    """Find the token: offered as a subprotocol, in the query, or in the first frame."""
    offered = credentials.token_in(scope.get("subprotocols", []))
    if offered:
        return _Credential(offered)
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    if query.get("token"):
        return _Credential(query["token"][0], is_in_query=True)
    try:
        async with asyncio.timeout(_AUTH_SECONDS):
            frame = await _frame(receive)
    except TimeoutError:
        raise Refused(_UNAUTHENTICATED, "unauthenticated", "No token came in time.") from None
    token, act_for = frame.get("token"), frame.get("act_for")
    if frame.get("type") != "auth" or not isinstance(token, str):
        raise Refused(_UNAUTHENTICATED, "unauthenticated", "The first frame carries the token.")
    return _Credential(token, act_for=act_for if isinstance(act_for, str) else None)


async def _seat(scope: Message, credential: _Credential, socket: LiveSocket) -> Seat:
    """Check who asks and whether the account is theirs."""
    account_text: str = scope["url_route"]["kwargs"]["account_id"]
    try:
        admission = await in_database(
            selectors.admit,
            token=credential.token,
            account_id=account_text,
            act_for=credential.act_for,
        )
    except Unauthenticated as error:
        code = credential.code(_UNAUTHENTICATED)
        raise Refused(code, error.code, "The token is not valid.") from error
    except (ServiceBusy, DatabaseError) as error:
        raise Refused(_TRY_LATER, "service_unavailable", "Try again shortly.") from error
    except CleraError as error:
        code = credential.code(_NOT_YOURS)
        raise Refused(code, "not_found", "There is no such account.") from error
    expires_at = None
    if admission.expires_at is not None:
        left = (admission.expires_at - datetime.now(UTC)).total_seconds()
        expires_at = asyncio.get_running_loop().time() + left
    return Seat(
        account_id=admission.account_id,
        account_text=json.dumps(account_text),
        owner=admission.owner,
        socket=socket,
        expires_at=expires_at,
        expired_code=credential.code(_UNAUTHENTICATED),
    )


def _join(hub: Hub, seat: Seat) -> None:
    try:
        hub.join(seat)
    except TooManySockets:
        detail = "Close another socket first."
        raise Refused(_TOO_MANY, "too_many_sockets", detail) from None


async def _frame(receive: Receive) -> Mapping[str, Any]:
    """Wait for a message of the client: one JSON object in a text frame."""
    message = await receive()
    if message["type"] != "websocket.receive":
        raise Gone
    text = message.get("text")
    if not isinstance(text, str) or len(text) > LARGEST_FRAME:
        raise _bad_frame()
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad_frame() from None
    if not isinstance(frame, dict):
        raise _bad_frame()
    return frame


def _bad_frame() -> Refused:
    return Refused(_BAD_FRAME, "bad_frame", "Send one JSON object of at most 64 KB as text.")


def _answer(frame: Mapping[str, Any], socket: LiveSocket) -> None:
    """Answer a heartbeat; anything else has no meaning here and is refused."""
    if frame.get("type") != "heartbeat":
        raise Refused(_BAD_FRAME, "unknown_type", "This socket only knows `heartbeat`.")
    answer = {"type": "heartbeat_ack", "timestamp": round(time.time(), 3)}
    socket.try_send(json.dumps(answer).encode())


async def _refuse(refusal: Refused, socket: LiveSocket, receive: Receive) -> None:
    """Say why in words, then in the code, and wait until the connection is down."""
    answer = {"type": "error", "error": refusal.error, "detail": refusal.detail}
    socket.try_send(json.dumps(answer).encode())
    socket.end(refusal.code)
    while (await receive())["type"] != "websocket.disconnect":
        pass


BACKEND: Final = Backend(
    load=lambda accounts: in_database(services.load_accounts, account_ids=accounts),
    want=lambda reason, symbols: in_database(services.want_prices, reason=reason, symbols=symbols),
)
