"""The event streams: replay from a cursor, then live, with heartbeats and planned faults."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sandbox.answers import Refusal
from sandbox.broker.core import Broker
from sandbox.broker.records import Event, stamp
from sandbox.broker.ulids import is_ulid

_UNKNOWN = "SOMETHING_NEW"
_REORDER_SECONDS = 1.0
_VENDOR = "alpaca_broker"
_LATE = frozenset({"reorder", "overtaken"})


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which events a reader asked for: from a place in the history up to an end, if any."""

    start: int
    until: datetime | None = None
    until_ulid: str | None = None
    account_id: str | None = None

    def is_past(self, event: Event) -> bool:
        """Say whether an event lies behind the end."""
        if self.until is not None and event.at > self.until:
            return True
        return self.until_ulid is not None and event.ulid > self.until_ulid

    @property
    def is_closed(self) -> bool:
        """Say whether the stream ends by itself."""
        return self.until is not None or self.until_ulid is not None


def stream(name: str, version: int) -> Any:
    """Make the endpoint of one stream in one version of the API."""

    async def endpoint(broker: Broker, request: Request) -> Response:
        window = _window(broker, request, name, version)
        reader = _Reader(broker, name, version, window)
        return StreamingResponse(
            reader.frames(), media_type="text/event-stream", headers={"cache-control": "no-cache"}
        )

    return endpoint


def _window(broker: Broker, request: Request, name: str, version: int) -> Window:
    query = request.query_params
    since, since_id = query.get("since"), query.get("since_ulid") or query.get("since_id")
    until, until_id = query.get("until"), query.get("until_ulid") or query.get("until_id")
    if since and since_id:
        raise Refusal(400, 40010001, "since and since_id cannot be used at the same time")
    if (until and not since) or (until_id and not since_id):
        raise Refusal(400, 40010001, "until needs since, and until_id needs since_id")
    if name == "activities" and version > 1 and since and not until:
        raise Refusal(400, 40010001, "since needs until on this stream")
    start = len(broker.hub.history(name))
    if since:
        start = broker.hub.place_from(name, read_time(since))
    elif since_id:
        start = _place(broker, name, since_id, version)
    if until_id and not is_ulid(until_id):
        raise Refusal(400, 40010001, "until_id must be a ULID")
    return Window(
        start=start,
        until=read_time(until, is_end=True) if until else None,
        until_ulid=until_id.upper() if until_id else None,
        account_id=query.get("id"),
    )


def _place(broker: Broker, name: str, cursor: str, version: int) -> int:
    if is_ulid(cursor):
        return broker.hub.place_after_ulid(name, cursor)
    if version == 1 and cursor.isdigit():
        return broker.hub.place_after_number(name, int(cursor))
    raise Refusal(400, 40010001, "since_id must be a ULID")


