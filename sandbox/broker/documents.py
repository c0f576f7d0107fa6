"""Papers that a customer shows to the broker: taken, checked, and kept as a mere trace."""

import base64
import binascii
import hashlib
import json
import uuid
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from sandbox.answers import Refusal, read_json
from sandbox.broker import fields, statuses
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.fields import Section
from sandbox.broker.records import Account, stamp

MOST_AT_ONCE: Final = 10
LARGEST_BYTES: Final = 10 * 1024 * 1024

_TYPES = frozenset(
    {
        "identity_verification", "address_verification", "date_of_birth_verification",
        "tax_id_verification", "account_approval_letter", "limited_trading_authorization", "w8ben",
        "social_security_number_verification", "cip_result", "other",
    }
)  # fmt: skip
_JSON = "application/json"
_MIME_TYPES = frozenset({"application/pdf", "image/png", "image/jpeg", _JSON})
_SHOWN = ("id", "document_type", "document_sub_type", "mime_type", "created_at")

_PAPER = Section(
    {
        "document_type": fields.one_of(_TYPES),
        "document_sub_type": fields.text,
        "mime_type": fields.one_of(_MIME_TYPES),
    },
    required=("document_type",),
)
_W8BEN_REQUIRED = (
    "country_citizen", "date", "date_of_birth", "full_name", "ip_address",
    "permanent_address_city_state", "permanent_address_country", "permanent_address_street",
    "revision", "signer_full_name", "timestamp",
)  # fmt: skip
_W8BEN_TAX_IDS = ("foreign_tax_id", "tax_id_ssn", "ftin_not_required")


async def upload(broker: Broker, request: Request) -> Response:
    """Take all documents of a list or none; an account that waited for them goes on."""
    account = broker.account(request.path_params["account_id"])
    body = await read_json(request)
    if not isinstance(body, list):
        raise Refusal(400, 40010000, "request body format is invalid")
    taken = read(body, broker.now())
    account.documents += taken
    broker.books.save(account)
    record(broker, account, taken)
    statuses.answer(broker, account, kinds_of(taken), broker.now())
    return Response(status_code=204)


def record(broker: Broker, account: Account, taken: list[dict[str, Any]]) -> None:
    """Log what was uploaded as effects."""
    for document in taken:
        broker.world.effects.record(
            VENDOR, "document.uploaded", document["id"], account_id=account.id
        )


def kinds_of(documents: list[dict[str, Any]]) -> set[str]:
    """List the types among documents."""
    return {document["document_type"] for document in documents}


def read(given: Any, at: datetime) -> list[dict[str, Any]]:
    """
    Check documents, and give what is kept of them: never their content.

    :raises Refusal: one of them is wrong, or there are too many.
    """
    if not isinstance(given, list) or not given:
        fields.refuse("documents", "must be an array with at least one entry")
    if len(given) > MOST_AT_ONCE:
        fields.refuse("documents", f"must be at most {MOST_AT_ONCE} at a time")
    return [_read_one(f"documents[{place}]", each, at) for place, each in enumerate(given)]


def _read_one(name: str, given: Any, at: datetime) -> dict[str, Any]:
    kept = _PAPER.read(name, given)
    is_form = kept["document_type"] == "w8ben"
    if is_form and given.get("content_data") is not None:
        kept["mime_type"] = _JSON
        content = _form(f"{name}.content_data", given["content_data"])
    else:
        content = _content(f"{name}.content", given.get("content"))
    if "mime_type" not in kept:
        fields.refuse(f"{name}.mime_type", "is required")
    if kept["mime_type"] == _JSON and not is_form:
        fields.refuse(f"{name}.mime_type", f"must not be {_JSON} for this document_type")
    return {
        "id": str(uuid.uuid4()),
        "document_sub_type": "",
        **kept,
        "created_at": stamp(at),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _content(name: str, given: Any) -> bytes:
    if fields.is_absent(given):
        fields.refuse(name, "is required")
    # The limit is on the encoded text, as the vendor says; checked before it costs anything.
    if not isinstance(given, str) or len(given) > LARGEST_BYTES:
        fields.refuse(name, "must be a base64 string of at most 10 MB")
    try:
        content = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        fields.refuse(name, "is not valid base64")
    return content


def _form(name: str, given: Any) -> bytes:
    """Take the tax form as data; it names a person, so only its fingerprint is kept either."""
    if not isinstance(given, dict):
        fields.refuse(name, "must be an object")
    for field in _W8BEN_REQUIRED:
        if fields.is_absent(given.get(field)):
            fields.refuse(f"{name}.{field}", "is required")
    if all(given.get(field) is None for field in _W8BEN_TAX_IDS):
        fields.refuse(name, f"must have one of {', '.join(_W8BEN_TAX_IDS)}")
    return json.dumps(given, default=str, sort_keys=True).encode()


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """Show a document as part of its account."""
    return {name: document[name] for name in _SHOWN if name in document}
