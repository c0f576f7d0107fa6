"""Connections whose clients have shown a credential: what it lets them see."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from django.db import DatabaseError

from core.auth.sockets import Admission, Wish
from core.errors import CleraError, ServiceBusy, Unauthenticated
from core.sockets import codes
from core.sockets.connection import LiveSocket, Message
from core.sockets.seats import Guest

# Who is turned away because we are busy comes back after some such time.
_BUSY_SECONDS: Final = (1.0, 5.0)


class Refused(Exception):
    """The client is told why, and the connection closed with a code."""

    def __init__(
        self, code: int, error: str, detail: str, *, retry_after: float | None = None
    ) -> None:
        self.code = code
        self.error = error
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(error)

    @property
    def words(self) -> bytes:
        """What the client is told."""
        return self.words_with()

    def words_with(self, **more: Any) -> bytes:
        """Tell it what else there is to say besides."""
        told = {"type": "error", "error": self.error, "detail": self.detail}
        later = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return json.dumps(told | later | more).encode()


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, how it came, and what else the client said with it."""

    token: str = field(repr=False)
    is_in_query: bool = False
    act_for: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def code(self, code: int) -> int:
        """Say which code this client waits for."""
        return codes.IN_QUERY.get(code, code) if self.is_in_query else code


class Ask(Protocol):
    """Says what a bearer may see; thousands may ask at one moment, and wait for their turn."""

    def __call__(self, wish: Wish, *, is_wanted: Callable[[], bool]) -> Awaitable[Admission]:
        """
        Answer unless the answer is not wanted any more by then.

        :raises Unauthenticated: the token is not valid.
        :raises CleraError: it is, and may not do this, or too many ask.
        """
        ...


@dataclass(slots=True)
class Visit:
    """A connection whose client has shown a credential."""

    scope: Message = field(repr=False)
    socket: LiveSocket
    credential: Credential
    _again: tuple[Ask, Wish] | None = field(default=None, repr=False)

    @property
    def account_text(self) -> str:
        """The id by which the client named the account, as JSON."""
        return json.dumps(self._account_id)

    async def admit(self, ask: Ask, *, scope: str) -> Guest:
        """
        Check who asks and whether the account that the address names is theirs.

        :raises Refused: with the code that this client waits for.
        """
        wish = Wish(scope, (self._account_id,), is_for_one=True)
        self._again = ask, wish
        # Whoever has left while others had their turn need not be looked for.
        return await self._let_in(ask, wish, self.credential, is_wanted=self.socket.is_writable)

    async def admit_to_several(
        self, ask: Ask, account_ids: Sequence[str] | None, *, scope: str
    ) -> Guest:
        """
        Check who asks and which of these accounts are theirs; all of theirs when none are named.

        :raises Refused: with the code that this client waits for.
        """
        named = None if account_ids is None else tuple(account_ids)
        self._again = ask, Wish(scope, ())
        is_here = self.socket.is_writable
        return await self._let_in(ask, Wish(scope, named), self.credential, is_wanted=is_here)

    async def admit_again(self, token: str, *, act_for: str | None) -> Guest:
        """
        Check another token of somebody who was let in, which serves from then on.

        :raises Refused: it is not valid, or we cannot tell now.
        """
        assert self._again is not None  # noqa: S101 - whoever has a seat was admitted
        ask, wish = self._again
        credential = self.credential
        credential = replace(credential, token=token, act_for=act_for or credential.act_for)
        return await self._let_in(ask, wish, credential, is_wanted=lambda: True)

    def forget_token(self) -> None:
        """Keep neither the token nor what came with it; the guest knows all that is needed."""
        self.credential = replace(self.credential, token="", said={})

    @contextmanager
    def in_codes(self) -> Iterator[None]:
        """
        Turn errors into the codes that this client waits for.

        :raises Refused: instead of any error of ours.
        """
        try:
            yield
        except Unauthenticated as error:
            code = self.credential.code(codes.UNAUTHENTICATED)
            raise Refused(code, error.code, "The token is not valid.") from error
        except ServiceBusy as error:
            raise busy(error.retry_after_seconds) from error
        except DatabaseError as error:
            raise busy() from error
        except CleraError as error:
            code = self.credential.code(codes.NOT_YOURS)
            raise Refused(code, "not_found", "There is no such account.") from error

    async def _let_in(
        self, ask: Ask, wish: Wish, credential: Credential, *, is_wanted: Callable[[], bool]
    ) -> Guest:
        wish = replace(wish, token=credential.token, act_for=credential.act_for)
        with self.in_codes():
            admission = await ask(wish, is_wanted=is_wanted)
        return Guest(
            admission=admission,
            expires_at=_loop_time(admission.principal.expires_at),
            shown_out_with=credential.code(codes.UNAUTHENTICATED),
            sent_away_with=credential.code(codes.NOT_YOURS),
        )

    @property
    def _account_id(self) -> str:
        account_id: str = self.scope["url_route"]["kwargs"]["account_id"]
        return account_id


def busy(seconds: float | None = None) -> Refused:
    """Turn a client away until we can answer it, which may be known to take so many seconds."""
    least, most = _BUSY_SECONDS if seconds is None else (seconds, seconds + 1)
    retry_after = round(random.uniform(least, most), 2)  # noqa: S311 - no secret
    return Refused(codes.TRY_LATER, ServiceBusy.code, "Try again shortly.", retry_after=retry_after)


def _loop_time(at: datetime | None) -> float | None:
    """Turn a time of day into a time of the loop's clock."""
    if at is None:
        return None
    left = (at - datetime.now(UTC)).total_seconds()
    return asyncio.get_running_loop().time() + left
