"""Everything that is done with the ledger; other apps call it as `services.post(...)`."""

from ledger.services.activities import apply_events, follow_events
from ledger.services.comparing import Comparison, compare_account, compare_due, request_comparison
from ledger.services.fills import confirm_filled
from ledger.services.holds import hold, release, remaining
from ledger.services.posting import (
    AlreadyReversed,
    Movement,
    confirm,
    fill_key,
    post,
    reverse,
    take_back,
)

__all__ = [
    "AlreadyReversed",
    "Comparison",
    "Movement",
    "apply_events",
    "compare_account",
    "compare_due",
    "confirm",
    "confirm_filled",
    "fill_key",
    "follow_events",
    "hold",
    "post",
    "release",
    "remaining",
    "request_comparison",
    "reverse",
    "take_back",
]
