"""On which of the broker's working days a transfer is handed in, and when it should arrive."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings

from market import selectors as market

NEW_YORK: Final = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Plan:
    """The two dates of a transfer; nothing where the broker's calendar is not known."""

    business_date: date | None = None
    expected_on: date | None = None


def plan(*, at: datetime) -> Plan:
    """
    Say to which working day a transfer of this moment belongs, and by when it should arrive.

    May ask the broker for its calendar, so it has no place inside a transaction.
    """
    day = market.business_day(at, cutoff=settings.ACH_CUTOFF)
    if day is None:
        return Plan()
    count = settings.ACH_BUSINESS_DAYS
    return Plan(day, market.add_business_days(day, count) if count else day)


def today(at: datetime) -> date:
    """Return the date of a moment in New York."""
    return at.astimezone(NEW_YORK).date()


def midnight(at: datetime) -> datetime:
    """Return when that date began."""
    return datetime.combine(today(at), time(), tzinfo=NEW_YORK)
