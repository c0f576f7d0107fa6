"""What a price must be like to be believed, judged by what is known of its instrument."""

from dataclasses import dataclass
from typing import Final

from market.frames import DOUBTED, HALTED, Row
from market.nanos import HIGHEST, NANOS

MOST_JUMP: Final = 10
# Two prices that both lie within this factor of a third are within its square of each other, which
# has to be less than a jump.
_NEAR: Final = 3
MINUTE_NS: Final = 60 * NANOS
BAND_LASTS_NS: Final = MINUTE_NS
# The exchange's times of a halt and of the trades just before it differ.
HALT_SLACK_NS: Final = 5 * NANOS

# Refused prices that say that something may have happened, rather than nothing at all.
DOUBTFUL: Final = frozenset({"jump", "band"})


@dataclass(slots=True, eq=False)
class Entry:
    """
    What is known of one instrument; `number` is its place in price vectors.

    Prices are billionths of a dollar and times nanoseconds since 1970; zero is "not known". The
    next price has to be from `least` to `most`. One that `is_guarded` has more to be asked for: a
    flag, or the exchange's band. It `is_judged` once a price had something to be compared with.
    At `kept_ns` somebody was there who would have told of a newer price.

    From `near_low` to `near_high` prices are near enough to each other that none of them is a jump,
    whichever of them is the last one: so most are judged without working out anything.
    """

    number: int
    price: int = 0
    at_ns: int = 0
    close: int = 0
    bid: int = 0
    ask: int = 0
    quoted_ns: int = 0
    flags: int = 0
    near_low: int = HIGHEST + 1
    near_high: int = 0
    first_close: int = 0  # what a first price is judged by
    halted_ns: int = 0
    low: int = 0
    high: int = 0
    band_ns: int = 0
    kept_ns: int = 0
    is_guarded: bool = False
    is_judged: bool = False

    @property
    def row(self) -> Row:
        """What is published of it."""
        return Row(
            self.price, self.close, self.at_ns, self.bid, self.ask, self.quoted_ns, self.flags
        )

    @property
    def least(self) -> int:
        """What the next price has to be at the least."""
        return -(-(self.price or self.first_close or 1) // MOST_JUMP)

    @property
    def most(self) -> int:
        """What the next price may be at the most."""
        return (self.price or self.first_close) * MOST_JUMP or HIGHEST

    def move(self, nanos: int, at_ns: int) -> None:
        """Let it cost this from now on."""
        self.price, self.at_ns = nanos, at_ns
        if not self.near_low <= nanos <= self.near_high:
            self.near_low, self.near_high = -(-nanos // _NEAR), nanos * _NEAR
        if self.flags & DOUBTED:
            self.mark(DOUBTED, is_on=False)

    def close_at(self, nanos: int) -> None:
        """Let this be its previous close, by which a first price is judged."""
        self.close = nanos
        if nanos and not self.price:
            self.is_judged = True
            self.first_close = nanos

    def mark(self, flag: int, *, is_on: bool) -> bool:
        """Set a flag or take it away, and say whether that is new."""
        flags = self.flags | flag if is_on else self.flags & ~flag
        is_new = flags != self.flags
        self.flags = flags
        self.is_guarded = bool(flags or self.band_ns)
        return is_new

    def limit(self, low: int, high: int, at_ns: int) -> None:
        """Let it trade only within these prices for a while."""
        self.low, self.high, self.band_ns = low, high, at_ns
        self.is_guarded = True

    def refusal(self, nanos: int, at_ns: int, *, since_ns: int) -> str:
        """
        Name what is wrong with a price of a possible time, or nothing.

        While the exchange has stopped the trading nobody can have paid it: such prices are late,
        from elsewhere, or wrong. Words on halts and trades come through the same socket, so that
        the first trade after a halt comes after the word that it is over.
        """
        if not nanos:
            return "price"
        if at_ns < since_ns:
            return "older"
        if self.flags & HALTED:
            return "halted"
        if not self.least <= nanos <= self.most:
            return "jump"
        if self._is_banded(at_ns) and not self.low <= nanos <= self.high:
            return "band"
        return ""

    def refusal_of_quote(self, bid: int, ask: int, at_ns: int) -> str:
        """
        Name what is wrong with the best bid and ask of a possible time, or nothing.

        A bid below the exchange's band, or an ask above it, is only far away.
        """
        if not bid or not ask:
            return "price"
        if bid > ask:
            return "crossed"
        if at_ns < self.quoted_ns:
            return "older"
        if self.flags & HALTED:
            return "halted"
        is_near = self.near_low <= bid and ask <= self.near_high
        if not is_near and (bid < self.least or ask > self.most):
            return "jump"
        is_outside = bid > self.high or ask < self.low
        return "band" if is_outside and self._is_banded(at_ns) else ""

    def takes_bar(self, start_ns: int, *, is_updated: bool) -> bool:
        """
        Say whether a minute's last price tells more than the trades that we have heard.

        A minute told again is about trades that came late, and must not undo later ones.
        """
        is_ended_before = start_ns + MINUTE_NS <= self.at_ns
        return not is_ended_before and not (is_updated and self.at_ns < start_ns)

    def is_resumed_at(self, at_ns: int) -> bool:
        """Say whether a trade that the vendor answers with shows that the trading goes on."""
        return bool(self.flags & HALTED) and at_ns > self.halted_ns + HALT_SLACK_NS

    def is_denied(self, nanos: int, at_ns: int) -> bool:
        """
        Say whether the market has denied a newer price that jumps: later quotes are where we are.

        A quote that was not moved by a split is older than the first trade after it.
        """
        is_jump = self.is_judged and not self.least <= nanos <= self.most
        is_quoted_near = self.least <= self.bid <= self.ask <= self.most
        return is_jump and is_quoted_near and self.at_ns < at_ns < self.quoted_ns

    def _is_banded(self, at_ns: int) -> bool:
        return bool(self.band_ns) and 0 <= at_ns - self.band_ns <= BAND_LASTS_NS
