"""Link tokens: made, read, and what their sessions have brought."""

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from sandbox.plaid import banks, items
from sandbox.plaid.core import VENDOR, Body, Plaid, PlaidError, timestamp
from sandbox.plaid.records import LinkToken, Session

LASTS = timedelta(hours=4)
UPDATE_LASTS = timedelta(minutes=30)
_LONGEST_URL = 2048
_LONGEST_NAME = 30
_PRODUCTS = frozenset({"auth", "balance", "identity", "transactions", "signal", "transfer"})
_COUNTRIES = frozenset({"US", "CA", "GB", "IE", "FR", "ES", "NL", "DE", "IT", "PL"})


def create_token(plaid: Plaid, request: Request, body: Body) -> Body:
    """Begin to link a bank, or to mend the login of one."""
    hosted = _part(body, "hosted_link")
    link = _link(plaid, body)
    answer = {"link_token": plaid.link_token(link), "expiration": timestamp(link.expires_at)}
    if hosted is not None:
        _open_page(link, hosted)
        host = plaid.world.settings.public_url or str(request.base_url.replace(path=""))
        page = f"{request.scope.get('root_path', '')}/hosted/{link.page}"
        answer["hosted_link_url"] = f"{host}{page}"
    plaid.books.save(link)
    plaid.world.effects.record(VENDOR, "link_token.created", link.id)
    return answer


def _link(plaid: Plaid, body: Body) -> LinkToken:
    updated = plaid.item(body) if body.get("access_token") else None
    needed = ["client_name", "language", "country_codes", "user"]
    _demand(body, needed if updated else [*needed, "products"])
    person = _part(body, "user") or {}
    if not person.get("client_user_id"):
        raise _missing("user.client_user_id")
    products = _known(body, "products", _PRODUCTS)
    if updated and products:
        raise _invalid("products", "must be left out to update a login")
    if len(str(body["client_name"])) > _LONGEST_NAME:
        raise _invalid("client_name", f"must have at most {_LONGEST_NAME} characters")
    redirect_uri = _address(body, "redirect_uri")
    if redirect_uri is not None and urlsplit(redirect_uri).query:
        raise _invalid("redirect_uri", "must not contain a query")
    now = plaid.now()
    return LinkToken(
        id=uuid.uuid4().hex,
        created_at=now,
        expires_at=now + (UPDATE_LASTS if updated else LASTS),
        client_name=str(body["client_name"]),
        person=str(person["client_user_id"]),
        language=str(body["language"]),
        country_codes=_known(body, "country_codes", _COUNTRIES),
        products=products,
        webhook=_address(body, "webhook"),
        redirect_uri=redirect_uri,
        updates=None if updated is None else updated.id,
    )


def _open_page(link: LinkToken, hosted: Body) -> None:
    link.page = uuid.uuid4().hex
    link.completion_redirect_uri = _address(hosted, "completion_redirect_uri")
    seconds = hosted.get("url_lifetime_seconds")
    if seconds is not None:
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
            raise _invalid("hosted_link.url_lifetime_seconds", "must be a positive whole number")
        link.page_expires_at = link.created_at + timedelta(seconds=seconds)


def show_token(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Tell how far a link has come; a hosted one hands over its public token here."""
    link = plaid.link(body.get("link_token"))
    return {
        "link_token": plaid.link_token(link),
        "created_at": timestamp(link.created_at),
        "expiration": timestamp(link.expires_at),
        "metadata": {
            "initial_products": link.products,
            "webhook": link.webhook,
            "country_codes": link.country_codes,
            "language": link.language,
            "redirect_uri": link.redirect_uri,
            "client_name": link.client_name,
        },
        "link_sessions": [_session(plaid, session) for session in link.sessions],
    }


def _session(plaid: Plaid, session: Session) -> Body:
    shown: Body = {
        "link_session_id": session.id,
        "started_at": timestamp(session.started_at),
        "finished_at": timestamp(session.finished_at),
    }
    if session.is_open:
        return shown  # there are no results yet, not even empty ones
    shown["results"] = {
        "item_add_results": _added(plaid, session),
        "cra_item_add_results": [],
        "cra_update_results": [],
        "bank_income_results": [],
        "payroll_income_results": [],
        "document_income_results": None,
    }
    if not session.is_success:
        shown["exit"] = {"error": None, "metadata": _exit_metadata(session)}
    return shown


def _added(plaid: Plaid, session: Session) -> list[Body]:
    if session.public_token is None or session.item_id is None:
        return []
    item = plaid.books.items[session.item_id]
    linked = [
        {name: account[key] for name, key in _LINKED_FIELDS.items()}
        for account in banks.accounts(item)
    ]
    return [
        {
            "public_token": session.public_token,
            "accounts": linked,
            "institution": _institution(item.institution_id),
        }
    ]


_LINKED_FIELDS = {
    "id": "account_id",
    "name": "name",
    "mask": "mask",
    "type": "type",
    "subtype": "subtype",
}


def _exit_metadata(session: Session) -> Body:
    metadata: Body = {"link_session_id": session.id, "status": "requires_credentials"}
    if session.institution_id is None:
        return metadata | {"status": "institution_not_found"}
    return metadata | {"institution": _institution(session.institution_id)}


def _institution(institution_id: str) -> Body:
    return {"name": banks.INSTITUTIONS[institution_id].name, "institution_id": institution_id}


def create_public_token(plaid: Plaid, _request: Request, body: Body) -> Body:
    """Link a bank without a person; all of them are the same one if no name is given."""
    institution_id = body.get("institution_id", banks.USUAL_INSTITUTION)
    if institution_id not in banks.INSTITUTIONS:
        raise PlaidError("INVALID_INSTITUTION", "invalid institution_id provided")
    options = _part(body, "options") or {}
    item = items.begin(
        plaid,
        institution_id=institution_id,
        person=str(options.get("override_username") or "user_good"),
        kinds=banks.KINDS,
        webhook=_address(options, "webhook"),
    )
    return {"public_token": items.make_public_token(plaid, item)}


# Reading a body


def _demand(body: Body, names: list[str]) -> None:
    for name in names:
        if not body.get(name):
            raise _missing(name)


def _missing(name: str) -> PlaidError:
    return PlaidError(
        "MISSING_FIELDS",
        f"the following required fields are missing: {name}",
        kind="INVALID_REQUEST",
    )


def _invalid(name: str, rule: str) -> PlaidError:
    return PlaidError("INVALID_FIELD", f"{name} {rule}", kind="INVALID_REQUEST")


def _part(body: Body, name: str) -> Body | None:
    part = body.get(name)
    if part is not None and not isinstance(part, dict):
        raise _invalid(name, "must be an object")
    return part


def _texts(body: Body, name: str) -> list[str]:
    given: Any = body.get(name) or []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise _invalid(name, "must be a list of texts")
    return given


def _known(body: Body, name: str, known: frozenset[str]) -> list[str]:
    given = _texts(body, name)
    if unknown := sorted(set(given) - known):
        raise _invalid(name, f"has unknown values: {', '.join(unknown)}")
    return given


def _address(body: Body, name: str) -> str | None:
    """Read an address of the web, as `webhook` and the redirects must be."""
    url = body.get(name)
    if url is None or url == "":
        return None
    if not isinstance(url, str) or len(url) > _LONGEST_URL or not _is_web_address(url):
        raise _invalid(name, "must be a valid URL")
    return url


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
