"""What Plaid tells us by itself: hints of what to ask it about, never more."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import structlog

from core import exact_json, inbox
from core.auth import SYSTEM, acting_as
from core.errors import Invalid
from core.jobs import enqueue
from funding.gateways import plaid_webhooks
from funding.models import token_index
from funding.services import items, linking

logger = structlog.get_logger()
SOURCE: Final = "plaid.webhooks"
_LONGEST: Final = 64
# What is kept of a webhook as it is; of tokens only what finds them again.
_KEPT: Final = ("webhook_type", "webhook_code", "item_id", "status")


def receive(*, body: bytes, signatures: Sequence[str], at: datetime) -> bool:
    """
    Keep a webhook that Plaid has signed, once an hour, and have it worked later.

    Returns whether it is new.

    :raises Forged: Plaid did not sign these bytes just now.
    :raises ServiceBusy: the key that would tell cannot be had at the moment.
    :raises Invalid: Plaid has signed something that is no webhook.
    """
    plaid_webhooks.verify(body=body, signatures=signatures, at=at)
    try:
        told = exact_json.loads(body)
    except exact_json.NotStrictJson as error:
        raise Invalid(str(error)) from error
    if not isinstance(told, dict):
        raise Invalid("A webhook is a JSON object.")
    name = f"{hashlib.sha256(body).hexdigest()}:{at:%Y%m%d%H}"
    is_new = inbox.receive(SOURCE, name, _hint(told))
    if is_new:
        logger.info("plaid_webhook.kept", kind=_word(told, "webhook_type"))
        enqueue("funding.apply_webhooks")
    return is_new


def _hint(told: Mapping[str, Any]) -> dict[str, str]:
    hint = {name: _word(told, name) for name in _KEPT}
    link_token = told.get("link_token")
    if isinstance(link_token, str) and link_token:
        hint["link_token_index"] = token_index(link_token)
    return hint


def _word(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value[:_LONGEST] if isinstance(value, str) else ""


def apply_webhooks() -> int:
    """Have Plaid asked about whatever its webhooks name, and say how many there were."""
    applied = inbox.apply_together(SOURCE, _apply)
    if applied:
        enqueue("funding.sweep_links")
        enqueue("funding.refresh_items")
    return applied


def _apply(hints: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """Mark what is named as due; in which order they come does not matter."""
    pages = {str(hint["link_token_index"]) for hint in hints if hint.get("link_token_index")}
    named = {str(hint["item_id"]) for hint in hints if hint.get("item_id")}
    with acting_as(SYSTEM):
        if pages:
            linking.nudge(link_token_indexes=pages)
        if named:
            items.nudge(item_ids=named)
    return ()
