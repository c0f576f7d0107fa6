"""Writes what accounts are worth to the sockets that look at them, and waits for none."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from core import metrics
from core.sockets.seats import Seats
from portfolio.live import aggregate, records
from portfolio.live.board import Board
from portfolio.live.book import PriceVectors
from portfolio.live.holdings import Position
from portfolio.live.records import Worth
from portfolio.live.seats import Seat, View

RESUMED: Final = "resumed"
# After so many accounts the requests served by the same process get their turn.
_ACCOUNTS_A_TURN: Final = 500
_SEATS_A_TURN: Final = 50
_WRITTEN: Final = {
    kind: metrics.SOCKET_MESSAGES.labels(kind)
    for kind in (records.SNAPSHOT, records.UPDATE, RESUMED, aggregate.AGGREGATE)
}
_SKIPPED: Final = metrics.SOCKET_SKIPPED.labels(records.UPDATE)


class Teller:
    """
    Tells every frame to plain sockets at once, and to the others after that.

    A plain socket looks at one account and wants its value only. Whatever else there is to say, a
    snapshot for instance, is noted with the seat and said by `say`.
    """

    def __init__(self, board: Board, seats: Seats[Seat]) -> None:
        self._board = board
        self._seats = seats
        self._changes = Changes(board.book)
        self._detailed: set[Seat] = set()
        self._waiting: dict[Seat, None] = {}
        # Whether all prices were stale, and whether frames came; nothing when that may be wrong.
        self._was_stale: tuple[bool, bool] | None = None

    def know(self, seat: Seat) -> None:
        """Note what a seat wants to hear, or wants now."""
        (self._detailed.add if seat.has_detail else self._detailed.discard)(seat)

    def forget(self, seat: Seat) -> None:
        """Tell a seat nothing any more."""
        self._detailed.discard(seat)
        self._waiting.pop(seat, None)

    def doubt(self) -> None:
        """Tell everybody the next time, whatever they were told last."""
        self._was_stale = None

    async def tell(self, changed: Collection[UUID]) -> None:
        """Send an update of what changed, or of everything when values became stale or fresh."""
        is_stale = self._board.stamp.is_stale, self._board.is_feed_lost
        if is_stale != self._was_stale:
            self._was_stale, changed = is_stale, self._seats.accounts
        accounts = list(changed)
        for start in range(0, len(accounts), _ACCOUNTS_A_TURN):
            # Anew for each turn: values may have become stale while others had theirs.
            text = records.stamp_text(self._board.stamp, at=datetime.now(UTC))
            self._tell_plain(accounts[start : start + _ACCOUNTS_A_TURN], text)
            await asyncio.sleep(0)
        self._expect_positions()
        waiting = list(self._waiting)
        self._waiting.clear()
        for start in range(0, len(waiting), _SEATS_A_TURN):
            self.say_all(waiting[start : start + _SEATS_A_TURN])
            await asyncio.sleep(0)

    def _tell_plain(self, accounts: list[UUID], text: str) -> None:
        """Write to the plain sockets of these accounts; this runs for every message."""
        seats_of, now, sent = self._seats.of, asyncio.get_running_loop().time(), 0
        for account_id, value in zip(
            accounts, self._board.value_texts(accounts, text), strict=True
        ):
            for seat in seats_of(account_id):
                if not seat.plain_head:
                    self._put_off(seat, account_id)
                elif seat.socket.try_send((seat.plain_head + value).encode()):
                    sent += 1
                else:
                    # It gets the latest value with the chores, and nothing until then.
                    seat.expect(account_id)
                    self._seats.note_behind(seat, now=now)
        _WRITTEN[records.UPDATE].inc(sent)

    def _put_off(self, seat: Seat, account_id: UUID) -> None:
        """Have it said after the plain ones, or as soon as the socket can take it."""
        seat.expect(account_id)
        if seat.behind_since is None:
            self._waiting[seat] = None
        else:
            _SKIPPED.inc()

    # What needs more than a plain update

    def say(self, seat: Seat) -> None:
        """Send all that is due on a socket, as much of it as its reader takes."""
        self.say_all([seat])

    def say_all(self, seats: Collection[Seat]) -> None:
        """Do so on several sockets, whose accounts' values are worked out together."""
        board = self._board
        stamp = records.stamp_text(board.stamp, at=datetime.now(UTC))
        due = {account_id: None for seat in seats for account_id in seat.due}
        worths = dict(board.worths([account_id for account_id in due if board.knows(account_id)]))
        for seat in seats:
            self._say(seat, worths, stamp)

    def _say(self, seat: Seat, worths: Mapping[UUID, Worth], stamp: str) -> None:
        if not self._say_words(seat):
            return
        for account_id in [account_id for account_id in seat.due if account_id in worths]:
            view = seat.views[account_id]
            kind, message = self._message(view, worths[account_id], stamp)
            if not self._send(seat, kind, message):
                return
            del seat.due[account_id]
            if view.needs_snapshot:
                view.needs_snapshot, view.resume = False, None
                view.revision = self._board.revision_of(account_id)
            view.version = self._board.book.version
        if seat.is_aggregate_due and not self._say_aggregate(seat, stamp):
            return
        seat.settle()

    def _say_words(self, seat: Seat) -> bool:
        while seat.words:
            if not self._seats.send(seat, seat.words[0], now=_now()):
                return False
            seat.words = seat.words[1:]
        return True

    def _say_aggregate(self, seat: Seat, stamp: str) -> bool:
        """Send the sum, once everything that belongs to it is known."""
        if seat.views and all(map(self._board.knows, seat.views)):
            worths = [worth for _, worth in self._board.worths(list(seat.views))]
            if not self._send(seat, aggregate.AGGREGATE, aggregate.message(worths, stamp)):
                return False
            seat.is_aggregate_due = False
        return True

    def _send(self, seat: Seat, kind: str, message: bytes) -> bool:
        is_sent = self._seats.send(seat, message, now=_now())
        (_WRITTEN[kind] if is_sent else _SKIPPED).inc()
        return is_sent

    def _message(self, view: View, worth: Worth, stamp: str) -> tuple[str, bytes]:
        account_id = view.account.account_id
        if not view.needs_snapshot:
            moved = self._moved(view) if view.has_detail else ()
            return records.UPDATE, self._text(records.UPDATE, view, worth, stamp, moved)
        if self._holds(view):
            # What moved while the client was away is not known, so all of it is told.
            positions = self._board.holdings_of(account_id).positions
            return RESUMED, self._text(RESUMED, view, worth, stamp, positions)
        more = records.snapshot_part(self._board.holdings_of(account_id), self._board.book)
        return records.SNAPSHOT, records.message(
            records.SNAPSHOT, view.text, worth, stamp, more=more
        )

    def _holds(self, view: View) -> bool:
        """Say whether what a returning client has of an account is still so, but for its value."""
        book, resume = self._board.book, view.resume
        return (
            resume is not None
            and resume.epoch == str(book.epoch)
            and resume.seq <= book.seq
            and resume.revision == self._board.revision_of(view.account.account_id)
        )

    # What was read anew

    def looks_of(self, account_ids: Iterable[UUID]) -> dict[UUID, "Look"]:
        """Note what is known of accounts, before they are read anew."""
        board = self._board
        known = [account_id for account_id in account_ids if board.knows(account_id)]
        return {
            account_id: Look(board.holdings_of(account_id).listing(), worth)
            for account_id, worth in board.worths(known)
        }

    def tell_loaded(self, account_ids: Collection[UUID], before: Mapping[UUID, "Look"]) -> None:
        """
        Tell what was read anew: as a snapshot, or when that would show the same, as an update.

        Nobody hears of what is the same in every way. Where a client's value stands for a day that
        has passed, the revision is another one, since the day is part of it.
        """
        seats: dict[Seat, None] = {}
        now = self.looks_of(before)
        for account_id in account_ids:
            was, looks = before.get(account_id), now.get(account_id)
            is_other = was is None or looks is None or was.listing != looks.listing
            revision = self._board.revision_of(account_id)
            for seat in self._seats.of(account_id):
                view = seat.views[account_id]
                if is_other or view.revision != revision:
                    view.needs_snapshot = True
                if view.needs_snapshot or was != looks:
                    seat.expect(account_id)
                    seats[seat] = None
        self.say_all(seats)

    # Positions

    def _expect_positions(self) -> None:
        """Note whose positions have moved; a value may be the same to the cent all the same."""
        board = self._board
        for seat in self._detailed:
            for account_id, view in seat.views.items():
                if not view.has_detail or view.needs_snapshot or account_id in seat.due:
                    continue
                if self._moved(view):
                    self._put_off(seat, account_id)
                else:
                    view.version = board.book.version

    def _moved(self, view: View) -> list[Position]:
        """List the positions that look different from when the client last heard of them."""
        numbers = self._changes.since(view.version)
        positions = self._board.holdings_of(view.account.account_id).positions
        return [p for p in positions if p.quantity and p.number in numbers]

    def _text(
        self, kind: str, view: View, worth: Worth, stamp: str, positions: Sequence[Position]
    ) -> bytes:
        more = ""
        if view.has_detail:
            more = records.positions_part(positions, self._board.book)
        return records.message(kind, view.text, worth, stamp, more=more)


class Look(NamedTuple):
    """What there is to tell of an account, apart from its revision and from prices."""

    listing: Sequence[tuple[str, int | None, Decimal | None]]
    worth: Worth


class Changes:
    """Which instruments look different since some version; most ask about the same one."""

    def __init__(self, book: PriceVectors) -> None:
        self._book = book
        self._version = -1
        self._since: dict[int, frozenset[int]] = {}

    def since(self, version: int) -> frozenset[int]:
        """List the instruments whose price, close or flags are others than at that version."""
        book = self._book
        if book.version != self._version:
            self._version = book.version
            self._since.clear()
        if version not in self._since:
            asked = (book.moved_since, book.flagged_since, book.reset_since)
            self._since[version] = frozenset().union(*(ask(version).tolist() for ask in asked))
        return self._since[version]


def _now() -> float:
    return asyncio.get_running_loop().time()
