"""The socket of one account's events: the gate, and then the hub's."""

import re
from collections.abc import Mapping
from typing import Any, Final

from accounts import selectors
from accounts.live import pages
from accounts.live.hub import Backend, FeedHub, FeedSeat
from accounts.live.pages import NEWEST
from accounts.services import admission
from core.sockets import codes, gate
from core.sockets.connection import Message, Receive, Send
from core.sockets.loops import PerLoop
from core.sockets.visits import Refused, Visit
from core.threads import in_database

_SCOPE: Final = "accounts:read"
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_EVENTS_A_READ: Final = 100


async def account_events(scope: Message, receive: Receive, send: Send) -> None:
    """Serve `/ws/account/{account_id}`: first who asks, then events until either side ends it."""
    await gate.serve(scope, receive, send, sit=_sit)


async def _sit(visit: Visit) -> tuple[FeedHub, FeedSeat]:
    since = _since(visit.credential.said)
    guest = await visit.admit(admission.ask, scope=_SCOPE)
    seat = FeedSeat(guest=guest, socket=visit.socket, account_text=visit.account_text, seq=since)
    return _HUBS.get(), seat


def _since(said: Mapping[str, Any]) -> int:
    """Read which event the client has; it may come as a number, or in an address as text."""
    since = said.get("since")
    if since is None:
        return NEWEST
    if isinstance(since, bool) or not _NUMBER.fullmatch(str(since)):
        detail = "`since` is the `seq` of the last event you have."
        raise Refused(codes.BAD_FRAME, "bad_frame", detail)
    return int(since)


_BACKEND: Final = Backend(
    read=lambda places: in_database(pages.read_pages, places, limit=_EVENTS_A_READ),
    moved=lambda known: in_database(pages.list_moved, known),
    owners_of=lambda account_ids: in_database(selectors.owners_of, account_ids=account_ids),
)
_HUBS: Final = PerLoop(lambda: FeedHub(_BACKEND))
