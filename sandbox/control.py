"""The control plane: what a test or a person may do to the pretend world."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.answers import Refusal, as_decimal, json_answer, read_json, whole_number
from sandbox.broker import (
    accounts,
    activities,
    bookings,
    busts,
    corporate_actions,
    crowds,
    seeding,
    statuses,
    storms,
    trade_storms,
    trading_halts,
    views,
)
from sandbox.faults import BadFault
from sandbox.plaid import control as plaid
from sandbox.world import World

Handler = Callable[[World, Request], Awaitable[Response]]

_EFFECT_FILTERS = ("vendor", "kind", "account_id", "client_key", "vendor_id", "symbol")


def routes(world: World) -> list[BaseRoute]:
    """List what can be asked of the control plane."""

    def route(path: str, handler: Handler, *methods: str) -> Route:
        return Route(path, _serve(world, handler), methods=list(methods))

    return [
        route("/health", health, "GET"),
        route("/reset", reset, "POST"),
        route("/clock", show_clock, "GET"),
        route("/clock", change_clock, "POST"),
        route("/faults", list_faults, "GET"),
        route("/faults", add_faults, "POST"),
        route("/faults", clear_faults, "DELETE"),
        route("/effects", list_effects, "GET"),
        route("/model-scripts", add_model_script, "POST"),
        route("/model-scripts", clear_model_scripts, "DELETE"),
        route("/prompts", list_prompts, "GET"),
        route("/prices", set_prices, "POST"),
        route("/assets", change_assets, "POST"),
        route("/accounts", create_accounts, "POST"),
        route("/accounts/storm", storm_accounts, "POST"),
        route("/accounts/{account_id}/seed", seed_account, "POST"),
        route("/accounts/{account_id}/status", set_account_status, "POST"),
        route("/accounts/{account_id}/documents", list_account_documents, "GET"),
        route("/accounts/{account_id}/activities", book_activity, "POST"),
        route("/accounts/{account_id}/cash", drift_cash, "POST"),
        route("/accounts/{account_id}/corporate-actions", act_for_company, "POST"),
        route("/orders/storm", storm_orders, "POST"),
        route("/orders/{order_id}/bust", bust_fill, "POST"),
        route("/orders/{order_id}/correct", correct_fill, "POST"),
        route("/webhooks", plaid.list_webhooks, "GET"),
        route("/webhooks/signed", plaid.sign_webhook, "POST"),
        route("/webhook-keys", plaid.list_keys, "GET"),
        route("/webhook-keys", plaid.change_keys, "POST"),
        route("/items", plaid.list_items, "GET"),
        route("/items/{item_id}", plaid.change_item, "POST"),
    ]


def _serve(world: World, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(world, request)
        except Refusal as refusal:
            return json_answer(refusal.body, refusal.status)
        except BadFault as error:
            return json_answer({"code": 40010000, "message": str(error)}, 400)

    return endpoint


async def health(world: World, _request: Request) -> Response:
    """Say that the sandbox runs, and in which state."""
    return json_answer(
        {
            "status": "ok",
            "now": world.clock.now().isoformat(),
            "market": world.settings.market,
            "seed": world.seed,
            "effects": len(world.effects),
            "faults": len(world.faults.pending()),
        }
    )


async def reset(world: World, _request: Request) -> Response:
    """Forget all accounts, orders, effects, faults and scripts."""
    world.reset()
    return json_answer({"status": "ok"})


async def show_clock(world: World, _request: Request) -> Response:
    """Tell the simulated time."""
    return json_answer({"now": world.clock.now().isoformat(), "state": world.clock.state()})


async def change_clock(world: World, request: Request) -> Response:
    """Let time pass, or pass at another speed; what fell due has happened when this answers."""
    body = await read_json(request)
    if "speed" in body:
        world.clock.set_speed(float(body["speed"]))
    if "advance" in body:
        world.clock.advance(float(body["advance"]))
    world.settle()
    world.remember()
    return await show_clock(world, request)


async def list_faults(world: World, _request: Request) -> Response:
    """List the faults still to come."""
    return json_answer({"faults": world.faults.pending()})


async def add_faults(world: World, request: Request) -> Response:
    """Plan one fault, or a list of them."""
    body = await read_json(request)
    entries: list[dict[str, Any]] = body if isinstance(body, list) else [body]
    for entry in entries:
        if "seconds" in entry:
            entry["seconds"] = float(entry["seconds"])
    return json_answer({"ids": [world.faults.add(**entry).id for entry in entries]}, 201)


async def clear_faults(world: World, _request: Request) -> Response:
    """Drop the whole plan."""
    world.faults.clear()
    return Response(status_code=204)


async def list_effects(world: World, request: Request) -> Response:
    """List what really happened, filtered by any of its fields."""
    query = request.query_params
    wanted = {name: query[name] for name in _EFFECT_FILTERS if name in query}
    found = world.effects.find(since_seq=whole_number(query, "since_seq", 0), **wanted)
    effects = [effect.as_json() for effect in found]
    return json_answer({"effects": effects, "count": len(effects)})


async def add_model_script(world: World, request: Request) -> Response:
    """Queue turns that the pretend model will play; `name` says for which model or agent."""
    body = await read_json(request)
    entry = {"turns": body} if isinstance(body, list) else body
    queue = world.scripts.setdefault(str(entry.get("name", "default")), [])
    queue.extend(entry["turns"])
    return json_answer({"queued": len(queue)}, 201)


async def clear_model_scripts(world: World, _request: Request) -> Response:
    """Drop all turns not played yet."""
    world.scripts.clear()
    return Response(status_code=204)


async def list_prompts(world: World, _request: Request) -> Response:
    """List what the pretend model was sent lately, the oldest first."""
    return json_answer({"prompts": list(world.prompts)})


async def set_prices(world: World, request: Request) -> Response:
    """Fix the price of symbols, or give them back to the market with null."""
    body = await read_json(request)
    prices = {body["symbol"]: body.get("price")} if "symbol" in body else body
    for symbol, price in prices.items():
        if world.catalogue.get(symbol) is None:
            raise Refusal(404, 40410000, f"asset not found for {symbol}")
        world.prices.set_price(symbol, None if price is None else _price(symbol, price))
    world.settle()
    world.remember()
    return json_answer({"status": "ok"})


def _price(symbol: str, given: object) -> Any:
    price = as_decimal(given)
    if price is None or price <= 0:
        raise Refusal(400, 40010000, f"the price of {symbol} must be a positive number")
    return price


async def change_assets(world: World, request: Request) -> Response:
    """Forbid, allow, halt or resume the trading of symbols."""
    changed = trading_halts.change(world.parts["broker"], await read_json(request))
    world.settle()
    world.remember()
    return json_answer(changed)


async def seed_account(world: World, request: Request) -> Response:
    """Give an account months of history."""
    account_id, body = request.path_params["account_id"], await read_json(request)
    return json_answer(seeding.seed(world.parts["broker"], account_id, body))


async def create_accounts(world: World, request: Request) -> Response:
    """Make many accounts that have a status already."""
    made = crowds.create(world.parts["broker"], await read_json(request))
    return json_answer({"ids": made}, 201)


async def storm_accounts(world: World, request: Request) -> Response:
    """Publish a storm of account events, and answer what a faultless reader must know after it."""
    told = storms.storm(world.parts["broker"], await read_json(request))
    world.settle()
    world.remember()
    return json_answer(told)


async def set_account_status(world: World, request: Request) -> Response:
    """Move an account to any status."""
    broker = world.parts["broker"]
    body = await read_json(request)
    account = statuses.set_by_hand(broker, request.path_params["account_id"], body)
    return json_answer(accounts.full(broker, account))


async def book_activity(world: World, request: Request) -> Response:
    """Write a line into an account's book, or put one in the place of another."""
    broker = world.parts["broker"]
    line = bookings.book(broker, request.path_params["account_id"], await read_json(request))
    return json_answer(activities.activity_json(line), 201)


