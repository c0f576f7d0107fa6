"""The day that "today" means everywhere: the calendar day of New York, as one number."""

from datetime import date, datetime, time, timedelta
from typing import Final

from market.facts import NEW_YORK, new_york_date

_FIRST: Final = date(1970, 1, 1)


def number_of(day: date) -> int:
    """Count the days from 1970 to a date."""
    return (day - _FIRST).days


def date_of(number: int) -> date:
    """Return the date so many days after the beginning of 1970."""
    return _FIRST + timedelta(days=number)


def day_at(at: datetime) -> int:
    """Count the days from 1970 to the date that it is in New York at a moment."""
    return number_of(new_york_date(at))


def start_of(number: int) -> datetime:
    """Return the midnight in New York at which a day begins."""
    return datetime.combine(date_of(number), time(), tzinfo=NEW_YORK)
