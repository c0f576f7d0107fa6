"""The pretend Plaid: link tokens, a hosted page to sign in at a bank, items and webhooks."""

from starlette.routing import BaseRoute, Route

from sandbox.plaid import hosted, items, link, webhooks
from sandbox.plaid.banks import bank_of
from sandbox.plaid.core import CLIENT_ID, SECRET, Handler, Plaid
from sandbox.plaid.serving import serve
from sandbox.world import World

__all__ = ["CLIENT_ID", "SECRET", "bank_behind", "routes"]

_HANDLERS: dict[str, Handler] = {
    "/link/token/create": link.create_token,
    "/link/token/get": link.show_token,
    "/sandbox/public_token/create": link.create_public_token,
    "/item/public_token/exchange": items.exchange,
    "/item/get": items.show,
    "/item/remove": items.remove,
    "/item/webhook/update": items.change_webhook,
    "/accounts/get": items.list_accounts,
    "/accounts/balance/get": items.list_accounts,
    "/auth/get": items.list_numbers,
    "/processor/token/create": items.create_processor_token,
    "/institutions/get_by_id": items.show_institution,
    "/webhook_verification_key/get": webhooks.show_key,
    "/sandbox/item/fire_webhook": items.fire_webhook,
    "/sandbox/item/reset_login": items.reset_login,
}


def routes(world: World) -> list[BaseRoute]:
    """Open the vendor's books and list the paths under its host."""
    plaid = Plaid(world)
    world.parts["plaid"] = plaid
    world.jobs.append(plaid.post.deliver_all)
    found: list[BaseRoute] = [
        Route(path, serve(plaid, handler), methods=["POST"]) for path, handler in _HANDLERS.items()
    ]
    return [*found, *hosted.routes(plaid)]


def bank_behind(world: World, processor_token: str) -> dict[str, str] | None:
    """Tell a processor (the broker) which account its token stands for; None if it is not good."""
    plaid: Plaid = world.parts["plaid"]
    content = plaid.tokens.read("processor", processor_token)
    item = None if content is None else plaid.books.items.get(content["item"])
    if content is None or item is None or not item.is_reachable:
        return None
    return bank_of(item, content["account"])
