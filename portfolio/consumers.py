"""The sockets of live values, of one account and of several: the gate, and then the hub's."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from accounts import selectors as accounts
from accounts.services import admission
from core.auth.sockets import Admission, Wish
from core.sockets import codes, gate
from core.sockets.connection import Message, Receive, Send
from core.sockets.loops import PerLoop
from core.sockets.visits import Refused, Visit
from core.threads import in_database
from portfolio import services
from portfolio.live import asked
from portfolio.live.hub import Backend, ValueHub
from portfolio.live.seats import Seat, View

_SCOPE: Final = "portfolio:read"
_KINDS: Final = ("subscribe", "unsubscribe")  # no set: what a client says may be unhashable
# Whose client asks and asks, and reads no answer, is too slow for us.
_MOST_WORDS: Final = 100


async def live_value(scope: Message, receive: Receive, send: Send) -> None:
    """Serve `/ws/portfolio/{account_id}`: first who asks, then values until either side ends it."""
    await gate.serve(scope, receive, send, sit=_sit)


async def live_values(scope: Message, receive: Receive, send: Send) -> None:
    """Serve `/ws/portfolio`: the same for several accounts, and what they are worth together."""
    await gate.serve(scope, receive, send, sit=_sit_at_several, heed=_heed)


async def _sit(visit: Visit) -> tuple[ValueHub, Seat]:
    said = visit.credential.said
    has_detail, resume = asked.has_detail(said), asked.resume_of(said.get("resume"))
    guest = await visit.admit(admission.ask, scope=_SCOPE)
    (account,) = guest.admission.accounts
    views = {account.account_id: View(account, has_detail=has_detail, resume=resume)}
    return _HUBS.get(), Seat(guest=guest, socket=visit.socket, views=views)


async def _sit_at_several(visit: Visit) -> tuple[ValueHub, Seat]:
    said = visit.credential.said
    account_ids, has_detail = asked.account_ids(said), asked.has_detail(said)
    asked.check_count(len(account_ids or ()))
    guest = await visit.admit_to_several(admission.ask, account_ids, scope=_SCOPE)
    asked.check_count(len(guest.admission.accounts))
    views = _views(guest.admission, said, has_detail=has_detail)
    seat = Seat(guest=guest, socket=visit.socket, views=views, has_aggregate=True)
    seat.words = _answer(guest.admission, views)
    return _HUBS.get(), seat


async def _heed(visit: Visit, seat: Seat, frame: Mapping[str, Any]) -> bool:
    """Let the client look at more accounts, or at fewer."""
    if frame.get("type") not in _KINDS:
        return False
    named: list[str] = []
    try:
        named, has_detail = asked.some_account_ids(frame), asked.has_detail(frame)
        if frame["type"] == "subscribe":
            await _subscribe(visit, seat, named, frame, has_detail=has_detail)
        else:
            _unsubscribe(seat, named)
    except Refused as refusal:
        if refusal.code == codes.BAD_FRAME:
            raise
        # Which it was about, so that a client knows what it need not ask for again. What it looks
        # at already it goes on to hear of.
        seen = {view.account.named for view in seat.views.values()}
        refused = [name for name in named if name not in seen] or named
        _say(seat, refusal.words_with(accounts=refused) if refused else refusal.words)
        _HUBS.get().catch_up(seat)
    return True


async def _subscribe(
    visit: Visit, seat: Seat, named: list[str], frame: Mapping[str, Any], *, has_detail: bool
) -> None:
    asked.check_count(len(named))
    wish = Wish(_SCOPE, tuple(named), principal=seat.guest.admission.principal)
    with visit.in_codes():
        seen = await admission.ask(wish, is_wanted=lambda: True)
    added = _views(seen, frame, has_detail=has_detail)
    views = seat.views | added
    asked.check_count(len(views))
    _say(seat, *_answer(seen, views))
    _HUBS.get().watch(seat, added)


def _unsubscribe(seat: Seat, named: list[str]) -> None:
    left = {
        account_id: view
        for account_id, view in seat.views.items()
        if view.account.named not in named and str(account_id) not in named
    }
    _say(seat, _subscribed(left))
    _HUBS.get().unwatch(seat, seat.views.keys() - left.keys())


def _views(seen: Admission, said: Mapping[str, Any], *, has_detail: bool) -> dict[UUID, View]:
    resumes, views = asked.resumes_of(said), dict[UUID, View]()
    for account in seen.accounts:
        resume = asked.resume_of(resumes.get(account.named))
        view = View(account, has_detail=has_detail, resume=resume)
        views.setdefault(account.account_id, view)  # of two names for one, the first counts
    return views


def _answer(seen: Admission, views: Mapping[UUID, View]) -> tuple[bytes, ...]:
    """Say what was asked for and does not exist, and what the socket looks at now."""
    return (*map(_not_found, seen.unknown), _subscribed(views))


def _not_found(account_id: str) -> bytes:
    detail = "There is no such account."
    answer = {"type": "error", "error": "not_found", "account_id": account_id, "detail": detail}
    return json.dumps(answer).encode()


def _subscribed(views: Mapping[UUID, View]) -> bytes:
    names = [view.account.named for view in views.values()]
    return json.dumps({"type": "subscribed", "accounts": names}).encode()


def _say(seat: Seat, *words: bytes) -> None:
    """Have these said before anything else."""
    seat.words += words
    if len(seat.words) > _MOST_WORDS:
        seat.socket.end(codes.TOO_SLOW)


# Value at the edge: every web process values the accounts of the sockets it holds.
_BACKEND: Final = Backend(
    load=lambda account_ids, day: in_database(
        services.load_accounts, account_ids=account_ids, day=day
    ),
    want=lambda reason, symbols: in_database(services.want_prices, reason=reason, symbols=symbols),
    owners_of=lambda account_ids: in_database(accounts.owners_of, account_ids=account_ids),
)
_HUBS: Final = PerLoop(lambda: ValueHub(_BACKEND))
