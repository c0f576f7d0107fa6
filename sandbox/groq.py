"""
The language-model vendor: chat completions, whole or streamed.

A queued script (`world.scripts`) plays first, a turn per request; then the keyword planner speaks.
A turn is `{"content"}`, `{"tool_calls": [{"name", "arguments"}]}` or `{"error": {...}}`, optionally
with `delay_seconds` before it, and `cut_after` to drop a stream after that many pieces.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import simplejson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sandbox import planner
from sandbox.world import World

API_KEY = "gsk_sandbox"
MODELS = (
    "llama-3.3-70b-versatile",
    "llama-3.1-8b-instant",
    "openai/gpt-oss-120b",
    "openai/gpt-oss-20b",
)
_SCRIPT_NAMES = ("groq", "default")
_PIECE = re.compile(r"\s*\S+\s*")
_ARGUMENT_PIECE_CHARACTERS = 12
_PIECE_SECONDS = 0.01  # a stream should be seen to flow
_CHARACTERS_PER_TOKEN = 4

Body = dict[str, Any]


def routes(world: World) -> list[BaseRoute]:
    """List the paths under the vendor's host."""
    return [
        Route("/openai/v1/chat/completions", _guarded(_complete(world)), methods=["POST"]),
        Route("/openai/v1/models", _guarded(_list_models)),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return _error(401, "Invalid API Key", "invalid_api_key")
        return await endpoint(request)

    return guarded


async def _list_models(_request: Request) -> Response:
    models = [{"id": m, "object": "model", "created": 1, "owned_by": "Sandbox"} for m in MODELS]
    return JSONResponse({"object": "list", "data": models})


def _complete(world: World) -> Endpoint:
    async def complete(request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return _error(400, "'messages' : minimum number of items is 1", "invalid_request")
        world.prompts.append(body)
        scripted = _next_scripted(world)
        await asyncio.sleep(float(scripted.get("delay_seconds", 0)))
        if "error" in scripted:
            return _scripted_error(scripted["error"])
        message = _scripted_message(scripted) if scripted else _planned(world, body)
        answer = Answer(body, message, cut_after=scripted.get("cut_after"))
        if body.get("stream"):
            return StreamingResponse(answer.stream(), media_type="text/event-stream")
        return JSONResponse(answer.whole())

    return complete


async def _read(request: Request) -> Body | None:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return None
    if not isinstance(body, dict) or not body.get("model"):
        return None
    messages = body.get("messages")
    is_usable = isinstance(messages, list) and all(isinstance(m, dict) for m in messages)
    return body if messages and is_usable else None


# What is said


def _next_scripted(world: World) -> Body:
    for name in _SCRIPT_NAMES:
        if world.scripts.get(name):
            turn: Body = world.scripts[name].pop(0)
            return turn
    return {}


def _scripted_message(turn: Body) -> Body:
    return _message(turn.get("content"), turn.get("tool_calls") or [])


def _planned(world: World, body: Body) -> Body:
    turn = planner.plan(body, world.catalogue)
    calls = [{"name": call.name, "arguments": call.arguments} for call in turn.calls]
    return _message(turn.content, calls)


def _message(content: str | None, calls: list[Body]) -> Body:
    message: Body = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [_tool_call(call) for call in calls]
    return message


def _tool_call(call: Body) -> Body:
    arguments = call.get("arguments", {})
    # A script may give text that is not JSON: models do write such arguments.
    is_text = isinstance(arguments, str)
    text = arguments if is_text else simplejson.dumps(arguments, use_decimal=True)
    function = {"name": call["name"], "arguments": text}
    return {"id": call.get("id", f"call_{uuid4().hex[:12]}"), "type": "function"} | {
        "function": function
    }


# How it is said


class Answer:
    """One answer, in the two forms that clients ask for."""

    def __init__(self, body: Body, message: Body, *, cut_after: int | None = None) -> None:
        self._message, self._cut_after = message, cut_after
        self._calls: list[Body] = message.get("tool_calls", [])
        self._model = body["model"]
        self._id = f"chatcmpl-{uuid4()}"
        self._usage = _usage(body["messages"], message)
        self._finish = "tool_calls" if self._calls else "stop"

    def whole(self) -> Body:
        """Give it at once."""
        choice = {
            "index": 0,
            "message": self._message,
            "finish_reason": self._finish,
            "logprobs": None,
        }
        return self._envelope("chat.completion") | {"choices": [choice], "usage": self._usage}

    async def stream(self) -> AsyncIterator[bytes]:
        """Give it in pieces, the way the vendor's servers send events."""
        yield self._chunk({"role": "assistant", "content": "" if not self._calls else None})
        for n, delta in enumerate(self._deltas()):
            if self._cut_after is not None and n >= self._cut_after:
                return
            await asyncio.sleep(_PIECE_SECONDS)
            yield self._chunk(delta)
        yield self._chunk({}, self._finish, x_groq={"id": self._id, "usage": self._usage})
        yield b"data: [DONE]\n\n"

    def _deltas(self) -> list[Body]:
        pieces = _PIECE.findall(self._message["content"] or "")
        deltas: list[Body] = [{"content": piece} for piece in pieces]
        for index, call in enumerate(self._calls):
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            first = {"name": name, "arguments": arguments[:_ARGUMENT_PIECE_CHARACTERS]}
            start = {"index": index, "id": call["id"], "type": "function", "function": first}
            deltas.append({"tool_calls": [start]})
            for at in range(_ARGUMENT_PIECE_CHARACTERS, len(arguments), _ARGUMENT_PIECE_CHARACTERS):
                piece = arguments[at : at + _ARGUMENT_PIECE_CHARACTERS]
                deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        return deltas

    def _chunk(self, delta: Body, finish: str | None = None, **more: object) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        chunk = self._envelope("chat.completion.chunk") | {"choices": [choice]} | more
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    def _envelope(self, kind: str) -> Body:
        return {"id": self._id, "object": kind, "created": _created(), "model": self._model}


def _created() -> int:
    """Tell the vendor's time, which is real: models do not live in the simulated market."""
    return int(time.time())


def _usage(messages: list[Body], message: Body) -> Body:
    asked = sum(_tokens(planner.text_of(m)) for m in messages)
    calls = message.get("tool_calls", [])
    said = _tokens(message["content"] or "") + sum(_tokens(json.dumps(call)) for call in calls)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _tokens(text: str) -> int:
    return max(1, len(text) // _CHARACTERS_PER_TOKEN)


# Refusals


def _scripted_error(error: Body) -> Response:
    status = int(error.get("status", 500))
    headers = {}
    if "retry_after" in error:
        headers["retry-after"] = str(error["retry_after"])
    more = {k: v for k, v in error.items() if k not in {"status", "retry_after"}}
    usual = {"message": "Internal server error", "type": "internal_server_error"}
    return JSONResponse({"error": usual | more}, status, headers=headers)


def _error(status: int, message: str, code: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "code": code}
    return JSONResponse({"error": error}, status)
