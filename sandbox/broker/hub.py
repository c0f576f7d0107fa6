"""The history of events, which every stream reads from its cursor on, and waits at its end."""

import asyncio
import bisect
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from sandbox.broker.records import Event
from sandbox.broker.ulids import Ulids
from sandbox.store import Store

STREAMS = ("accounts", "trades", "funding", "journals", "activities")

_ADAPTER = TypeAdapter(Event)
_KIND = "event"


class Hub:
    """
    One list of events per stream.

    Readers hold a place in the list instead of a queue of their own: going from replay to live
    can neither lose nor repeat an event, and a slow reader costs no memory.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ulids = Ulids()
        self._history: dict[str, list[Event]] = {stream: [] for stream in STREAMS}
        self._number = 0
        self.epoch = 0
        self._news = asyncio.Event()
        for _, body in store.load(_KIND):
            event = _ADAPTER.validate_json(body)
            self._history[event.stream].append(event)
            self._number = max(self._number, event.number)
            self._ulids.after(event.ulid)

    def clear(self) -> None:
        """Forget the history in a new epoch; cursors of before stay smaller than all to come."""
        for history in self._history.values():
            history.clear()
        self.epoch += 1
        self.wake()

    def publish(self, stream: str, account_id: str, at: datetime, payload: dict[str, Any]) -> Event:
        """Add an event and wake the readers."""
        self._number += 1
        event = Event(
            ulid=self._ulids.next(at),
            number=self._number,
            stream=stream,
            account_id=account_id,
            at=at,
            payload=payload,
        )
        self._history[stream].append(event)
        self._store.mark(_KIND, event.ulid, lambda: _ADAPTER.dump_json(event).decode())
        self.wake()
        return event

    def wake(self) -> None:
        """Let every reader look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def history(self, stream: str) -> list[Event]:
        """Give the live list of a stream; it only grows."""
        return self._history[stream]

    def place_after_ulid(self, stream: str, ulid: str) -> int:
        """Find where to go on behind a ULID."""
        return bisect.bisect_right(self._history[stream], ulid.upper(), key=lambda e: e.ulid)

    def place_after_number(self, stream: str, number: int) -> int:
        """Find where to go on behind an integer cursor."""
        return bisect.bisect_right(self._history[stream], number, key=lambda e: e.number)

    def place_from(self, stream: str, since: datetime) -> int:
        """Find the first event of a time or later; the list is only nearly in order of time."""
        history = self._history[stream]
        return next((i for i, event in enumerate(history) if event.at >= since), len(history))

    @property
    def news(self) -> asyncio.Event:
        """What the next event will set; take it before reading the history, then wait for it."""
        return self._news

    @staticmethod
    async def wait(news: asyncio.Event, seconds: float) -> bool:
        """Wait for news; False when there was none for so long."""
        try:
            await asyncio.wait_for(news.wait(), seconds)
        except TimeoutError:
            return False
        return True
