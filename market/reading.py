"""Keeps a connection to one of the vendor's price sockets, and hands on what it tells."""

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from django.conf import settings

from core import metrics
from core.errors import VendorError, VendorRejected, VendorUnavailable
from core.streams import Stop
from market.desk import Desk, Feed
from market.facts import Band, Bar, BestPrices, Corrected, Covered, Halted, News, Refused, Trade
from market.gateways import OpenStream, PriceStream
from market.price_book import AHEAD_NS

logger = structlog.get_logger()
_READ_SECONDS: Final = 0.2
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 8.0
_PAUSE_WHEN_REJECTED_SECONDS: Final = 30.0
# The vendor frees the place of a leader that has died within moments.
_FIRST_PAUSE_WHEN_CROWDED_SECONDS: Final = 0.3
_CROWDED: Final = "406"
_SILENT: Final = "silent"
_OUTCOMES: Final = {_CROWDED: "crowded", "407": "slow", _SILENT: "silent"}
_TICKS: Final[Mapping[type, Any]] = {
    kind: metrics.TICKS.labels(word)
    for kind, word in ((Trade, "trade"), (BestPrices, "quote"), (Bar, "bar"), (Band, "band"))
}

_TIMED: Final = (BestPrices, Band)


class Backoff:
    """How long to wait before the next connection; each time longer, until data has come."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with short pauses again."""
        self._pause = _FIRST_PAUSE_SECONDS
        self._pause_when_crowded = _FIRST_PAUSE_WHEN_CROWDED_SECONDS

    def after(self, error: VendorError) -> float:
        """Return the seconds to wait after a connection that ended with this."""
        if isinstance(error, VendorRejected):
            pause = _PAUSE_WHEN_REJECTED_SECONDS
        elif error.vendor_code == _CROWDED:
            pause = self._pause_when_crowded
            self._pause_when_crowded = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        else:
            pause = self._pause
            self._pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        # Half of it by chance, so that several deployments do not come back in step.
        return pause * (0.5 + random.random() / 2)  # noqa: S311 - no secret


