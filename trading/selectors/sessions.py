"""Whether the market is open, for those who are about to trade."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from market import selectors as market

_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, kw_only=True)
class MarketStatus:
    """What the market does now, in one of the original's words and in a sentence."""

    is_open: bool
    status: str
    message: str
    next_open: datetime | None

    @property
    def orders_accepted(self) -> bool:
        """Say whether an order can be placed as it is; others wait for the opening if told to."""
        return self.is_open


def get_market_status(*, at: datetime) -> MarketStatus:
    """Say whether the market is open and when it opens next; the broker may be asked."""
    hours = market.get_hours(at=at)
    if hours is None:
        return MarketStatus(
            is_open=False,
            status="unknown",
            message="Nobody can tell at the moment whether the market is open.",
            next_open=None,
        )
    if hours.is_open:
        return MarketStatus(
            is_open=True,
            status="open",
            message="The market is open.",
            next_open=market.next_open(at=at),
        )
    status = "closed"
    if hours.is_extended:
        status = "after_hours" if _closed_today(hours.closed_at, at=at) else "pre_market"
    opens = market.next_open(at=at)
    message = "The market is closed; an order can be queued for the open."
    return MarketStatus(is_open=False, status=status, message=message, next_open=opens)


def _closed_today(closed_at: datetime | None, *, at: datetime) -> bool:
    if closed_at is None:
        return False
    return closed_at.astimezone(_NEW_YORK).date() == at.astimezone(_NEW_YORK).date()
