"""Alpaca's market-data socket: msgpack both ways, one connection for the whole deployment."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import msgpack
from django.conf import settings
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, reconnect

from core.errors import VendorError, VendorRejected, VendorUnavailable
from market.facts import Corrected, Covered, Halted, News, Refused, Trade

_VENDOR: Final = "alpaca-stream"
_PING_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 0.5
_LARGEST_MESSAGE: Final = 4 * 1024 * 1024
_NANOSECONDS: Final = 2  # what msgpack's `timestamp` calls times as whole nanoseconds
# Our key is wrong, or it may not have this feed: trying again soon changes nothing.
_NOT_FOR_US: Final = frozenset({402, 409})
# The vendor refuses what we asked for and keeps the connection and its earlier state.
_KEEPS_CONNECTION: Final = frozenset({400, 405, 410})
# Sales whose price is not the market's at that moment: late, averaged, derived or contingent.
_NOT_LAST: Final = frozenset("CGHMNPQRUVWZ479")
# The words of both tapes for a symbol that stops, and for one that goes on.
_STOPS: Final = frozenset({"2", "H", "P"})
_GOES_ON: Final = frozenset({"3", "T"})

# At DEBUG this library writes what it sends, our secret included.
_logger = logging.getLogger("market.stream")
_logger.setLevel(logging.WARNING)


class _SameHost(reconnect):
    """Never follows a redirect: our key goes to the configured host or nowhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class AlpacaStream:
    """See the port for what each method promises."""

    @contextmanager
    def open(self) -> Iterator["_OpenStream"]:
        connecting = _SameHost(
            settings.ALPACA_STREAM_URL,
            additional_headers={"Content-Type": "application/msgpack"},
            open_timeout=settings.VENDOR_CONNECT_SECONDS,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PING_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            max_size=_LARGEST_MESSAGE,
            compression=None,
            proxy=None,
            logger=_logger,
        )
        with ExitStack() as stack:
            with _translated():
                connection = stack.enter_context(connecting)
            stream = _OpenStream(connection)
            stream.authenticate()
            yield stream


class _OpenStream:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._asked: frozenset[str] = frozenset()
        self._hears_halts = False

    def authenticate(self) -> None:
        """Say who we are, and wait until the vendor believes it."""
        self._send(
            action="auth", key=settings.ALPACA_BROKER_KEY, secret=settings.ALPACA_BROKER_SECRET
        )
        for _ in range(4):  # the greeting and the answer come as one message or as two
            for entry in self._receive(timeout_seconds=settings.VENDOR_CONNECT_SECONDS):
                if entry.get("T") == "success" and entry.get("msg") == "authenticated":
                    return
                if entry.get("T") == "error":
                    raise _refusal(entry)
        raise VendorUnavailable(_VENDOR, "The price socket did not confirm our key.")

    def cover(self, symbols: Iterable[str]) -> None:
        wanted = frozenset(symbols)
        gone, new = self._asked - wanted, wanted - self._asked
        if gone:
            self._send(action="unsubscribe", trades=sorted(gone))
        if new:
            self._send(action="subscribe", trades=sorted(new))
        self._asked = wanted
        if not self._hears_halts:
            # Of every symbol: an order may come for one whose price nobody follows. It is asked for
            # by itself, so that a key without it still gets its prices.
            self._send(action="subscribe", statuses=["*"])
            self._hears_halts = True

    def read(self, *, timeout_seconds: float) -> Sequence[News]:
        entries = self._receive(timeout_seconds=timeout_seconds)
        with _readable():
            return [news for entry in entries if (news := _news(entry)) is not None]

    def _send(self, **fields: Any) -> None:
        with _translated():
            self._connection.send(msgpack.packb(fields))

    def _receive(self, *, timeout_seconds: float) -> list[dict[str, Any]]:
        with _translated():
            try:
                data = self._connection.recv(timeout=timeout_seconds)
            except TimeoutError:
                return []
        with _readable():
            entries = msgpack.unpackb(data, timestamp=_NANOSECONDS, strict_map_key=False)
            return [entry for entry in entries if isinstance(entry, dict)]


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the library raises into our words."""
    try:
        yield
    except (WebSocketException, OSError, EOFError) as error:
        why = f"The price socket is not reachable ({type(error).__name__})."
        raise VendorUnavailable(_VENDOR, why) from error


@contextmanager
def _readable() -> Iterator[None]:
    """Turn a message that is not what the vendor promises into one of our errors."""
    try:
        yield
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as error:
        raise VendorUnavailable(_VENDOR, "The price socket is not readable.") from error


def _news(entry: dict[str, Any]) -> News | None:
    kind = entry.get("T")
    if kind == "t":
        is_last = _NOT_LAST.isdisjoint(entry.get("c") or ())
        return Trade(entry["S"], entry.get("p"), entry.get("t")) if is_last else None
    if kind in {"c", "x"}:
        return Corrected(entry["S"])
    if kind == "s":
        return _halt(entry)
    if kind == "subscription":
        return Covered(frozenset(entry.get("trades") or ()))
    if kind == "error":
        return _refused(entry)
    return None


def _halt(entry: dict[str, Any]) -> Halted | None:
    """Read whether a symbol trades; other words are about its quotes and imbalances."""
    code = entry.get("sc")
    if code not in _STOPS | _GOES_ON:
        return None
    return Halted(entry["S"], is_halted=code in _STOPS)


def _refused(entry: dict[str, Any]) -> Refused:
    """Pass on a refusal that the connection survives."""
    if entry.get("code") in _KEEPS_CONNECTION:
        return Refused(int(entry["code"]))
    raise _refusal(entry)


def _refusal(entry: dict[str, Any]) -> VendorError:
    code = entry.get("code")
    kind = VendorRejected if code in _NOT_FOR_US else VendorUnavailable
    return kind(_VENDOR, f"The price socket refused us (code {code}).", vendor_code=str(code))
