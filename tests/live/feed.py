"""Telling account events, and listening to them, for the tests of their socket."""

from contextlib import contextmanager

from accounts.services import feed
from accounts.services.feed import News
from core.auth import SYSTEM, acting_as
from tests.live import factories

KIND = "account.status"


def push(account, count=1, **payload):
    """Tell an account's owner something, and return the last number it got."""
    news = [News(account.pk, account.user_id, KIND, payload)] * count
    with acting_as(SYSTEM):
        return feed.push_all(news)[account.pk]


@contextmanager
def listening(port, account, token, *, since=None, **options):
    """Open the socket, and continue after an event when one is named."""
    said = {} if since is None else {"since": since}
    name = getattr(account, "pk", account)
    with factories.signed_in(port, name, token, said=said, kind="account", **options) as socket:
        yield socket


def numbers(socket, count, *, within=60.0):
    return [socket.next(kind="event", within=within)["seq"] for _ in range(count)]
