"""Which prices nobody keeps current, so that no old one is taken for one of now."""

from typing import Final

import structlog

from market.desk import Desk
from market.facts import is_coin
from market.nanos import NANOS

logger = structlog.get_logger()
# The asker tries some times within it.
KEPT_SECONDS: Final = 20.0
_ROUND_SECONDS: Final = 1.0


class Liveness:
    """
    Flags prices as stale, and takes the flag away again.

    While its market is open a price is stale when its socket is silent, or late. In the hours
    before and after the session sockets may be silent for long; but then, as in the session and for
    what no socket sends, somebody has to be there who would tell of a newer price: a socket that
    sends the symbol, or the vendor's answer when asked. While nothing trades no price is stale.
    """

    def __init__(self, desk: Desk) -> None:
        self.is_all_stale = True
        self._desk = desk
        self._signs: tuple[object, ...] = ()
        self._judged_at = float("-inf")
        self._covered: frozenset[str] = frozenset()
        self._has_lone = False

    def judge(self) -> None:
        """Judge all prices, if anything can be different now; the caller holds the desk's lock."""
        desk, now = self._desk, self._desk.monotonic()
        # Of shares first, then of coins: the place is what `is_coin` says.
        is_dead = [desk.is_dead(feed) for feed in desk.feeds]
        may_move = [desk.may_move(feed) for feed in desk.feeds]
        signs = (len(desk.book), is_dead, may_move, *(feed.covered for feed in desk.feeds))
        if signs == self._signs and now - self._judged_at < _ROUND_SECONDS:
            return
        self._signs, self._judged_at = signs, now
        dead = {s for s in desk.book.entries if is_dead[is_coin(s)]} if any(is_dead) else set()
        lone = {s for s in self._list_lone() if may_move[is_coin(s)]} - dead
        stale = dead | lone
        desk.book.mark_stale(stale)
        priced = [s for s, entry in desk.book.entries.items() if entry.price]
        judged = priced or list(desk.book.entries)
        # With nothing to judge, as before the database can be read, the sockets decide.
        self.is_all_stale = stale.issuperset(judged) if judged else any(is_dead)
        self._tell(lone)

    def _list_lone(self) -> set[str]:
        """List the symbols with a price of which for some time nobody has been there to tell."""
        desk, entries, now_ns = self._desk, self._desk.book.entries, self._desk.vendor_now_ns()
        covered = desk.covered
        for symbol in (self._covered - covered) & entries.keys():
            entries[symbol].kept_ns = now_ns  # until now; connections come back
        self._covered = covered
        since_ns, lone = now_ns - KEPT_SECONDS * NANOS, set()
        for symbol in entries.keys() - covered:
            entry = entries[symbol]
            entry.kept_ns = min(entry.kept_ns, now_ns)  # the clock may have been put back
            if entry.price and max(entry.kept_ns, entry.at_ns) < since_ns:
                lone.add(symbol)
        return lone

    def _tell(self, lone: set[str]) -> None:
        if lone and not self._has_lone:
            logger.warning("prices.not_kept", count=len(lone))
        self._has_lone = bool(lone)
