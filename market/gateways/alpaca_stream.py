"""Alpaca's market-data socket: msgpack both ways, one connection for the whole deployment."""

import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import msgpack
from django.conf import settings
from websockets.exceptions import WebSocketException

from core.errors import VendorError, VendorRejected, VendorUnavailable
from market.facts import Covered, News, Refused
from market.gateways import alpaca_news, websocket
from market.gateways.alpaca_news import VENDOR, Entry

# It is asked for every symbol: an order may come for one whose price nobody follows.
_STATUSES: Final = "statuses"
_EVERY_SYMBOL: Final = frozenset({"*"})
# An option by its root, day, side and strike: no socket of shares or coins knows such names.
_CONTRACT: Final = re.compile(r"[A-Z]{1,6}[0-9]{6}[CP][0-9]{8}", re.ASCII)
_HEADERS: Final = {"Content-Type": "application/msgpack"}
# Our key is wrong, or it may not have this feed: trying again soon changes nothing.
_NOT_FOR_US: Final = frozenset({402, 409})
# The vendor refuses what we asked for and keeps the connection and its earlier state.
_KEEPS_CONNECTION: Final = frozenset({400, 405, 410})
# All of these are about what was asked for last, and more symbols than allowed are no reason to
# give a channel up.
_ANSWERS: Final = _KEEPS_CONNECTION | {409}
_TOO_MANY_SYMBOLS: Final = 405
# It also says so when one name among many has a form that it does not know.
_UNREADABLE: Final = 400
# So often a channel's lists are halved without one of the halves being taken: more often than one
# such name needs in the longest list, and an end where the vendor takes nothing.
_MOST_HALVES: Final = 64


class AlpacaStream:
    """
    See the port for what each method promises.

    The first of the channels is the one by which a symbol counts as covered.
    """

    def __init__(self, url: str | None = None, channels: Sequence[str] | None = None) -> None:
        self._url = url or settings.ALPACA_STREAM_URL
        self._channels = tuple(channels or (*settings.MARKET_CHANNELS, _STATUSES))

    @contextmanager
    def open(self) -> Iterator["_OpenStream"]:
        seconds = settings.VENDOR_CONNECT_SECONDS
        connecting = websocket.connected(self._url, headers=_HEADERS, timeout_seconds=seconds)
        with ExitStack() as stack:
            with _translated():
                connection = stack.enter_context(connecting)
            stream = _OpenStream(connection, self._channels)
            stream.authenticate()
            yield stream


