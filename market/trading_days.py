"""The broker's calendar: our copy of it, and asking when that does not reach far enough."""

import time
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Max, Min
from django.utils import timezone

from core.errors import VendorError
from market import gateways
from market.facts import Day, new_york_date
from market.models import TradingDay

logger = structlog.get_logger()
BACK: Final = timedelta(days=30)
AHEAD: Final = timedelta(days=400)
# With less than this ahead of us the copy is read again, and an alarm is given if that is all.
HORIZON: Final = timedelta(days=90)
EVERY: Final = timedelta(days=1)
EVERY_WHEN_SHORT: Final = timedelta(hours=1)
# A broker that cannot tell is not asked by one request after the other.
_ASK_AGAIN_SECONDS: Final = 60.0
_asked = {"at": float("-inf")}


def read(*, at: datetime) -> int:
    """
    Take over the broker's calendar around this date, and say how many days it has.

    :raises VendorError: the broker could not be read.
    """
    today = new_york_date(at)
    days = gateways.get().broker.calendar(today - BACK, today + AHEAD)
    _keep(days, since=today - BACK, at=at)
    last = max(day.on for day in days)
    if last < today + HORIZON:
        logger.error("calendar.short_horizon", last_at=last.isoformat())
    logger.info("calendar.refreshed", count=len(days))
    return len(days)


def _keep(days: Iterable[Day], *, since: date, at: datetime) -> None:
    """Write the days down, and forget those that the broker has taken back."""
    told = {day.on: day for day in days}
    rows = [
        TradingDay(
            date=day.on,
            opens_at=day.opens_at,
            closes_at=day.closes_at,
            settles_on=day.settles_on,
            read_at=at,
        )
        for day in told.values()
    ]
    with transaction.atomic():
        TradingDay.objects.filter(date__gte=since).exclude(date__in=told).delete()
        TradingDay.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["date"],
            update_fields=["opens_at", "closes_at", "settles_on", "read_at"],
        )


def is_due(*, at: datetime) -> bool:
    """Say whether our copy is a day old, or does not reach far enough and may do so now."""
    known = TradingDay.objects.aggregate(last=Max("date"), read_at=Max("read_at"))
    if known["last"] is None:
        return True
    is_short = known["last"] < new_york_date(at) + HORIZON
    return bool(known["read_at"] <= at - (EVERY_WHEN_SHORT if is_short else EVERY))


def following(day: date, count: int) -> list[date] | None:
    """
    List the next trading days after a date, or nothing when nobody can tell them all.

    Asks the broker when our copy does not reach so far, and then keeps what it says.
    """
    found = _following(day, count)
    return _following(day, count) if found is None and _ask(about=day) else found


def is_trading_day(day: date) -> bool | None:
    """Say whether the market has a session on that date, or nothing when nobody can tell."""
    if not _reaches(day) and not (_ask(about=day) and _reaches(day)):
        return None
    return TradingDay.objects.filter(date=day).exists()


def closing_of(day: date) -> datetime | None:
    """Return when that date's session closes, or nothing when it has none or nobody can tell."""
    if not is_trading_day(day):
        return None
    return TradingDay.objects.filter(date=day).values_list("closes_at", flat=True).first()


def next_open(at: datetime) -> datetime | None:
    """Return the first opening of the calendar after a moment, or nothing when nobody can tell."""
    day = new_york_date(at)
    found = _next_open(at, day)
    return _next_open(at, day) if found is None and _ask(about=day) else found


def _next_open(at: datetime, day: date) -> datetime | None:
    if not _reaches(day):
        return None
    later = TradingDay.objects.filter(date__gte=day, opens_at__gt=at)
    return later.values_list("opens_at", flat=True).first()


def settlement_day(day: date) -> date | None:
    """
    Return when what is traded on a trading day settles, or nothing when nobody can tell.

    Without the broker's own word it is the next trading day.
    """
    if not is_trading_day(day):
        return None
    told = TradingDay.objects.filter(date=day).values_list("settles_on", flat=True).first()
    if told is not None:
        return told
    days = following(day, 1)
    return None if days is None else days[-1]


def _following(day: date, count: int) -> list[date] | None:
    if not _reaches(day):
        return None
    found = TradingDay.objects.filter(date__gt=day).values_list("date", flat=True)[:count]
    return list(found) if len(found) == count else None


def _reaches(day: date) -> bool:
    """Say whether our copy has days on both sides of this one, so that a gap is a day off."""
    known = TradingDay.objects.aggregate(first=Min("date"), last=Max("date"))
    return known["first"] is not None and known["first"] <= day <= known["last"]


def _ask(*, about: date) -> bool:
    """Read the calendar anew if that can help and was not just tried in vain."""
    now = timezone.now()
    within = new_york_date(now) - BACK <= about <= new_york_date(now) + AHEAD
    if not within or time.monotonic() < _asked["at"] + _ASK_AGAIN_SECONDS:
        return False
    _asked["at"] = time.monotonic()
    try:
        read(at=now)
    except VendorError as error:
        logger.warning("calendar.not_read", error=error.code)
        return False
    return True


def forget_asking() -> None:
    """Ask again at once when something is not known."""
    _asked["at"] = float("-inf")
