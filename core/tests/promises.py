"""How long what we promise may take."""

import os
from typing import Final

_ADDED_SECONDS: Final = 0.0 if os.environ.get("CLERA_IDLE") else 10.0


def promised(seconds: float) -> float:
    """
    Say how many seconds to allow for what we promise within so many.

    Not one more on a machine that is said to be idle, as `make proof` says of it; on any other a
    test must not fail because everything was slow for a while.
    """
    return seconds + _ADDED_SECONDS
