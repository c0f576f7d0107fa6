"""Days as the tax law counts them: trade days in New York."""

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from trading.states import Term

_NEW_YORK: Final = ZoneInfo("America/New_York")
_WASH: Final = timedelta(days=30)
_DAY: Final = timedelta(days=1)


def day_of(at: datetime) -> date:
    """Name the day of a trade."""
    return at.astimezone(_NEW_YORK).date()


def term_of(held_since: date | None, sold: date) -> Term:
    """Say how long shares were held; the day on which they were bought does not count."""
    if held_since is None:
        return Term.UNKNOWN
    first = held_since + _DAY
    try:
        long_from = first.replace(year=first.year + 1)
    except ValueError:  # the 29th of February
        long_from = date(first.year + 1, 3, 1)
    return Term.LONG if sold >= long_from else Term.SHORT


def is_near(one: date, other: date) -> bool:
    """Say whether a purchase is so near to a sale that it may wash it."""
    return abs(one - other) <= _WASH


def first_near(day: date) -> date:
    """Name the first day that is near."""
    return day - _WASH


def tacked(acquired: date | None, *, sold: date, held_since: date | None) -> date | None:
    """Count the days for which the replaced shares were held as days of those in their place."""
    if acquired is None or held_since is None:
        return acquired
    return acquired - (sold - held_since)
