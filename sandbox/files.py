"""
The store of files behind the broker's document links, as at a cloud: no key, but a signed link.

Links name what they are for and until when; they are signed with the seed, so nothing is kept.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.answers import Refusal, json_answer
from sandbox.world import World

# Prints the file of a name; the broker puts its own here, under "files" of the world's parts.
Printer = Callable[[str], bytes]

PREFIX: Final = "/alpaca/files"
GOOD_FOR_SECONDS: Final = 900


def routes(world: World) -> list[BaseRoute]:
    """List the paths of the store."""

    async def serve(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            _check(world, name, request)
            content = world.parts["files"](name)
        except Refusal as refusal:
            return json_answer(refusal.body, refusal.status)
        return Response(content, media_type="application/pdf")

    return [Route("/{name:path}.pdf", serve)]


def link(world: World, name: str) -> str:
    """Make the path and query under which a file can be had for a while."""
    expires = str(int(world.clock.now().timestamp()) + GOOD_FOR_SECONDS)
    query = urlencode({"expires": expires, "signature": _signature(world, name, expires)})
    return f"{PREFIX}/{name}.pdf?{query}"


def _check(world: World, name: str, request: Request) -> None:
    expires = request.query_params.get("expires", "")
    given = request.query_params.get("signature", "")
    if not hmac.compare_digest(given.encode(), _signature(world, name, expires).encode()):
        raise Refusal(403, 40310000, "the signature does not match")
    if int(expires) < world.clock.now().timestamp():
        raise Refusal(403, 40310000, "the link has expired")


def _signature(world: World, name: str, expires: str) -> str:
    key = hashlib.sha256(f"clera-sandbox-files:{world.seed}".encode()).digest()
    return hmac.new(key, f"{name}:{expires}".encode(), hashlib.sha256).hexdigest()
