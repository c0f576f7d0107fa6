"""What an app must say about its intents: how to send one, how to find one at the vendor."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from core.intents.models import Intent
from core.intents.states import IntentState

Row = TypeVar("Row", bound=Intent)


@dataclass(frozen=True)
class Receipt:
    """
    What the vendor said of one intent.

    `is_accepted` is false when the vendor has it on record as refused. `changes` are columns of
    the row to set, such as the vendor's id.
    """

    vendor_status: str
    is_accepted: bool = True
    reason: str = ""
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Hold:
    """
    Why an intent that is ready is put aside, until somebody lets it go on.

    `changes` are columns of the row to set with it.
    """

    reason: str
    reason_code: str
    changes: dict[str, Any] = field(default_factory=dict)


class Courier(Generic[Row]):
    """
    Carries one kind of intent to one vendor.

    `send` and `find` run outside any transaction; `settled` runs inside the one that records the
    outcome, and is where the app publishes its event.
    """

    model: type[Row]
    # May the same id be sent again after two empty look-ups? Only if the vendor refuses repeats.
    resends: ClassVar[bool] = False
    # And for how long after it was ready? What is older is no longer what was wished for.
    resends_for: ClassVar[timedelta | None] = None
    # How many empty look-ups before a person has to decide.
    looks_before_review: ClassVar[int] = 3
    # How long an intent that never reached the vendor is worth sending.
    gives_up_after: ClassVar[timedelta] = timedelta(minutes=5)
    # The column that says since when; one that is held does not grow old.
    ready_column: ClassVar[str] = "created_at"

    def send(self, intent: Row) -> Receipt:
        """
        Make the one vendor call.

        :raises VendorUnavailable: it certainly had no effect.
        :raises VendorRejected: the vendor said no.
        :raises VendorUnclear: only reading can tell.
        """
        raise NotImplementedError

    def find(self, intent: Row) -> Receipt | None:
        """
        Read the vendor and say what became of the intent, or nothing when there is no trace.

        :raises VendorError: the vendor could not be read; nothing is known.
        """
        raise NotImplementedError

    def may_send(self, intent: Row) -> bool:  # noqa: ARG002 - the default has no reason to look
        """
        Say whether sending is allowed now; read in the transaction that takes the lease.

        One that may not be sent waits as it is, until it may or is given up.
        """
        return True

    def must_hold(self, intent: Row) -> Hold | None:  # noqa: ARG002 - see `may_send`
        """
        Say why an intent is to be held back now; read in the transaction that takes the lease.

        Nothing moves a HELD intent on but the app itself. One that may have reached the vendor is
        not sent again as long as there is a reason, but looked up all the same.
        """
        return None

    def held(self, intent: Row, *, at: datetime) -> None:
        """React, in the same transaction, to the intent's having been held back."""

    def lock_above(self, intent_id: UUID) -> None:
        """
        Lock what comes before the row in the order of locks, if `settled` is going to need it.

        Runs first in each transaction that may end in `settled`.
        """

    def settled(self, intent: Row, *, before: IntentState, at: datetime) -> None:
        """React, in the same transaction, to the outcome that was just recorded."""
