"""What an app sees of a vendor's event stream, and the loop that keeps every event of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from django.db import close_old_connections

from core import inbox, streams
from core.errors import VendorError

logger = structlog.get_logger()
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0


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


class Opened(Protocol):
    """An open stream; `close` may be called from another thread and ends the iteration."""

    def __iter__(self) -> Iterator[VendorEvent | DataLost | None]: ...

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

    `on_kept` is called after each commit, to start applying; `on_lost` when the vendor dropped
    events. Reconnects with a growing pause; returns false at once when another process leads.
    """

    def work(_lease: object, stop: streams.Stop) -> None:
        pause = FIRST_BACKOFF_SECONDS
        while not stop:
            try:
                since = inbox.position_of(source)
                close_old_connections()
                with feed.open(since) as opened, streams.closing_when(stop, opened.close):
                    for item in opened:
                        pause = FIRST_BACKOFF_SECONDS
                        _keep(source, item, on_kept, on_lost)
                        if stop:
                            return
                        if isinstance(item, DataLost) and item.can_be_replayed:
                            break  # opening anew goes back far enough to hear it
            except VendorError as error:
                logger.warning("feed.broken", source=source, error=error.code)
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_BACKOFF_SECONDS)

    return streams.lead(source, work)


def _keep(
    source: str,
    item: VendorEvent | DataLost | None,
    on_kept: Callable[[], None],
    on_lost: Callable[[str], None],
) -> None:
    try:
        if isinstance(item, VendorEvent):
            if inbox.receive(source, item.position, item.payload, cursor=item.position):
                on_kept()
        elif isinstance(item, DataLost):
            logger.error("feed.data_lost", source=source, reason=item.why)
            on_lost(item.why)
    finally:
        close_old_connections()