class _OpenStream:
    def __init__(self, connection: websocket.WebSocket, channels: Sequence[str]) -> None:
        self._connection = connection
        self._channels = list(channels)
        self._main = channels[0]
        self._asked: dict[str, frozenset[str]] = {}
        self._covered: frozenset[str] = frozenset()
        # The channel of each question and the symbols asked for, oldest first.
        self._unanswered: deque[tuple[str, list[str]]] = deque()
        # Halves of refused lists, to be asked for when nothing else is: newest first, so that
        # the way to a bad name is as short with many of them as with one.
        self._halves: list[tuple[str, list[str]]] = []
        self._halved: Counter[str] = Counter()
        # By channel: what the vendor cannot read, and what it had no room for.
        self._unreadable: defaultdict[str, set[str]] = defaultdict(set)
        self._left_out: defaultdict[str, set[str]] = defaultdict(set)
        self._is_authenticated = False
        self._early: list[News] = []  # what came together with the answer to our key
        self._ended: VendorError | None = None

    def authenticate(self) -> None:
        """Say who we are, and wait until the vendor believes it."""
        deadline = time.monotonic() + settings.VENDOR_CONNECT_SECONDS
        self._send(
            action="auth", key=settings.ALPACA_BROKER_KEY, secret=settings.ALPACA_BROKER_SECRET
        )
        while not self._is_authenticated:
            if (left := deadline - time.monotonic()) <= 0:
                raise VendorUnavailable(VENDOR, "The price socket did not confirm our key.")
            self._early += self._hear(timeout_seconds=left)

    def cover(self, symbols: Iterable[str]) -> None:
        """
        Ask for what is new only, one channel at a time: the refusal of one costs no other.

        Where room has become free, ask again for what there was none for.
        """
        wanted = frozenset(symbol for symbol in symbols if not _CONTRACT.fullmatch(symbol))
        gone = {channel: self._on(channel, wanted, is_new=False) for channel in self._channels}
        if any(gone.values()):
            self._ask("unsubscribe", **{c: sorted(lost) for c, lost in gone.items() if lost})
        for channel in self._channels:
            left_out = self._left_out[channel]
            freed = len(gone[channel] - left_out)
            left_out -= gone[channel]
            if new := self._on(channel, wanted, is_new=True):
                self._ask("subscribe", **{channel: sorted(new)})
            if left_out and freed > len(new):
                again = sorted(left_out)[: freed - len(new)]
                left_out.difference_update(again)
                self._ask("subscribe", **{channel: again})
            self._asked[channel] = _EVERY_SYMBOL if channel == _STATUSES else wanted

    def read(self, *, timeout_seconds: float) -> Sequence[News]:
        early, self._early = self._early, []
        return early or self._hear(timeout_seconds=timeout_seconds)

    def _hear(self, *, timeout_seconds: float) -> list[News]:
        if self._ended is not None:
            raise self._ended
        news: list[News] = []
        try:
            for message in self._receive(timeout_seconds=timeout_seconds):
                for entry in alpaca_news.read(message, into=news):
                    news += self._answer(entry)
        except VendorError as error:
            if not news:
                raise
            self._ended = error  # what came before it is as good as ever
        return news

    def _on(self, channel: str, wanted: frozenset[str], *, is_new: bool) -> frozenset[str]:
        """Say which symbols a channel gains or loses, of those that the vendor can read."""
        asked = self._asked.get(channel, frozenset())
        wanted = _EVERY_SYMBOL if channel == _STATUSES else wanted
        return (wanted - asked if is_new else asked - wanted) - self._unreadable[channel]

    def _ask(self, action: str, **channels: list[str]) -> None:
        self._send(action=action, **channels)
        channel, symbols = next(iter(channels.items()))
        self._unanswered.append((channel, symbols if action == "subscribe" else []))

    def _answer(self, entry: Entry) -> list[News]:
        """Read the vendor's word on what it sends, or on why it does not."""
        if entry["T"] == "success":
            self._is_authenticated |= entry.get("msg") == "authenticated"
            return []
        news = self._told(entry) if entry["T"] == "subscription" else self._refused(entry)
        while self._halves and not self._unanswered:
            self._ask_while_wanted(*self._halves.pop())
        return news

    def _told(self, entry: Entry) -> list[News]:
        channel, asked = self._unanswered.popleft() if self._unanswered else (self._main, [])
        if asked:
            self._halved[channel] = 0
        symbols = entry.get(self._main)
        listed = symbols if isinstance(symbols, list) else []
        self._covered = frozenset(symbol for symbol in listed if isinstance(symbol, str))
        return [Covered(self._covered)]

    def _refused(self, entry: Entry) -> list[News]:
        """Pass on a refusal that the connection survives, and give up a channel we may not have."""
        code = _code(entry)
        if not self._is_authenticated:
            raise _refusal(entry)
        channel, symbols = self._unanswered.popleft() if self._unanswered else (self._main, [])
        survived = _KEEPS_CONNECTION if channel == self._main else _ANSWERS
        if code not in survived:
            raise _refusal(entry)
        self._ask_for_some(channel, symbols, code)
        if channel == self._main:
            return [Refused(code), Covered(self._covered)]
        if code not in {_TOO_MANY_SYMBOLS, _UNREADABLE} and channel in self._channels:
            self._channels.remove(channel)
        return [Refused(code)]

    def _ask_for_some(self, channel: str, symbols: list[str], code: int) -> None:
        """
        Ask for what may be had of a list that was refused: all or nothing is the vendor's rule.

        Of too many symbols half may fit, and REST tells of the others; all may, where some were
        given up meanwhile. A name that it cannot read is left alone in the end, so that it costs no
        other symbol its prices.
        """
        half = len(symbols) // 2
        if code == _TOO_MANY_SYMBOLS and self._is_room_coming():
            self._ask_while_wanted(channel, symbols)
        elif code == _TOO_MANY_SYMBOLS:
            self._left_out[channel] |= self._still_wanted(channel, symbols[half:])
            self._ask_while_wanted(channel, symbols[:half])
        elif code == _UNREADABLE and not half:
            self._unreadable[channel].update(symbols)
        elif code == _UNREADABLE and self._halved[channel] < _MOST_HALVES:
            self._halved[channel] += 1
            self._halves += (channel, symbols[half:]), (channel, symbols[:half])

    def _is_room_coming(self) -> bool:
        """Say whether we have given symbols up since we asked what has been answered now."""
        return any(not symbols for _, symbols in self._unanswered)

    def _ask_while_wanted(self, channel: str, symbols: list[str]) -> None:
        """Ask for those that nobody has given up since they were asked for first."""
        still = sorted(self._still_wanted(channel, symbols))
        if still and channel in self._channels:
            self._ask("subscribe", **{channel: still})

    def _still_wanted(self, channel: str, symbols: list[str]) -> frozenset[str]:
        """Leave out what was given up meanwhile, and what is being asked for anew."""
        anew = {symbol for of, some in self._unanswered if of == channel for symbol in some}
        return self._asked.get(channel, frozenset()).intersection(symbols) - anew

    def _send(self, **fields: Any) -> None:
        with _translated():
            self._connection.send(msgpack.packb(fields))

    def _receive(self, *, timeout_seconds: float) -> list[websocket.Message]:
        with _translated():
            return self._connection.receive(timeout_seconds=timeout_seconds)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the connection raises into our words."""
    try:
        yield
    except (WebSocketException, OSError, EOFError) as error:
        why = f"The price socket is not reachable ({type(error).__name__})."
        raise VendorUnavailable(VENDOR, why) from error


def _code(entry: Entry) -> int:
    code = entry.get("code")
    return code if type(code) is int else 0


def _refusal(entry: Entry) -> VendorError:
    code = _code(entry)
    kind = VendorRejected if code in _NOT_FOR_US else VendorUnavailable
    return kind(VENDOR, f"The price socket refused us (code {code}).", vendor_code=str(code))
