"""Items: exchanged, read, handed to a processor, broken and mended, removed."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from starlette.requests import Request

from sandbox.plaid import banks, webhooks
from sandbox.plaid.core import VENDOR, Body, Plaid, PlaidError, login_required, timestamp
from sandbox.plaid.records import LOGIN_REQUIRED, PERMISSION_REVOKED, Item

PUBLIC_TOKEN_LASTS = timedelta(minutes=30)
CONSENT_LASTS = timedelta(days=365)
# What a person may have fired, and of which type it is if the request does not say.
_FIRED = {
    "DEFAULT_UPDATE": "AUTH",
    "ERROR": "ITEM",
    "LOGIN_REPAIRED": "ITEM",
    "NEW_ACCOUNTS_AVAILABLE": "ITEM",
    "PENDING_DISCONNECT": "ITEM",
    "PENDING_EXPIRATION": "ITEM",
    "USER_ACCOUNT_REVOKED": "ITEM",
    "USER_PERMISSION_REVOKED": "ITEM",
}


def begin(
    plaid: Plaid, *, institution_id: str, person: str, kinds: Sequence[str], webhook: str | None
) -> Item:
    """Note that a person has signed in at a bank."""
    now = plaid.now()
    is_oauth = banks.INSTITUTIONS[institution_id].is_oauth
    item = Item(
        id=banks.new_item_id(person, now, uuid4().hex),
        institution_id=institution_id,
        person=person,
        kinds=list(kinds),
        created_at=now,
        webhook=webhook,
        consent_expires_at=now + CONSENT_LASTS if is_oauth else None,
    )
    plaid.books.save(item)
    return item


def make_public_token(plaid: Plaid, item: Item) -> str:
    """Make the short-lived token that is exchanged once."""
    nonce = uuid4().hex
    item.open_public_tokens[nonce] = plaid.now()
    plaid.books.save(item)
    return plaid.tokens.make("public", item=item.id, nonce=nonce)


def exchange(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Trade the short-lived token from the browser for the lasting one."""
    content = plaid.tokens.read("public", body.get("public_token"))
    item = None if content is None else plaid.books.items.get(content["item"])
    if content is None or item is None or not item.is_reachable:
        raise _bad_public_token()
    made_at = item.open_public_tokens.pop(content["nonce"], None)
    if made_at is None:
        raise _bad_public_token()
    plaid.books.save(item)
    if plaid.now() - made_at > PUBLIC_TOKEN_LASTS:
        raise PlaidError(
            "INVALID_PUBLIC_TOKEN",
            "provided public token is expired. Public tokens expire 30 minutes after creation "
            "at which point they can no longer be exchanged",
        )
    plaid.world.effects.record(VENDOR, "public_token.exchanged", item.id)
    return {"access_token": plaid.tokens.make("access", item=item.id), "item_id": item.id}


def _bad_public_token() -> PlaidError:
    return PlaidError("INVALID_PUBLIC_TOKEN", "could not find matching public token")


