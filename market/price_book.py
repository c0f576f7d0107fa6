"""The latest believable price of every symbol we follow, in exact billionths of a dollar."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from market.facts import Band, Bar, BestPrices, Snapshot, Trade
from market.frames import DOUBTED, HALTED, STALE
from market.gates import DOUBTFUL, Entry
from market.nanos import EXACT_FLOATS, NANOS, UNKNOWN, nanoseconds, to_nanos

AHEAD_NS: Final = 60 * NANOS
# Nobody trades so late; our clock, or the vendor's, must be wrong.
_OLDEST_NS: Final = 24 * 3600 * NANOS


class Changes(NamedTuple):
    """
    What is new since it was asked for last: prices or their flags, closes, and bids and asks.

    `forgotten` is what is followed no longer, though a price of it was told; it is marked as stale.
    `heard_ns` is when the first of the trades behind it came, if there was one.
    """

    prices: list[Entry]
    closes: list[Entry]
    quotes: list[Entry]
    forgotten: list[Entry]
    heard_ns: int


class PriceBook:
    """
    Judges every price before anybody sees it, and remembers what changed since it was asked.

    A price that is refused leaves the last good one in force. It is counted in `rejected` under
    one reason; and when it may have been true, the last good one is marked as doubted, and its
    symbol is put into `doubted`, until a good price comes or the vendor's answer settles it.

    Not safe for threads: its owner holds a lock.
    """

    def __init__(self) -> None:
        self.rejected: Counter[str] = Counter()
        self.accepted = 0
        self.doubted: set[str] = set()  # ask for these
        self._entries: dict[str, Entry] = {}
        self._changed: set[str] = set()
        self._new_closes: set[str] = set()
        self._quoted: set[str] = set()
        self._halted: dict[str, int] = {}
        self._stale: set[str] = set()
        self._forgotten: list[Entry] = []
        self._heard_ns = self._now_ns = UNKNOWN

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, symbol: str, number: int) -> None:
        """Make room for a symbol."""
        if symbol not in self._entries:
            self._entries[symbol] = Entry(number)
            if symbol in self._halted:
                self._halt(symbol, self._entries[symbol])

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Everything that has room here, by symbol."""
        return self._entries

    def number_of(self, symbol: str) -> int | None:
        """Tell a symbol's number, if it has one here."""
        entry = self._entries.get(symbol)
        return None if entry is None else entry.number

    # What the socket says

    def offer(self, trades: Iterable[Trade], *, now_ns: int) -> None:
        """
        Take over the trades that are believable and newer than what we have.

        One that is a little ahead of the time counts from now: or else it would make those after
        it older than itself.
        """
        entries, changed = self._entries, self._changed
        latest, earliest, accepted = now_ns + AHEAD_NS, now_ns - _OLDEST_NS, 0
        for symbol, price, at_ns in trades:
            entry = entries.get(symbol)
            if entry is None:
                self.rejected["not_followed"] += 1
                continue
            if type(at_ns) is not int or not earliest < at_ns <= latest:
                self.rejected["time"] += 1
                continue
            # Nearly all are floats near the last price: judged and moved without a call.
            nanos = (
                round(price * NANOS)
                if type(price) is float and 0 < price < EXACT_FLOATS
                else to_nanos(price)
            )
            is_near = entry.near_low <= nanos <= entry.near_high and at_ns >= entry.at_ns
            if is_near and not entry.is_guarded:
                entry.price, entry.at_ns = nanos, at_ns
            elif why := entry.refusal(nanos, at_ns, since_ns=entry.at_ns):
                self._refuse(symbol, entry, why)
                continue
            else:
                entry.move(nanos, at_ns)
            if at_ns > now_ns:
                entry.at_ns = now_ns
            changed.add(symbol)
            accepted += 1
        self._note(accepted, now_ns)
        if accepted and not self._heard_ns:
            self._heard_ns = now_ns

    def offer_quotes(self, quotes: Iterable[BestPrices], *, now_ns: int) -> None:
        """Take over the best bids and asks that are believable; they move no price."""
        latest, earliest, accepted = now_ns + AHEAD_NS, now_ns - _OLDEST_NS, 0
        for symbol, bid, ask, at_ns in quotes:
            entry = self._entries.get(symbol)
            if entry is None:
                self.rejected["not_followed"] += 1
                continue
            if type(at_ns) is not int or not earliest < at_ns <= latest:
                self.rejected["time"] += 1
                continue
            low, high = to_nanos(bid), to_nanos(ask)
            why = entry.refusal_of_quote(low, high, at_ns)
            if why:
                self.rejected[why] += 1
                continue
            entry.bid, entry.ask, entry.quoted_ns = low, high, at_ns
            if at_ns > now_ns:
                entry.quoted_ns = now_ns
            self._quoted.add(symbol)
            accepted += 1
        self._note(accepted, now_ns)

    def offer_bars(self, bars: Iterable[Bar], *, now_ns: int) -> None:
        """
        Take over what minutes ended with, where that tells more than the trades we have heard.

        A bar that tells nothing new is no mistake of anybody's. When its last trade was is not
        said, so the price counts from the earliest moment that it can have been.
        """
        latest, earliest, accepted = now_ns + AHEAD_NS, now_ns - _OLDEST_NS, 0
        for symbol, close, start_ns, is_updated in bars:
            entry = self._entries.get(symbol)
            if entry is None:
                self.rejected["not_followed"] += 1
                continue
            if type(start_ns) is not int or not earliest < start_ns <= latest:
                self.rejected["time"] += 1
                continue
            nanos = to_nanos(close)
            is_news = entry.takes_bar(start_ns, is_updated=is_updated)
            why = entry.refusal(nanos, start_ns, since_ns=UNKNOWN)
            if why:
                self._refuse(symbol, entry, why, is_news=is_news)
                continue
            accepted += 1
            if is_news:
                self._move(symbol, entry, nanos, max(entry.at_ns, min(start_ns, now_ns)))
        self._note(accepted, now_ns)

    def note_band(self, band: Band, *, now_ns: int) -> None:
        """Let the exchange's band decide for a minute what a symbol can be traded at."""
        entry = self._entries.get(band.symbol)
        if entry is None:
            return
        low, high, at_ns = to_nanos(band.low), to_nanos(band.high), band.at_ns
        if UNKNOWN in {low, high} or low > high:
            self.rejected["price"] += 1
        elif type(at_ns) is not int or not now_ns - _OLDEST_NS < at_ns <= now_ns + AHEAD_NS:
            self.rejected["time"] += 1
        elif at_ns >= entry.band_ns:
            entry.limit(low, high, min(at_ns, now_ns))

    def note_halt(self, symbol: str, *, is_halted: bool, now_ns: int = UNKNOWN) -> None:
        """Mark a symbol whose trading the exchange has stopped, or lets go on."""
        entry = self._entries.get(symbol)
        if is_halted:
            # Of two words the later counts: a trade between them does not end the second halt.
            self._halted[symbol] = max(self._halted.get(symbol, 0), now_ns or self._now_ns)
            if entry is not None:
                self._halt(symbol, entry)
        elif self._halted.pop(symbol, None) is not None and entry is not None:
            entry.mark(HALTED, is_on=False)
            self._changed.add(symbol)

    # What is asked for, or was known before

    def seed(
        self,
        snapshot: Snapshot,
        *,
        now_ns: int,
        asked_ns: int | None = None,
        is_correction: bool = False,
    ) -> None:
        """
        Take over what the vendor answers on request.

        It may jump, since it is the vendor's considered word: a split, or a corrected trade; unless
        later quotes deny it. A price that is older than ours is left aside, unless it corrects what
        we had when the vendor was asked, or ours is a first price that nothing could be said about.
        """
        symbol, entry = snapshot.symbol, self._entries.get(snapshot.symbol)
        self._now_ns = now_ns
        if entry is None:
            return
        is_ours_a_guess = not entry.is_judged
        close = to_nanos(snapshot.previous_close)
        if close not in {UNKNOWN, entry.close}:
            entry.close_at(close)
            self._new_closes.add(symbol)
        self._seed_quote(snapshot, entry, now_ns=now_ns)
        nanos, at_ns = to_nanos(snapshot.last), nanoseconds(snapshot.last_at)
        if UNKNOWN in {nanos, at_ns}:
            return
        entry.kept_ns = now_ns
        if entry.is_resumed_at(at_ns):
            self.note_halt(symbol, is_halted=False)
        if entry.is_denied(nanos, at_ns):
            self._refuse(symbol, entry, "jump")
            return
        if entry.mark(DOUBTED, is_on=False):
            self._changed.add(symbol)
        is_ours_impossible = entry.at_ns > now_ns + AHEAD_NS
        is_ours_wrong = (
            is_correction and entry.at_ns <= (now_ns if asked_ns is None else asked_ns)
        ) or (is_ours_a_guess and not entry.least <= nanos <= entry.most)
        entry.is_judged = True
        if at_ns > entry.at_ns or is_ours_impossible or (is_ours_wrong and nanos != entry.price):
            self._move(symbol, entry, nanos, min(at_ns, now_ns))

    def know_closes(self, closes: Mapping[str, object]) -> None:
        """Let these be the previous closes; whatever is no price stands for "not known"."""
        for symbol, told in closes.items():
            entry, close = self._entries.get(symbol), to_nanos(told)
            if entry is not None and entry.close != close:
                entry.close_at(close)
                self._new_closes.add(symbol)

    def restore(
        self,
        symbol: str,
        *,
        price: int,
        at_ns: int,
        close: int,
        bid: int = UNKNOWN,
        ask: int = UNKNOWN,
        quoted_ns: int = UNKNOWN,
        flags: int = 0,
        kept_ns: int = UNKNOWN,
    ) -> None:
        """Take over what an earlier leader knew and kept current, unless we know something."""
        entry = self._entries.get(symbol)
        if entry is None or entry.price != UNKNOWN:
            return
        if price:
            entry.move(price, at_ns)
            entry.is_judged = True
        if close and not entry.close:
            entry.close_at(close)
        entry.bid, entry.ask, entry.quoted_ns = bid, ask, quoted_ns
        entry.kept_ns = UNKNOWN if flags & STALE else kept_ns
        entry.mark(flags & DOUBTED, is_on=True)
        if entry.flags & DOUBTED:
            self.doubted.add(symbol)
        if flags & HALTED:
            self.note_halt(symbol, is_halted=True, now_ns=at_ns)
        self._changed.add(symbol)
        self._new_closes.add(symbol)

    def mark_stale(self, symbols: Collection[str]) -> None:
        """Flag these as stale, and nothing else."""
        for symbol in self._stale.symmetric_difference(symbols) & self._entries.keys():
            entry = self._entries[symbol]
            if entry.mark(STALE, is_on=symbol in symbols) and entry.price:
                self._changed.add(symbol)
        self._stale = set(symbols)

    def forget(self, symbols: Iterable[str]) -> None:
        """Stop following symbols, so that from now on nobody tells what they cost."""
        for symbol in symbols:
            entry = self._entries.pop(symbol, None)
            if entry is not None and entry.price:
                entry.mark(STALE, is_on=True)
                self._forgotten.append(entry)
            for names in (
                *(self._changed, self._new_closes, self._quoted),
                *(self.doubted, self._stale),
            ):
                names.discard(symbol)

    # What has become of it

    def take_changes(self) -> Changes:
        """Return what is new since the last time."""
        entries = self._entries
        changes = Changes(
            prices=[entries[symbol] for symbol in self._changed],
            closes=[entries[symbol] for symbol in self._new_closes],
            quotes=[entries[symbol] for symbol in self._quoted],
            forgotten=self._forgotten,
            heard_ns=self._heard_ns,
        )
        self._changed, self._new_closes, self._quoted = set(), set(), set()
        self._forgotten = []
        self._heard_ns = UNKNOWN
        return changes

    def everything(self) -> list[Entry]:
        """Return all entries that have a price or a close."""
        return [e for e in self._entries.values() if e.price != UNKNOWN or e.close != UNKNOWN]

    # Steps of the above

    def _note(self, accepted: int, now_ns: int) -> None:
        self.accepted += accepted
        self._now_ns = now_ns

    def _refuse(self, symbol: str, entry: Entry, why: str, *, is_news: bool = True) -> None:
        self.rejected[why] += 1
        if is_news and why in DOUBTFUL:
            self.doubted.add(symbol)
            if entry.mark(DOUBTED, is_on=True):
                self._changed.add(symbol)

    def _move(self, symbol: str, entry: Entry, nanos: int, at_ns: int) -> None:
        before = entry.row
        entry.move(nanos, at_ns)
        if entry.row != before:
            self._changed.add(symbol)

    def _halt(self, symbol: str, entry: Entry) -> None:
        entry.halted_ns = self._halted[symbol]
        if entry.mark(HALTED, is_on=True):
            self._changed.add(symbol)

    def _seed_quote(self, snapshot: Snapshot, entry: Entry, *, now_ns: int) -> None:
        bid, ask, at_ns = (
            to_nanos(snapshot.bid),
            to_nanos(snapshot.ask),
            nanoseconds(snapshot.quoted_at),
        )
        is_newer = entry.quoted_ns < at_ns <= now_ns + AHEAD_NS
        if is_newer and UNKNOWN not in {bid, ask} and bid <= ask:
            entry.bid, entry.ask, entry.quoted_ns = bid, ask, at_ns
            self._quoted.add(snapshot.symbol)
