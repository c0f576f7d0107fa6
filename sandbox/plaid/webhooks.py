"""What the vendor tells by webhook, and the key to check that it was the vendor."""

from starlette.requests import Request

from sandbox.plaid.core import ENVIRONMENT, Body, Plaid, PlaidError, login_required
from sandbox.plaid.records import PERMISSION_REVOKED, Item, LinkToken, Session


def show_key(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Show the public half of a signing key."""
    key = plaid.keys.find(body.get("key_id"))
    if key is None:
        raise PlaidError(
            "INVALID_WEBHOOK_VERIFICATION_KEY_ID", "invalid webhook verification key_id provided"
        )
    return {"key": plaid.keys.public(key)}


def session_finished(plaid: Plaid, link: LinkToken, session: Session) -> None:
    """Tell that a visit of the hosted page is over."""
    tokens = [] if session.public_token is None else [session.public_token]
    body = {
        "webhook_type": "LINK",
        "webhook_code": "SESSION_FINISHED",
        "status": "SUCCESS" if session.is_success else "EXITED",
        "link_session_id": session.id,
        "link_token": plaid.link_token(link),
        "public_tokens": tokens,
        "environment": ENVIRONMENT,
    }
    plaid.post.send(link.webhook, body)


def about_item(plaid: Plaid, item: Item, code: str, kind: str = "ITEM", **more: object) -> None:
    """Tell something of an item."""
    body = {
        "webhook_type": kind,
        "webhook_code": code,
        "item_id": item.id,
        **more,
        "environment": ENVIRONMENT,
    }
    plaid.post.send(item.webhook, body)


def login_is_required(plaid: Plaid, item: Item) -> None:
    """Tell that the bank wants the person to sign in again."""
    about_item(plaid, item, "ERROR", error=login_required().body | {"status": 400})


def permission_is_revoked(plaid: Plaid, item: Item) -> None:
    """Tell that the person has taken back what was allowed."""
    message = "the holder of this account has revoked their permission for your application"
    error = PlaidError(PERMISSION_REVOKED, message, kind="ITEM_ERROR").body
    about_item(plaid, item, PERMISSION_REVOKED, error=error)