def show(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Describe a login."""
    return {"item": item_json(plaid.item(body)), "status": {"last_webhook": None}}


def item_json(item: Item) -> Body:
    """Show an item."""
    bank = banks.INSTITUTIONS[item.institution_id]
    return {
        "available_products": ["balance"],
        "billed_products": ["auth"],
        "consent_expiration_time": timestamp(item.consent_expires_at),
        "error": login_required().body if item.fault == LOGIN_REQUIRED else None,
        "institution_id": item.institution_id,
        "institution_name": bank.name if bank.is_named else None,
        "item_id": item.id,
        "update_type": "background",
        "webhook": item.webhook or "",
    }


def remove(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Forget a login; no token of it is good any more."""
    item = plaid.item(body)
    item.is_removed = True
    plaid.books.save(item)
    plaid.world.effects.record(VENDOR, "item.removed", item.id)
    return {}


def list_accounts(plaid: Plaid, _request: Request, body: Body) -> Body:
    """List the accounts behind a login, with their balances."""
    item = plaid.open_item(body)
    return {"accounts": banks.accounts(item), "item": item_json(item)}


def list_numbers(plaid: Plaid, _request: Request, body: Body) -> Body:
    """List the account and routing numbers behind a login."""
    item = plaid.open_item(body)
    numbers: Body = {"ach": banks.numbers(item), "eft": [], "international": [], "bacs": []}
    return {"accounts": banks.accounts(item), "numbers": numbers, "item": item_json(item)}


def create_processor_token(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Make the token that lets the broker reach one account."""
    item = plaid.open_item(body)
    kinds = {banks.account_id(item, kind): kind for kind in item.kinds}
    kind = kinds.get(str(body.get("account_id")))
    if kind is None:
        raise PlaidError("INVALID_ACCOUNT_ID", "failed to find requested account ID")
    if body.get("processor") != "alpaca":
        raise PlaidError("INVALID_PROCESSOR", "the processor is not enabled")
    plaid.world.effects.record(VENDOR, "processor_token.created", str(body["account_id"]))
    return {"processor_token": plaid.tokens.make("processor", item=item.id, account=kind)}


def show_institution(_plaid: Plaid, _request: Request, body: Body) -> Body:
    """Describe a bank."""
    bank = banks.INSTITUTIONS.get(str(body.get("institution_id")))
    if bank is None:
        raise PlaidError("INVALID_INSTITUTION", "invalid institution_id provided")
    return {
        "institution": {
            "institution_id": bank.id,
            "name": bank.name,
            "products": ["auth", "balance"],
            "country_codes": ["US"],
            "routing_numbers": [banks.ROUTING_NUMBER],
            "oauth": bank.is_oauth,
            "connection_availability": "SUPPORTED",
        }
    }


def change_webhook(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Send the webhooks of an item elsewhere."""
    item = plaid.item(body)
    url = body.get("webhook")
    if url is not None and not isinstance(url, str):
        raise PlaidError("INVALID_FIELD", "webhook must be a valid URL", kind="INVALID_REQUEST")
    item.webhook = url or None
    plaid.books.save(item)
    webhooks.about_item(plaid, item, "WEBHOOK_UPDATE_ACKNOWLEDGED", new_webhook_url=url, error=None)
    return {"item": item_json(item)}


# What only the vendor's own sandbox can do


def fire_webhook(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Send a webhook that nothing has caused."""
    item = plaid.item(body)
    code = str(body.get("webhook_code", "DEFAULT_UPDATE"))
    if code not in _FIRED:
        raise PlaidError("INVALID_FIELD", "webhook_code is not known", kind="INVALID_REQUEST")
    if item.webhook is None:
        raise PlaidError(
            "SANDBOX_WEBHOOK_INVALID",
            "Webhook for this item has not been set up",
            kind="SANDBOX_ERROR",
        )
    if code == "ERROR":
        webhooks.login_is_required(plaid, item)
    elif code == PERMISSION_REVOKED:
        webhooks.permission_is_revoked(plaid, item)
    else:
        webhooks.about_item(plaid, item, code, str(body.get("webhook_type") or _FIRED[code]))
    return {"webhook_fired": True}


def reset_login(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Let the bank ask the person to sign in again."""
    break_login(plaid, plaid.item(body))
    return {"reset_login": True}


def break_login(plaid: Plaid, item: Item) -> None:
    """Shut the bank's door, and tell."""
    item.fault = LOGIN_REQUIRED
    plaid.books.save(item)
    webhooks.login_is_required(plaid, item)


def mend_login(plaid: Plaid, item: Item, *, is_told: bool) -> None:
    """Open the bank's door again; told only when it happened outside of the customer's link."""
    item.fault = None
    if banks.INSTITUTIONS[item.institution_id].is_oauth:
        item.consent_expires_at = plaid.now() + CONSENT_LASTS
    plaid.books.save(item)
    if is_told:
        webhooks.about_item(plaid, item, "LOGIN_REPAIRED")


def revoke(plaid: Plaid, item: Item) -> None:
    """Let the person take back their permission at the bank, and tell."""
    item.fault = PERMISSION_REVOKED
    plaid.books.save(item)
    webhooks.permission_is_revoked(plaid, item)
