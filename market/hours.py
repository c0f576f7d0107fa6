"""Whether the broker's market trades at a moment, and what it does while it does not."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from market import trading_days
from market.facts import NEW_YORK, Session, new_york_date
from market.models import TradingDay

_EARLY: Final = time(4)
_LATE: Final = timedelta(hours=4)


@dataclass(frozen=True, kw_only=True)
class Hours:
    """
    Whether the market is open, or trades before or after its session.

    `closed_at` is when the last session ended, while there is none.
    """

    is_open: bool
    is_extended: bool = False
    closed_at: datetime | None = None


def hours_at(session: Session, *, at: datetime) -> Hours:
    """
    Say what the market does now, by the broker's clock and its calendar, which may be asked for.

    Orders for extended hours trade from four in the morning and until four hours after the close.
    """
    if session.is_open:
        return Hours(is_open=True)
    if trading_days.is_trading_day(new_york_date(at)) is None:
        return Hours(is_open=False)
    day = TradingDay.objects.filter(date=new_york_date(at)).first()
    closed = TradingDay.objects.filter(closes_at__lte=at).order_by("-date")
    return Hours(
        is_open=False,
        is_extended=day is not None and _is_extended(day, at=at),
        closed_at=closed.values_list("closes_at", flat=True).first(),
    )


def _is_extended(day: TradingDay, *, at: datetime) -> bool:
    early = datetime.combine(day.date, _EARLY, tzinfo=NEW_YORK)
    return early <= at < day.opens_at or day.closes_at <= at < day.closes_at + _LATE
