"""The prices by which a whole book is valued."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import structlog
from numpy.typing import NDArray

from core.errors import CleraError
from market import days
from market import selectors as market
from market.facts import Snapshot, is_coin
from market.frames import Frame, without_stale
from market.selectors import Listed
from portfolio.live.book import PriceVectors, Stamp
from portfolio.selectors import find_instruments
from portfolio.states import Source

logger = structlog.get_logger()


class PricesNotLive(CleraError):
    """Nobody publishes fresh prices, so that what they would say of today is not known."""

    code = "price_stale"
    status = 409
    detail = "Prices are not live right now; accounts are valued once they are again."


@dataclass(frozen=True, eq=False)
class BookPrices:
    """
    Prices of everything that any account holds, and what counts for more than one share.

    Unless it `is_answered`, a vendor could not be asked about something, and may tell it later.
    """

    listed: Mapping[str, Listed]
    vectors: PriceVectors
    source: Source
    is_answered: bool

    @property
    def stamp(self) -> Stamp:
        """Name the frame that they are from."""
        return self.vectors.stamp

    @property
    def numbers(self) -> dict[str, int]:
        """Tell the number of each symbol."""
        return {symbol: listed.number for symbol, listed in self.listed.items()}

    @property
    def multipliers(self) -> NDArray[np.float64] | None:
        """Return a vector of what contracts stand for, or nothing when all are shares and coins."""
        special = {one.number: one.multiplier for one in self.listed.values()}
        if all(multiplier == 1 for multiplier in special.values()):
            return None
        found = np.ones(self.vectors.width)
        for number, multiplier in special.items():
            found[number] = float(multiplier)
        return found


def read(*, symbols: Collection[str], at: datetime) -> BookPrices:
    """
    Read what is published, and ask the vendor once for what is not.

    :raises PricesNotLive: nothing is published, it is not fresh, or its closes are not today's.
    """
    found = find_instruments(symbols)
    listed = found.listed
    published = _published({one.number for one in listed.values()}, at=at)
    vectors = PriceVectors()
    vectors.make_room(max((one.number for one in listed.values()), default=0))
    vectors.replace(without_stale(published))
    lacking = [symbol for symbol, one in listed.items() if _lacks(vectors, one.number)]
    asked, is_answered = _ask(lacking, at=at)
    for symbol, told in asked.items():
        vectors.offer(listed[symbol].number, told)
    source = Source.ASKED if asked else Source.PUBLISHED
    return BookPrices(listed, vectors, source, is_answered=is_answered and found.is_answered)


def _published(numbers: Collection[int], *, at: datetime) -> Frame:
    try:
        published = market.read_prices(numbers=numbers)
    except CleraError as error:
        raise PricesNotLive from error
    if published is None or not market.is_fresh(published, at=at):
        raise PricesNotLive
    if published.day not in {0, days.day_at(at)}:
        raise PricesNotLive
    return published


def _lacks(vectors: PriceVectors, number: int) -> bool:
    return not vectors.nanos[number] or not vectors.closes[number]


def _ask(symbols: Collection[str], *, at: datetime) -> tuple[Mapping[str, Snapshot], bool]:
    """Ask once about shares and once about coins, and say whether there was an answer to both."""
    coins = {symbol for symbol in symbols if is_coin(symbol)}
    asked: dict[str, Snapshot] = {}
    is_answered = True
    for some in filter(None, (set(symbols) - coins, coins)):
        try:
            asked |= market.ask_prices(symbols=some, at=at)
        except CleraError as error:
            logger.warning("book.prices_not_asked", count=len(some), error=error.code)
            is_answered = False
    return asked, is_answered
