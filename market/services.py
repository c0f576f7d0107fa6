"""Actions of the market app: keep the list of instruments, and follow the prices wanted."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import redis
import structlog
from django.db import transaction
from django.utils import timezone

from core import realtime
from market import following, frames, gateways, trading_days
from market.models import Instrument, WantedSymbol

logger = structlog.get_logger()
WANTED_FOR: Final = timedelta(hours=1)
_WORTH_RENEWING: Final = timedelta(minutes=30)
_LONGEST_SYMBOL: Final = 24  # no instrument has a longer one, whatever an account may hold


def want_symbols(*, reason: str, symbols: Iterable[str], at: datetime | None = None) -> None:
    """
    Have exactly these symbols' prices followed for this reason, for an hour unless said again.

    Repeating oneself is cheap: nothing is written while more than half of the hour is left.
    """
    now = at or timezone.now()
    wanted = {symbol for symbol in symbols if 0 < len(symbol) <= _LONGEST_SYMBOL}
    with transaction.atomic():
        rows = {row.symbol: row for row in WantedSymbol.objects.filter(reason=reason)}
        gone = rows.keys() - wanted
        due = {
            symbol
            for symbol in wanted
            if symbol not in rows or rows[symbol].until < now + _WORTH_RENEWING
        }
        WantedSymbol.objects.filter(reason=reason, symbol__in=gone).delete()
        WantedSymbol.objects.bulk_create(
            [WantedSymbol(reason=reason, symbol=s, until=now + WANTED_FOR) for s in sorted(due)],
            update_conflicts=True,
            unique_fields=["reason", "symbol"],
            update_fields=["until"],
        )
        if gone or due:
            transaction.on_commit(_tell_leader)


def refresh_instruments(*, at: datetime) -> int:
    """
    Take over the broker's list of active assets, and say how many instruments changed.

    :raises VendorError: the broker could not be read.
    """
    assets = gateways.get().broker.list_assets()
    changed = Instrument.objects.keep(assets)
    WantedSymbol.objects.filter(until__lt=at).delete()
    logger.info("instruments.refreshed", count=changed)
    return changed


def refresh_calendar(*, at: datetime) -> int:
    """
    Take over the broker's calendar when our copy is old or does not reach far enough.

    Returns how many days it has; none when it was not due.

    :raises VendorError: the broker could not be read.
    """
    return trading_days.read(at=at) if trading_days.is_due(at=at) else 0


def follow_prices() -> bool:
    """
    Follow and publish prices while this process leads; false when it never did.

    One process of each worker waits as the standby of whoever leads.
    """
    return following.lead()


def _tell_leader() -> None:
    """Move the version that the leader looks at; should this be lost, it looks by itself soon."""
    try:
        realtime.connection().incr(frames.WANTED_KEY)
    except redis.RedisError as error:
        logger.warning("prices.wanted_not_told", error=type(error).__name__)
