"""The gate of every socket: who asks, may they, and then one frame after the other."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from core.auth import sockets as credentials
from core.errors import Unauthenticated
from core.sockets import codes, draining, networks
from core.sockets.connection import LiveSocket, Message, Receive, Send, attach
from core.sockets.hub import Hub
from core.sockets.seats import SeatT, TooManySockets
from core.sockets.stays import Stay, staying
from core.sockets.visits import Credential, Refused, Visit

LARGEST_FRAME: Final = 64 * 1024
_AUTH_SECONDS: Final = 5.0
# After each frame, so that no socket keeps us busy; what comes meanwhile waits, and reading stops.
_PAUSE_SECONDS: Final = 0.1


class Gone(Exception):
    """The client has left."""


Sit = Callable[[Visit], Awaitable[tuple[Hub[SeatT], SeatT]]]
Heed = Callable[[Visit, SeatT, Mapping[str, Any]], Awaitable[bool]]


async def serve(
    scope: Message,
    receive: Receive,
    send: Send,
    *,
    sit: Sit[SeatT],
    heed: Heed[SeatT] | None = None,
) -> None:
    """
    Let a client in, and answer it until either side ends the connection.

    `sit` admits the client and says in which hub it gets which seat. `heed` takes the frames that
    only this kind of socket knows, and says whether it knows one.
    """
    await receive()  # websocket.connect
    offered = scope.get("subprotocols", [])
    chosen = credentials.SUBPROTOCOL if credentials.SUBPROTOCOL in offered else None
    # Accepted before anything is checked: a browser sees no code of a refused handshake.
    await send({"type": "websocket.accept", "subprotocol": chosen})
    socket, receive = attach(scope, receive, send)
    try:
        with networks.counted(scope):
            _refuse_while_draining()
            visit = Visit(scope, socket, await _credential(scope, receive))
            hub, seat = await sit(visit)
            visit.forget_token()
            _join(hub, seat)
            try:
                with staying(seat.guest, socket) as stay:
                    await _converse(visit, seat, stay, receive, heed)
            finally:
                hub.leave(seat)
    except Gone:
        pass
    except Refused as refusal:
        await _refuse(refusal, socket, receive)
    except networks.TooManyOfNetwork:
        await _refuse(_too_many("Your network has too many sockets open."), socket, receive)


async def _credential(scope: Message, receive: Receive) -> Credential:
    """Find the token: offered as a subprotocol, in the query, or in the first frame."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    said = {name: values[0] for name, values in query.items()}
    offered = credentials.token_in(scope.get("subprotocols", []))
    if offered:
        return Credential(offered, said=said)
    if "token" in said:
        return Credential(said["token"], is_in_query=True, said=said)
    try:
        async with asyncio.timeout(_AUTH_SECONDS):
            frame = await _frame(receive)
    except TimeoutError:
        raise _unauthenticated("No token came in time.") from None
    token = _text_in(frame, "token")
    if frame.get("type") != "auth" or token is None:
        raise _unauthenticated("The first frame carries the token.")
    return Credential(token, act_for=_text_in(frame, "act_for"), said={**said, **frame})


def _join(hub: Hub[SeatT], seat: SeatT) -> None:
    _refuse_while_draining()
    try:
        hub.join(seat)
    except TooManySockets:
        raise _too_many("Close another socket first.") from None


async def _converse(
    visit: Visit, seat: SeatT, stay: Stay, receive: Receive, heed: Heed[SeatT] | None
) -> None:
    """Answer frame after frame; what has no meaning here is refused."""
    while True:
        frame = await _frame(receive)
        if frame.get("type") == "heartbeat":
            _answer(visit.socket, type="heartbeat_ack", timestamp=round(time.time(), 3))
        elif frame.get("type") == "auth":
            await _renew(visit, seat, stay, frame)
        elif heed is None or not await heed(visit, seat, frame):
            raise Refused(codes.BAD_FRAME, "unknown_type", "This socket knows no such `type`.")
        await asyncio.sleep(_PAUSE_SECONDS)


async def _renew(visit: Visit, seat: SeatT, stay: Stay, frame: Mapping[str, Any]) -> None:
    """Let the client stay with another token, which must be of the same holder."""
    token = _text_in(frame, "token")
    if token is None:
        raise _bad_frame("An `auth` frame carries a `token`.")
    try:
        guest = await visit.admit_again(token, act_for=_text_in(frame, "act_for"))
    except Refused as refusal:
        if refusal.code != codes.TRY_LATER:
            code = visit.credential.code(codes.UNAUTHENTICATED)
            raise Refused(code, Unauthenticated.code, "The new token is not valid.") from refusal
        visit.socket.try_send(refusal.words)  # the old one still holds
        return
    if guest.owner != seat.guest.owner:
        code = visit.credential.code(codes.UNAUTHENTICATED)
        raise Refused(code, Unauthenticated.code, "The new token is somebody else's.")
    seat.guest = guest
    stay.renew(guest)
    left = stay.seconds_left
    _answer(visit.socket, type="renewed", expires_in=None if left is None else round(left, 1))


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


def _text_in(frame: Mapping[str, Any], name: str) -> str | None:
    value = frame.get(name)
    return value if isinstance(value, str) else None


def _answer(socket: LiveSocket, **answer: Any) -> None:
    socket.try_send(json.dumps(answer).encode())


async def _refuse(refusal: Refused, socket: LiveSocket, receive: Receive) -> None:
    """Say why in words, then in the code, and wait until the connection is down."""
    socket.try_send(refusal.words)
    socket.end(refusal.code)
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _refuse_while_draining() -> None:
    if draining.is_on():
        detail = "This process is about to end."
        seconds = draining.pause_seconds()
        raise Refused(codes.TRY_LATER, "draining", detail, retry_after=seconds)


def _unauthenticated(detail: str) -> Refused:
    return Refused(codes.UNAUTHENTICATED, Unauthenticated.code, detail)


def _too_many(detail: str) -> Refused:
    return Refused(codes.TOO_MANY, "too_many_sockets", detail)


def _bad_frame(detail: str = "Send one JSON object of at most 64 KB as text.") -> Refused:
    return Refused(codes.BAD_FRAME, "bad_frame", detail)