def read_time(text: str, *, is_end: bool = False) -> datetime:
    """Read a date or a time; a date as an end means the end of that day."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Refusal(400, 40010001, f"invalid time {text!r}") from error
    if is_end and len(text) == len("2026-01-01"):
        at = at.replace(hour=23, minute=59, second=59, microsecond=999999)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class _Disconnect(Exception):
    """The fault plan ends this connection."""


class _Reader:
    """One connection: turns events into frames, and spoils them when the plan says so."""

    def __init__(self, broker: Broker, name: str, version: int, window: Window) -> None:
        self.broker = broker
        self.name = name
        self.version = version
        self.window = window
        self.place = window.start
        self.epoch = broker.hub.epoch
        # An event held back, and whether it must still come before others of its account.
        self.late: Event | None = None
        self.keeps_order = False

    async def frames(self) -> AsyncIterator[str]:
        """Give frame after frame until the window, the plan or the client ends it."""
        yield ": connected\n\n"
        try:
            while True:
                news = self.broker.hub.news
                async for frame in self._catch_up():
                    yield frame
                if self.window.is_closed:
                    yield self._release()
                    return
                await self._strike_idle()
                async for frame in self._idle(news):
                    yield frame
        except _Disconnect:
            return

    async def _catch_up(self) -> AsyncIterator[str]:
        history = self.broker.hub.history(self.name)
        if self.epoch != self.broker.hub.epoch:
            self.epoch, self.place = self.broker.hub.epoch, 0
        while self.place < len(history):
            event = history[self.place]
            self.place += 1
            if self.window.is_past(event):
                continue
            if self.window.account_id in {None, event.account_id} and self._is_told(event):
                async for frame in self._deliver(event):
                    yield frame

    async def _idle(self, news: asyncio.Event) -> AsyncIterator[str]:
        """Wait for news; a held-back event goes out when none overtakes it in time."""
        seconds = self.broker.world.settings.heartbeat_seconds
        if self.late is not None:
            seconds = min(seconds, _REORDER_SECONDS)
        if await self.broker.hub.wait(news, seconds):
            return
        yield self._release()
        yield ": heartbeat\n\n"

    async def _strike_idle(self) -> None:
        """Carry out the faults that need no event to happen."""
        fault = self.broker.world.faults.take(
            "stream",
            kinds={"disconnect", "stall"},
            passes_count=False,
            vendor=_VENDOR,
            stream=self.name,
        )
        if fault is not None:
            await self._stop_or_stall(fault.kind, fault.seconds)

    async def _stop_or_stall(self, kind: str, seconds: float) -> None:
        if kind == "disconnect":
            raise _Disconnect
        await asyncio.sleep(seconds)

    async def _deliver(self, event: Event) -> AsyncIterator[str]:
        fault = self.broker.world.faults.take(
            "stream", vendor=_VENDOR, stream=self.name, event=event.ulid
        )
        if fault is not None and fault.kind in {"disconnect", "stall"}:
            await self._stop_or_stall(fault.kind, fault.seconds)
            fault = None
        kind = fault.kind if fault is not None else ""
        if self._must_not_overtake(event):
            yield self._release()
        if kind in _LATE and self.late is None:
            self.late, self.keeps_order = event, kind == "overtaken"
            return
        yield self._lose(fault.count) if fault and kind == "dropped" else self._spoil(kind, event)
        if kind == "cut_frame":
            raise _Disconnect
        yield self._release()

    def _must_not_overtake(self, event: Event) -> bool:
        """Say whether the event held back is of the same account, whose order is promised."""
        late = self.late
        return late is not None and self.keeps_order and late.account_id == event.account_id

    def _release(self) -> str:
        """Give the event that was held back, if there is one."""
        event, self.late = self.late, None
        return "" if event is None else self._frame(event)

    def _lose(self, count: int) -> str:
        """Pass over this event and those that wait right behind it, and say how many they are."""
        waiting = len(self.broker.hub.history(self.name)) - self.place
        behind = min(count - 1, waiting)
        self.place += behind
        return f": you are reading too slowly, dropped {behind + 1} messages\n\n"

    def _spoil(self, kind: str, event: Event) -> str:
        frame = self._frame(event)
        head, _, data = frame.partition("data: ")
        spoiled = {
            "drop": "",
            "duplicate": frame + frame,
            "unknown_status": self._frame(event, has_unknown_status=True),
            "bad_json": f"{head}data: {data[: len(data) // 2]}\n\n",
            "cut_frame": frame[: len(frame) // 2],
        }
        return spoiled.get(kind, frame)

    def _is_told(self, event: Event) -> bool:
        """Leave out what the older streams do not carry."""
        if self.version == 1 and self.name == "funding":
            return bool(event.payload["entity_type"] == "Transfer")
        if self.version == 1 and self.name == "activities":
            return bool(event.payload["activity_type"] != "FILL")
        return True

    def _frame(self, event: Event, *, has_unknown_status: bool = False) -> str:
        ids = {"event_ulid": event.ulid, "event_id": event.number}
        if self.version > 1:
            ids = {"event_id": event.ulid, "event_ulid": event.ulid}
        payload = event.payload | ids | {"at": stamp(event.at)}
        if self.version == 1 and self.name == "funding":
            payload["transfer_id"] = payload.pop("entity_id")
            del payload["entity_type"]
        if has_unknown_status:
            payload = payload | {key: _UNKNOWN for key in ("status_to", "event") if key in payload}
        return f"id: {event.ulid}\nevent: message\ndata: {json.dumps(payload)}\n\n"
