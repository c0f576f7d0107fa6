"""The sockets a hub serves: whose they are, and which of them cannot take a message now."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from django.conf import settings

from core.sockets import codes
from core.sockets.connection import LiveSocket


@dataclass(frozen=True, slots=True)
class Guest:
    """
    Somebody who was let in, and how long they may stay.

    `expires_at` is a time of the loop's clock; `shown_out_with` is the code that says their
    credential opens nothing any more.
    """

    account_id: UUID
    owner: str
    key_id: str | None = None
    expires_at: float | None = None
    shown_out_with: int = codes.UNAUTHENTICATED


@dataclass(eq=False, slots=True, kw_only=True)
class Seat:
    """
    One socket in the room; times are those of the loop's clock.

    While `behind_since` is set the socket cannot take messages. It gets nothing of what is said
    meanwhile, and its hub brings it up to date once it can.
    """

    guest: Guest
    socket: LiveSocket
    heartbeat_at: float = 0.0
    behind_since: float | None = None

    @property
    def account_id(self) -> UUID:
        """The account that this socket looks at."""
        return self.guest.account_id


class TooManySockets(Exception):
    """Somebody has as many sockets as one may have."""


SeatT = TypeVar("SeatT", bound=Seat)


@dataclass
class Seats(Generic[SeatT]):
    """All seats of one hub."""

    _by_account: dict[UUID, tuple[SeatT, ...]] = field(default_factory=dict)
    _by_owner: Counter[str] = field(default_factory=Counter)
    _behind: set[SeatT] = field(default_factory=set)

    def __len__(self) -> int:
        return self._by_owner.total()

    def __iter__(self) -> Iterator[SeatT]:
        for seats in list(self._by_account.values()):
            yield from seats

    @property
    def accounts(self) -> list[UUID]:
        """List the accounts that somebody looks at."""
        return list(self._by_account)

    @property
    def is_anyone_behind(self) -> bool:
        """Say whether a socket waits to be brought up to date."""
        return bool(self._behind)

    def of(self, account_id: UUID) -> tuple[SeatT, ...]:
        """List who looks at an account; the list is not changed, but replaced."""
        return self._by_account.get(account_id, ())

    def add(self, seat: SeatT) -> None:
        """
        Give somebody a seat.

        :raises TooManySockets: they have enough.
        """
        owner = seat.guest.owner
        if self._by_owner[owner] >= settings.SOCKETS_PER_PRINCIPAL:
            raise TooManySockets
        self._by_owner[owner] += 1
        self._by_account[seat.account_id] = (*self.of(seat.account_id), seat)

    def remove(self, seat: SeatT) -> bool:
        """Take a seat away, and say whether its account has nobody left."""
        before = self.of(seat.account_id)
        if seat not in before:
            return False
        owner = seat.guest.owner
        self._behind.discard(seat)
        self._by_owner[owner] -= 1
        if not self._by_owner[owner]:
            del self._by_owner[owner]
        if len(before) == 1:
            del self._by_account[seat.account_id]
        else:
            self._by_account[seat.account_id] = tuple(s for s in before if s is not seat)
        return len(before) == 1

    def send(self, seat: SeatT, text: bytes, *, now: float) -> bool:
        """Send unless the socket is behind, in which case only that is remembered."""
        if seat.socket.try_send(text):
            if seat.behind_since is not None:
                seat.behind_since = None
                self._behind.discard(seat)
            return True
        self.note_behind(seat, now=now)
        return False

    def note_behind(self, seat: SeatT, *, now: float) -> None:
        """Remember since when a socket cannot take messages."""
        if seat.behind_since is None:
            seat.behind_since = now
            self._behind.add(seat)

    def ready_again(self) -> list[SeatT]:
        """List who was behind and can take a message now."""
        return [seat for seat in self._behind if seat.socket.is_writable()]

    def end_slow(self, *, now: float) -> int:
        """End the sockets that have been behind for too long, and say how many."""
        limit = settings.SOCKET_SLOW_SECONDS
        slow = [s for s in self._behind if now - (s.behind_since or now) > limit]
        for seat in slow:
            self._behind.discard(seat)
            seat.socket.end(codes.TOO_SLOW)
        return len(slow)

    def beat(self, text: bytes, *, now: float) -> None:
        """Let every socket whose time has come hear that we are there."""
        for seat in [s for s in self if s.heartbeat_at <= now]:
            seat.heartbeat_at = now + settings.HEARTBEAT_INTERVAL
            if seat.behind_since is None:
                seat.socket.try_send(text)
