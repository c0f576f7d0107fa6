"""What only tests and people may do to the pretend Plaid."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.answers import Refusal, json_answer, read_json
from sandbox.plaid import banks, items
from sandbox.plaid.core import Plaid
from sandbox.plaid.records import Item
from sandbox.world import World

_BAD = 40010000


async def list_webhooks(world: World, _request: Request) -> Response:
    """List the webhooks, the oldest first, with what became of each."""
    return json_answer({"webhooks": [each.as_json() for each in _of(world).post.deliveries]})


async def sign_webhook(world: World, request: Request) -> Response:
    """Sign any text as the vendor would, for a test that delivers it itself."""
    body = await _read(request)
    raw, issued_at = body.get("body"), body.get("issued_at")
    if not isinstance(raw, str) or not (issued_at is None or isinstance(issued_at, int)):
        raise Refusal(400, _BAD, "body must be a text, and issued_at a whole number")
    signed = _of(world).keys.sign(raw.encode(), issued_at=issued_at, kid=body.get("kid"))
    return json_answer({"verification": signed})


async def list_keys(world: World, _request: Request) -> Response:
    """List the signing keys."""
    return _keys(world)


async def change_keys(world: World, request: Request) -> Response:
    """Sign with a new key (`rotate`), keeping the old one good if `keep`; or end one (`expire`)."""
    body, keys = await _read(request), _of(world).keys
    if body.get("rotate"):
        keys.rotate(expires_old=not body.get("keep"))
    elif not keys.expire(str(body.get("expire"))):
        raise Refusal(404, 40410000, "there is no such key")
    return _keys(world)


def _keys(world: World) -> Response:
    keys = _of(world).keys
    shown = [
        {"kid": key.kid, "created_at": key.created_at, "expired_at": key.expired_at}
        for key in keys.all()
    ]
    return json_answer({"kid": keys.current.kid, "keys": shown})


async def list_items(world: World, _request: Request) -> Response:
    """List all items, removed ones too, with the secrets that nobody else may have."""
    plaid = _of(world)
    shown = [_item(each) | _secrets(plaid, each) for each in plaid.books.items.values()]
    return json_answer({"items": shown})


async def change_item(world: World, request: Request) -> Response:
    """Let something happen to an item at its bank: `{"login": "required"}` and the like."""
    plaid = _of(world)
    item = plaid.books.items.get(request.path_params["item_id"])
    if item is None or item.is_removed:
        raise Refusal(404, 40410000, "there is no such item")
    body = await _read(request)
    happen = _HAPPENINGS.get(str(body.get("login")))
    if happen is None:
        known = ", ".join(_HAPPENINGS)
        raise Refusal(400, _BAD, f"login must be one of {known}")
    happen(plaid, item)
    return json_answer(_item(item))


_HAPPENINGS: dict[str, Callable[[Plaid, Item], None]] = {
    "required": items.break_login,
    "repaired": lambda plaid, item: items.mend_login(plaid, item, is_told=True),
    "revoked": items.revoke,
}


def _item(item: Item) -> dict[str, Any]:
    return {
        "item_id": item.id,
        "institution_id": item.institution_id,
        "person": item.person,
        "accounts": item.kinds,
        "fault": item.fault,
        "is_removed": item.is_removed,
        "webhook": item.webhook,
    }


def _secrets(plaid: Plaid, item: Item) -> dict[str, Any]:
    """Tell what a product must keep to itself, for a test that looks for it everywhere."""
    make = plaid.tokens.make
    return {
        "access_token": make("access", item=item.id),
        "processor_tokens": [make("processor", item=item.id, account=kind) for kind in item.kinds],
        "account_numbers": [number["account"] for number in banks.numbers(item)],
    }


async def _read(request: Request) -> dict[str, Any]:
    body = await read_json(request)
    if not isinstance(body, dict):
        raise Refusal(400, _BAD, "request body format is invalid")
    return body


def _of(world: World) -> Plaid:
    plaid: Plaid = world.parts["plaid"]
    return plaid
