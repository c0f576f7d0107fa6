"""What an app sees of a vendor's event stream, and the loop that keeps every event of it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from django.db import close_old_connections

from core import inbox, streams
from core.errors import VendorError

logger = structlog.get_logger()
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
# How many events one transaction keeps, and how many are read ahead of it at most.
BATCH: Final = 200
READ_AHEAD: Final = 2 * BATCH
# How often, in a burst, the applying is started anew.
BURST_SECONDS: Final = 1.0
_READER_ENDS_SECONDS: Final = 5.0


@dataclass(frozen=True)
class VendorEvent:
    """One event of a stream; `position` is the cursor that continues after it."""

    position: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class DataLost:
    """The vendor says, or we saw, that events are missing: read the window again."""

    why: str
    can_be_replayed: bool = False


Item = VendorEvent | DataLost | None


class Opened(Protocol):
    """An open stream; `close` may be called from another thread and ends the iteration."""

    def __iter__(self) -> Iterator[Item]: ...

    def close(self) -> None: ...


class Feed(Protocol):
    """A vendor's stream of events from a cursor on; nothing stands for a heartbeat."""

    def open(self, since: str | None) -> AbstractContextManager[Opened]:
        """
        Open the stream after the given position, or a few minutes back at the first start.

        :raises VendorUnavailable: it cannot be opened.
        """
        ...


def follow(
    source: str, feed: Feed, *, on_kept: Callable[[], None], on_lost: Callable[[str], None]
) -> bool:
    """
    Keep every event of the feed in the inbox while this process leads the source.

    An event that comes alone is kept at once; those that come faster than we can commit are kept
    together. `on_kept` is called to start applying: after the commit, and in a burst once a
    second; `on_lost` when the vendor dropped events. Reconnects with a growing pause; returns
    false at once when another process leads.
    """
    keeper = _Keeper(source, on_kept, on_lost)

    def work(_lease: object, stop: streams.Stop) -> None:
        pause = FIRST_BACKOFF_SECONDS
        while not stop:
            try:
                for _ in keeper.read(feed, stop):
                    pause = FIRST_BACKOFF_SECONDS
            except VendorError as error:
                logger.warning("feed.broken", source=source, error=error.code)
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_BACKOFF_SECONDS)

    return streams.lead(source, work)


class _Keeper:
    """Keeps what a stream tells, and says so."""

    def __init__(
        self, source: str, on_kept: Callable[[], None], on_lost: Callable[[str], None]
    ) -> None:
        self._source = source
        self._on_kept = on_kept
        self._on_lost = on_lost
        self._has_news = False
        self._told_at = float("-inf")

    def read(self, feed: Feed, stop: streams.Stop) -> Iterator[None]:
        """Read one connection to its end, or to a gap; a step for each time something came."""
        since = inbox.position_of(self._source)
        close_old_connections()
        with (
            feed.open(since) as opened,
            streams.closing_when(stop, opened.close),
            _arriving(opened) as arrivals,
        ):
            try:
                for batch in arrivals:
                    must_reopen = self._keep(batch)
                    if not arrivals.has_more or time.monotonic() > self._told_at + BURST_SECONDS:
                        self._tell()
                    yield
                    if stop or must_reopen:
                        return
            finally:
                self._tell()

    def _tell(self) -> None:
        if not self._has_news:
            return
        self._has_news, self._told_at = False, time.monotonic()
        try:
            self._on_kept()
        finally:
            close_old_connections()

    def _keep(self, batch: Sequence[Item]) -> bool:
        """Keep what has come; true when the stream must be opened anew to hear what is missing."""
        events, losses = _sorted(batch)
        try:
            if events:
                cursor = max(position for position, _ in events)
                is_new = inbox.receive_all(self._source, events, cursor=cursor) > 0
                self._has_news = self._has_news or is_new
            for lost in losses:
                logger.error("feed.data_lost", source=self._source, reason=lost.why)
                self._on_lost(lost.why)
        finally:
            close_old_connections()
        return any(lost.can_be_replayed for lost in losses)


def _sorted(
    batch: Sequence[Item],
) -> tuple[list[tuple[str, Mapping[str, Any]]], list[DataLost]]:
    """Tell events and losses apart, up to a gap: opening anew repeats what comes after it."""
    events: list[tuple[str, Mapping[str, Any]]] = []
    losses: list[DataLost] = []
    for item in batch:
        if isinstance(item, VendorEvent):
            events.append((item.position, item.payload))
        elif isinstance(item, DataLost):
            losses.append(item)
            if item.can_be_replayed:
                break
    return events, losses


@contextmanager
def _arriving(opened: Opened) -> Iterator["_Arrivals"]:
    """Read the stream in a thread until the block ends."""
    arrivals = _Arrivals(opened)
    reader = threading.Thread(target=arrivals.read, daemon=True)
    reader.start()
    try:
        yield arrivals
    finally:
        arrivals.leave()
        opened.close()
        reader.join(_READER_ENDS_SECONDS)


class _Arrivals:
    """What a stream has told and nobody has taken yet: iterating gives all of it at a time."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._items: list[Item] = []
        self._changed = threading.Condition()
        self._is_left = False
        self._has_ended = False
        self._error: BaseException | None = None

    @property
    def has_more(self) -> bool:
        """Say whether something can be taken without waiting."""
        return bool(self._items)

    def read(self) -> None:
        """Read ahead until the stream ends or nobody listens any more."""
        try:
            for item in self._opened:
                if not self._add(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            self._error = error
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify()

    def leave(self) -> None:
        """Let the reader end, even one that waits for room."""
        with self._changed:
            self._is_left = True
            self._changed.notify()

    def __iter__(self) -> Iterator[list[Item]]:
        while batch := self._take():
            yield batch
        if self._error is not None:
            raise self._error

    def _add(self, item: Item) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < READ_AHEAD or self._is_left)
            self._items.append(item)
            self._changed.notify()
            return not self._is_left

    def _take(self) -> list[Item]:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._has_ended)
            batch, self._items = self._items[:BATCH], self._items[BATCH:]
            self._changed.notify()
            return batch
