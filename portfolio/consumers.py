"""The socket of one account's live value: the gate, and then the hub's."""

from functools import partial
from typing import Final

from accounts import selectors as accounts
from core.sockets import gate
from core.sockets.connection import Message, Receive, Send
from core.sockets.loops import PerLoop
from core.threads import in_database
from portfolio import services
from portfolio.live.hub import Backend, ValueHub
from portfolio.live.seats import Seat

_ADMIT: Final = partial(accounts.admit, scope="portfolio:read")


async def live_value(scope: Message, receive: Receive, send: Send) -> None:
    """Serve `/ws/portfolio/{account_id}`: first who asks, then values until either side ends it."""
    await gate.serve(scope, receive, send, sit=_sit)


async def _sit(visit: gate.Visit) -> tuple[ValueHub, Seat]:
    guest = await visit.admit(_ADMIT)
    return _HUBS.get(), Seat(guest=guest, socket=visit.socket, account_text=visit.account_text)


# Value at the edge: every web process values the accounts of the sockets it holds.
_BACKEND: Final = Backend(
    load=lambda accounts: in_database(services.load_accounts, account_ids=accounts),
    want=lambda reason, symbols: in_database(services.want_prices, reason=reason, symbols=symbols),
)
_HUBS: Final = PerLoop(lambda: ValueHub(_BACKEND))
