"""What a decision about a closure depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from closure.states import Step


@dataclass(frozen=True, kw_only=True)
class Sale:
    """The order that last sold a symbol for the closure."""

    is_working: bool
    # The holdings contain all that it has sold, so that what is left is really left.
    is_booked: bool
    has_sold: bool
    is_held: bool = False
    quantity: Decimal | None = None
    is_too_large: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A position, and what the closure has done about it."""

    symbol: str
    quantity: Decimal
    number: int = 0
    sale: Sale | None = None
    # After a sale that came to nothing it is not tried again before this.
    not_before: datetime | None = None
    # A sale that was refused for its size is tried with less.
    most: Decimal | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class OpenOrder:
    """An order of somebody else's that the broker may still fill."""

    is_cancel_asked: bool
    is_under_review: bool = False


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """Money that the closure has sent to the bank."""

    id: UUID
    business_date: date | None
    is_unfinished: bool
    is_undone: bool = False
    is_returned: bool = False
    is_under_review: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Room:
    """What may be withdrawn now: on which working day, and how much its limits leave."""

    business_date: date | None
    most: Decimal
    # The cash that our own books let leave, or nothing when they do not limit it.
    in_books: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How the request to close the account stands."""

    is_undecided: bool
    is_accepted: bool = False
    is_refused: bool = False
    # The broker took it long ago, and the account is still open.
    is_overdue: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything a decision depends on; nothing stands for "nobody can tell now"."""

    closure_id: UUID
    step: Step
    at: datetime
    today: date
    is_stop_asked: bool = False
    bar: str = ""
    is_over: bool = False
    blockers: Sequence[str] = ()
    # The broker was read for this decision, and nothing here was overtaken meanwhile.
    is_known: bool = True
    holdings: Sequence[Holding] = ()
    others: Sequence[OpenOrder] = ()
    working_sales: int = 0
    has_traded: bool = False
    is_market_open: bool | None = None
    opens_at: datetime | None = None
    settlement: date | None = None
    settles_on: date | None = None
    cash: Decimal | None = None
    withdrawable: Decimal | None = None
    others_moving: int = 0
    withdrawals: Sequence[Withdrawal] = ()
    excused: frozenset[UUID] = frozenset()
    room: Room | None = None
    is_bank_good: bool = True
    smallest: Decimal = Decimal("0.01")
    number: int = 0
    asked: Asked | None = None
