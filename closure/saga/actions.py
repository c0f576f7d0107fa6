"""What a closure may do next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from closure.saga.facts import Holding
from closure.states import ProblemKind, Step


@dataclass(frozen=True, kw_only=True)
class Move:
    """Go to another step."""

    to: Step
    settles_on: date | None = None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Nothing can be done now; `problem` tells people what it waits for."""

    delay: timedelta
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class CancelOrders:
    """Have every open order canceled."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One sale to hand in."""

    id: UUID
    symbol: str
    quantity: Decimal


@dataclass(frozen=True, kw_only=True)
class Sell:
    """Hand in sales."""

    orders: Sequence[Order]


@dataclass(frozen=True, kw_only=True)
class SellAgain:
    """Count these sales as over, so that what is left gets new ones."""

    holdings: Sequence[Holding]


@dataclass(frozen=True, kw_only=True)
class Withdraw:
    """Send money to the bank."""

    id: UUID
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class AskBroker:
    """Ask the broker to close the account."""

    id: UUID
    number: int


@dataclass(frozen=True, kw_only=True)
class AskAgain:
    """The request was never sent: count it as over, so that there is a new one."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """Hand it to our staff."""

    kind: ProblemKind
    problem: str
    about: Sequence[UUID] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Fail:
    """It cannot begin."""

    problem: str


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Leave it, because that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Finish:
    """The account is closed."""


Action = (
    Move
    | Wait
    | CancelOrders
    | Sell
    | SellAgain
    | Withdraw
    | AskBroker
    | AskAgain
    | Review
    | Fail
    | Stop
    | Finish
)
