"""How the vendor receives a request: keys, body, and every answer or refusal as JSON."""

import json
from collections.abc import Awaitable, Callable
from functools import wraps
from uuid import uuid4

import simplejson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.plaid.core import CLIENT_ID, SECRET, Body, Handler, Plaid, PlaidError


def serve(plaid: Plaid, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Turn a handler into an endpoint."""

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        request_id = {"request_id": uuid4().hex[:15]}
        try:
            body = await _body(request)
            _check_keys(request, body)
            return _answer(handler(plaid, request, body) | request_id)
        except PlaidError as error:
            return _answer(error.body | request_id, 400)

    return endpoint


async def _body(request: Request) -> Body:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise PlaidError(
            "INVALID_BODY", "body could not be parsed as JSON", kind="INVALID_REQUEST"
        ) from error
    if not isinstance(body, dict):
        raise PlaidError("INVALID_BODY", "body must be an object", kind="INVALID_REQUEST")
    return body


def _check_keys(request: Request, body: Body) -> None:
    client_id = request.headers.get("plaid-client-id") or body.get("client_id")
    secret = request.headers.get("plaid-secret") or body.get("secret")
    if (client_id, secret) != (CLIENT_ID, SECRET):
        raise PlaidError("INVALID_API_KEYS", "invalid client_id or secret provided")


def _answer(body: Body, status: int = 200) -> Response:
    text = simplejson.dumps(body, use_decimal=True)
    return Response(text, status, media_type="application/json")
