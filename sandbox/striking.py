"""Carry out the planned faults around one HTTP request."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import Fault

VENDOR_OF_PREFIX: Final = {
    "/alpaca/broker": "alpaca_broker",
    "/alpaca/data": "alpaca_data",
    "/alpaca/stream": "alpaca_stream",
    "/alpaca/files": "alpaca_files",
    "/groq": "groq",
    "/supabase": "supabase",
    "/plaid": "plaid",
    "/fmp": "fmp",
}

_HTML = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
_JSON_ERRORS = {
    429: (42910000, "too many requests"),
    500: (50010000, "internal server error occurred"),
    503: (50310000, "service unavailable"),
    504: (50410000, "upstream request timeout"),
}
_PLAIDS_ERRORS = {429: "RATE_LIMIT_EXCEEDED"}
# Of which type Plaid's errors are, by how their codes begin; it says with 400 that a bank is away.
_PLAIDS_KINDS = {
    "INSTITUTION_": "INSTITUTION_ERROR",
    "ITEM_": "ITEM_ERROR",
    "PRODUCT_": "ITEM_ERROR",
    "INVALID_": "INVALID_REQUEST",
    "RATE_": "RATE_LIMIT_EXCEEDED",
}


def vendor_of(path: str) -> tuple[str, str] | None:
    """Split a path into the vendor and the path as this vendor knows it."""
    for prefix, vendor in VENDOR_OF_PREFIX.items():
        if path == prefix or path.startswith(prefix + "/"):
            return vendor, path[len(prefix) :]
    return None


async def strike(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let the vendor do its work or not, then spoil the answer as the fault says."""
    # The request is taken in whole, so that its sender only ever fails at reading the answer, and
    # so that the work can be done even if the client has left by then: a real server would too.
    receive = await _read_first(receive)
    if fault.kind == "delay":
        await asyncio.sleep(fault.seconds)
        await app(scope, receive, send)
        return
    if fault.kind == "cut":
        await app(scope, receive, _cutting(receive, send))
        return
    vendor = (vendor_of(scope["path"]) or ("", ""))[0]
    if fault.kind == "quote":
        quoted = _refusal(vendor, 42210000, "INVALID_FIELD", await _quoting(receive))
        await _respond(send, fault.status, "application/json", quoted)
        return
    answer = _Answer()
    if fault.kind == "unknown_value":
        await app(scope, receive, answer.keep)
        await _respond(send, answer.status, "application/json", _with_unknown_status(answer.body))
        return
    if fault.accepted:
        await app(scope, receive, answer.keep)
    if fault.kind == "reset":
        await _abort(receive, send)
    elif fault.kind == "hang":
        await _hang(fault, answer, receive, send)
    else:
        status, content_type, body = _spoiled(fault, answer, vendor)
        await _respond(send, status, content_type, body)


async def _read_first(receive: Receive) -> Receive:
    """Take the whole request from the client now, to be read by the vendor later."""
    messages = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())

    async def kept() -> Message:
        return messages.pop(0) if messages else await receive()

    return kept


class _Answer:
    """The answer the client would have got."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def keep(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


async def _hang(fault: Fault, answer: _Answer, receive: Receive, send: Send) -> None:
    """Say nothing until the time is over; then the late answer, if the work was done."""
    try:
        await asyncio.wait_for(_client_left(receive), fault.seconds)
    except TimeoutError:
        if not fault.accepted:
            await _abort(receive, send)
        for message in answer.messages:
            await send(message)


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _spoiled(fault: Fault, answer: _Answer, vendor: str) -> tuple[int, str, bytes]:
    if fault.kind == "garbage":
        if fault.variant == "html":
            return 200, "text/html", _HTML.replace("502 Bad Gateway", "Welcome").encode()
        whole = answer.body or b'{"id": "00000000-0000-0000-0000-000000000000"}'
        return 200, "application/json", whole[: len(whole) // 2]
    if fault.status not in _JSON_ERRORS and not fault.variant:
        return fault.status, "text/html", _HTML.encode()
    code, message = _JSON_ERRORS.get(fault.status, (0, "this cannot be done now"))
    plaids = fault.variant or _PLAIDS_ERRORS.get(fault.status, "INTERNAL_SERVER_ERROR")
    return fault.status, "application/json", _refusal(vendor, code, plaids, message)


def _refusal(vendor: str, code: int, plaids: str, message: str) -> bytes:
    """Word a refusal as this vendor does."""
    if vendor != "plaid":
        error = {"code": code, "message": message, "error": {"message": message}}
        return json.dumps(error).encode()
    kind = next((kind for start, kind in _PLAIDS_KINDS.items() if plaids.startswith(start)), "")
    error = {
        "error_type": kind or "API_ERROR",
        "error_code": plaids,
        "error_message": message,
        "display_message": message,
        "request_id": "sandbox",
    }
    return json.dumps(error).encode()


async def _quoting(receive: Receive) -> str:
    """Say no by repeating the values that a request brought."""
    body, has_more = b"", True
    while has_more:
        message = await receive()
        body += message.get("body", b"")
        has_more = message.get("more_body", False)
    return f"these are not valid: {' '.join(_values(json.loads(body)))}"


def _values(part: object) -> Iterator[str]:
    if isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _values(inner)
    else:
        yield str(part)


def _with_unknown_status(body: bytes) -> bytes:
    """Give what was answered, or the first of a list, a status nobody has heard of."""
    answer = json.loads(body)
    first = answer[0] if isinstance(answer, list) and answer else answer
    if isinstance(first, dict):
        first["status"] = "SOMETHING_NEW"
    return json.dumps(answer).encode()


async def _respond(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if status in {429, 503}:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _cutting(receive: Receive, send: Send) -> Send:
    """Pass on the answer up to the middle of its first piece, then drop the connection."""
    is_cut = False

    async def cut(message: Message) -> None:
        nonlocal is_cut
        if is_cut:
            return
        if message["type"] == "http.response.body" and message.get("body"):
            is_cut = True
            half = message["body"][: len(message["body"]) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            # The half must leave before the connection does.
            await asyncio.sleep(0.05)
            await _abort(receive, send)
            return
        await send(message)

    return cut


async def _abort(receive: Receive, send: Send) -> None:
    """Drop the connection with a TCP reset; uvicorn's own `send` knows its transport."""
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    # Uvicorn must have seen the end, or it would try to answer on its own.
    await _client_left(receive)