async def drift_cash(world: World, request: Request) -> Response:
    """Change an account's cash without a line in its book."""
    account_id, body = request.path_params["account_id"], await read_json(request)
    account = bookings.drift(world.parts["broker"], account_id, body)
    return json_answer({"account_id": account.id, "cash": account.cash})


async def act_for_company(world: World, request: Request) -> Response:
    """Let a split, a dividend, a new symbol or a spin-off change what an account holds."""
    account_id, body = request.path_params["account_id"], await read_json(request)
    lines = corporate_actions.act(world.parts["broker"], account_id, body)
    return json_answer({"activities": [activities.event_json(line) for line in lines]}, 201)


async def bust_fill(world: World, request: Request) -> Response:
    """Take a fill of an order back."""
    order_id, body = request.path_params["order_id"], await read_json(request)
    return json_answer(views.order_json(busts.bust(world.parts["broker"], order_id, body)))


async def correct_fill(world: World, request: Request) -> Response:
    """Change the price or the quantity of a fill."""
    order_id, body = request.path_params["order_id"], await read_json(request)
    return json_answer(views.order_json(busts.correct(world.parts["broker"], order_id, body)))


async def storm_orders(world: World, request: Request) -> Response:
    """Publish a storm of trade events, and answer what a faultless reader must know after it."""
    told = trade_storms.storm(world.parts["broker"], await read_json(request))
    world.settle()
    world.remember()
    return json_answer(told)


async def list_account_documents(world: World, request: Request) -> Response:
    """List what was uploaded, with the sizes and fingerprints that the vendor does not show."""
    account = world.parts["broker"].account(request.path_params["account_id"])
    return json_answer({"documents": account.documents})
