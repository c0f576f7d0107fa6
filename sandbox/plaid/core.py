"""The vendor itself: its books, its tokens, its post, and its way to say no."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request

from sandbox.plaid.books import Books
from sandbox.plaid.keys import KeyRing
from sandbox.plaid.post import Post
from sandbox.plaid.records import LOGIN_REQUIRED, Item, LinkToken
from sandbox.plaid.tokens import Tokens
from sandbox.world import World

VENDOR = "plaid"
ENVIRONMENT = "sandbox"
CLIENT_ID = "sandbox-client"
SECRET = "sandbox-secret"  # noqa: S105 - a pretend secret, useless anywhere else

# How long one may still ask what came of a link whose time is over.
LINK_REMEMBERED = timedelta(hours=6)

Body = dict[str, Any]


class PlaidError(Exception):
    """The vendor's way to say no."""

    def __init__(self, code: str, message: str, *, kind: str = "INVALID_INPUT") -> None:
        self.kind, self.code = kind, code
        super().__init__(message)

    @property
    def body(self) -> Body:
        """The error as answers and webhooks carry it."""
        return {
            "error_type": self.kind,
            "error_code": self.code,
            "error_message": str(self),
            "display_message": None,
        }


def login_required() -> PlaidError:
    """Make the error of an item whose bank wants the person to sign in again."""
    message = "the login details of this item have changed"
    return PlaidError(LOGIN_REQUIRED, message, kind="ITEM_ERROR")


class Plaid:
    """One pretend Plaid, with all its customers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tokens = Tokens(world.seed)
        self.books = Books(world.store)
        self.keys = KeyRing(world.seed, self.books)
        self.post = Post(world, self.keys)
        world.reset_hooks.append(self._forget)

    def _forget(self) -> None:
        self.books.empty()
        self.keys.begin()
        self.post.clear()

    def now(self) -> datetime:
        """Tell the simulated time."""
        return self.world.clock.now()

    def link(self, token: object) -> LinkToken:
        """
        Find what a link token stands for.

        :raises PlaidError: it is not known, or was forgotten some hours after its end.
        """
        content = self.tokens.read("link", token)
        found = None if content is None else self.books.links.get(content["link"])
        if found is None or self.now() > found.expires_at + LINK_REMEMBERED:
            raise PlaidError("INVALID_LINK_TOKEN", "could not find matching link token")
        return found

    def link_token(self, link: LinkToken) -> str:
        """Write the token of a link."""
        return self.tokens.make("link", link=link.id)

    def item(self, body: Body) -> Item:
        """
        Find the login of the access token in a body.

        :raises PlaidError: the token was not made here, or the item is gone.
        """
        content = self.tokens.read("access", body.get("access_token"))
        if content is None:
            raise PlaidError("INVALID_ACCESS_TOKEN", "could not find matching access token")
        found = self.books.items.get(content["item"])
        if found is None or not found.is_reachable:
            raise PlaidError(
                "ITEM_NOT_FOUND",
                "The Item you requested cannot be found. This Item does not exist, has been "
                "previously removed via /item/remove, or has had access removed by the user",
                kind="ITEM_ERROR",
            )
        return found

    def open_item(self, body: Body) -> Item:
        """
        Find a login that the bank lets us in with.

        :raises PlaidError: as `item`, or the person must sign in again.
        """
        found = self.item(body)
        if found.fault == LOGIN_REQUIRED:
            raise login_required()
        return found


Handler = Callable[[Plaid, Request, Body], Body]


def timestamp(moment: datetime | None) -> str | None:
    """Write a time as this vendor does."""
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
