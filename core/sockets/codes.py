"""The codes with which sockets are closed."""

from typing import Final

BAD_FRAME: Final = 4400
UNAUTHENTICATED: Final = 4401
NOT_YOURS: Final = 4404
TOO_SLOW: Final = 4408
TOO_MANY: Final = 4429
TRY_LATER: Final = 1013
NO_ANSWER: Final = 1011
RESTARTING: Final = 1012
# The original's clients carry `?token=` and wait for these.
IN_QUERY: Final = {UNAUTHENTICATED: 4001, NOT_YOURS: 4003}
ALL: Final = frozenset(
    {
        BAD_FRAME,
        UNAUTHENTICATED,
        NOT_YOURS,
        TOO_SLOW,
        TOO_MANY,
        TRY_LATER,
        NO_ANSWER,
        RESTARTING,
        *IN_QUERY.values(),
    }
)
