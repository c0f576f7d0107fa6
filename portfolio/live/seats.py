"""The sockets a process serves: whose they are, and which of them cannot take a message now."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.conf import settings

from portfolio.live import records
from portfolio.live.sockets import LiveSocket

SLOW: Final = 4408
EXPIRED: Final = 4401


@dataclass(eq=False, slots=True)
class Seat:
    """
    One socket in the room.

    Times are those of the loop's clock. `account_text` is the id by which the client named the
    account, as JSON, and `update_head` how every update to it begins. While `behind_since` is set
    the socket cannot take messages: it gets the latest value once it can, and nothing of what was
    in between.
    """

    account_id: UUID
    account_text: str
    owner: str
    socket: LiveSocket
    expires_at: float | None = None
    expired_code: int = EXPIRED
    heartbeat_at: float = 0.0
    behind_since: float | None = None
    needs_snapshot: bool = True
    update_head: str = field(init=False)

    def __post_init__(self) -> None:
        self.update_head = records.head(records.UPDATE, self.account_text)


class TooManySockets(Exception):
    """Somebody has as many sockets as one may have."""


@dataclass
class Seats:
    """All seats of this process."""

    _by_account: dict[UUID, tuple[Seat, ...]] = field(default_factory=dict)
    _by_owner: Counter[str] = field(default_factory=Counter)
    _behind: set[Seat] = field(default_factory=set)

    def __len__(self) -> int:
        return self._by_owner.total()

    def __iter__(self) -> Iterator[Seat]:
        for seats in list(self._by_account.values()):
            yield from seats

    @property
    def accounts(self) -> list[UUID]:
        """List the accounts that somebody looks at."""
        return list(self._by_account)

    def of(self, account_id: UUID) -> tuple[Seat, ...]:
        """List who looks at an account; the list is not changed, but replaced."""
        return self._by_account.get(account_id, ())

    def add(self, seat: Seat) -> None:
        """
        Give somebody a seat.

        :raises TooManySockets: they have enough.
        """
        if self._by_owner[seat.owner] >= settings.SOCKETS_PER_PRINCIPAL:
            raise TooManySockets
        self._by_owner[seat.owner] += 1
        self._by_account[seat.account_id] = (*self.of(seat.account_id), seat)

    def remove(self, seat: Seat) -> bool:
        """Take a seat away, and say whether its account has nobody left."""
        before = self.of(seat.account_id)
        if seat not in before:
            return False
        self._behind.discard(seat)
        self._by_owner[seat.owner] -= 1
        if not self._by_owner[seat.owner]:
            del self._by_owner[seat.owner]
        if len(before) == 1:
            del self._by_account[seat.account_id]
        else:
            self._by_account[seat.account_id] = tuple(s for s in before if s is not seat)
        return len(before) == 1

    def send(self, seat: Seat, text: bytes, *, now: float) -> bool:
        """Send unless the socket is behind, in which case only that is remembered."""
        if seat.socket.try_send(text):
            if seat.behind_since is not None:
                seat.behind_since = None
                self._behind.discard(seat)
            return True
        self.note_behind(seat, now=now)
        return False

    def note_behind(self, seat: Seat, *, now: float) -> None:
        """Remember since when a socket cannot take messages."""
        if seat.behind_since is None:
            seat.behind_since = now
            self._behind.add(seat)

    def ready_again(self) -> list[Seat]:
        """List who was behind and can take a message now."""
        return [seat for seat in self._behind if seat.socket.is_writable()]

    def end_slow(self, *, now: float) -> int:
        """End the sockets that have been behind for too long, and say how many."""
        limit = settings.SOCKET_SLOW_SECONDS
        slow = [s for s in self._behind if now - (s.behind_since or now) > limit]
        self._end(slow, code=SLOW)
        return len(slow)

    def end_expired(self, *, now: float) -> None:
        """End the sockets whose credential has run out."""
        for seat in [s for s in self if s.expires_at is not None and s.expires_at <= now]:
            self._end([seat], code=seat.expired_code)

    def beat(self, text: bytes, *, now: float) -> None:
        """Let every socket whose time has come hear that we are there."""
        for seat in [s for s in self if s.heartbeat_at <= now]:
            seat.heartbeat_at = now + settings.HEARTBEAT_INTERVAL
            if seat.behind_since is None:
                seat.socket.try_send(text)

    def _end(self, seats: Iterable[Seat], *, code: int) -> None:
        for seat in seats:
            self._behind.discard(seat)
            seat.socket.end(code)
