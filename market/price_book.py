"""The latest believable price of every symbol we follow, in exact billionths of a dollar."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from typing import Final

from market.facts import Snapshot, Trade

NANOS: Final = 1_000_000_000
UNKNOWN: Final = 0  # no price, no close, no time
HIGHEST: Final = 10_000_000 * NANOS
MOST_JUMP: Final = 10
_AHEAD_NS: Final = 60 * NANOS
# Below this, a float with at most nine decimals is nearer than half a billionth to its text.
_EXACT_FLOATS: Final = 1_000_000.0


@dataclass(slots=True)
class Entry:
    """What is known of one instrument; `number` is its place in price vectors."""

    number: int
    price: int = UNKNOWN
    at_ns: int = UNKNOWN
    close: int = UNKNOWN


class PriceBook:
    """
    Judges every price before anybody sees it, and remembers what changed since it was asked.

    Not safe for threads: its owner holds a lock.
    """

    def __init__(self) -> None:
        self.rejected: Counter[str] = Counter()
        self.accepted = 0
        self.doubted: set[str] = set()  # jumped too far to be believed without asking
        self._entries: dict[str, Entry] = {}
        self._changed: set[str] = set()
        self._new_closes: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, symbol: str, number: int) -> None:
        """Make room for a symbol."""
        self._entries.setdefault(symbol, Entry(number))

    def number_of(self, symbol: str) -> int | None:
        """Tell a symbol's number, if it has one here."""
        entry = self._entries.get(symbol)
        return None if entry is None else entry.number

    def offer(self, trades: Iterable[Trade], *, now_ns: int) -> None:
        """Take over the trades that are believable and newer than what we have."""
        entries, changed, latest = self._entries, self._changed, now_ns + _AHEAD_NS
        for symbol, price, at_ns in trades:
            entry = entries.get(symbol)
            if entry is None:
                self.rejected["not_followed"] += 1
                continue
            if type(at_ns) is not int or at_ns <= 0 or at_ns > latest:
                self.rejected["time"] += 1
                continue
            nanos = to_nanos(price)
            why = _refusal(entry, nanos)
            if why:
                self.rejected[why] += 1
                if why == "jump":
                    self.doubted.add(symbol)
            elif at_ns < entry.at_ns:
                self.rejected["older"] += 1
            else:
                entry.at_ns = at_ns
                if nanos != entry.price:
                    entry.price = nanos
                changed.add(symbol)
                self.accepted += 1

    def seed(self, snapshot: Snapshot, *, now_ns: int, is_correction: bool = False) -> None:
        """
        Take over what the vendor answers on request.

        It may jump, since it is the vendor's considered word: a split, or a corrected trade. Unless
        it corrects, a price that is older than ours is left aside.
        """
        entry = self._entries.get(snapshot.symbol)
        if entry is None:
            return
        close = to_nanos(snapshot.previous_close)
        if close not in {UNKNOWN, entry.close}:
            entry.close = close
            self._new_closes.add(snapshot.symbol)
        nanos, at_ns = to_nanos(snapshot.last), nanoseconds(snapshot.last_at)
        if UNKNOWN in {nanos, at_ns}:
            return
        is_ours_impossible = entry.at_ns > now_ns + _AHEAD_NS
        if at_ns > entry.at_ns or is_ours_impossible or (is_correction and nanos != entry.price):
            entry.price, entry.at_ns = nanos, at_ns
            self._changed.add(snapshot.symbol)

    def restore(self, symbol: str, *, price: int, at_ns: int, close: int) -> None:
        """Take over what an earlier leader knew, unless we know something."""
        entry = self._entries.get(symbol)
        if entry is not None and entry.price == UNKNOWN:
            entry.price, entry.at_ns, entry.close = price, at_ns, close
            self._changed.add(symbol)
            self._new_closes.add(symbol)

    def forget(self, symbols: Iterable[str]) -> None:
        """Stop following symbols; what was published of them stays as it is."""
        for symbol in symbols:
            self._entries.pop(symbol, None)
            self._changed.discard(symbol)
            self._new_closes.discard(symbol)

    def take_changes(self) -> tuple[list[Entry], list[Entry]]:
        """Return what has a new price, and what has a new close, since the last time."""
        changed = [self._entries[symbol] for symbol in self._changed]
        closes = [self._entries[symbol] for symbol in self._new_closes]
        self._changed, self._new_closes = set(), set()
        return changed, closes

    def everything(self) -> list[Entry]:
        """Return all entries that have a price or a close."""
        return [e for e in self._entries.values() if e.price != UNKNOWN or e.close != UNKNOWN]


def to_nanos(price: object) -> int:
    """Convert a price to whole billionths, exactly; whatever is no price becomes `UNKNOWN`."""
    if type(price) is float:
        if 0 < price < _EXACT_FLOATS:
            return round(price * NANOS)
        exact = Decimal(repr(price))  # inf and nan too
    elif isinstance(price, int | Decimal) and not isinstance(price, bool):
        exact = Decimal(price)
    else:
        return UNKNOWN
    try:
        nanos = exact * NANOS
        return int(nanos) if 0 < nanos <= HIGHEST and nanos == int(nanos) else UNKNOWN
    except (DecimalException, OverflowError, ValueError):
        return UNKNOWN


def to_decimal(nanos: int) -> Decimal:
    """Write whole billionths as dollars, without needless zeros."""
    whole, fraction = divmod(nanos, NANOS)
    return Decimal(f"{whole}.{fraction:09d}".rstrip("0").rstrip("."))


def nanoseconds(at: datetime | None) -> int:
    """Count the nanoseconds from 1970 to a moment."""
    if at is None:
        return UNKNOWN
    past = at - _EPOCH
    return ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1_000


def moment(at_ns: int) -> datetime:
    """Turn nanoseconds since 1970 back into a moment, to the microsecond."""
    seconds, nanos = divmod(at_ns, NANOS)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=nanos // 1000)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _refusal(entry: Entry, nanos: int) -> str:
    if nanos == UNKNOWN:
        return "price"
    last = entry.price or entry.close
    if last and not last <= nanos * MOST_JUMP <= last * MOST_JUMP * MOST_JUMP:
        return "jump"
    return ""
