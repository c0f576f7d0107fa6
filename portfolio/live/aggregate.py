"""What several accounts are worth together."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from portfolio.live import records
from portfolio.live.records import Worth

AGGREGATE: Final = "aggregate"
_HUNDREDTHS_OF_PERCENT: Final = 10_000


def together(worths: Sequence[Worth]) -> Worth:
    """Add up what is known of all of them; what is not known of one is not known of the sum."""
    totals, returns = [w.total_cents for w in worths], [w.return_cents for w in worths]
    total, day = _sum(totals), _sum(returns)
    unpriced = sorted({symbol for worth in worths for symbol in worth.unpriced})
    is_stale = any(worth.is_stale for worth in worths)
    return Worth(total, day, _percent(total, day), unpriced, is_stale)


def message(worths: Sequence[Worth], stamp: str) -> bytes:
    """Write the message that tells it."""
    more = f',"accounts":{len(worths)}'
    return records.message(AGGREGATE, "null", together(worths), stamp, more=more)


def _sum(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _percent(total: int | None, day: int | None) -> int | None:
    """Relate the return to what the accounts were worth before it."""
    if total is None or day is None:
        return None
    before = total - day
    if before <= 0:
        return 0 if day == 0 else None
    share = Decimal(day * _HUNDREDTHS_OF_PERCENT) / before
    return int(share.to_integral_value(ROUND_HALF_EVEN))
