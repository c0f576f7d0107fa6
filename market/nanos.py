"""Exact prices and times: whole billionths of a dollar, and nanoseconds since 1970."""

from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from functools import lru_cache
from typing import Final

NANOS: Final = 1_000_000_000
UNKNOWN: Final = 0  # no price, no close, no time
HIGHEST: Final = 10_000_000 * NANOS  # ten million dollars
# Below this, a float with at most nine decimals is nearer than half a billionth to its text.
EXACT_FLOATS: Final = 1_000_000.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_nanos(price: object) -> int:
    """
    Convert a price to whole billionths; whatever is no price becomes `UNKNOWN`.

    Only coins have more decimals than that, and theirs are rounded.
    """
    if type(price) is float:
        if 0 < price < EXACT_FLOATS:
            return round(price * NANOS)
        exact = Decimal(repr(price))  # inf and nan too
    elif isinstance(price, int | Decimal) and not isinstance(price, bool):
        exact = Decimal(price)
    else:
        return UNKNOWN
    try:
        nanos = exact * NANOS
        return round(nanos) if 0 < nanos <= HIGHEST else UNKNOWN
    except (DecimalException, OverflowError, ValueError):
        return UNKNOWN


@lru_cache(maxsize=8192)  # thousands of accounts ask for the same prices at one moment
def to_decimal(nanos: int) -> Decimal:
    """Write whole billionths as dollars, without needless zeros."""
    whole, fraction = divmod(nanos, NANOS)
    return Decimal(f"{whole}.{fraction:09d}".rstrip("0").rstrip("."))


def nanoseconds(at: datetime | None) -> int:
    """Count the nanoseconds from 1970 to a moment."""
    if at is None:
        return UNKNOWN
    past = at - _EPOCH
    return ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1_000


def moment(at_ns: int) -> datetime:
    """Turn nanoseconds since 1970 back into a moment, to the microsecond."""
    seconds, nanos = divmod(at_ns, NANOS)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=nanos // 1000)
