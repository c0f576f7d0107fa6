"""The gate of every socket: who asks, may they, and then one frame after the other."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from django.db import DatabaseError

from core.auth import sockets as credentials
from core.auth.sockets import Admission
from core.errors import CleraError, ServiceBusy, Unauthenticated
from core.sockets import codes
from core.sockets.connection import LiveSocket, Message, Receive, Send, attach
from core.sockets.hub import Hub
from core.sockets.seats import Guest, SeatT, TooManySockets
from core.sockets.stays import staying
from core.threads import in_database

LARGEST_FRAME: Final = 64 * 1024
_AUTH_SECONDS: Final = 5.0


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
class Credential:
    """A token, how it came, and what else the client said with it."""

    token: str = field(repr=False)
    is_in_query: bool = False
    act_for: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def code(self, code: int) -> int:
        """Say which code this client waits for."""
        return codes.IN_QUERY.get(code, code) if self.is_in_query else code


class Admit(Protocol):
    """Says whether a bearer may look at an account; it blocks, and runs in a thread."""

    def __call__(self, *, token: str, account_id: str, act_for: str | None) -> Admission:
        """
        Let the bearer see the account.

        :raises Unauthenticated: the token is not valid.
        :raises CleraError: it is, and may not do this.
        """
        ...


@dataclass(frozen=True)
class Visit:
    """A connection whose client has shown a credential, and sits nowhere yet."""

    scope: Message = field(repr=False)
    socket: LiveSocket
    credential: Credential

    @property
    def account_text(self) -> str:
        """The id by which the client named the account, as JSON."""
        return json.dumps(self._account_id)

    async def admit(self, admit: Admit) -> Guest:
        """
        Check who asks and whether the account is theirs.

        :raises Refused: with the code that this client waits for.
        """
        with self._in_codes():
            admission = await in_database(
                admit,
                token=self.credential.token,
                account_id=self._account_id,
                act_for=self.credential.act_for,
            )
        return Guest(
            account_id=admission.account_id,
            owner=admission.owner,
            key_id=admission.key_id,
            expires_at=_loop_time(admission.expires_at),
            shown_out_with=self.credential.code(codes.UNAUTHENTICATED),
        )

    @property
    def _account_id(self) -> str:
        account_id: str = self.scope["url_route"]["kwargs"]["account_id"]
        return account_id

    @contextmanager
    def _in_codes(self) -> Iterator[None]:
        try:
            yield
        except Unauthenticated as error:
            code = self.credential.code(codes.UNAUTHENTICATED)
            raise Refused(code, error.code, "The token is not valid.") from error
        except (ServiceBusy, DatabaseError) as error:
            raise Refused(codes.TRY_LATER, ServiceBusy.code, "Try again shortly.") from error
        except CleraError as error:
            code = self.credential.code(codes.NOT_YOURS)
            raise Refused(code, "not_found", "There is no such account.") from error


Sit = Callable[[Visit], Awaitable[tuple[Hub[SeatT], SeatT]]]


async def serve(scope: Message, receive: Receive, send: Send, *, sit: Sit[SeatT]) -> None:
    """
    Let a client in, and answer it until either side ends the connection.

    `sit` admits the client and says in which hub it gets which seat.
    """
    await receive()  # websocket.connect
    offered = scope.get("subprotocols", [])
    chosen = credentials.SUBPROTOCOL if credentials.SUBPROTOCOL in offered else None
    # Accepted before anything is checked: a browser sees no code of a refused handshake.
    await send({"type": "websocket.accept", "subprotocol": chosen})
    socket, receive = attach(scope, receive, send)
    try:
        hub, seat = await sit(Visit(scope, socket, await _credential(scope, receive)))
        _join(hub, seat)
        try:
            with staying(seat.guest, socket):
                while True:
                    _answer(await _frame(receive), socket)
        finally:
            hub.leave(seat)
    except Gone:
        pass
    except Refused as refusal:
        await _refuse(refusal, socket, receive)


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
    token, act_for = frame.get("token"), frame.get("act_for")
    if frame.get("type") != "auth" or not isinstance(token, str):
        raise _unauthenticated("The first frame carries the token.")
    return Credential(token, act_for=act_for if isinstance(act_for, str) else None, said=frame)


def _join(hub: Hub[SeatT], seat: SeatT) -> None:
    try:
        hub.join(seat)
    except TooManySockets:
        detail = "Close another socket first."
        raise Refused(codes.TOO_MANY, "too_many_sockets", detail) from None


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


def _answer(frame: Mapping[str, Any], socket: LiveSocket) -> None:
    """Answer a heartbeat; anything else has no meaning here and is refused."""
    if frame.get("type") != "heartbeat":
        raise Refused(codes.BAD_FRAME, "unknown_type", "This socket only knows `heartbeat`.")
    answer = {"type": "heartbeat_ack", "timestamp": round(time.time(), 3)}
    socket.try_send(json.dumps(answer).encode())


async def _refuse(refusal: Refused, socket: LiveSocket, receive: Receive) -> None:
    """Say why in words, then in the code, and wait until the connection is down."""
    answer = {"type": "error", "error": refusal.error, "detail": refusal.detail}
    socket.try_send(json.dumps(answer).encode())
    socket.end(refusal.code)
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _unauthenticated(detail: str) -> Refused:
    return Refused(codes.UNAUTHENTICATED, Unauthenticated.code, detail)


def _bad_frame() -> Refused:
    detail = "Send one JSON object of at most 64 KB as text."
    return Refused(codes.BAD_FRAME, "bad_frame", detail)


def _loop_time(at: datetime | None) -> float | None:
    """Turn a time of day into a time of the loop's clock."""
    if at is None:
        return None
    left = (at - datetime.now(UTC)).total_seconds()
    return asyncio.get_running_loop().time() + left
