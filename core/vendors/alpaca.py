"""Alpaca's Broker API, its data API and its event streams, as far as every app shares them."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
from django.conf import settings

from core import exact_json
from core.errors import VendorUnavailable
from core.feeds import DataLost, VendorEvent
from core.vendors import sse
from core.vendors.transport import Transport, Vendor, transport_for

# Same-millisecond ULIDs sort by chance, so a replay starts a little before the cursor.
WINDOW = timedelta(minutes=5)
# A vendor's clock may be wrong by this much, at the very most.
FURTHEST_AHEAD = timedelta(days=1)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = re.compile(rf"[{_CROCKFORD}]{{26}}")
_TIME_CHARS = 10


def broker() -> Transport:
    """Return the transport to the Broker API (HTTP Basic)."""
    keys = (settings.ALPACA_BROKER_KEY, settings.ALPACA_BROKER_SECRET)
    return transport_for(Vendor("alpaca", settings.ALPACA_BROKER_URL, basic=keys))


def data() -> Transport:
    """Return the transport to the market-data API, which takes the Broker's keys."""
    keys = (settings.ALPACA_BROKER_KEY, settings.ALPACA_BROKER_SECRET)
    return transport_for(Vendor("alpaca-data", settings.ALPACA_DATA_URL, basic=keys))


Payload = Mapping[str, Any]


class _OpenStream:
    def __init__(self, response: httpx.Response, kept: Callable[[Payload], Payload]) -> None:
        self._response = response
        self._kept = kept
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[VendorEvent | DataLost | None]:
        try:
            for item in sse.parse(sse.lines(self._response.iter_bytes())):
                told = _read(item)
                if isinstance(told, VendorEvent):
                    told = VendorEvent(told.position, self._kept(told.payload))
                yield told
        except (httpx.HTTPError, httpx.StreamError) as error:
            if not self._closed.is_set():
                why = f"the event stream broke off ({type(error).__name__})"
                raise VendorUnavailable("alpaca", why) from error

    def close(self) -> None:
        """Shut the socket, which wakes the reader; closing alone would not."""
        self._closed.set()
        stream = self._response.extensions.get("network_stream")
        sock = stream.get_extra_info("socket") if stream else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(2)


def _read(item: sse.Message | sse.Comment) -> VendorEvent | DataLost | None:
    if isinstance(item, sse.Comment):
        lost = "dropped" in item.text or "error" in item.text
        return DataLost(item.text, can_be_replayed=True) if lost else None
    # What the inbox or the cursor could not hold would stop the stream at the same place for ever.
    try:
        payload = exact_json.loads(item.data)
    except (exact_json.NotStrictJson, RecursionError):
        return DataLost("an event was not readable")
    if not isinstance(payload, dict):
        return DataLost("an event was not readable")
    position = str(payload.get("event_ulid") or payload.get("event_id") or item.id).upper()
    if not _ULID.fullmatch(position):
        return DataLost("an event had no readable id")
    return VendorEvent(position, as_text(payload))


def as_text(value: Any) -> Any:
    """Keep numbers as their exact text, in what is stored as JSON."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: as_text(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_text(part) for part in value]
    return value


def read_time(text: Any) -> datetime | None:
    """Read a time; one that cannot be read, or is in no year we can write, is as good as none."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def read_past(text: Any) -> datetime | None:
    """
    Read when something happened; a time that is yet to come is as good as none.

    All true news would seem older than it, and be left aside as late.
    """
    at = read_time(text)
    return None if at is None or at > datetime.now(UTC) + FURTHEST_AHEAD else at


def _rewound(ulid: str) -> str:
    """Return the smallest ULID of a moment `WINDOW` before this one's; the inbox drops repeats."""
    moment = 0
    for char in ulid[:_TIME_CHARS]:
        moment = moment * 32 + _CROCKFORD.index(char)
    moment = max(0, moment - int(WINDOW.total_seconds() * 1000))
    chars = []
    for _ in range(_TIME_CHARS):
        moment, digit = divmod(moment, 32)
        chars.append(_CROCKFORD[digit])
    return "".join(reversed(chars)) + "0" * (len(ulid) - _TIME_CHARS)


class EventFeed:
    """
    One of the Broker API's event streams.

    :param cursor: the name of the parameter that takes a ULID: `since_ulid` on v1 streams and
        `since_id` on v2 ones (VENDORS 7.4).
    :param kept: takes from an event what may be kept for good; it may hold words about a person.
    :param begins_now: without a cursor, begin with what happens next: on the stream of activities
        a beginning in the past demands an end.
    """

    def __init__(
        self,
        path: str,
        *,
        cursor: str,
        kept: Callable[[Payload], Payload] = dict,
        begins_now: bool = False,
    ) -> None:
        self._path = path
        self._cursor = cursor
        self._kept = kept
        self._begins_now = begins_now

    @contextmanager
    def open(self, since: str | None) -> Iterator[_OpenStream]:
        """
        Open the stream after `since`, or where it begins when there is no cursor yet.

        :raises VendorUnavailable: it cannot be opened, or it broke off.
        """
        if since:
            params = {self._cursor: _rewound(since)}
        elif self._begins_now:
            params = {}
        else:
            start = datetime.now(UTC) - WINDOW
            params = {"since": start.strftime("%Y-%m-%dT%H:%M:%SZ")}
        with broker().events(self._path, params=params) as response:
            yield _OpenStream(response, self._kept)
