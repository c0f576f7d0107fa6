"""The hosted page: where a person is on the way to a linked bank, and what each step does."""

import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.plaid import banks, items, pages, webhooks
from sandbox.plaid.core import Plaid
from sandbox.plaid.records import Item, LinkToken, Session

WRONG_PASSWORD = "pass_wrong"  # noqa: S105 - the one that the pretend banks refuse
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
Form = dict[str, str]


def routes(plaid: Plaid) -> list[BaseRoute]:
    """List the page itself, and the page of a bank that lets people sign in only there."""
    methods = ["GET", "POST"]
    return [
        Route("/hosted/{page}", _endpoint(plaid, _visit), methods=methods),
        Route("/hosted/{page}/bank", _endpoint(plaid, _visit_bank), methods=methods),
    ]


Visit = Callable[[Plaid, Request, LinkToken, Form | None], Response]


def _endpoint(plaid: Plaid, visit: Visit) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = await _form(request) if request.method == "POST" else None
        link = plaid.books.by_page.get(request.path_params["page"])
        if link is None:
            return _page(pages.unknown(), 404)
        if not link.is_done and _is_over(plaid, link):
            return _page(pages.expired(link), 410)
        return visit(plaid, request, link, form)

    return endpoint


async def _form(request: Request) -> Form:
    text = (await request.body()).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _is_over(plaid: Plaid, link: LinkToken) -> bool:
    ends_at = min(link.page_expires_at or link.expires_at, link.expires_at)
    item = _mended(plaid, link)
    return plaid.now() >= ends_at or (item is not None and not item.is_reachable)


def _mended(plaid: Plaid, link: LinkToken) -> Item | None:
    return None if link.updates is None else plaid.books.items[link.updates]


def _visit(plaid: Plaid, request: Request, link: LinkToken, form: Form | None) -> Response:
    here = f"{request.scope.get('root_path', '')}/hosted/{link.page}"
    if link.is_done:
        return _leave(link) if form is not None else _page(pages.done(link))
    session = _session(plaid, link, begins=form is None)
    if session is None:
        return _to(here)  # what was left before is begun anew
    if form is not None:
        return _act(plaid, link, session, form, here)
    if session.step == "oauth":
        state = request.query_params.get("oauth_state_id")
        if state is None or state != session.oauth_state:
            return _to(f"{here}/bank")
        _go(plaid, link, session, _after_sign_in(link))
        return _to(here)
    return _page(pages.step(link, session, here))


def _session(plaid: Plaid, link: LinkToken, *, begins: bool) -> Session | None:
    """Give the visit that is going on, or begin one."""
    if link.sessions and link.sessions[-1].is_open:
        return link.sessions[-1]
    if not begins:
        return None
    item = _mended(plaid, link)
    session = Session(
        id=str(uuid.uuid4()),
        started_at=plaid.now(),
        step="consent" if item is None else _sign_in_at(item.institution_id),
        institution_id=None if item is None else item.institution_id,
    )
    link.sessions.append(session)
    plaid.books.save(link)
    return session


def _sign_in_at(institution_id: str) -> str:
    return "oauth" if banks.INSTITUTIONS[institution_id].is_oauth else "sign_in"


def _after_sign_in(link: LinkToken) -> str:
    return "account" if link.updates is None else "finish"


def _go(plaid: Plaid, link: LinkToken, session: Session, step: str) -> None:
    session.step = step
    plaid.books.save(link)


# What a person may do


def _act(plaid: Plaid, link: LinkToken, session: Session, form: Form, here: str) -> Response:
    """Do a step; one that is not the present one changes nothing, as after a second click."""
    step = form.get("step", "")
    if step == "cancel":
        return _exit(plaid, link, session)
    if step == session.step:
        if step == "finish":
            return _finish(plaid, link, session)
        problem = _STEPS[step](plaid, link, session, form) if step in _STEPS else ""
        if problem:
            return _page(pages.step(link, session, here, problem), 422)
    elif step == "back" and link.updates is None:
        session.institution_id = session.kind = None
        _go(plaid, link, session, "bank")
    return _to(f"{here}/bank" if session.step == "oauth" else here)


def _consent(plaid: Plaid, link: LinkToken, session: Session, _form: Form) -> str:
    _go(plaid, link, session, "bank")
    return ""


def _choose_bank(plaid: Plaid, link: LinkToken, session: Session, form: Form) -> str:
    institution_id = form.get("institution", "")
    if institution_id not in banks.INSTITUTIONS:
        return "Choose one of these banks."
    session.institution_id = institution_id
    _go(plaid, link, session, _sign_in_at(institution_id))
    return ""


def _sign_in(plaid: Plaid, link: LinkToken, session: Session, form: Form) -> str:
    if not form.get("username") or not form.get("password"):
        return "Enter your user name and your password."
    if form["password"] == WRONG_PASSWORD:
        return "The bank does not know this user name and password. Try again."
    _go(plaid, link, session, _after_sign_in(link))
    return ""


def _choose_account(plaid: Plaid, link: LinkToken, session: Session, form: Form) -> str:
    kind = form.get("account", "")
    if kind not in banks.KINDS:
        return "Choose one of these accounts."
    session.kind = kind
    _go(plaid, link, session, "finish")
    return ""


_STEPS: dict[str, Callable[[Plaid, LinkToken, Session, Form], str]] = {
    "consent": _consent,
    "bank": _choose_bank,
    "sign_in": _sign_in,
    "account": _choose_account,
}


def _visit_bank(plaid: Plaid, request: Request, link: LinkToken, form: Form | None) -> Response:
    """Show the bank's own page; it sends the person back with the state that it was given."""
    back = f"{request.scope.get('root_path', '')}/hosted/{link.page}"
    session = None if link.is_done else _session(plaid, link, begins=False)
    if session is None or session.step != "oauth":
        return _to(back)
    if form is None:
        return _page(pages.bank(link, session, f"{back}/bank"))
    if form.get("step") == "cancel":
        return _exit(plaid, link, session)
    session.oauth_state = uuid.uuid4().hex
    plaid.books.save(link)
    return _to(f"{back}?oauth_state_id={session.oauth_state}")


def _finish(plaid: Plaid, link: LinkToken, session: Session) -> Response:
    item = _mended(plaid, link)
    if item is not None:
        items.mend_login(plaid, item, is_told=False)
    elif session.institution_id is not None and session.kind is not None:
        item = items.begin(
            plaid,
            institution_id=session.institution_id,
            person=link.person,
            kinds=[session.kind],
            webhook=link.webhook,
        )
        session.public_token = items.make_public_token(plaid, item)
    session.item_id = None if item is None else item.id
    session.is_success = True
    _end(plaid, link, session)
    return _leave(link)


def _exit(plaid: Plaid, link: LinkToken, session: Session) -> Response:
    _end(plaid, link, session)
    return _leave(link)


def _end(plaid: Plaid, link: LinkToken, session: Session) -> None:
    session.finished_at = plaid.now()
    plaid.books.save(link)
    webhooks.session_finished(plaid, link, session)


# Answering


def _leave(link: LinkToken) -> Response:
    if link.completion_redirect_uri is not None:
        return _to(link.completion_redirect_uri)
    return _page(pages.done(link) if link.is_done else pages.left())


def _to(url: str) -> Response:
    return RedirectResponse(url, 303, headers=_HEADERS)


def _page(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers=_HEADERS)
