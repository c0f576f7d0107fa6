"""Everything that is done with the ledger; other apps call it as `services.post(...)`."""

from ledger.services.holds import hold, release
from ledger.services.posting import Movement, post, reverse

__all__ = ["Movement", "hold", "post", "release", "reverse"]
