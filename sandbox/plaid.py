"""The bank-linking vendor: link tokens, a page to choose a pretend bank, items and processors."""

import html
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any
from uuid import uuid4

import simplejson
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.plaid_tokens import Item, Tokens
from sandbox.world import World

CLIENT_ID = "sandbox-client"
SECRET = "sandbox-secret"  # noqa: S105 - a pretend secret, useless anywhere else
INSTITUTIONS = {
    "ins_109508": "First Platypus Bank",
    "ins_109509": "First Gingham Credit Union",
    "ins_56": "Chase",
    "ins_127989": "Bank of America",
}
_USUAL_INSTITUTION = "ins_109508"
_LINK_LASTS = timedelta(hours=4)
_ROUTING_NUMBER = "011401533"
_CENTS_PER_DOLLAR = 100

Body = dict[str, Any]


class PlaidError(Exception):
    """The vendor's way to say no."""

    def __init__(self, code: str, message: str, *, kind: str = "INVALID_INPUT") -> None:
        self.kind, self.code = kind, code
        super().__init__(message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What a person chose on the hosted page."""

    id: str
    at: datetime
    item: Item


@dataclass
class Plaid:
    """The vendor's state: its tokens, and the finished sessions of each link token."""

    world: World
    tokens: Tokens
    sessions: dict[str, list[Session]] = field(default_factory=dict)

    def item(self, body: Body) -> Item:
        """Give the login of the access token in a body."""
        found = self.tokens.item_of("access", body.get("access_token"))
        if found is None:
            raise PlaidError("INVALID_ACCESS_TOKEN", "could not find matching access token")
        return found


Handler = Callable[[Plaid, Request, Body], Body]


def routes(world: World) -> list[BaseRoute]:
    """List the paths under the vendor's host."""
    plaid = Plaid(world, Tokens(world.seed))
    world.parts["plaid"] = plaid
    world.reset_hooks.append(plaid.sessions.clear)
    handlers: dict[str, Handler] = {
        "/link/token/create": create_link_token,
        "/link/token/get": get_link_token,
        "/sandbox/public_token/create": create_public_token,
        "/item/public_token/exchange": exchange_public_token,
        "/item/get": get_item,
        "/item/remove": remove_item,
        "/accounts/get": get_accounts,
        "/accounts/balance/get": get_accounts,
        "/auth/get": get_numbers,
        "/processor/token/create": create_processor_token,
    }
    found: list[BaseRoute] = [
        Route(path, _serve(plaid, handler), methods=["POST"]) for path, handler in handlers.items()
    ]
    return [*found, Route("/hosted/{token}", _hosted_page(plaid), methods=["GET", "POST"])]


def bank_behind(world: World, processor_token: str) -> dict[str, str] | None:
    """Tell a processor (the broker) which account its token stands for; None if it is not ours."""
    tokens = Tokens(world.seed)
    content = tokens.read("processor", processor_token)
    if content is None:
        return None
    item = Item(content["n"], content["i"])
    return {
        "institution": INSTITUTIONS[item.institution_id],
        "type": content["k"].upper(),
        "account_number": _account_number(item, content["k"]),
        "routing_number": _ROUTING_NUMBER,
        "mask": _account_number(item, content["k"])[-4:],
    }


# Link


def create_link_token(plaid: Plaid, request: Request, body: Body) -> Body:
    """Begin to link a bank."""
    for name in ("client_name", "language", "country_codes", "user"):
        if not body.get(name):
            raise PlaidError("MISSING_FIELDS", f"the following required fields are missing: {name}")
    hosted = body.get("hosted_link")
    expires = plaid.world.clock.now() + _LINK_LASTS
    content = {
        "id": uuid4().hex,
        "expires": expires.timestamp(),
        "client_name": body["client_name"],
        "products": body.get("products", []),
        "redirect": (hosted or {}).get("completion_redirect_uri"),
    }
    token = plaid.tokens.make("link", content)
    answer = {"link_token": token, "expiration": _timestamp(expires)}
    if hosted is not None:
        page = f"{request.scope.get('root_path', '')}/hosted/{token}"
        answer["hosted_link_url"] = f"{request.url.scheme}://{request.url.netloc}{page}"
    return answer


def get_link_token(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Tell how far a link has come; a hosted one hands over its public token here."""
    token = body.get("link_token")
    content = plaid.tokens.read("link", token)
    if content is None:
        raise PlaidError("INVALID_LINK_TOKEN", "could not find matching link token")
    expires = datetime.fromtimestamp(content["expires"], tz=plaid.world.clock.now().tzinfo)
    return {
        "link_token": token,
        "created_at": _timestamp(expires - _LINK_LASTS),
        "expiration": _timestamp(expires),
        "metadata": {
            "initial_products": content["products"],
            "webhook": None,
            "country_codes": ["US"],
            "language": "en",
            "redirect_uri": content["redirect"],
            "client_name": content["client_name"],
        },
        "link_sessions": [_session(plaid, s) for s in plaid.sessions.get(content["id"], [])],
    }


def _session(plaid: Plaid, session: Session) -> Body:
    institution_id = session.item.institution_id
    linked = {
        "public_token": plaid.tokens.make_for("public", session.item),
        "accounts": [
            {name: account[key] for name, key in _LINKED_FIELDS.items()}
            for account in _accounts(session.item)
        ],
        "institution": {
            "name": INSTITUTIONS[institution_id],
            "institution_id": institution_id,
        },
    }
    return {
        "link_session_id": session.id,
        "started_at": _timestamp(session.at),
        "finished_at": _timestamp(session.at),
        "results": {
            "item_add_results": [linked],
            "cra_item_add_results": [],
            "cra_update_results": [],
            "bank_income_results": [],
            "payroll_income_results": [],
            "document_income_results": None,
        },
    }


_LINKED_FIELDS = {
    "id": "account_id",
    "name": "name",
    "mask": "mask",
    "type": "type",
    "subtype": "subtype",
}


def create_public_token(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Link a bank without a person."""
    institution_id = body.get("institution_id", _USUAL_INSTITUTION)
    if institution_id not in INSTITUTIONS:
        raise PlaidError("INVALID_INSTITUTION", "invalid institution_id provided")
    return {"public_token": plaid.tokens.make_for("public", Item.new(institution_id))}


# Items


def exchange_public_token(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Trade the short-lived token from the browser for the lasting one."""
    item = plaid.tokens.item_of("public", body.get("public_token"))
    if item is None:
        raise PlaidError("INVALID_PUBLIC_TOKEN", "could not find matching public token")
    plaid.world.effects.record("plaid", "public_token.exchanged", item.id)
    return {"access_token": plaid.tokens.make_for("access", item), "item_id": item.id}


def get_item(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Describe a login."""
    return {"item": _item(plaid.item(body)), "status": {"last_webhook": None}}


def remove_item(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Note that a login is not needed any more."""
    plaid.world.effects.record("plaid", "item.removed", plaid.item(body).id)
    return {}


def get_accounts(plaid: Plaid, _request: Request, body: Body) -> Body:
    """List the accounts behind a login, with their balances."""
    item = plaid.item(body)
    return {"accounts": _accounts(item), "item": _item(item)}


def get_numbers(plaid: Plaid, _request: Request, body: Body) -> Body:
    """List the account and routing numbers behind a login."""
    item = plaid.item(body)
    ach = [
        {
            "account": _account_number(item, kind),
            "account_id": item.account_id(kind),
            "routing": _ROUTING_NUMBER,
            "wire_routing": _ROUTING_NUMBER,
        }
        for kind in _KINDS
    ]
    numbers: Body = {"ach": ach, "eft": [], "international": [], "bacs": []}
    return {"accounts": _accounts(item), "numbers": numbers, "item": _item(item)}


def create_processor_token(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Make the token that lets the broker reach one account."""
    item = plaid.item(body)
    kinds = {item.account_id(kind): kind for kind in _KINDS}
    if body.get("account_id") not in kinds:
        raise PlaidError("INVALID_ACCOUNT_ID", "failed to find requested account ID")
    if body.get("processor") != "alpaca":
        raise PlaidError("INVALID_PROCESSOR", "the processor is not enabled")
    kind = kinds[body["account_id"]]
    plaid.world.effects.record("plaid", "processor_token.created", body["account_id"])
    return {"processor_token": plaid.tokens.make_for("processor", item, k=kind)}


_KINDS = ("checking", "savings")


def _accounts(item: Item) -> list[Body]:
    return [
        {
            "account_id": item.account_id(kind),
            "balances": _balances(item, kind),
            "mask": _account_number(item, kind)[-4:],
            "name": f"Sandbox {kind.title()}",
            "official_name": f"{INSTITUTIONS[item.institution_id]} {kind.title()}",
            "subtype": kind,
            "type": "depository",
        }
        for kind in _KINDS
    ]


def _balances(item: Item, kind: str) -> Body:
    current = Decimal(500_000 + item.number(f"{kind} balance", 4_500_000)) / _CENTS_PER_DOLLAR
    return {
        "available": current - 10,
        "current": current,
        "limit": None,
        "iso_currency_code": "USD",
        "unofficial_currency_code": None,
    }


def _account_number(item: Item, kind: str) -> str:
    return str(1_000_000_000 + item.number(f"{kind} number", 9_000_000_000))


def _item(item: Item) -> Body:
    return {
        "available_products": ["balance"],
        "billed_products": ["auth"],
        "consent_expiration_time": None,
        "error": None,
        "institution_id": item.institution_id,
        "item_id": item.id,
        "update_type": "background",
        "webhook": "",
    }


# Serving


def _serve(plaid: Plaid, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        request_id = uuid4().hex[:15]
        try:
            body = await _body(request)
            _check_keys(request, body)
            return _answer(handler(plaid, request, body) | {"request_id": request_id})
        except PlaidError as error:
            refusal = {
                "error_type": error.kind,
                "error_code": error.code,
                "error_message": str(error),
                "display_message": None,
                "request_id": request_id,
            }
            return _answer(refusal, 400)

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


def _hosted_page(plaid: Plaid) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        content = plaid.tokens.read("link", request.path_params["token"])
        if content is None:
            return HTMLResponse("<p>This link is not known.</p>", 404)
        if request.method == "GET":
            return HTMLResponse(_choice(content["client_name"]))
        institution_id = request.query_params.get("institution", _USUAL_INSTITUTION)
        if institution_id not in INSTITUTIONS:
            return HTMLResponse("<p>This bank is not known.</p>", 404)
        session = Session(id=uuid4().hex, at=plaid.world.clock.now(), item=Item.new(institution_id))
        plaid.sessions.setdefault(content["id"], []).append(session)
        if content["redirect"]:
            return RedirectResponse(content["redirect"], 303)
        return HTMLResponse("<p>Your bank is linked. You can close this window.</p>")

    return page


def _choice(client_name: str) -> str:
    button = '<form method="post" action="?institution={}"><button>{}</button></form>'
    buttons = "".join(button.format(key, html.escape(name)) for key, name in INSTITUTIONS.items())
    return (
        "<!doctype html><title>Sandbox bank link</title>"
        f"<h1>{html.escape(client_name)} wants to link a bank</h1>"
        f"<p>These banks are pretend. Choose one:</p>{buttons}"
    )


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _answer(body: Body, status: int = 200) -> Response:
    text = simplejson.dumps(body, use_decimal=True)
    return Response(text, status, media_type="application/json")