class Reader:
    """Reads one feed, for as long as somebody wants anything of it."""

    def __init__(self, desk: Desk, feed: Feed, stream: Callable[[], PriceStream | None]) -> None:
        self._desk = desk
        self._feed = feed
        self._stream = stream
        self._backoff = Backoff()
        self._refusals: set[int] = set()

    def run(self, stop: Stop) -> None:
        """Connect, read, and connect again, until told to stop."""
        while not stop:
            stream = self._stream() if self._feed.wanted else None
            if stream is None:
                self._feed.is_in_use = not self._feed.is_always_open
                stop.wait(_READ_SECONDS)
            else:
                self._connect(stream, stop)

    def _connect(self, stream: PriceStream, stop: Stop) -> None:
        pause, outcome = 0.0, "ended"
        try:
            with stream.open() as opened:
                self._count("opened")
                self._read(opened, stop)
        except VendorError as error:
            is_rejected = isinstance(error, VendorRejected)
            # Coins that are not for us are asked for, and cost those who hold shares nothing.
            self._feed.is_in_use = not (is_rejected and self._feed.is_always_open)
            outcome = "rejected" if is_rejected else _OUTCOMES.get(error.vendor_code, "lost")
            pause = self._backoff.after(error)
            logger.warning(
                "prices.rejected" if is_rejected else "prices.disconnected",
                vendor_code=error.vendor_code,
                source=self._feed.name,
            )
        finally:
            self._feed.covered = frozenset()
            self._count(outcome)
        stop.wait(pause)

    @staticmethod
    def _count(outcome: str) -> None:
        metrics.FEED_CONNECTIONS.labels(outcome).inc()

    def _read(self, opened: OpenStream, stop: Stop) -> None:
        """Read until told to stop, or until nothing is wanted any more."""
        desk, feed = self._desk, self._feed
        asked: frozenset[str] = frozenset()
        since = desk.monotonic()
        while not stop:
            if feed.wanted != asked:
                if not feed.wanted:
                    return
                asked = feed.wanted
                opened.cover(asked)
            news = opened.read(timeout_seconds=_READ_SECONDS)
            if news:
                self._take(news)
            if not desk.is_in_session(feed):
                feed.rest(desk.monotonic(), now_ns=desk.vendor_now_ns())
            silence = desk.monotonic() - max(feed.heard_at, feed.rested_at, since)
            if silence > settings.FEED_STALE_SECONDS:
                raise VendorUnavailable(
                    "alpaca-stream", "The price socket is silent.", vendor_code=_SILENT
                )

    def _take(self, news: Sequence[News]) -> None:
        """Take news over; a halt or its end parts what was before it from what comes after."""
        begun = 0
        if Halted in set(map(type, news)):
            for place, item in enumerate(news, start=1):
                if type(item) is Halted:
                    self._take_part(news[begun:place])
                    begun = place
        if begun < len(news):
            self._take_part(news[begun:] if begun else news)

    def _take_part(self, news: Sequence[News]) -> None:
        desk = self._desk
        trades = [item for item in news if type(item) is Trade]
        rest = () if len(trades) == len(news) else [n for n in news if type(n) is not Trade]
        self._measure(trades, rest)
        if rest:
            self._note_bands(rest)  # first: trades may use the room that a new band gives them
        if trades:
            with desk.lock:
                desk.book.offer(trades, now_ns=desk.vendor_now_ns())
        if rest:
            self._take_prices(rest)
            self._take_notices(rest)
        if self._count_ticks(len(trades), rest):
            desk.heard(self._feed)
            self._backoff.reset()

    def _measure(self, trades: Sequence[Trade], rest: Sequence[News]) -> None:
        """Note how old the newest of these is; a bar only says when its minute began."""
        desk, feed, now_ns = self._desk, self._feed, self._desk.vendor_now_ns()
        times = [trade.at_ns for trade in trades]
        if rest:
            times += [item.at_ns for item in rest if isinstance(item, _TIMED)]
        newest = _newest(times, latest=now_ns + AHEAD_NS)
        if newest is None:
            return
        was_late = desk.is_late(feed)
        feed.measure(newest, now_ns=now_ns)
        if desk.is_late(feed) and not was_late:
            logger.warning("prices.late", source=feed.name)

    @staticmethod
    def _count_ticks(trades: int, rest: Sequence[News]) -> bool:
        """Count what was heard of prices, whatever the book thinks of it; say whether anything."""
        heard = Counter(map(type, rest))
        if trades:
            heard[Trade] = trades
        for kind in heard.keys() & _TICKS.keys():
            _TICKS[kind].inc(heard[kind])
        return not heard.keys().isdisjoint(_TICKS)

    def _note_bands(self, news: Sequence[News]) -> None:
        desk = self._desk
        bands = [item for item in news if type(item) is Band]
        if bands:
            with desk.lock:
                for band in bands:
                    desk.book.note_band(band, now_ns=desk.vendor_now_ns())

    def _take_prices(self, news: Sequence[News]) -> None:
        """Hand on what is no trade but says what something costs."""
        desk = self._desk
        quotes = [item for item in news if type(item) is BestPrices]
        bars = [item for item in news if type(item) is Bar]
        with desk.lock:
            if quotes:
                desk.book.offer_quotes(quotes, now_ns=desk.vendor_now_ns())
            if bars:
                desk.book.offer_bars(bars, now_ns=desk.vendor_now_ns())

    def _take_notices(self, news: Sequence[News]) -> None:
        """Act on what is said about trades, symbols and the connection itself."""
        desk = self._desk
        for item in news:
            if isinstance(item, Corrected):
                with desk.lock:
                    desk.corrected |= {item.symbol}
                desk.is_due.set()
            elif isinstance(item, Halted):
                with desk.lock:
                    now_ns = desk.vendor_now_ns()
                    desk.book.note_halt(item.symbol, is_halted=item.is_halted, now_ns=now_ns)
                desk.halts.put(item)
            elif isinstance(item, Covered):
                self._note_covered(item.symbols)
            elif isinstance(item, Refused):
                self._note_refusal(item.code)

    def _note_covered(self, symbols: frozenset[str]) -> None:
        """From now on these are sent; what happened to them before must be asked for."""
        desk, feed = self._desk, self._feed
        with desk.lock:
            desk.missed |= symbols - feed.covered
        feed.covered = symbols
        feed.is_in_use = True
        desk.is_due.set()

    def _note_refusal(self, code: int) -> None:
        """Say it once: symbols that the socket does not send are asked for by REST."""
        if code not in self._refusals:
            self._refusals.add(code)
            logger.error("prices.subscription_refused", code=code)


def _newest(times: Sequence[object], *, latest: int) -> int | None:
    """Return the latest of those that are times, and not of a future that nobody can know."""
    with contextlib.suppress(TypeError, ValueError):
        newest: object = max(times)  # type: ignore[type-var]
        if type(newest) is int and newest <= latest:  # nearly always
            return newest
    return max((at for at in times if type(at) is int and at <= latest), default=None)
