"""The sockets a hub serves: whose they are, and which of them cannot take a message now."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar
from uuid import UUID

from django.conf import settings

from core.auth.sockets import Admission
from core.sockets import codes
from core.sockets.connection import LiveSocket


@dataclass(frozen=True, slots=True)
class Guest:
    """
    Somebody who was let in, and how long they may stay.

    `expires_at` is a time of the loop's clock. The codes are those that say that their credential
    opens nothing any more, and that an account is not theirs.
    """

    admission: Admission
    expires_at: float | None = None
    shown_out_with: int = codes.UNAUTHENTICATED
    sent_away_with: int = codes.NOT_YOURS

    @property
    def owner(self) -> str:
        """Whose sockets are counted together."""
        return self.admission.owner

    @property
    def key_id(self) -> str | None:
        """The key that the socket was opened with, when it was one."""
        return self.admission.principal.key_id

    @property
    def account_id(self) -> UUID:
        """The account of a socket whose address names one."""
        return self.admission.accounts[0].account_id


@dataclass(eq=False, slots=True, kw_only=True)
class Seat:
    """
    One socket in the room; times are those of the loop's clock.

    While `behind_since` is set the socket cannot take messages. It gets nothing of what is said
    meanwhile, and its hub brings it up to date once it can.
    """

    guest: Guest
    socket: LiveSocket
    behind_since: float | None = None

    @property
    def account_id(self) -> UUID:
        """The account that this socket looks at."""
        return self.guest.account_id

    @property
    def owners(self) -> Mapping[UUID, str]:
        """The accounts that this socket looks at, and whose each was when it was let in."""
        return {seen.account_id: seen.user_id for seen in self.guest.admission.accounts}


class TooManySockets(Exception):
    """Somebody has as many sockets as one may have."""


SeatT = TypeVar("SeatT", bound=Seat)


@dataclass
class Seats(Generic[SeatT]):
    """All seats of one hub."""

    _seats: dict[SeatT, int] = field(default_factory=dict)
    _by_account: dict[UUID, tuple[SeatT, ...]] = field(default_factory=dict)
    _by_owner: Counter[str] = field(default_factory=Counter)
    _behind: set[SeatT] = field(default_factory=set)
    # A heap: whose heartbeat is due next, by number. Those of who left stay in it until then, and
    # must not keep the seat and its socket in memory.
    _beats: list[tuple[float, int]] = field(default_factory=list)
    _numbered: dict[int, SeatT] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def __len__(self) -> int:
        return len(self._seats)

    def __iter__(self) -> Iterator[SeatT]:
        return iter(list(self._seats))

    @property
    def accounts(self) -> list[UUID]:
        """List the accounts that somebody looks at."""
        return list(self._by_account)

    @property
    def is_anyone_behind(self) -> bool:
        """Say whether a socket waits to be brought up to date."""
        return bool(self._behind)

    @property
    def behind_count(self) -> int:
        """How many sockets wait to be brought up to date."""
        return len(self._behind)

    def of(self, account_id: UUID) -> tuple[SeatT, ...]:
        """List who looks at an account; the list is not changed, but replaced."""
        return self._by_account.get(account_id, ())

    def add(self, seat: SeatT, *, beat_at: float) -> None:
        """
        Give somebody a seat, and have it hear of us at this time of the loop's clock.

        :raises TooManySockets: they have enough.
        """
        owner = seat.guest.owner
        if self._by_owner[owner] >= settings.SOCKETS_PER_PRINCIPAL:
            raise TooManySockets
        self._by_owner[owner] += 1
        number = self._seats[seat] = next(self._numbers)
        self._numbered[number] = seat
        heappush(self._beats, (beat_at, number))
        for account_id in seat.owners:
            self.watch(seat, account_id)

    def remove(self, seat: SeatT) -> list[UUID]:
        """Take a seat away, and list its accounts that have nobody left."""
        if seat not in self._seats:
            return []
        owner = seat.guest.owner
        del self._numbered[self._seats.pop(seat)]
        self._behind.discard(seat)
        self._by_owner[owner] -= 1
        if not self._by_owner[owner]:
            del self._by_owner[owner]
        return [account_id for account_id in seat.owners if self.unwatch(seat, account_id)]

    def watch(self, seat: SeatT, account_id: UUID) -> None:
        """Let a seat look at an account."""
        self._by_account[account_id] = (*self.of(account_id), seat)

    def unwatch(self, seat: SeatT, account_id: UUID) -> bool:
        """Let a seat look at an account no longer, and say whether nobody does now."""
        left = tuple(one for one in self.of(account_id) if one is not seat)
        if left:
            self._by_account[account_id] = left
        else:
            self._by_account.pop(account_id, None)
        return not left

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
        if seat.behind_since is None and seat in self._seats:
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
        due = []
        while self._beats and self._beats[0][0] <= now:
            due.append(heappop(self._beats)[1])
        for number in due:
            seat = self._numbered.get(number)
            if seat is None:
                continue
            heappush(self._beats, (now + settings.HEARTBEAT_INTERVAL, number))
            if seat.behind_since is None:
                seat.socket.try_send(text)
