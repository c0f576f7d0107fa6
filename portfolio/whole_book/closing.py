"""The value of every account after a session's close: when it is due, and making it once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import structlog

from core import leases
from market import days
from market import selectors as market
from market.facts import new_york_date
from portfolio.models import BookValuation
from portfolio.whole_book import keeping, prices
from portfolio.whole_book.valuing import ValuedPart, value_parts
from trading import selectors as trading

logger = structlog.get_logger()
# The last trades of a session are told within moments of its end.
AFTER_CLOSE: Final = timedelta(minutes=2)
# Until then, what a vendor could not be asked about is asked for again now and then.
TRY_FOR: Final = timedelta(hours=4)
_LEASE: Final = "portfolio.value_book"
_LEASE_SECONDS: Final = 120.0
# So long nobody tries again, because the lease is kept: all accounts are valued each time.
_REST_SECONDS: Final = 600.0
Look = Callable[[ValuedPart], None]


@dataclass(frozen=True)
class BookTotals:
    """How many accounts were valued, how many of them not wholly, and how many rows are new."""

    account_count: int = 0
    incomplete_count: int = 0
    kept_count: int = 0

    def plus(self, part: ValuedPart, kept_count: int) -> "BookTotals":
        """Count some more."""
        return BookTotals(
            self.account_count + len(part),
            self.incomplete_count + len(part) - int(part.is_complete.sum()),
            self.kept_count + kept_count,
        )


def due_day(*, at: datetime) -> date | None:
    """
    Return today if its session is over and its accounts are not valued yet, else nothing.

    A day that has passed is never due: what its prices and holdings were is not known any more.
    """
    day = new_york_date(at)
    closes_at = market.closing_of(day)
    is_over = closes_at is not None and at >= closes_at + AFTER_CLOSE
    return day if is_over and not BookValuation.is_done(day) else None


def value_all(*, at: datetime, look: Look | None = None) -> BookTotals:
    """
    Value all accounts as they are now and keep nothing.

    :raises PricesNotLive: nobody publishes fresh prices.
    """
    since, told = _begin(at)
    totals = BookTotals()
    for part in value_parts(told, since=since):
        totals = totals.plus(part, 0)
        if look is not None:
            look(part)
    return totals


def value_day(day: date, *, at: datetime, look: Look | None = None) -> BookTotals | None:
    """
    Value all accounts and keep it as this day's end, or return nothing while somebody else does.

    What was interrupted is done again, and so is what lacks a price that a vendor could not be
    asked for; rows that are complete stay as they are.

    :raises PricesNotLive: nobody publishes fresh prices.
    """
    lease = leases.acquire(_LEASE, seconds=_LEASE_SECONDS)
    if lease is None:
        return None
    rest_seconds = 0.0
    try:
        since, told = _begin(at)
        occasion = keeping.Occasion(day=day, at=at, stamp=told.stamp, source=told.source)
        totals = BookTotals()
        for part in value_parts(told, since=since):
            if not leases.renew(lease, seconds=_LEASE_SECONDS):
                return None
            totals = totals.plus(part, keeping.keep(part, occasion))
            if look is not None:
                look(part)
        if totals.incomplete_count and not told.is_answered and _may_try_again(day, at=at):
            rest_seconds = _REST_SECONDS
            logger.warning("book.left_incomplete", count=totals.incomplete_count)
        else:
            BookValuation.finish(
                day, at=at, accounts=totals.account_count, incomplete=totals.incomplete_count
            )
    finally:
        leases.renew(lease, seconds=rest_seconds)
    logger.info("book.valued", count=totals.account_count, kept_count=totals.kept_count)
    return totals


def _may_try_again(day: date, *, at: datetime) -> bool:
    """Say whether it is early enough for the day to be tried again, and not yet to be ended."""
    closes_at = market.closing_of(day)
    return closes_at is not None and at < closes_at + TRY_FOR


def _begin(at: datetime) -> tuple[datetime, prices.BookPrices]:
    since = days.start_of(days.day_at(at))
    return since, prices.read(symbols=trading.list_book_symbols(since=since), at=at)
