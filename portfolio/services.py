"""Actions of the portfolio app: have what is valued priced, and keep what it was worth."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from market import services as market
from portfolio import selectors
from portfolio.live.holdings import AccountHoldings
from portfolio.whole_book import closing
from portfolio.whole_book.closing import BookTotals, Look
from portfolio.whole_book.prices import PricesNotLive
from trading import selectors as trading

logger = structlog.get_logger()
HELD: Final = "portfolio:held"


def want_prices(*, reason: str, symbols: Collection[str]) -> None:
    """Have these symbols' prices followed for as long as a process values them."""
    market.want_symbols(reason=reason, symbols=symbols)


def want_held_prices() -> None:
    """Have the price of everything followed that some account holds, open sockets or not."""
    want_prices(reason=HELD, symbols=trading.list_held_symbols())


def load_accounts(*, account_ids: Collection[UUID], day: int) -> dict[UUID, AccountHoldings]:
    """Read what these accounts hold, for a process that serves their sockets on this day."""
    return selectors.load_holdings(account_ids=account_ids, at=datetime.now(UTC), day=day)


def value_book(*, at: datetime, look: Look | None = None) -> BookTotals | None:
    """
    Keep what every account is worth at the end of today, once its session is over.

    Returns nothing when that is not due, or another process does it now. `look` is called with the
    figures of some accounts at a time, after these were kept.

    :raises PricesNotLive: nobody publishes fresh prices; it stays due.
    """
    day = closing.due_day(at=at)
    return None if day is None else closing.value_day(day, at=at, look=look)


def value_book_if_possible(*, at: datetime) -> BookTotals | None:
    """Do the same, and only say so when prices are not live: it is tried again soon."""
    try:
        return value_book(at=at)
    except PricesNotLive as error:
        logger.warning("book.not_valued", error=error.code)
        return None


def preview_book(*, at: datetime, look: Look | None = None) -> BookTotals:
    """
    Value every account as it is now and keep nothing.

    :raises PricesNotLive: nobody publishes fresh prices.
    """
    return closing.value_all(at=at, look=look)
